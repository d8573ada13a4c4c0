//! Names for property ids ([MS-OXPROPS]) and property sets. A hex id elsewhere is a name not yet given.
#![allow(missing_docs, reason = "each constant is its PidTag, PidLid or PidName in capitals")]

use super::props::Key;
use crate::format::property::Guid;

pub const PS_MAPI: Guid = Guid::mapi(0x0002_0328);
pub const PS_PUBLIC_STRINGS: Guid = Guid::mapi(0x0002_0329);
pub const PS_INTERNET_HEADERS: Guid = Guid::mapi(0x0002_0386);
pub const PSETID_APPOINTMENT: Guid = Guid::mapi(0x0006_2002);
pub const PSETID_TASK: Guid = Guid::mapi(0x0006_2003);
pub const PSETID_ADDRESS: Guid = Guid::mapi(0x0006_2004);
pub const PSETID_COMMON: Guid = Guid::mapi(0x0006_2008);
pub const PSETID_LOG: Guid = Guid::mapi(0x0006_200a);
pub const PSETID_NOTE: Guid = Guid::mapi(0x0006_200e);
pub const PSETID_MEETING: Guid = Guid::new(0x6ed8_da90, 0x450b, 0x101b, [0x98, 0xda, 0x00, 0xaa, 0x00, 0x3f, 0x13, 0x05]);

// The message store.
pub const RECORD_KEY: Key = Key::Id(0x0ff9);
pub const IPM_SUBTREE_ENTRY_ID: Key = Key::Id(0x35e0);
pub const IPM_OUTBOX_ENTRY_ID: Key = Key::Id(0x35e2);
pub const IPM_WASTEBASKET_ENTRY_ID: Key = Key::Id(0x35e3);
pub const IPM_SENT_MAIL_ENTRY_ID: Key = Key::Id(0x35e4);
pub const FINDER_ENTRY_ID: Key = Key::Id(0x35e7);
pub const PST_PASSWORD: Key = Key::Id(0x67ff);
pub const NAME_MAP_GUIDS: Key = Key::Id(0x0002);
pub const NAME_MAP_ENTRIES: Key = Key::Id(0x0003);
pub const NAME_MAP_STRINGS: Key = Key::Id(0x0004);
pub const RECEIVE_FOLDER: Key = Key::Id(0x6605);

// Folders.
pub const CONTENT_COUNT: Key = Key::Id(0x3602);
pub const CONTENT_UNREAD_COUNT: Key = Key::Id(0x3603);
pub const CONTAINER_CLASS: Key = Key::Id(0x3613);
pub const IPM_APPOINTMENT_ENTRY_ID: Key = Key::Id(0x36d0);
pub const IPM_CONTACT_ENTRY_ID: Key = Key::Id(0x36d1);
pub const IPM_JOURNAL_ENTRY_ID: Key = Key::Id(0x36d2);
pub const IPM_NOTE_ENTRY_ID: Key = Key::Id(0x36d3);
pub const IPM_TASK_ENTRY_ID: Key = Key::Id(0x36d4);
pub const IPM_DRAFTS_ENTRY_ID: Key = Key::Id(0x36d7);

// Items.
pub const MESSAGE_CLASS: Key = Key::Id(0x001a);
pub const SUBJECT: Key = Key::Id(0x0037);
pub const CLIENT_SUBMIT_TIME: Key = Key::Id(0x0039);
pub const MESSAGE_DELIVERY_TIME: Key = Key::Id(0x0e06);
pub const MESSAGE_FLAGS: Key = Key::Id(0x0e07);
pub const DISPLAY_NAME: Key = Key::Id(0x3001);
pub const CREATION_TIME: Key = Key::Id(0x3007);
pub const LAST_MODIFICATION_TIME: Key = Key::Id(0x3008);

// Attachments.
pub const ATTACH_DATA: Key = Key::Id(0x3701);
pub const ATTACH_FILENAME: Key = Key::Id(0x3704);
pub const ATTACH_METHOD: Key = Key::Id(0x3705);
pub const ATTACH_LONG_FILENAME: Key = Key::Id(0x3707);
pub const ATTACH_PATHNAME: Key = Key::Id(0x3708);
pub const ATTACH_LONG_PATHNAME: Key = Key::Id(0x370d);

// What readers do not ask for and writers must give.
pub const MESSAGE_SIZE: Key = Key::Id(0x0e08);
pub const MESSAGE_STATUS: Key = Key::Id(0x0e17);
pub const ATTACH_SIZE: Key = Key::Id(0x0e20);
pub const COMMON_VIEWS_ENTRY_ID: Key = Key::Id(0x35e6);
pub const VALID_FOLDER_MASK: Key = Key::Id(0x35df);
pub const COMMENT: Key = Key::Id(0x3004);
pub const SUBFOLDERS: Key = Key::Id(0x360a);
pub const RENDERING_POSITION: Key = Key::Id(0x370b);
pub const HIDDEN_COUNT: Key = Key::Id(0x6635);
pub const HIDDEN_UNREAD_COUNT: Key = Key::Id(0x6636);
pub const SEARCH_FLAGS: Key = Key::Id(0x660b);
pub const NAME_MAP_BUCKETS: Key = Key::Id(0x0001);
pub const MESSAGE_CODEPAGE: Key = Key::Id(0x3ffd);
pub const INTERNET_CODEPAGE: Key = Key::Id(0x3fde);
