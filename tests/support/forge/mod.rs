//! The forge: stores made from recipes, the same bytes for the same recipe on every machine and day.
//!
//! A recipe is a few lines of text ([`Recipe`]); they stand in `fixtures/healthy/NAME/recipe`. [`store`] makes one in
//! memory, for a test; `scripts/forge OUTDIR` writes them all.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "tests take what they need, the program takes all")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a mistake in a recipe ends the program that forges it"
)]

pub mod big;
mod build;
mod classes;
pub mod edits;
mod files;
mod items;
pub mod objects;
mod random;
mod recipe;
mod recur;
mod values;

use std::path::{Path, PathBuf};

use pstfs::disk::MemoryFile;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::store::write::PropertyList;

pub use build::write;
pub use random::{Random, Stream};
pub use recipe::{Line, Recipe, parse_number as number};

/// The bytes of the store that a recipe describes, in this format and encryption.
pub fn store(format: Format, cipher: Cipher, recipe: &Recipe) -> Vec<u8> {
    let file = MemoryFile::default();
    write(&file, format, cipher, recipe);
    file.into_bytes()
}

/// The recipe in `fixtures/healthy/NAME`.
pub fn recipe(name: &str) -> Recipe {
    Recipe::read(&fixtures().join("healthy").join(name).join("recipe"))
}

/// What a recipe's line `all-types` sets: a property of every type, single, several, none, as large as can be, empty.
pub fn all_types() -> PropertyList {
    let mut props = PropertyList::default();
    values::all_types(&mut props);
    props
}

/// The folder of fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A variant's name as recipes and files have it: `unicode-permute`.
pub fn variant_name(format: Format, cipher: Cipher) -> String {
    format!("{}-{}", format_name(format), cipher.name())
}

/// A format's name as recipes and files have it.
pub const fn format_name(format: Format) -> &'static str {
    match format {
        Format::Ansi => "ansi",
        Format::Unicode => "unicode",
        Format::Unicode4k => "4k",
    }
}

/// All nine pairs of format and encryption.
pub fn variants() -> impl Iterator<Item = (Format, Cipher)> {
    Format::ALL.into_iter().flat_map(|format| Cipher::ALL.into_iter().map(move |cipher| (format, cipher)))
}

/// Writes every fixture store below a folder and tells each one's path and size.
///
/// A recipe's line `formats` says in which variants: `all`, or names such as `unicode-permute`, which is also what
/// holds where the line is missing.
pub fn all(out: &Path, told: &mut dyn FnMut(&Path, u64)) {
    for name in names("healthy") {
        let recipe = recipe(&name);
        let folder = out.join("healthy").join(&name);
        std::fs::create_dir_all(&folder).expect("a folder for the stores");
        for (format, cipher) in wanted(&recipe) {
            let path = folder.join(format!("{}.pst", variant_name(format, cipher)));
            let _ = std::fs::remove_file(&path);
            let file = pstfs::disk::WritableFile::create_new(&path).expect("a new file");
            write(&file, format, cipher, &recipe);
            told(&path, std::fs::metadata(&path).expect("the file").len());
        }
    }
    let folder = out.join("damaged");
    std::fs::create_dir_all(&folder).expect("a folder for the stores");
    for name in names("damaged") {
        for (format, cipher, bytes) in damaged_all(&name, &mut store) {
            let path = folder.join(format!("{name}.{}.pst", variant_name(format, cipher)));
            std::fs::write(&path, &bytes).expect("a file");
            told(&path, bytes.len() as u64);
        }
    }
}

/// The damaged store in `fixtures/damaged/NAME`, in the first of its variants.
pub fn damaged(name: &str) -> Vec<u8> {
    damaged_all(name, &mut store).next().expect("a variant").2
}

/// The damaged stores in `fixtures/damaged/NAME`, one for each variant of the base, which `forge` makes.
pub fn damaged_all<'f>(
    name: &str,
    forge: &'f mut dyn FnMut(Format, Cipher, &Recipe) -> Vec<u8>,
) -> impl Iterator<Item = (Format, Cipher, Vec<u8>)> + use<'f> {
    let edits = Recipe::read(&fixtures().join("damaged").join(name).join("edits"));
    let base = edits.line("base").expect("edits begin with their base").clone();
    let variants: Vec<_> = base.args[1..].iter().map(|name| variant(name)).collect();
    variants.into_iter().map(move |(format, cipher)| {
        let whole = forge(format, cipher, &recipe(base.arg(0)));
        (format, cipher, edits::damaged(whole, &edits))
    })
}

/// The variant of this name.
pub fn variant(name: &str) -> (Format, Cipher) {
    variants().find(|(format, cipher)| variant_name(*format, *cipher) == name).expect("a variant")
}

/// The fixtures of a kind, sorted.
pub fn names(kind: &str) -> Vec<String> {
    let folder = std::fs::read_dir(fixtures().join(kind)).expect("the fixtures");
    let mut names: Vec<String> = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The variants that a recipe asks for.
pub fn wanted(recipe: &Recipe) -> Vec<(Format, Cipher)> {
    let Some(line) = recipe.line("formats") else { return vec![(Format::Unicode, Cipher::Permute)] };
    let all = line.args.iter().any(|arg| arg == "all");
    variants().filter(|(format, cipher)| all || line.args.contains(&variant_name(*format, *cipher))).collect()
}
