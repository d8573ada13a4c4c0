//! A distribution list as a group ([MS-OXOCNTC] 2.2.2, RFC 6350 6.1.4).

use super::card::{Card, Version};
use super::entry_id::Member;
use super::shown_name;
use crate::convert::Given;
use crate::format::Format;
use crate::format::codec::{Cut, Decoder};
use crate::store::item::Item;
use crate::store::tags;

/// Writes the list's name and members, as the properties that Apple uses in 3.0, which knows no groups.
///
/// A member is told by its address even where it is a contact: its entry id means an item of this store only, and a
/// document is the same in a converted one.
pub(super) fn write(card: &mut Card, item: &Item, _: &Given<'_>) {
    card.lines.raw(card.name("KIND", "X-ADDRESSBOOKSERVER-KIND"), "group");
    let name = shown_name(item);
    card.lines.text("FN", &name);
    if card.version == Version::V3 {
        card.lines.texts("N", ";", &[name, String::new(), String::new(), String::new(), String::new()]);
    }
    for pair in pairs(item) {
        match pair.member(item.props.codepage()) {
            Some(member) => member.write(card),
            None => card.lines.lacks("member"),
        }
    }
}

/// A member's entry id, and the one-off id that tells its name and address.
struct Pair {
    id: Vec<u8>,
    one_off: Vec<u8>,
}

impl Pair {
    /// The id itself names a guest; a contact's id only refers to an item, and its one-off id says what that was.
    fn member(&self, page: u16) -> Option<Member> {
        let own = Member::decode(&self.id, page);
        let known = |member: &Member| member.is_internet();
        own.clone().filter(known).or_else(|| Member::decode(&self.one_off, page)).or(own)
    }
}

/// The members; a list too large for its two properties has them all in a third ([MS-OXOCNTC] 2.2.2.2.4).
fn pairs(item: &Item) -> Vec<Pair> {
    let stream = item.props.bytes(tags::LID_DISTRIBUTION_LIST_STREAM).map(|stream| of_stream(&stream)).unwrap_or_default();
    if !stream.is_empty() {
        return stream;
    }
    let mut one_offs = item.props.many_bytes(tags::LID_DISTRIBUTION_LIST_ONE_OFF_MEMBERS).into_iter();
    let ids = item.props.many_bytes(tags::LID_DISTRIBUTION_LIST_MEMBERS);
    ids.into_iter().map(|id| Pair { id, one_off: one_offs.next().unwrap_or_default() }).chain(rest(item)).collect()
}

/// One-off ids past the last member, where the list of members was lost.
fn rest(item: &Item) -> Vec<Pair> {
    let known = item.props.many_bytes(tags::LID_DISTRIBUTION_LIST_MEMBERS).len();
    let one_offs = item.props.many_bytes(tags::LID_DISTRIBUTION_LIST_ONE_OFF_MEMBERS).into_iter();
    one_offs.skip(known).map(|one_off| Pair { id: Vec::new(), one_off }).collect()
}

/// The members in PidLidDistributionListStream, as far as it goes.
fn of_stream(stream: &[u8]) -> Vec<Pair> {
    let mut from = Decoder::new(Format::Unicode, stream);
    // Version, reserved, build version, flags.
    if from.take(12).is_err() {
        return Vec::new();
    }
    let Ok(count) = from.field::<u32>() else { return Vec::new() };
    if from.take(12).is_err() {
        return Vec::new();
    }
    (0..count).map_while(|_| pair(&mut from).ok()).collect()
}

/// DistListMemberInfo: three blocks, each after its size.
fn pair(from: &mut Decoder<'_>) -> Result<Pair, Cut> {
    let pair = Pair { id: block(from)?, one_off: block(from)? };
    block(from)?;
    Ok(pair)
}

fn block(from: &mut Decoder<'_>) -> Result<Vec<u8>, Cut> {
    let len: u32 = from.field()?;
    from.take(usize::try_from(len).map_err(|_| Cut)?).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::super::entry_id::testing::{one_off, wrapped};
    use super::super::render;
    use super::super::tests::item;
    use super::*;
    use crate::ltp::value::Value;

    fn many(ids: &[Vec<u8>]) -> Value {
        Value::Multi(ids.iter().cloned().map(Value::Binary).collect())
    }

    #[test]
    fn a_contact_is_known_by_the_one_off_id_at_its_place() {
        let guest = one_off("Guest", "SMTP", "g@x.test");
        let contact = one_off("Jane", "SMTP", "j@x.test");
        let list = item(
            "IPM.DistList",
            &[
                (tags::LID_DISTRIBUTION_LIST_MEMBERS, many(&[wrapped(0xc3, &[7; 24]), guest.clone(), wrapped(0xc3, &[8; 24])])),
                (tags::LID_DISTRIBUTION_LIST_ONE_OFF_MEMBERS, many(&[contact, guest])),
                (tags::LID_DISTRIBUTION_LIST_NAME, Value::Unicode("Team".into())),
            ],
        );
        let card = render(&list, &Given::default()).unwrap();
        let members = "KIND:group\r\nFN:Team\r\nMEMBER;X-CN=\"Jane\":mailto:j@x.test\r\n\
                       MEMBER;X-CN=\"Guest\":mailto:g@x.test\r\nX-PSTFS-INCOMPLETE:member\r\nEND:VCARD\r\n";
        assert!(card.ends_with(members), "{card}");
    }

    #[test]
    fn a_list_of_3_0_has_the_properties_of_apple() {
        let values = [
            (tags::LID_DISTRIBUTION_LIST_MEMBERS, many(&[one_off("Guest", "SMTP", "g@x.test")])),
            (tags::LID_DISTRIBUTION_LIST_NAME, Value::Unicode("Team".into())),
        ];
        let card = super::super::render_as(&item("IPM.DistList", &values), &Given::default(), Version::V3).unwrap();
        let expected = "X-ADDRESSBOOKSERVER-KIND:group\r\nFN:Team\r\nN:Team;;;;\r\n\
                        X-ADDRESSBOOKSERVER-MEMBER;X-CN=\"Guest\":mailto:g@x.test\r\nEND:VCARD\r\n";
        assert!(card.ends_with(expected), "{card}");
    }

    #[test]
    fn a_stream_is_read_as_far_as_it_goes() {
        let guest = one_off("Guest", "SMTP", "g@x.test");
        let size = u32::try_from(guest.len()).unwrap().to_le_bytes();
        let member = [&size[..], &guest, &size[..], &guest, &[0; 4]].concat();
        let stream = [&[0; 12][..], &[0xff; 4], &[0; 12], &member, &member, &size].concat();
        assert_eq!(of_stream(&stream).len(), 2);
        assert_eq!(of_stream(&[0xff; 28]).len(), 0);
    }
}
