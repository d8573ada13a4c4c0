//! `scripts/forge`: writes every fixture store.
#![allow(clippy::print_stdout, reason = "what was written is printed")]

#[path = "mod.rs"]
mod forge;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["all", out] => forge::all(std::path::Path::new(out), &mut |path, bytes| println!("{bytes:>12} {}", path.display())),
        _ => println!("forge all OUTDIR"),
    }
}
