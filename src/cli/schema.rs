//! `pstfs schema`: what the lines of `--json` hold.

use clap::Args;
use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::json::SCHEMA;
use super::out::{self, Failure};

const EXAMPLES: &str = "\
Examples:
  pstfs schema
  pstfs schema | jq '.records.entry.fields'";

/// Describe what --json prints
///
/// A JSON document with the types of the lines, and of each its fields and their types. Within a schema number, fields
/// and types of lines are only added.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Schema {}

/// Prints it.
pub fn run(_: &Schema) -> Result<Exit, Failure> {
    let text = serde_json::to_string_pretty(&document());
    let text = text.map_err(|error| Failure::new(Exit::Failed, format!("cannot write the schema: {error}")))?;
    Ok(out::print(&format!("{text}\n")))
}

/// A type of lines.
struct Kind {
    name: &'static str,
    about: &'static str,
    fields: &'static [Field],
}

/// Name, type, whether it is always there, and what it says.
type Field = (&'static str, &'static str, bool, &'static str);

const TYPES: &[(&str, &str)] = &[
    ("string", "text"),
    ("integer", "a whole number from 0 to 2^64-1"),
    ("signed", "a whole number from -2^63 to 2^63-1"),
    ("boolean", "true or false"),
    ("hex", "text: 0x and hexadecimal digits in lower case; ids and offsets"),
    ("time", "text: RFC 3339 in UTC, such as 2001-10-22T20:06:22Z"),
    ("counts", "an object of integers; their names depend on the command"),
    ("strings", "an array of texts"),
    ("properties", "an array of objects, each a property; see parts"),
    ("rows", "an array of such arrays"),
    ("attachments", "an array of objects, each an attachment; see parts"),
    ("value", "null, true or false, a number, text, or an array of these; as about says"),
];

/// Objects inside records.
const PARTS: &[Kind] = &[
    Kind {
        name: "property",
        about: "a property; one that is neither a named one nor known has no name",
        fields: &[
            ("id", "hex", true, "its id; of a named property that of this store"),
            ("type", "string", true, "its type, such as int32, string, string8, binary, multi string"),
            ("name", "string", false, "its name in [MS-OXPROPS], or of a named property its own"),
            ("set", "string", false, "of a named property the GUID of its set"),
            ("lid", "hex", false, "of one that is named by number this number"),
            (
                "value",
                "value",
                false,
                "binary in base64, time as time, GUID and error as text; none where bytes, sha256 or error stand for it",
            ),
            (
                "bytes",
                "integer",
                false,
                "the length of a binary value above 65536 bytes, or of a string above 64 MiB; the size of an object",
            ),
            ("sha256", "string", false, "the digest of such a value"),
            ("error", "string", false, "why the value cannot be read"),
        ],
    },
    Kind {
        name: "attachment",
        about: "an attachment; a message inside it is a record of its own",
        fields: &[
            ("nid", "hex", true, "its node within the message"),
            ("content", "string", true, "bytes, message, ole, reference, none or broken"),
            ("properties", "properties", true, "all its properties"),
        ],
    },
];

const KINDS: &[Kind] = &[
    Kind {
        name: "start",
        about: "the first line about a file",
        fields: &[
            ("schema", "integer", true, "the number of this schema"),
            ("version", "string", true, "the version of pstfs"),
            ("file", "string", true, "the file as it was named"),
        ],
    },
    Kind {
        name: "info",
        about: "info: what the store is",
        fields: &[
            ("format", "string", true, "ANSI, Unicode or Unicode 4K"),
            ("format_version", "integer", true, "the version that the header names"),
            ("client", "string", true, "PST, OST, PAB or unknown"),
            ("encryption", "string", true, "how blocks are encoded: none, permute or cyclic"),
            ("password", "boolean", true, "whether Outlook asks for a password; it protects nothing"),
            ("password_crc", "hex", false, "the checksum of the password, where there is one"),
            ("size", "integer", true, "bytes of the file"),
            ("dirty", "boolean", true, "whether the store was not closed cleanly"),
            ("oldest", "time", false, "time of the oldest item shown"),
            ("newest", "time", false, "time of the newest item shown"),
            ("renderer", "integer", true, "documents have the same bytes while this number stays"),
        ],
    },
    Kind { name: "phase", about: "scan, repair: a phase begins", fields: &[("name", "string", true, "such as Validating BBT")] },
    Kind {
        name: "finding",
        about: "info, scan, repair: something found wrong",
        fields: &[
            ("code", "string", true, "the permanent id of what is wrong, such as P02"),
            ("severity", "string", true, "note, warning, error or fatal"),
            ("title", "string", true, "what is wrong"),
            ("detail", "string", false, "the numbers"),
            ("victim", "string", false, "whom it hits: folder, subject, date, attachment"),
            ("offset", "hex", false, "where in the file"),
            ("bid", "hex", false, "the block or page"),
            ("nid", "hex", false, "the node"),
            ("property", "hex", false, "the property"),
            ("row", "hex", false, "the row of a table"),
        ],
    },
    Kind {
        name: "change",
        about: "repair: a change that is planned, or what is left as it is",
        fields: &[("what", "string", true, "in words")],
    },
    Kind {
        name: "entry",
        about: "ls: an entry of a folder",
        fields: &[
            ("path", "string", true, "its path from the root of the tree, without a slash at its ends"),
            ("kind", "string", true, "folder or file"),
            ("nid", "hex", false, "the node in the store, where it has one of its own"),
            ("size", "integer", false, "with -l: exact bytes of a file"),
            ("mtime", "time", false, "with -l: its time, where the store tells one"),
        ],
    },
    Kind {
        name: "carved",
        about: "export --carve: a store, or a part of one, that was found; its items follow",
        fields: &[
            ("dir", "string", true, "the folder in DIR that it is exported to"),
            ("start", "signed", true, "where in the image it begins; negative where only a later part is there"),
            ("from", "integer", true, "the first byte of the part of the image that it is read from"),
            ("to", "integer", true, "the byte behind the last one"),
            ("whole", "boolean", true, "whether all of it is there"),
            ("format", "string", true, "ansi, unicode or 4k"),
        ],
    },
    Kind {
        name: "exported",
        about: "export: what became of an item",
        fields: &[
            ("path", "string", true, "the file that it is in, from DIR on; empty where it failed before it had one"),
            ("nid", "hex", false, "the node in the store"),
            ("number", "integer", false, "the number of an attachment that is a file of its own, or of what a search found"),
            ("folder", "string", true, "the folder's path in the tree"),
            ("class", "string", true, "the message class"),
            ("message_id", "string", false, "the Message-ID of a mail"),
            ("offset", "integer", false, "where it begins in a file that it shares with others"),
            ("size", "integer", false, "exact bytes of the document, as a mount shows it"),
            ("sha256", "string", false, "the digest of these bytes"),
            ("status", "string", true, "written, incomplete or failed"),
            ("reason", "string", false, "why it is not whole"),
            ("blocks", "string", false, "the blocks that hold it in the store: other ones after every change"),
            ("renderer", "integer", true, "documents have the same bytes while this number stays"),
        ],
    },
    Kind {
        name: "job",
        about: "ctl: what runs on a mount, or ran last",
        fields: &[
            ("state", "string", true, "running or idle"),
            ("job", "integer", false, "its number: 1 for the first since the mount"),
            ("verb", "string", false, "what it does: scan, repair, recover or undo"),
            ("phase", "string", false, "what it is doing right now"),
            ("done", "integer", false, "bytes done in this phase"),
            ("total", "integer", false, "bytes that this phase has to do; 0 where nobody knows"),
            ("eta_s", "integer", false, "seconds that the rest of this phase may take"),
            ("findings", "integer", false, "how many findings there are so far"),
            ("verdict", "string", false, "how it ended, as in the last line of the log"),
            ("exit", "integer", false, "the exit code of the command that does the same"),
        ],
    },
    Kind {
        name: "item",
        about: "cat --properties: an item with all its properties; after it the messages inside its attachments",
        fields: &[
            ("nid", "hex", true, "its node in the store, or in the attachment that holds it"),
            ("within", "string", false, "of a message inside an attachment, the numbers of the attachments on the way, from 0: 0/2"),
            ("properties", "properties", true, "all its properties, by id"),
            ("recipients", "rows", true, "the rows of its recipient table"),
            ("attachments", "attachments", true, "its attachments"),
            ("damage", "strings", true, "what could not be read, in words"),
        ],
    },
    Kind { name: "error", about: "why there is no more about this file", fields: &[("message", "string", true, "in words")] },
    Kind {
        name: "end",
        about: "the last line about a file",
        fields: &[
            (
                "verdict",
                "string",
                true,
                "info, ls, cat: Done, Damage was met or Failed; scan, repair and jobs: as the log ends; export: Done, Some items are incomplete or \
                 failed, Cancelled or Failed",
            ),
            ("exit", "integer", true, "the exit code as far as this file goes"),
            ("counts", "counts", true, "what was counted; empty where nothing could be"),
        ],
    },
];

fn document() -> Value {
    let types: Map<String, Value> = TYPES.iter().map(|(name, about)| ((*name).to_owned(), json!(about))).collect();
    let records: Map<String, Value> = KINDS.iter().map(|kind| (kind.name.to_owned(), record(kind))).collect();
    let part = |kind: &Kind| json!({"about": kind.about, "fields": fields(kind).collect::<Map<String, Value>>()});
    let parts: Map<String, Value> = PARTS.iter().map(|kind| (kind.name.to_owned(), part(kind))).collect();
    json!({
        "schema": SCHEMA,
        "about": "JSON Lines: each line is one record, whose field 'type' names it",
        "types": types,
        "parts": parts,
        "records": records,
    })
}

fn record(kind: &Kind) -> Value {
    let own = json!({"type": "string", "always": true, "about": format!("\"{}\"", kind.name)});
    let fields: Map<String, Value> = std::iter::once(("type".to_owned(), own)).chain(fields(kind)).collect();
    json!({"about": kind.about, "fields": fields})
}

fn fields(kind: &Kind) -> impl Iterator<Item = (String, Value)> {
    kind.fields.iter().map(|(name, type_, always, about)| {
        let field = json!({"type": type_, "always": always, "about": about});
        ((*name).to_owned(), field)
    })
}

#[cfg(test)]
mod tests {
    use super::super::json::{Counts, Entry, Found, Info, JobState, Record, end, failed, start};
    use super::super::properties::{Attached, Property, Whole};
    use super::*;
    use crate::damage::{Code, Finding, Place};

    fn property() -> Property {
        let text = || Some("x".to_owned());
        let plain = Property { name: text(), set: text(), lid: text(), sha256: text(), error: text(), ..Property::default() };
        Property { value: Some(Value::Null), bytes: Some(0), ..plain }
    }

    fn item() -> Whole {
        let attached = Attached { nid: String::new(), content: "", properties: vec![property()] };
        let (nid, within) = (String::new(), Some(String::new()));
        Whole { nid, within, properties: vec![property()], recipients: vec![], attachments: vec![attached], damage: vec![] }
    }

    fn full() -> Vec<Record> {
        let place = Place { offset: Some(0), bid: Some(1), nid: Some(2), property: Some(3), row: Some(4) };
        let finding = Finding { victim: "x".into(), ..Finding::new(Code::PageCrc, place, "x") };
        let text = || Some("x".to_owned());
        let info = Info {
            format: "",
            format_version: 0,
            client: "",
            encryption: "",
            password: true,
            password_crc: text(),
            size: 0,
            dirty: false,
            oldest: text(),
            newest: text(),
            renderer: 1,
        };
        let entry = Entry { path: String::new(), kind: "file", nid: text(), size: Some(0), mtime: text() };
        let number = Some(0);
        let job = JobState {
            state: "idle".into(),
            job: number,
            verb: text(),
            phase: text(),
            done: number,
            total: number,
            eta_s: number,
            findings: number,
            verdict: text(),
            exit: number,
        };
        let exported = crate::export::Item {
            nid: text(),
            number: Some(0),
            message_id: text(),
            offset: Some(0),
            size: Some(0),
            sha256: text(),
            reason: text(),
            blocks: text(),
            ..crate::export::Item::default()
        };
        let exported = Record::Exported(Box::new(exported));
        let [error, last] = failed("x");
        let end = end(true, Counts::from([("x", 1)]));
        let finding = Record::Finding(Box::new(Found::of(&finding)));
        let (item, job) = (Record::Item(Box::new(item())), Record::Job(Box::new(job)));
        let (info, entry) = (Record::Info(Box::new(info)), Record::Entry(Box::new(entry)));
        let carved = Record::Carved { dir: "store-1".into(), start: -1, from: 0, to: 1, whole: false, format: "ansi" };
        vec![start("x".into()), carved, info, Record::Phase { name: "x" }, finding, entry, exported, item, job, error, last, end]
    }

    #[test]
    fn the_schema_names_each_field_of_each_record() {
        let schema = document();
        for record in full() {
            let record = serde_json::to_value(record).unwrap();
            let fields = &schema["records"][record["type"].as_str().unwrap()]["fields"];
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
            assert_eq!(names(&record), names(fields), "{record}");
        }
    }

    #[test]
    fn the_schema_names_each_field_of_what_stands_in_records() {
        let (schema, item) = (document(), serde_json::to_value(item()).unwrap());
        let attached = &item["attachments"][0];
        for (name, part) in [("property", &item["properties"][0]), ("attachment", attached)] {
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
            assert_eq!(names(part), names(&schema["parts"][name]["fields"]), "{name}");
        }
    }

    #[test]
    fn every_type_of_a_field_is_explained() {
        for field in KINDS.iter().chain(PARTS).flat_map(|kind| kind.fields) {
            assert!(TYPES.iter().any(|(name, _)| *name == field.1), "{field:?}");
        }
    }
}
