//! The page of `pstfs scan --report` in a real browser: what it shows, of what it is made, and that it asks for nothing.
//!
//! `scripts/setup check` installs the browser. Where there is none the tests are left out with a line that says so, but not
//! under `scripts/check`, which sets `PSTFS_CHECK`: there they fail.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use support::browser::browser;
use support::forge::{self, Random};

/// A browser and a folder with pages.
struct Desk {
    browser: PathBuf,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Option<Self> {
        Some(Self { browser: browser()?, folder: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The page of a store with these bytes.
    fn page(&self, bytes: &[u8]) -> String {
        std::fs::write(self.path("a store.pst"), bytes).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pstfs"));
        command.args(["scan", "-q", "--report"]).arg(self.path("page.html")).arg(self.path("a store.pst"));
        let output = command.output().unwrap();
        assert!([0, 4].contains(&output.status.code().unwrap()), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(self.path("page.html")).unwrap()
    }

    /// Runs the browser on a page of the folder, and ends it where it hangs.
    fn run(&self, page: &str, args: &[&str]) -> Output {
        let mut command = Command::new(&self.browser);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"]);
        command.args(["--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=10000"]);
        command.arg(format!("--user-data-dir={}", self.path("profile").display())).args(args);
        command.arg(format!("file://{}", self.path(page).display()));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let out = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).map(|_| bytes)
        });
        let err = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            err.read_to_end(&mut bytes).map(|_| bytes)
        });
        let end = Instant::now() + Duration::from_secs(100);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                child.kill().unwrap();
                panic!("the browser does not end");
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        Output { status, stdout: out.join().unwrap().unwrap(), stderr: err.join().unwrap().unwrap() }
    }

    /// What the browser makes of the page, at two widths, as lines of `name=value`.
    fn facts(&self) -> BTreeMap<String, String> {
        std::fs::write(self.path("harness.html"), HARNESS).unwrap();
        let output = self.run("harness.html", &["--dump-dom"]);
        let (dom, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // Errors of scripts, refused styles, failed requests: the browser tells each on its console.
        let told: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(told.is_empty(), "{told:?}");
        let facts = dom.split("<pre id=\"facts\">").nth(1).unwrap_or_else(|| panic!("no facts in {dom:.300}\n{said:.2000}"));
        let facts = facts.split("</pre>").next().unwrap();
        facts.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The colours of a picture of the page, and how many pixels have each.
    fn colours(&self, width: u32, dark: bool) -> BTreeMap<u32, usize> {
        let shot = self.path("shot.png");
        let _ = std::fs::remove_file(&shot);
        let size = format!("--window-size={width},1200");
        let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
        self.run("page.html", &[&size, &scheme, &format!("--screenshot={}", shot.display())]);
        colours(&shot)
    }
}

/// Shows the page in frames of two widths and writes down what is to be seen in them.
const HARNESS: &str = r##"<!doctype html><meta charset="utf-8"><body>
<iframe id="wide" src="page.html" style="width:1100px;height:800px"></iframe>
<iframe id="narrow" src="page.html" style="width:400px;height:800px"></iframe>
<pre id="facts"></pre>
<script>
addEventListener("load", () => {
  const facts = [];
  for (const name of ["wide", "narrow"]) {
    const frame = document.getElementById(name).contentWindow, page = frame.document;
    facts.push(`${name} overflow=${page.documentElement.scrollWidth - frame.innerWidth}`);
    facts.push(`${name} requests=${frame.performance.getEntriesByType("resource").length}`);
    facts.push(`${name} scripts=${page.scripts.length + page.images.length + page.querySelectorAll("link,iframe,object,[src],[href]").length}`);
    facts.push(`${name} title=${page.title}`);
    facts.push(`${name} verdict=${page.querySelector("h1").textContent}`);
    facts.push(`${name} body=${page.body.innerText.replaceAll("\n", " ")}`);
    facts.push(`${name} folders=${[...page.querySelectorAll("#folders tr")].slice(1).map((row) => row.cells[0].firstChild.textContent).join("|")}`);
    facts.push(`${name} codes=${[...page.querySelectorAll("#codes code")].map((code) => code.textContent).join("|")}`);
    facts.push(`${name} items=${page.querySelectorAll("#folders li").length}`);
    for (const state of ["free", "some", "half", "full", "leaked", "damaged", "unknown", "head"]) {
      const cells = page.querySelectorAll(`svg[role=img] rect.${state}`);
      facts.push(`${name} ${state}=${cells.length}`);
      if (cells.length) facts.push(`${name} ${state} size=${cells[0].getBoundingClientRect().width}`);
    }
  }
  document.getElementById("facts").textContent = facts.join("\n") + "\n";
});
</script>"##;

/// Pixels by colour, of a PNG of 8 bits a channel as browsers write them (RFC 2083).
fn colours(path: &Path) -> BTreeMap<u32, usize> {
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut packed, mut head) = (8, Vec::new(), Vec::new());
    while at + 8 < bytes.len() {
        let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        match &bytes[at + 4..at + 8] {
            b"IHDR" => head = bytes[at + 8..at + 8 + len].to_vec(),
            b"IDAT" => packed.extend_from_slice(&bytes[at + 8..at + 8 + len]),
            _ => {}
        }
        at += len + 12;
    }
    let width = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
    let channels = if head[9] == 6 { 4 } else { 3 };
    assert!(head[8] == 8 && [2, 6].contains(&head[9]) && head[12] == 0, "another kind of picture");
    let mut raw = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut raw).unwrap();
    let stride = width * channels;
    let (mut above, mut counts) = (vec![0_u8; stride], BTreeMap::new());
    for line in raw.chunks(stride + 1) {
        let mut row = line[1..].to_vec();
        for x in 0..stride {
            let left = if x < channels { 0 } else { row[x - channels] };
            let corner = if x < channels { 0 } else { above[x - channels] };
            let predicted = match line[0] {
                0 => 0,
                1 => left,
                2 => above[x],
                3 => ((u16::from(left) + u16::from(above[x])) / 2) as u8,
                _ => paeth(left, above[x], corner),
            };
            row[x] = row[x].wrapping_add(predicted);
        }
        for pixel in row.chunks(channels) {
            *counts.entry(u32::from_be_bytes([0, pixel[0], pixel[1], pixel[2]])).or_default() += 1;
        }
        above = row;
    }
    counts
}

fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let estimate = i16::from(left) + i16::from(above) - i16::from(corner);
    let [a, b, c] = [left, above, corner].map(|value| (estimate - i16::from(value)).abs());
    match () {
        () if a <= b && a <= c => left,
        () if b <= c => above,
        () => corner,
    }
}

/// A store with a folder of long names and markup, damaged by zeros in sixty places.
fn heavily_damaged() -> Vec<u8> {
    let recipe = forge::Recipe::parse(
        "store \"Mailbox\" seed=5\nfolder Inbox class=IPF.Note role=inbox\n  repeat 300\n    note subject=\"<b>Message</b> {n} & others\" from=\"A <a@example.com>\" to=\"B <b@example.com>\" size=4000\n",
    );
    let mut bytes = forge::store(Format::Unicode, Cipher::Permute, &recipe);
    let mut random = Random::new(7);
    for _ in 0..60 {
        let at = 0x5000 + random.below(bytes.len() as u64 - 0xa000) as usize;
        bytes[at..at + 512 + random.below(3000) as usize].fill(0);
    }
    bytes
}

/// What holds of every page.
fn sound(facts: &BTreeMap<String, String>) {
    for width in ["wide", "narrow"] {
        assert_eq!(facts[&format!("{width} requests")], "0", "the page asks for nothing");
        assert_eq!(facts[&format!("{width} scripts")], "0", "nothing comes from elsewhere");
        let overflow: i64 = facts[&format!("{width} overflow")].parse().unwrap();
        assert!(overflow <= 0, "{width}: the page is {overflow} pixels wider than the window");
    }
}

const STATES: [(&str, u32, u32); 6] = [
    ("free", 0xe9_edf2, 0x25_2c35),
    ("some", 0xbc_d3ee, 0x2a_4361),
    ("half", 0x82_aee0, 0x34_659a),
    ("full", 0x3f_7fc4, 0x5b_9be0),
    ("leaked", 0xe9_a23b, 0xd9_952f),
    ("damaged", 0xd4_2f3c, 0xf0_525e),
];

/// Every state has its colour in the picture, in as many pixels as it has cells; the legend has one cell more of each.
fn coloured(facts: &BTreeMap<String, String>, colours: &BTreeMap<u32, usize>, dark: bool) {
    for (state, light, in_dark) in STATES {
        let cells: usize = facts[&format!("wide {state}")].parse().unwrap();
        let pixels = colours.get(if dark { &in_dark } else { &light }).copied().unwrap_or(0);
        // A cell is 8 pixels wide at most, its rim blended with the ground; the legend's is 12.
        let (least, most) = (cells * 25 + 60, cells * 70 + 160);
        assert!((least..=most).contains(&pixels), "{state}: {cells} cells, {pixels} pixels (dark: {dark})");
    }
}

#[test]
fn the_page_of_a_healthy_store_says_so() {
    let Some(desk) = Desk::new() else { return };
    desk.page(&forge::store(Format::Unicode, Cipher::Permute, &forge::recipe("every-format")));
    let facts = desk.facts();
    sound(&facts);
    assert_eq!(facts["wide verdict"], "No errors were found");
    assert!(facts["wide title"].starts_with("No errors were found: ") && facts["wide title"].ends_with("a store.pst"));
    assert!(facts["wide body"].contains("nothing needs to be done"), "{facts:?}");
    assert_eq!((facts["wide damaged"].as_str(), facts["wide codes"].as_str(), facts["wide folders"].as_str()), ("0", "", ""));
    coloured(&facts, &desk.colours(1100, false), false);
}

#[test]
fn the_page_of_a_damaged_store_shows_where_and_whom() {
    let Some(desk) = Desk::new() else { return };
    let mut found = 0;
    for name in ["block-crc-wrong", "space-leaked"] {
        desk.page(&forge::damaged(name));
        let facts = desk.facts();
        sound(&facts);
        if name == "space-leaked" {
            assert_eq!((facts["wide verdict"].as_str(), facts["wide leaked"].as_str()), ("Only minor inconsistencies were found", "1"));
        } else {
            assert_eq!((facts["wide verdict"].as_str(), facts["wide damaged"].as_str()), ("Errors were found", "1"));
            assert_eq!((facts["wide folders"].as_str(), facts["wide codes"].as_str()), ("Inbox", "B08"));
            assert_eq!(facts["wide items"], "1");
        }
        coloured(&facts, &desk.colours(1100, false), false);
        found += 1;
    }
    assert_eq!(found, 2);
}

#[test]
fn the_page_of_a_heavily_damaged_store_fits_into_a_narrow_window_and_the_dark() {
    let Some(desk) = Desk::new() else { return };
    let text = desk.page(&heavily_damaged());
    let facts = desk.facts();
    sound(&facts);
    assert_eq!(facts["narrow verdict"], "Errors were found");
    let items: usize = facts["wide items"].parse().unwrap();
    assert!(items > 20 && facts["wide codes"].split('|').count() > 3, "{facts:?}");
    assert!(facts["wide damaged"].parse::<usize>().unwrap() > 20, "{facts:?}");
    assert!(text.contains("&lt;b&gt;Message&lt;/b&gt;") && facts["wide folders"].contains("Inbox"), "{facts:?}");
    let (light, dark) = (desk.colours(1100, false), desk.colours(1100, true));
    coloured(&facts, &light, false);
    coloured(&facts, &dark, true);
    let ground = |colours: &BTreeMap<u32, usize>| *colours.iter().max_by_key(|(_, pixels)| **pixels).unwrap().0;
    assert_eq!((ground(&light), ground(&dark)), (0xff_ffff, 0x14_181e));
}
