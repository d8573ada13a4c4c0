//! Which attachment of a series holds which of its instances ([MS-OXOCAL] 2.2.10).

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::common::{is_exception, time};
use super::series::Exception;
use super::when::Clock;
use crate::convert::lines::local_minutes;
use crate::store::item::{Attachment, Content, Item, NodeRef};
use crate::store::tags;

/// The messages inside a series, by the times on their attachments; nothing where one cannot be read.
pub(super) struct Embedded {
    by_start: BTreeMap<DateTime, Option<NodeRef>>,
    by_original: BTreeMap<DateTime, Option<NodeRef>>,
}

impl Embedded {
    pub(super) fn of(item: &Item) -> Self {
        let mut found = Self { by_start: BTreeMap::new(), by_original: BTreeMap::new() };
        for attachment in item.attachments.iter().filter(|attachment| is_exception(attachment)) {
            found.add(attachment);
        }
        found
    }

    fn add(&mut self, attachment: &Attachment) {
        let node = if let Content::Message(node) = attachment.content { Some(node) } else { None };
        let props = &attachment.props;
        if let Some(start) = time(props, tags::EXCEPTION_START_TIME) {
            self.by_start.entry(start).or_insert(node);
        }
        if let Some(original) = time(props, tags::EXCEPTION_REPLACE_TIME) {
            self.by_original.entry(original).or_insert(node);
        }
    }

    /// The message of an instance; `Some(None)` for one that cannot be read.
    ///
    /// PidTagExceptionReplaceTime is in UTC as specified, but Outlook 2016 writes the local time there (dist-list.pst).
    /// PidTagExceptionStartTime is local in both.
    pub(super) fn find(&self, exception: &Exception, clock: Clock<'_>) -> Option<Option<NodeRef>> {
        let original = local_minutes(exception.original_start)?;
        let original_utc = clock.zone().and_then(|zone| zone.rule.utc(original));
        let by_original = [Some(original), original_utc].into_iter().flatten().find_map(|time| self.by_original.get(&time));
        by_original.or_else(|| self.by_start.get(&local_minutes(exception.start)?)).copied()
    }
}
