//! `pstfs cat --properties`: nothing that a store holds of an item is left out.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::path::Path;
use std::process::Command;

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use serde_json::{Value, json};
use support::forge::{self, Recipe};

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");

fn pstfs(args: &[&str]) -> (i32, String, String) {
    let output = Command::new("timeout").arg("60").arg(PSTFS).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn written(dir: &Path, recipe: &Recipe) -> String {
    let path = dir.join("store.pst");
    std::fs::write(&path, forge::store(Format::Unicode, Cipher::Permute, recipe)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The lines of type `item`, each held against the schema.
fn items(args: &[&str]) -> Vec<Value> {
    let schema: Value = serde_json::from_str(&pstfs(&["schema"]).1).unwrap();
    let (code, lines, errors) = pstfs(args);
    assert_eq!(code, 0, "{errors}");
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[0]["type"], &records.last().unwrap()["type"]), (&json!("start"), &json!("end")));
    let items: Vec<Value> = records.into_iter().filter(|record| record["type"] == "item").collect();
    for item in &items {
        conforms(item, &schema["records"]["item"]);
        let rows = item["recipients"].as_array().unwrap().iter();
        let attachments = item["attachments"].as_array().unwrap();
        attachments.iter().for_each(|attachment| conforms(attachment, &schema["parts"]["attachment"]));
        let lists = rows.chain(attachments.iter().map(|attachment| &attachment["properties"])).chain([&item["properties"]]);
        for property in lists.flat_map(|list| list.as_array().unwrap()) {
            conforms(property, &schema["parts"]["property"]);
        }
    }
    items
}

fn conforms(object: &Value, kind: &Value) {
    let fields = kind["fields"].as_object().unwrap();
    for (name, field) in fields {
        assert!(object.get(name).is_some() || field["always"] == false, "{name} is missing: {object}");
    }
    object.as_object().unwrap().keys().for_each(|name| assert!(fields.contains_key(name), "{name} is not in the schema"));
}

fn property<'v>(list: &'v Value, id: &str) -> &'v Value {
    list.as_array().unwrap().iter().find(|property| property["id"] == id).unwrap_or_else(|| panic!("no {id} in {list}"))
}

fn named<'v>(item: &'v Value, name: &str) -> &'v Value {
    let list = item["properties"].as_array().unwrap();
    list.iter().find(|property| property["name"] == name || property["lid"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_property_of_every_type_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = written(dir.path(), &forge::recipe("every-property-type"));
    let path = pstfs(&["ls", "-R", &store]).1.lines().find(|line| line.ends_with("All types.eml")).unwrap().to_owned();
    let items = items(&["cat", "--properties", &store, &path]);
    let item = &items[0];
    for (id, type_, value) in [
        ("0x6701", "int16", json!(-7)),
        ("0x6702", "int32", json!(-70000)),
        ("0x6703", "float32", json!(1.5)),
        ("0x6707", "error", json!("0x8004010f")),
        ("0x6708", "bool", json!(true)),
        ("0x6709", "int64", json!(-5_000_000_000_i64)),
        ("0x670a", "string8", json!("8-bit")),
        ("0x670b", "string", json!("Wörter 🎉")),
        ("0x670c", "time", json!("2024-01-01T00:00:00Z")),
        ("0x670e", "binary", json!("AP8Q")),
        ("0x6722", "multi int32", json!([-70000, -70000, -70000])),
        ("0x672e", "multi binary", json!(["AP8Q", "AP8Q", "AP8Q"])),
    ] {
        let property = property(&item["properties"], id);
        assert_eq!(property["type"], type_, "{property}");
        if id != "0x670c" {
            assert_eq!(property["value"], value, "{id}");
        }
    }
    let long = property(&item["properties"], "0x678e");
    assert_eq!((&long["bytes"], long["sha256"].as_str().unwrap().len(), long.get("value")), (&json!(100_000), 64, None));
    let text = property(&item["properties"], "0x678b")["value"].as_str().unwrap();
    assert!(text.len() >= 100_000, "text is told whole: {}", text.len());
    assert_eq!(named(item, "Keywords")["value"][0], "Red category");
    assert_eq!(named(item, "Keywords")["set"], "00020329-0000-0000-c000-000000000046");
    assert_eq!(named(item, "0x8503")["value"], true);
    assert_eq!(named(item, "PidTagSubject")["id"], "0x0037");
    assert_eq!(named(item, "PidTagSubject")["type"], "string");
    let row = &item["recipients"][0];
    assert_eq!(property(row, "0x39fe")["value"], "b@example.com");
}

#[test]
fn messages_inside_attachments_are_lines_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = written(dir.path(), &forge::recipe("attachments-of-every-kind"));
    let all = pstfs(&["ls", "-R", "--json", &store]).1;
    let entries: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let entry = entries.iter().find(|entry| entry["path"].as_str().is_some_and(|path| path.ends_with("in letters.eml"))).unwrap();
    let nid = entry["nid"].as_str().unwrap();
    let by_path = items(&["cat", "--properties", &store, entry["path"].as_str().unwrap()]);
    assert_eq!(items(&["cat", "--properties", "--nid", nid, &store]), by_path);
    let places: Vec<Option<&str>> = by_path.iter().map(|item| item.get("within").and_then(Value::as_str)).collect();
    assert_eq!(places, [None, Some("0"), Some("0/0"), Some("0/1")]);
    let inner = property(&by_path[2]["properties"], "0x0e1d");
    assert_eq!(inner["value"], "Inner");
    let kinds: Vec<&Value> = by_path[1]["attachments"].as_array().unwrap().iter().map(|attachment| &attachment["content"]).collect();
    assert_eq!(kinds, ["message", "message"]);
}

#[test]
fn folders_and_the_store_have_properties_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = written(dir.path(), &forge::recipe("every-item-class"));
    let folder = items(&["cat", "--properties", &store, "Inbox"]);
    assert_eq!(named(&folder[0], "PidTagDisplayName")["value"], "Inbox");
    assert_eq!(named(&items(&["cat", "--properties", "--nid", "33", &store])[0], "PidTagDisplayName")["value"], "Every class");
}

#[test]
fn what_is_not_there_is_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let store = written(dir.path(), &forge::recipe("every-item-class"));
    for (args, code) in [
        (vec!["cat", "--properties", "--nid", "0x200f04", &store], 8),
        (vec!["cat", "--properties", "--nid", "x", &store], 16),
        (vec!["cat", "--nid", "0x21", &store], 16),
        (vec!["cat", "--properties", &store], 16),
        (vec!["cat", "--properties", &store, "No/such"], 8),
    ] {
        let (told, _, errors) = pstfs(&args);
        assert_eq!((told, errors.lines().count()), (code, 1), "{args:?}: {errors}");
    }
}
