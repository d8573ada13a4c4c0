//! One calendar of many: the components of each, and every time zone once.

use std::collections::BTreeMap;

/// What a shared calendar begins with.
pub(super) const BEGIN: &str = "BEGIN:VCALENDAR\r\nPRODID:-//pstfs//EN\r\nVERSION:2.0\r\n";
/// What it ends with.
pub(super) const END: &str = "END:VCALENDAR\r\n";

/// The octets of a line before it is folded (RFC 5545 3.1).
const FOLD_OCTETS: usize = 75;

/// The zones that a shared calendar has so far: the text of each by its id.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones {
    known: BTreeMap<String, String>,
}

impl Zones {
    /// The components of a calendar, to be appended to the shared one.
    ///
    /// A zone is left out where it is there already. Where another one has its name, as from years with other rules, it
    /// gets a new name, and so do the times that stand in it.
    pub(super) fn add(&mut self, calendar: &str) -> String {
        let mut renamed: Vec<(String, String)> = Vec::new();
        let mut out = String::new();
        for component in components(calendar) {
            if !component.starts_with("BEGIN:VTIMEZONE\r\n") {
                out.push_str(&with_zones(&component, &renamed));
                continue;
            }
            let id = zone_id(&component).unwrap_or_default();
            let (name, is_new) = self.name(&id, &component);
            let text = if name == id { component } else { with_id(&component, &name) };
            if name != id {
                renamed.push((id, name));
            }
            if is_new {
                out.push_str(&text);
            }
        }
        out
    }

    /// The name of a zone in the shared calendar, and whether it is not there yet.
    fn name(&mut self, id: &str, text: &str) -> (String, bool) {
        for count in 1_u64.. {
            let name = if count == 1 { id.to_owned() } else { format!("{id} {count}") };
            match self.known.get(&name) {
                Some(known) if known == text => return (name, false),
                Some(_) => {}
                None => {
                    self.known.insert(name.clone(), text.to_owned());
                    return (name, true);
                }
            }
        }
        // There are not as many zones as numbers.
        (id.to_owned(), false)
    }
}

/// The components right below the outermost one, with their line ends.
fn components(calendar: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = String::new();
    let mut depth = 0_usize;
    for line in calendar.split_inclusive("\r\n") {
        let begins = line.starts_with("BEGIN:");
        let ends = line.starts_with("END:");
        depth = depth.saturating_add(usize::from(begins));
        if depth > 1 {
            open.push_str(line);
        }
        depth = depth.saturating_sub(usize::from(ends));
        if ends && depth == 1 {
            found.push(std::mem::take(&mut open));
        }
    }
    found
}

fn zone_id(zone: &str) -> Option<String> {
    let unfolded = unfolded(zone);
    unfolded.lines().find_map(|line| line.strip_prefix("TZID:")).map(|id| id.trim_end().to_owned())
}

fn with_id(zone: &str, name: &str) -> String {
    mapped(zone, |line| if line.starts_with("TZID:") { format!("TZID:{name}") } else { line.to_owned() })
}

/// A component whose times stand in zones of the new names.
fn with_zones(component: &str, renamed: &[(String, String)]) -> String {
    if renamed.is_empty() {
        return component.to_owned();
    }
    mapped(component, |line| renamed.iter().fold(line.to_owned(), |line, (id, name)| in_zone(&line, id, name)))
}

/// A line whose parameter TZID is `id`, with `name` instead.
fn in_zone(line: &str, id: &str, name: &str) -> String {
    // TEXT is escaped in the zone's own TZID, a parameter is not.
    let [id, name] = [id, name].map(|text| text.replace('\\', ""));
    let written = [format!(";TZID={id}"), format!(";TZID=\"{id}\"")];
    let found = written.iter().flat_map(|from| [":", ";"].map(|end| (format!("{from}{end}"), end))).find(|(from, _)| line.contains(from));
    found.map_or_else(|| line.to_owned(), |(from, end)| line.replacen(&from, &format!(";TZID=\"{name}\"{end}"), 1))
}

/// Each line of a component changed, and folded anew.
fn mapped(component: &str, change: impl Fn(&str) -> String) -> String {
    unfolded(component).lines().map(|line| folded(&change(line))).collect()
}

fn unfolded(text: &str) -> String {
    text.replace("\r\n ", "").replace("\r\n\t", "")
}

fn folded(line: &str) -> String {
    let mut out = String::new();
    let mut octets = 0_usize;
    for char in line.chars() {
        if octets.saturating_add(char.len_utf8()) > FOLD_OCTETS {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(char);
        octets = octets.saturating_add(char.len_utf8());
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(zone: &str, event: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n{zone}BEGIN:VEVENT\r\n{event}BEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    }

    fn zone(id: &str, offset: &str) -> String {
        format!("BEGIN:VTIMEZONE\r\nTZID:{id}\r\nBEGIN:STANDARD\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n")
    }

    #[test]
    fn the_frame_goes_and_every_zone_comes_once() {
        let mut zones = Zones::default();
        let event = "DTSTART;TZID=Europe/Berlin:20240101T090000\r\n";
        let one = calendar(&zone("Europe/Berlin", "+0100"), event);
        let body = "BEGIN:VEVENT\r\nDTSTART;TZID=Europe/Berlin:20240101T090000\r\nBEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT\r\n";
        assert_eq!(zones.add(&one), format!("{}{body}", zone("Europe/Berlin", "+0100")));
        assert_eq!(zones.add(&one), body);
        assert_eq!(zones.add(&calendar("", "SUMMARY:x\r\n")).matches("BEGIN:").count(), 2);
    }

    #[test]
    fn a_zone_of_other_rules_gets_a_name_of_its_own() {
        let mut zones = Zones::default();
        let event =
            format!("DTSTART;TZID=\"Zone, mine\";X=y:1\r\nDTEND;TZID=\r\n Zone, mine:2\r\nSUMMARY:{}\r\n", "TZID=Zone, mine ".repeat(6));
        zones.add(&calendar(&zone("Zone, mine", "+0100"), &event));
        let second = unfolded(&zones.add(&calendar(&zone("Zone, mine", "+0200"), &event)));
        assert!(second.starts_with(&zone("Zone, mine 2", "+0200")), "{second}");
        assert!(second.contains("DTSTART;TZID=\"Zone, mine 2\";X=y:1\r\nDTEND;TZID=\"Zone, mine 2\":2\r\n"), "{second}");
        assert!(second.contains("SUMMARY:TZID=Zone, mine TZID=Zone, mine TZID"), "{second}");
        let third = zones.add(&calendar(&zone("Zone, mine", "+0200"), &event));
        assert!(third.starts_with("BEGIN:VEVENT\r\nDTSTART;TZID=\"Zone, mine 2\""), "{third}");
        assert!(third.lines().all(|line| line.len() <= FOLD_OCTETS));
    }
}
