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

// Mail: what `convert` needs for .eml.

pub const IMPORTANCE: Key = Key::Id(0x0017);
pub const ORIGINATOR_DELIVERY_REPORT_REQUESTED: Key = Key::Id(0x0023);
pub const READ_RECEIPT_REQUESTED: Key = Key::Id(0x0029);
pub const SENSITIVITY: Key = Key::Id(0x0036);
pub const SENT_REPRESENTING_SEARCH_KEY: Key = Key::Id(0x003b);
pub const SUBJECT_PREFIX: Key = Key::Id(0x003d);
pub const SENT_REPRESENTING_ENTRY_ID: Key = Key::Id(0x0041);
pub const SENT_REPRESENTING_NAME: Key = Key::Id(0x0042);
pub const REPLY_RECIPIENT_ENTRIES: Key = Key::Id(0x004f);
pub const REPLY_RECIPIENT_NAMES: Key = Key::Id(0x0050);
pub const SENT_REPRESENTING_ADDRESS_TYPE: Key = Key::Id(0x0064);
pub const SENT_REPRESENTING_EMAIL_ADDRESS: Key = Key::Id(0x0065);
pub const CONVERSATION_TOPIC: Key = Key::Id(0x0070);
pub const CONVERSATION_INDEX: Key = Key::Id(0x0071);
pub const TRANSPORT_MESSAGE_HEADERS: Key = Key::Id(0x007d);
pub const RECIPIENT_TYPE: Key = Key::Id(0x0c15);
pub const SENDER_ENTRY_ID: Key = Key::Id(0x0c19);
pub const SENDER_NAME: Key = Key::Id(0x0c1a);
pub const SENDER_SEARCH_KEY: Key = Key::Id(0x0c1d);
pub const SENDER_ADDRESS_TYPE: Key = Key::Id(0x0c1e);
pub const SENDER_EMAIL_ADDRESS: Key = Key::Id(0x0c1f);
pub const DISPLAY_BCC: Key = Key::Id(0x0e02);
pub const DISPLAY_CC: Key = Key::Id(0x0e03);
pub const DISPLAY_TO: Key = Key::Id(0x0e04);
pub const MESSAGE_STATUS: Key = Key::Id(0x0e17);
pub const NORMALIZED_SUBJECT: Key = Key::Id(0x0e1d);
pub const ENTRY_ID: Key = Key::Id(0x0fff);
pub const BODY: Key = Key::Id(0x1000);
pub const REPORT_TEXT: Key = Key::Id(0x1001);
pub const RTF_COMPRESSED: Key = Key::Id(0x1009);
pub const HTML: Key = Key::Id(0x1013);
pub const INTERNET_MESSAGE_ID: Key = Key::Id(0x1035);
pub const INTERNET_REFERENCES: Key = Key::Id(0x1039);
pub const IN_REPLY_TO_ID: Key = Key::Id(0x1042);
pub const LAST_VERB_EXECUTED: Key = Key::Id(0x1081);
pub const FLAG_STATUS: Key = Key::Id(0x1090);
pub const ADDRESS_TYPE: Key = Key::Id(0x3002);
pub const EMAIL_ADDRESS: Key = Key::Id(0x3003);
pub const SEARCH_KEY: Key = Key::Id(0x300b);
pub const ATTACH_EXTENSION: Key = Key::Id(0x3703);
pub const ATTACH_MIME_TAG: Key = Key::Id(0x370e);
pub const ATTACH_CONTENT_ID: Key = Key::Id(0x3712);
pub const ATTACH_CONTENT_LOCATION: Key = Key::Id(0x3713);
pub const ATTACH_FLAGS: Key = Key::Id(0x3714);
pub const SMTP_ADDRESS: Key = Key::Id(0x39fe);
pub const INTERNET_CODEPAGE: Key = Key::Id(0x3fde);
pub const SENDER_SMTP_ADDRESS: Key = Key::Id(0x5d01);
pub const SENT_REPRESENTING_SMTP_ADDRESS: Key = Key::Id(0x5d02);
pub const RECIPIENT_DISPLAY_NAME: Key = Key::Id(0x5ff6);
pub const KEYWORDS: Key = Key::Name(PS_PUBLIC_STRINGS, "Keywords");
