//! The forge as a program, for `scripts/forge`, `scripts/bench` and `scripts/peers`.
#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for developers: it prints what it wrote, and stops at a mistake"
)]

#[path = "../audit.rs"]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, unreachable_pub, reason = "as in tests")]
mod audit;
#[path = "mod.rs"]
mod forge;
mod measure;
mod peers;

use std::path::Path;

use forge::big::Big;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;

const USAGE: &str = "\
forge all OUTDIR                        every fixture store
forge make RECIPE VARIANT PATH          the store that a recipe describes, such as unicode-permute
forge damaged NAME OUTDIR               the stores of fixtures/damaged/NAME
forge edit FILE LINE                    an edit of properties or rows, as fixtures/damaged/*/edits have them
forge big PATH [name=value]...          a large store: messages, folders, depth, attachment (bytes each),
                                        format (ansi, unicode, 4k), cipher (none, permute, cyclic)
forge sum FILE                          how long it takes to read and sum a file with two threads
forge phases FILE                       how long each phase of a scan takes
forge requests FILE                     how often and how much of a store is read by a scan
forge list FILE                         what lies in a store, as lines for scripts/peers
forge beyond FILE LENGTH                the subjects of messages that do not lie wholly in its first bytes
forge audit FILE...                     whether counts, maps and counters of freshly written stores are exact";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["all", out] => forge::all(Path::new(out), &mut |path, bytes| println!("{bytes:>12} {}", path.display())),
        ["make", recipe, variant, path] => make(Path::new(recipe), variant, Path::new(path)),
        ["damaged", name, out] => damaged(name, Path::new(out)),
        ["edit", path, line] => {
            let line = forge::Recipe::parse(line).lines.into_iter().next().expect("an edit");
            forge::objects::change_file(Path::new(path), &line);
        }
        ["big", path, options @ ..] => big(Path::new(path), options),
        ["sum", file] => measure::sum(Path::new(file)),
        ["phases", file] => measure::phases(Path::new(file)),
        ["requests", file] => measure::requests(Path::new(file)),
        ["list", file] => println!("{}", peers::lines(Path::new(file)).join("\n")),
        ["beyond", file, len] => println!("{}", peers::beyond(Path::new(file), forge::number(len)).join("\n")),
        ["audit", files @ ..] => files.iter().for_each(|file| audit_file(file)),
        _ => println!("{USAGE}"),
    }
}

fn make(recipe: &Path, variant: &str, path: &Path) {
    let (format, cipher) = forge::variant(variant);
    std::fs::write(path, forge::store(format, cipher, &forge::Recipe::read(recipe))).expect("a file");
}

fn damaged(name: &str, out: &Path) {
    for (format, cipher, bytes) in forge::damaged_all(name, &mut forge::store) {
        let path = out.join(format!("{name}.{}.pst", forge::variant_name(format, cipher)));
        std::fs::write(path, bytes).expect("a file");
    }
}

fn big(path: &Path, options: &[&str]) {
    let mut big = Big::folder_of(0);
    for option in options {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "messages" => big.messages = forge::number(value),
            "folders" => big.folders = forge::number(value),
            "depth" => big.depth = forge::number(value),
            "attachment" => big.attachment = forge::number(value),
            "format" => big.format = Format::ALL.into_iter().find(|format| forge::format_name(*format) == value).expect("a format"),
            "cipher" => big.cipher = Cipher::ALL.into_iter().find(|cipher| cipher.name() == value).expect("a cipher"),
            other => panic!("{other} is no option"),
        }
    }
    let made = big.write(path);
    println!(
        "{:.0} MB in {:.2} s: {:.0} MB/s, peak RSS {:.0} MiB",
        made.bytes as f64 / 1e6,
        made.seconds,
        made.bytes as f64 / 1e6 / made.seconds,
        made.peak_rss_bytes as f64 / 1_048_576.0
    );
}

fn audit_file(path: &str) {
    let file = pstfs::disk::WritableFile::open(Path::new(path)).expect("a file");
    let faults = audit::faults(std::sync::Arc::new(file));
    println!("{path} {}", if faults.is_empty() { "exact".to_owned() } else { faults[..faults.len().min(10)].join("; ") });
}
