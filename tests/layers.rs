//! The layers hold: which folder of `src` may ask which, which names stay where, and what lies at the top level.
//!
//! The sources are read as tokens, not compiled: comments and strings are left out, every path that begins with
//! `crate`, `super`, `self` or `pstfs` is resolved, and its first segment is the layer that is asked. A new arrow is a
//! change of design: say why in the commit that adds it to [`ARROWS`].
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each layer and those right below it. What these may ask, it may ask too.
const ARROWS: &[(&str, &[&str])] = &[
    ("damage", &[]),
    ("progress", &["damage"]),
    ("disk", &["damage"]),
    ("format", &["damage"]),
    // It has searches made for it, and hands on how far these are.
    ("ndb", &["format", "disk", "progress"]),
    ("ltp", &["ndb"]),
    ("store", &["ltp"]),
    ("convert", &["store"]),
    ("recover", &["store", "progress"]),
    ("tree", &["convert", "recover"]),
    ("scan", &["recover"]),
    ("repair", &["scan"]),
    ("compare", &["store"]),
    ("control", &["repair", "compare"]),
    ("mount", &["control", "tree"]),
    ("export", &["control", "tree"]),
    ("cli", &["mount", "export"]),
];

/// Words, and the modules that may say them.
const PLACES: &[(&str, &[&str])] = &[
    ("fuser", &["mount"]),
    ("WriteAt", &["disk", "ndb::write", "repair"]),
    ("unsafe", &["disk"]),
    ("disk::process", &["disk", "mount", "cli"]),
];

/// What `convert` may not say: the same item gives the same bytes on every day and every machine.
const CLOCKS: &[&str] = &["SystemTime", "Instant", "Timestamp::now", "Zoned::now", "TimeZone::system"];

/// What stands at the top level beside dot-files.
const TOP: &[&str] = &["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "scripts", "src", "tests"];
const TOP_OPTIONAL: &[&str] = &["fixtures", "target"];

/// The one address of a registry that Cargo writes by itself, the same for everybody.
const LOCKED_SOURCE: &str = concat!("registry+https://github.com/rust-lang/crates", ".io-index");

/// What belongs to one machine or one network. Put together here, so that this file does not hold them.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("registry.npm", "js.org"),
    concat!("deb.deb", "ian.org"),
    concat!("archive.ub", "untu.com"),
    concat!("proxy.go", "lang.org"),
    concat!("index", "-url"),
    concat!("replace", "-with"),
];

#[test]
fn every_arrow_points_down() {
    let sources = sources();
    assert!(sources.len() > 10, "no sources found");
    none(arrows(&sources));
}

#[test]
fn every_word_stays_in_its_place() {
    none(misplaced(&sources()));
}

#[test]
fn conversion_does_not_ask_the_time() {
    none(clocks(&sources()));
}

#[test]
fn nothing_else_lies_at_the_top_level() {
    let names: BTreeSet<String> = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    none(top_level(&names));
    for folder in TOP_OPTIONAL.iter().filter(|name| names.contains(**name)) {
        assert!(root().join(folder).is_dir(), "{folder} is not a folder");
    }
}

#[test]
fn no_file_names_this_machine_or_a_registry() {
    let texts = kept_files().into_iter().filter_map(|path| Some((path.clone(), fs::read_to_string(root().join(path)).ok()?)));
    none(texts.flat_map(|(path, text)| addresses(&path, &text)).collect());
}

// The checks. Each gives a line for each thing that is wrong.

/// A file of `src`.
struct Source {
    /// Its path below `src`.
    path: String,
    tokens: Vec<Token>,
}

impl Source {
    fn new(path: impl Into<String>, text: &str) -> Self {
        Self { path: path.into(), tokens: tokens(text) }
    }
}

fn arrows(sources: &[Source]) -> Vec<String> {
    let layers: BTreeSet<String> = sources.iter().filter_map(|source| layer_of(&source.path)).collect();
    let mut wrong = Vec::new();
    for source in sources {
        let path = &source.path;
        // The roots only list the layers and start the program.
        let Some(layer) = layer_of(path) else { continue };
        let Some(below) = below(&layer) else {
            wrong.push(format!("{path}: {layer} is no layer; tests/layers.rs lists them"));
            continue;
        };
        for (line, target) in paths(source) {
            match target.first().map(String::as_str) {
                None | Some("*") => wrong.push(format!("{path}:{line}: asks for the whole crate; name the layer")),
                // A name that is no folder or file of `src` is a macro.
                Some(asked) if asked == layer || below.contains(asked) || !layers.contains(asked) => {}
                Some(asked) => wrong.push(format!("{path}:{line}: {layer} asks {asked} ({})", target.join("::"))),
            }
        }
    }
    wrong
}

fn misplaced(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let path = &source.path;
        let module = module_of(path).join("::");
        for (word, places) in PLACES {
            let is_at_home = places.iter().any(|place| module == *place || module.starts_with(&format!("{place}::")));
            if !is_at_home {
                let lines = said(source, word).into_iter();
                wrong.extend(lines.map(|line| format!("{path}:{line}: {word} belongs to {}", places.join(", "))));
            }
        }
    }
    wrong
}

fn clocks(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| layer_of(&source.path).as_deref() == Some("convert")) {
        for word in CLOCKS {
            let lines = said(source, word).into_iter();
            wrong.extend(lines.map(|line| format!("{}:{line}: {word} differs from call to call", source.path)));
        }
    }
    wrong
}

fn top_level(names: &BTreeSet<String>) -> Vec<String> {
    let missing = TOP.iter().filter(|name| !names.contains(**name)).map(|name| format!("{name} is missing"));
    let is_known = |name: &str| name.starts_with('.') || TOP.contains(&name) || TOP_OPTIONAL.contains(&name);
    let foreign = names.iter().filter(|name| !is_known(name)).map(|name| format!("{name} does not belong at the top level"));
    missing.chain(foreign).collect()
}

fn addresses(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = if path == "Cargo.lock" { line.replace(LOCKED_SOURCE, "") } else { line.to_owned() };
        let found = MACHINE_PATHS.iter().filter(|place| begins_somewhere(&line, place));
        let found = found.chain(REGISTRIES.iter().filter(|address| line.contains(**address)));
        wrong.extend(found.map(|what| format!("{path}:{number}: names {what}")));
    }
    wrong
}

/// Whether an absolute path begins here, and not a part of a longer one.
fn begins_somewhere(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-~*}".contains(before)))
}

// Layers and modules.

fn below(layer: &str) -> Option<BTreeSet<&'static str>> {
    let direct: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut all = BTreeSet::new();
    let mut open = direct.get(layer)?.to_vec();
    while let Some(next) = open.pop() {
        if all.insert(next) {
            open.extend(direct[next]);
        }
    }
    Some(all)
}

/// `store/item.rs` -> `store`; nothing for `lib.rs` and `main.rs`.
fn layer_of(path: &str) -> Option<String> {
    module_of(path).into_iter().next()
}

/// `store/item.rs` -> `store`, `item`.
fn module_of(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if ["mod", "lib", "main"].contains(&parts.last().unwrap().as_str()) {
        parts.pop();
    }
    parts
}

/// All paths into the crate, resolved from its root, with their lines.
fn paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let tokens = &source.tokens;
    let at = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut module = module_of(&source.path);
    // Inline modules that are open, by the depth of their braces.
    let mut inline = Vec::new();
    let mut depth = 0;
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                if i >= 2 && at(i - 2) == "mod" {
                    module.push(at(i - 1).to_owned());
                    inline.push(depth);
                }
            }
            "}" => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
                depth -= 1;
            }
            "crate" | "pstfs" | "super" | "self" if at(i + 1) == "::" && (i == 0 || at(i - 1) != "::") => {
                let mut leaves = Vec::new();
                branch(tokens, i, module.clone(), &mut leaves);
                found.extend(leaves.into_iter().map(|leaf| (token.line, leaf)));
            }
            "crate" if at(i + 1) == "as" => found.push((token.line, Vec::new())),
            _ => {}
        }
    }
    found
}

/// Follows a path or a tree of imports from token `at`; gives the first token after it.
fn branch(tokens: &[Token], at: usize, mut prefix: Vec<String>, leaves: &mut Vec<Vec<String>>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut i = at;
    loop {
        match text(i) {
            "{" => {
                i += 1;
                while !["}", ""].contains(&text(i)) {
                    i = branch(tokens, i, prefix.clone(), leaves);
                    // What stands after a branch: `as name`, a comma.
                    while !["}", "", ","].contains(&text(i)) {
                        i += 1;
                    }
                    i += usize::from(text(i) == ",");
                }
                return i + 1;
            }
            "crate" | "pstfs" => prefix.clear(),
            "super" => {
                prefix.pop();
            }
            "self" => {}
            word => prefix.push(word.to_owned()),
        }
        let goes_on = text(i + 1) == "::" && text(i + 2).starts_with(|first: char| first.is_alphabetic() || "_{*".contains(first));
        if !goes_on {
            leaves.push(prefix);
            return i + 1;
        }
        i += 2;
    }
}

/// The lines on which a word is said; `A::b` is either so written, or a path into the crate that goes through it.
fn said(source: &Source, word: &str) -> Vec<usize> {
    let tokens = &source.tokens;
    let Some((first, last)) = word.split_once("::") else {
        return tokens.iter().filter(|token| token.text == word).map(|token| token.line).collect();
    };
    let is_written = |three: &&[Token]| three[0].text == first && three[1].text == "::" && three[2].text == last;
    let written = tokens.windows(3).filter(is_written).map(|three| three[0].line);
    let resolved = paths(source).into_iter().filter(|(_, target)| target.starts_with(&[first.to_owned(), last.to_owned()]));
    written.chain(resolved.map(|(line, _)| line)).collect::<BTreeSet<_>>().into_iter().collect()
}

// Tokens.

/// A word, `::`, or one sign. Comments and literals are left out.
#[derive(Debug)]
struct Token {
    line: usize,
    text: String,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = literal(rest).or_else(|| comment(rest));
        let token = if len.is_some() || first.is_whitespace() { None } else { Some(word(rest)) };
        let (read, left) = rest.split_at(len.or(token.map(str::len)).unwrap_or(first.len_utf8()));
        tokens.extend(token.map(|token| Token { line, text: token.trim_start_matches("r#").to_owned() }));
        line += read.matches('\n').count();
        rest = left;
    }
    tokens
}

/// The word or sign at the start.
fn word(rest: &str) -> &str {
    let body = rest.strip_prefix("r#").unwrap_or(rest);
    let len = body.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len());
    match len {
        0 if rest.starts_with("::") => &rest[..2],
        0 => &rest[..rest.chars().next().unwrap().len_utf8()],
        len => &rest[..rest.len() - body.len() + len],
    }
}

/// The length of the comment at the start.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let mut at = rest.strip_prefix("/*").map(|_| 2)?;
    let mut depth = 1;
    while depth > 0 && at < rest.len() {
        let step = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step.0;
        depth += step.1;
    }
    Some(at)
}

/// The length of the string, character or lifetime at the start.
fn literal(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|body| {
            let body = if prefix.ends_with('r') { body.trim_start_matches('#') } else { body };
            body.starts_with('"') || (body.starts_with('\'') && ["", "b"].contains(prefix))
        })
    })?;
    let body = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = &body[hashes + 1..];
        return Some(prefix.len() + hashes + 1 + inside.find(&close).map_or(inside.len(), |at| at + close.len()));
    }
    let quote = body.chars().next()?;
    if quote == '\'' && is_lifetime(body) {
        return Some(1);
    }
    let mut is_escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// `'a` without a second quote after one character.
fn is_lifetime(body: &str) -> bool {
    let mut chars = body.chars().skip(1);
    let (first, second) = (chars.next(), chars.next());
    first != Some('\\') && second != Some('\'')
}

// Files.

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let files = files_below(&src).into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.map(|path| Source::new(relative(&src, &path), &fs::read_to_string(&path).unwrap())).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn relative(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()
}

/// What git keeps or would keep; without git, what lies in the folders that belong here.
fn kept_files() -> Vec<String> {
    let git = Command::new("git").current_dir(root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output().ok();
    match git.filter(|output| output.status.success() && !output.stdout.is_empty()) {
        Some(output) => output.stdout.split(|byte| *byte == 0).map(|path| String::from_utf8_lossy(path).into_owned()).collect(),
        None => {
            eprintln!("git has nothing to tell; the folders are read instead");
            let folders = ["src", "tests", "scripts", ".ci"].map(|folder| root().join(folder));
            let mut files: Vec<PathBuf> = folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| files_below(folder)).collect();
            files.extend(["Cargo.toml", "Cargo.lock", "README.md"].map(|name| root().join(name)));
            files.iter().map(|path| relative(root(), path)).collect()
        }
    }
}

fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

mod checker {
    //! The checks find what they are there to find.
    use super::*;

    fn made_up(path: &str, text: &str) -> Vec<Source> {
        let others = ["lib.rs", "mount/mod.rs", "tree/mod.rs", "scan.rs", "store/mod.rs", "convert/mod.rs", "ndb/mod.rs", "disk/mod.rs"];
        others.into_iter().map(|path| Source::new(path, "")).chain([Source::new(path, text)]).collect()
    }

    fn is_wrong(path: &str, text: &str) -> bool {
        !arrows(&made_up(path, text)).is_empty()
    }

    #[test]
    fn an_arrow_that_points_up_is_found_however_it_is_written() {
        for text in [
            "use crate::mount::Mount;",
            "use crate::{store::Item, mount};",
            "use crate::{\n    store::{self, Item as Thing},\n    mount::{A, B},\n};",
            "use super::super::mount::Mount;",
            "use super::super::{store, mount};",
            "fn f() -> crate::mount::Mount { crate::mount::Mount }",
            "fn f() { let c = '\"'; crate::mount::run::<'static>() }",
            "macro_rules! m { () => { $crate::mount::run() } }",
            "mod inner { use super::super::super::mount; }",
            "pub(crate) use pstfs::mount as m;",
            "use crate::*;",
            "use crate as whole;",
            "/* /* */ */ use crate::mount;",
            "const A: &str = r#\"\"#; use crate::mount;",
        ] {
            assert!(is_wrong("store/item.rs", text), "{text}");
        }
    }

    #[test]
    fn an_arrow_that_points_down_or_stays_is_not() {
        for text in [
            "use crate::{ltp, ndb::Ndb, format::id::Nid, damage::Result, disk::ReadAt};",
            "use super::names; use super::super::ndb; use self::inner::X;",
            "mod tests { use super::*; use super::super::names; }",
            "/// See [`crate::mount`].\n// crate::mount\nconst A: &str = \"crate::mount \\\" crate::mount\";",
            "const B: &str = r##\"crate::mount \"# \"##; const C: [char; 2] = ['\"', '\\''];",
            "fn f<'a>(a: &'a str) -> &'a str { a } // '\" crate::mount",
            "pub(crate) fn f() { record!(); crate::record!{} }",
            "mod mount { pub fn f() {} } fn g() { mount::f(); self::mount::f(); }",
        ] {
            none(arrows(&made_up("store/item.rs", text)));
        }
    }

    #[test]
    fn every_layer_sees_those_below_it_and_no_other() {
        let sees = |layer, asked| below(layer).unwrap().contains(asked);
        for (layer, asked) in [("cli", "damage"), ("mount", "control"), ("tree", "recover"), ("control", "compare"), ("scan", "ndb")] {
            assert!(sees(layer, asked) && !sees(asked, layer), "{layer} {asked}");
        }
        for (layer, asked) in [("format", "disk"), ("disk", "format"), ("convert", "recover"), ("tree", "scan"), ("mount", "export")] {
            assert!(!sees(layer, asked), "{layer} {asked}");
        }
        assert!(is_wrong("scan/pages.rs", "use crate::tree;") && is_wrong("scan.rs", "use crate::convert;"));
    }

    #[test]
    fn a_folder_that_is_no_layer_is_found() {
        assert!(is_wrong("util/mod.rs", "") && is_wrong("helpers.rs", ""));
        let mut sources = made_up("store/item.rs", "use crate::util::x;");
        sources.push(Source::new("util/mod.rs", ""));
        assert_eq!(arrows(&sources).len(), 2);
    }

    #[test]
    fn a_word_out_of_place_is_found() {
        for (path, text) in [
            ("tree/mod.rs", "use fuser::Errno;"),
            ("main.rs", "use fuser;"),
            ("ndb/read.rs", "use crate::disk::{ReadAt, WriteAt};"),
            ("ndb/writer.rs", "fn f(_: &dyn WriteAt) {}"),
            ("store/mod.rs", "unsafe { f() }"),
            ("control/mod.rs", "use crate::disk::process::fork;"),
            ("control/mod.rs", "use crate::disk::{self, process};"),
            ("control/mod.rs", "use crate::disk; fn f() { disk::process::fork() }"),
        ] {
            assert_eq!(misplaced(&[Source::new(path, text)]).len(), 1, "{path} {text}");
        }
        for (path, text) in [
            ("mount/mod.rs", "use fuser::Errno; use crate::disk::process;"),
            ("disk/process.rs", "mod tests { use super::*; }"),
            ("ndb/write/mod.rs", "use crate::disk::WriteAt;"),
            ("ndb/write.rs", "use crate::disk::WriteAt;"),
            ("disk/mod.rs", "pub trait WriteAt {} unsafe fn f() {}"),
            ("store/mod.rs", "#![forbid(unsafe_code)] // unsafe, fuser, WriteAt\nconst A: &str = \"fuser\";"),
        ] {
            none(misplaced(&[Source::new(path, text)]));
        }
    }

    #[test]
    fn a_clock_in_convert_is_found() {
        for text in
            ["use std::time::SystemTime;", "Instant::now()", "jiff::Timestamp::now()", "let z = Zoned :: now ();", "TimeZone::system()"]
        {
            assert!(!clocks(&made_up("convert/eml.rs", text)).is_empty(), "{text}");
            none(clocks(&made_up("tree/names.rs", text)));
        }
        none(clocks(&made_up("convert/eml.rs", "// SystemTime\nTimestamp::from_second(0); TimeZone::UTC;")));
    }

    #[test]
    fn the_line_is_told() {
        assert_eq!(misplaced(&[Source::new("tree/mod.rs", "// x\n\nuse fuser;")]), ["tree/mod.rs:3: fuser belongs to mount"]);
    }

    #[test]
    fn a_stray_file_at_the_top_level_is_found() {
        let names = |more: &[&str]| TOP.iter().chain(more).map(|name| (*name).to_owned()).collect();
        none(top_level(&names(&[".git", ".ci", "target", "fixtures"])));
        assert_eq!(top_level(&names(&["notes.txt"])), ["notes.txt does not belong at the top level"]);
        assert_eq!(top_level(&BTreeSet::new()).len(), TOP.len());
    }

    #[test]
    fn an_address_is_found() {
        for what in MACHINE_PATHS.iter().chain(REGISTRIES) {
            assert_eq!(addresses("README.md", &format!("x\nsee {what}y")).len(), 1, "{what}");
        }
        let source = format!("source = \"{LOCKED_SOURCE}\"");
        none(addresses("Cargo.lock", &source));
        assert_eq!(addresses("README.md", &source).len(), 1);
        // A folder of that name further down is nobody's absolute path.
        none(addresses("README.md", &MACHINE_PATHS.iter().map(|path| format!("Top{path}\n")).collect::<String>()));
    }
}
