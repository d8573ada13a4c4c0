//! How facts stand on a terminal of 80 columns.

use std::path::Path;

use crate::format::property::FileTime;

/// Columns of a line.
const COLUMNS: usize = 80;

/// Text in lines of at most `width` characters, broken between words; a longer word stays whole.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let fits = |line: &String| line.is_empty() || line.chars().count().saturating_add(word.chars().count()) < width;
        match lines.last_mut() {
            Some(line) if fits(line) => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A name and what belongs to it, in as many lines as it takes; the value begins in column `indent`.
pub(super) fn fact(name: &str, value: &str, indent: usize) -> Vec<String> {
    let width = COLUMNS.saturating_sub(indent);
    let heads = std::iter::once(name).chain(std::iter::repeat(""));
    heads.zip(wrapped(value, width)).map(|(head, line)| format!("{head:<indent$}{line}").trim_end().to_owned()).collect()
}

/// A count with its noun.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A number of bytes, with a rounded form where it is large.
pub(super) fn bytes(count: u64) -> String {
    let units = [("GiB", 30_u32), ("MiB", 20), ("KiB", 10)];
    let found = units.iter().find(|(_, shift)| count.checked_shr(*shift).is_some_and(|whole| whole > 0));
    let Some((unit, shift)) = found else { return counted(count, "byte", "bytes") };
    let whole = count.checked_shr(*shift).unwrap_or(0);
    let rest = count.checked_shr(shift.saturating_sub(10)).unwrap_or(0) & 1023;
    let tenths = rest.saturating_mul(10).checked_div(1024).unwrap_or(0);
    format!("{count} bytes ({whole}.{tenths} {unit})")
}

/// A time as people read it, in UTC.
pub(super) fn time(time: Option<(i64, u32)>) -> Option<String> {
    let (seconds, nanos) = time?;
    let time = jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// A time as programs read it (RFC 3339), in UTC.
pub(super) fn rfc3339(time: Option<(i64, u32)>) -> Option<String> {
    let (seconds, nanos) = time?;
    Some(jiff::Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()?.to_string())
}

/// The same of a time as stores hold it.
pub(super) fn unix(time: Option<FileTime>) -> Option<(i64, u32)> {
    time.and_then(FileTime::unix)
}

/// A path as a JSON string can hold it.
pub(super) fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_fact_is_broken_between_words() {
        let lines = fact("Password", &"word ".repeat(40), 12);
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= COLUMNS), "{lines:?}");
        assert!(lines[0].starts_with("Password    word") && lines[1].starts_with("            word"));
        assert_eq!(fact("Name", &"x".repeat(90), 8)[0].len(), 98, "a word stays whole");
    }

    #[test]
    fn bytes_are_exact_and_rounded() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(271_360), "271360 bytes (265.0 KiB)");
        assert_eq!(bytes(16_818_176), "16818176 bytes (16.0 MiB)");
        assert!(bytes(u64::MAX).ends_with("GiB)"));
    }

    #[test]
    fn times_are_utc_and_those_out_of_range_are_none() {
        assert_eq!(time(Some((1_003_781_182, 0))).as_deref(), Some("2001-10-22 20:06:22Z"));
        assert_eq!(rfc3339(Some((1_003_781_182, 500_000_000))).as_deref(), Some("2001-10-22T20:06:22.5Z"));
        assert_eq!(time(Some((-11_644_473_600, 100))).as_deref(), Some("1601-01-01 00:00:00Z"));
        assert_eq!(time(Some((i64::MAX, 0))), None);
    }
}
