//! The `pstfs` command.
fn main() {}
