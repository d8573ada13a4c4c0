//! Calendars and cards as other programs read them: python's icalendar, recurring-ical-events and vobject, and calcard.
//!
//! `tests/support/peers/judge.py` computes the dates of each series from its blob, and shares nothing with the converter.
//! Stores are forged, and real ones where `../shared/corpus` lies beside the project; what is missing is said.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use pstfs::convert::contact::Version;
use pstfs::convert::{self, Format, Options};
use pstfs::format::id::Nid;
use pstfs::store::item::Item;
use pstfs::store::{Store, Which, tags};
use support::forge;

const CASES: [&str; 6] = [
    "calendar-every-pattern",
    "calendar-other-calendars",
    "calendar-instances-and-zones",
    "tasks-and-journal",
    "cards",
    "every-item-class",
];

/// A calendar item or card, with its documents.
struct Shown {
    subject: String,
    format: Format,
    text: String,
    /// As a card of 3.0.
    old: String,
    blob: Option<Vec<u8>>,
}

fn shown(store: &Store) -> Vec<Shown> {
    let (mut found, mut folders) = (Vec::new(), vec![Nid::ROOT_FOLDER]);
    while let Some(folder) = folders.pop() {
        let rows = store.contents(folder, Which::Normal).unwrap();
        let items = rows.iter().filter_map(|row| store.item(store.locate(row.nid).ok()?).ok());
        found.extend(items.filter_map(|item| show(store, &item)));
        folders.extend(store.subfolders(folder).unwrap());
    }
    found
}

fn show(store: &Store, item: &Item) -> Option<Shown> {
    let format = Format::of(&item.props);
    let render = |vcard| {
        let document = convert::render_with(store, item, format, Options { vcard }).unwrap();
        String::from_utf8(document.read(store, 0, usize::try_from(document.len()).unwrap()).unwrap()).unwrap()
    };
    let blob = [tags::LID_APPOINTMENT_RECUR, tags::LID_TASK_RECURRENCE].into_iter().find_map(|key| item.props.bytes(key));
    (format != Format::Eml).then(|| Shown {
        subject: item.subject().unwrap_or_default(),
        format,
        text: render(Version::V4),
        old: render(Version::V3),
        blob: blob.filter(|blob| blob.len() > 40),
    })
}

fn forged(case: &str) -> Store {
    let recipe = forge::recipe(case);
    let (format, cipher) = forge::wanted(&recipe)[0];
    Store::open(Arc::new(forge::store(format, cipher, &recipe)), 4 << 20).unwrap()
}

/// A real store of the corpus, where it lies beside the project; says so where it does not.
fn real(name: &str) -> Option<Store> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    Some(Store::open(Arc::new(bytes), 4 << 20).unwrap())
}

fn real_stores() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else {
        eprintln!("skipped: there is no ../shared/corpus with real stores");
        return Vec::new();
    };
    let rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&"healthy")).map(|row| folder.join(row[0])).collect()
}

fn of<'s>(shown: &'s [Shown], subject: &str) -> &'s Shown {
    shown.iter().find(|shown| shown.subject.starts_with(subject)).unwrap_or_else(|| panic!("no {subject}"))
}

/// The document's lines, unfolded.
fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n ", "").lines().map(str::to_owned).collect()
}

fn has(text: &str, wanted: &[&str]) {
    let lines = lines(text);
    for line in wanted {
        assert!(lines.iter().any(|known| known == line), "no {line} in {lines:#?}");
    }
}

/// Puts all documents before the judge.
fn judge(all: &[Shown]) {
    let program = "import icalendar, recurring_ical_events, vobject";
    if !Command::new("python3").args(["-c", program]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 lacks icalendar, recurring-ical-events or vobject; scripts/setup check installs them");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (at, shown) in all.iter().enumerate() {
        let name = |extension: &str| folder.path().join(format!("{at:05} {}{extension}", shown.subject.replace(['/', '\0'], "_")));
        std::fs::write(name(shown.format.extension()), &shown.text).unwrap();
        if shown.format == Format::Vcf {
            std::fs::write(name(" 3.vcf"), &shown.old).unwrap();
        }
        if let Some(blob) = &shown.blob {
            std::fs::write(name(".blob"), blob).unwrap();
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/judge.py");
    let output = Command::new("python3").arg(script).arg(folder.path()).env("PYTHONUTF8", "1").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    assert!(output.status.success(), "{said}");
}

/// calcard reads every document whole, too.
fn parse(all: &[Shown]) {
    for shown in all {
        for text in [&shown.text, &shown.old] {
            let entry = calcard::Parser::new(text).entry();
            let is_whole = match shown.format {
                Format::Vcf => matches!(entry, calcard::Entry::VCard(_)),
                _ => matches!(entry, calcard::Entry::ICalendar(_)),
            };
            assert!(is_whole, "{}: {entry:?}", shown.subject);
        }
    }
}

#[test]
fn the_dates_of_every_forged_series_are_those_that_its_blob_means() {
    let all: Vec<Shown> = CASES.iter().flat_map(|case| shown(&forged(case))).collect();
    assert!(all.iter().filter(|shown| shown.blob.is_some()).count() > 50);
    parse(&all);
    judge(&all);
}

#[test]
fn the_dates_of_every_real_series_are_those_that_its_blob_means() {
    let stores = real_stores();
    let all: Vec<Shown> =
        stores.iter().flat_map(|path| shown(&Store::open(Arc::new(std::fs::read(path).unwrap()), 4 << 20).unwrap())).collect();
    parse(&all);
    judge(&all);
}

#[test]
fn two_threads_render_the_same_bytes() {
    let stores: Vec<Store> = CASES.into_iter().map(forged).collect();
    let render = || stores.iter().flat_map(|store| shown(store).into_iter().map(|shown| shown.text + &shown.old)).collect::<Vec<_>>();
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(render);
        (render(), other.join().unwrap())
    });
    assert!(!one.is_empty());
    assert_eq!(one, two);
}

#[test]
fn a_real_series_has_its_deleted_and_changed_instances() {
    let Some(store) = real("javalibpst_dist-list_c86841.pst") else { return };
    let all = shown(&store);
    let series = lines(&of(&all, "Test appointment").text);
    let count = |start: &str| series.iter().filter(|line| line.starts_with(start)).count();
    // Three dates have no usual instance: one was deleted, two are the changed ones.
    assert_eq!((count("EXDATE"), count("RECURRENCE-ID"), count("BEGIN:VEVENT")), (1, 2, 3));
    has(
        &of(&all, "Test appointment").text,
        &[
            "DESCRIPTION:This is the appointment at 9",
            "DTSTART;TZID=America/Los_Angeles:20160823T090000",
            "DESCRIPTION:This is the one at 10",
            "DTSTART;TZID=America/Los_Angeles:20160830T100000",
        ],
    );
    has(
        &of(&all, "test dist list").text,
        &[
            "KIND:group",
            "MEMBER;X-CN=\"contact name 1\":mailto:contact1@rjohnson.id.au",
            "MEMBER;X-CN=\"dist name 1\":mailto:dist1@rjohnson.id.au",
            "MEMBER;X-CN=\"dist name 2\":mailto:dist2@rjohnson.id.au",
        ],
    );
}

#[test]
fn a_real_contact_of_japan_has_its_names_and_its_birthday() {
    let Some(store) = real("hiraoka_contacts_25f2d4.pst") else { return };
    let all = shown(&store);
    let card = &all[0];
    let wanted = [
        "FN:Mr. イグザンプル ドット コム 殿",
        "EMAIL;PREF=1:test@example.com",
        "TEL;TYPE=\"home,voice\":06-0001-0001",
        "TEL;TYPE=\"cell,voice\":080-0001-0001",
        "TEL;TYPE=\"work,fax\":06-0001-0003",
        "BDAY:20000101",
        "ADR;TYPE=work:;;Somewhere;Osaka;Osaka;544-0001;日本",
    ];
    has(&card.text, &wanted);
    assert!(lines(&card.text).iter().any(|line| line.ends_with(":イグザンプル;コム;ドット;Mr.;殿")), "{}", card.text);
    has(&card.old, &["N:イグザンプル;コム;ドット;Mr.;殿", "BDAY:2000-01-01"]);
}

#[test]
fn what_aspose_wrote_of_every_class_is_shown() {
    let Some(store) = real("asp_all_types.pst") else { return };
    let all = shown(&store);
    has(&of(&all, "Daily x10").text, &["DTSTART:20240506T090000Z", "RRULE:FREQ=DAILY;COUNT=10", "LOCATION:Room 1"]);
    let guests = ["ORGANIZER;CN=\"org@example.test\":mailto:org@example.test"];
    has(&of(&all, "Meeting w/ attendees").text, &guests);
    for address in ["att1@example.test", "att2@example.test"] {
        assert!(lines(&of(&all, "Meeting w/ attendees").text).iter().any(|line| line.ends_with(&format!(":mailto:{address}"))));
    }
    has(&of(&all, "Do it").text, &["BEGIN:VTODO", "DTSTART;VALUE=DATE:20240102", "DUE;VALUE=DATE:20240109"]);
    has(&of(&all, "Journal entry").text, &["BEGIN:VJOURNAL"]);
    let list = all.iter().find(|shown| shown.text.contains("KIND:group")).unwrap();
    assert_eq!(lines(&list.text).iter().filter(|line| line.starts_with("MEMBER;")).count(), 12);
    let person = |n: usize| all.iter().any(|shown| shown.text.contains(&format!("person{n}@example.test")));
    assert!((0..5).all(person));
}
