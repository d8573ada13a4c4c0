//! The browser that judges the page of `pstfs scan --report`.

use std::path::PathBuf;

/// What it may be called.
const BROWSERS: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// A browser, if one is here; an error under `scripts/check`, which installs one.
pub fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.exists());
    assert!(found.is_some() || std::env::var_os("PSTFS_CHECK").is_none(), "no browser: scripts/setup check installs Chromium");
    if found.is_none() {
        println!("left out: there is no Chromium here");
    }
    found
}
