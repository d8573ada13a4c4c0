//! The page as HTML.

use std::fmt::Write;

use super::{Folder, Page};
use crate::cli::text;
use crate::control::by_severity;
use crate::damage::{Code, Finding, Severity, Verdict};
use crate::scan::{Outcome, Tally};

const STYLE: &str = include_str!("style.css");

/// How many folders are shown; those with the most errors come first.
const FOLDERS_SHOWN: usize = 200;

/// The whole page.
pub(super) fn render(page: &Page, outcome: &Outcome) -> String {
    let file = escaped(&page.about.file.to_string_lossy());
    let verdict = outcome.verdict.text();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{verdict}: {file}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1 class=\"{}\">{verdict}</h1>\n<p class=\"file\">{file}</p>\n",
        mood(outcome.verdict)
    );
    html.push_str(&summary(page, outcome));
    html.push_str(&map(page));
    html.push_str(&folders(page));
    html.push_str(&codes(page, outcome));
    let version = env!("CARGO_PKG_VERSION");
    // Writing to a string cannot fail.
    let _ = writeln!(html, "<p class=\"foot\">Made by pstfs {version}. Nothing was written to the store.</p>\n</body>\n</html>");
    html
}

const fn mood(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NoErrors | Verdict::Done | Verdict::Repaired => "good",
        Verdict::Minor | Verdict::Cancelled => "minor",
        Verdict::Errors | Verdict::Remain | Verdict::Failed => "bad",
    }
}

/// What the verdict means, and what to do about it.
fn advice(outcome: &Outcome) -> String {
    let text = match outcome.verdict {
        Verdict::NoErrors | Verdict::Done | Verdict::Repaired => "The store is sound, nothing needs to be done.",
        Verdict::Minor => "All that is in the store can be read. Some of its bookkeeping is not exact: a repair is optional.",
        Verdict::Errors | Verdict::Remain => {
            "Something in the store is lost, wrong or at risk. <code>pstfs repair FILE</code> mends what can be mended: \
             it keeps a backup, and deletes nothing that can still be read."
        }
        Verdict::Cancelled => "The scan was cancelled: what follows is not all.",
        Verdict::Failed => "The scan did not come to its end: what follows is not all.",
    };
    let why = outcome.error.as_ref().map(|error| format!(" {}.", escaped(&error.to_string()))).unwrap_or_default();
    format!("<p class=\"advice\">{text}{why}</p>\n")
}

fn summary(page: &Page, outcome: &Outcome) -> String {
    let [errors, warnings, notes] = by_severity(&outcome.counts);
    let format = if page.about.format.is_empty() { "a store that cannot be opened" } else { &page.about.format };
    let bytes = page.about.size_bytes;
    let mut html = format!("<p>{}, {} ({} bytes)</p>\n", escaped(format), escaped(&rounded(bytes)), number(bytes));
    html.push_str(&advice(outcome));
    html.push_str("<ul class=\"tiles\">\n");
    let mut tile = |class: &str, value: String, what: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(html, "<li><b class=\"{class}\">{value}</b>{what}</li>");
    };
    let class = |count: u64, class| if count > 0 { class } else { "soft" };
    let plural = |count: u64, one, many| if count == 1 { one } else { many };
    tile(class(errors, "error"), number(errors), plural(errors, "error", "errors"));
    tile(class(warnings, "warning"), number(warnings), plural(warnings, "warning", "warnings"));
    tile("soft", number(notes), plural(notes, "note", "notes"));
    let Tally { folders, folders_healthy, items, items_healthy } = outcome.tally;
    if outcome.tally != Tally::default() {
        tile("", format!("{} of {}", number(folders_healthy), number(folders)), "folders without an error");
        tile("", format!("{} of {}", number(items_healthy), number(items)), "items without an error");
    }
    html.push_str("</ul>\n");
    html
}

/// A number of bytes in the largest unit of which there is one.
fn rounded(bytes: u64) -> String {
    let told = text::bytes(bytes);
    told.split_once('(').map_or_else(|| told.clone(), |(_, rest)| rest.trim_end_matches(')').to_owned())
}

fn map(page: &Page) -> String {
    let cell = rounded(page.map.cell_bytes());
    let mut html = format!("<h2>The file from its first byte to its last</h2>\n<p>A cell stands for {}.</p>\n", escaped(&cell));
    html.push_str(&page.map.svg());
    html.push_str("<ul class=\"legend\">\n");
    for (class, what) in [
        ("head", "header"),
        ("free", "free"),
        ("some", "a little in use"),
        ("half", "half in use"),
        ("full", "in use"),
        ("leaked", "marked as in use, used by nothing"),
        ("damaged", "something is wrong here"),
        ("unknown", "told by no map"),
    ] {
        let swatch = format!("<svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"10\" height=\"10\"/></svg>");
        let _ = writeln!(html, "<li>{swatch}{what}</li>");
    }
    html.push_str("</ul>\n");
    html
}

fn folders(page: &Page) -> String {
    let mut folders: Vec<(&String, &Folder)> = page.folders.iter().collect();
    folders.sort_by_key(|(_, folder)| std::cmp::Reverse(folder.counts));
    if folders.iter().all(|(name, _)| name.is_empty()) {
        return String::new();
    }
    let head = "<tr><th>Folder</th><th class=\"n\">Errors</th><th class=\"n\">Warnings</th><th class=\"n\">Notes</th></tr>";
    let mut html = format!("<h2>By folder</h2>\n<div class=\"table\"><table id=\"folders\">\n{head}\n");
    for (name, folder) in folders.iter().take(FOLDERS_SHOWN) {
        let name = if name.is_empty() { "<span class=\"soft\">in no folder</span>".to_owned() } else { escaped(name) };
        let [errors, warnings, notes] = folder.counts.map(number);
        let _ = writeln!(
            html,
            "<tr><td>{name}{}</td><td class=\"n\">{errors}</td><td class=\"n\">{warnings}</td><td class=\"n\">{notes}</td></tr>",
            items(folder)
        );
    }
    html.push_str("</table></div>\n");
    if folders.len() > FOLDERS_SHOWN {
        let more = folders.len().saturating_sub(FOLDERS_SHOWN);
        let _ = writeln!(html, "<p>And {more} more folders.</p>");
    }
    html
}

/// The items of a folder that findings name, the worst first.
fn items(folder: &Folder) -> String {
    let mut items: Vec<(&(String, u32), &[u64; 3])> = folder.items.iter().collect();
    items.sort_by_key(|(_, counts)| std::cmp::Reverse(**counts));
    if items.is_empty() {
        return String::new();
    }
    let words = if items.len() == 1 { "1 item".to_owned() } else { format!("{} items", items.len()) };
    let mut html = format!("<details><summary>{words}</summary><ul>\n");
    for ((name, nid), [errors, warnings, notes]) in items {
        let told = [(errors, "error", "errors"), (warnings, "warning", "warnings"), (notes, "note", "notes")];
        let told = told.into_iter().filter(|(count, ..)| **count > 0);
        let told: Vec<String> = told.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many })).collect();
        let _ = writeln!(html, "<li>{} <span class=\"soft\">[{nid:x}] {}</span></li>", escaped(name), told.join(", "));
    }
    html.push_str("</ul></details>");
    html
}

fn codes(page: &Page, outcome: &Outcome) -> String {
    if page.codes.is_empty() {
        return "<h2>By code</h2>\n<p>Nothing was found.</p>\n".to_owned();
    }
    let mut rows: Vec<(&(Code, Severity), &Vec<Finding>)> = page.codes.iter().collect();
    rows.sort_by_key(|((code, severity), _)| (std::cmp::Reverse(*severity), *code));
    let head = "<tr><th>Code</th><th></th><th>What is wrong, and what repair does</th><th class=\"n\">Count</th></tr>";
    let mut html = format!("<h2>By code</h2>\n<div class=\"table\"><table id=\"codes\">\n{head}\n");
    for (key, listed) in rows {
        let (code, severity) = key;
        let count = outcome.counts.get(key).copied().unwrap_or_default();
        let (class, word) = match severity {
            Severity::Fatal => ("error", "fatal"),
            Severity::Error => ("error", "error"),
            Severity::Warning => ("warning", "warning"),
            Severity::Note => ("soft", "note"),
        };
        let repair = if code.repair().is_empty() { String::new() } else { format!("<p>Repair {}.</p>", escaped(code.repair())) };
        let _ = writeln!(
            html,
            "<tr><td><code>{}</code></td><td class=\"{class}\">{word}</td><td>{}{repair}{}</td><td class=\"n\">{}</td></tr>",
            code.id(),
            escaped(&sentence(code.title())),
            details(listed, count),
            number(count)
        );
    }
    html.push_str("</table></div>\n");
    html
}

/// The findings of a code, one a line.
fn details(listed: &[Finding], count: u64) -> String {
    let shown = u64::try_from(listed.len()).unwrap_or(u64::MAX);
    let words =
        if shown < count { format!("The first {} of {}", number(shown), number(count)) } else { format!("Where ({})", number(count)) };
    let mut html = format!("<details><summary>{words}</summary><ul>\n");
    for finding in listed {
        let detail = if finding.detail.is_empty() { String::new() } else { format!(" ({})", escaped(&finding.detail)) };
        let victim = if finding.victim.is_empty() { String::new() } else { format!(": {}", escaped(&finding.victim)) };
        let _ = writeln!(html, "<li>{}{detail}{victim}</li>", escaped(&finding.place.to_string()));
    }
    html.push_str("</ul></details>");
    html
}

/// A title as the start of a sentence.
fn sentence(title: &str) -> String {
    let mut chars = title.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A number with its thousands apart.
fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).checked_rem(3) == Some(0) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Text as HTML has it, whatever it holds.
fn escaped(text: &str) -> String {
    let mut html = String::new();
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            char if char.is_control() => html.push(' '),
            char => html.push(char),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }
}
