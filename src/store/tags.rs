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

pub const MESSAGE_CLASS: Key = Key::Id(0x001a);
pub const SUBJECT: Key = Key::Id(0x0037);
pub const CLIENT_SUBMIT_TIME: Key = Key::Id(0x0039);
pub const MESSAGE_DELIVERY_TIME: Key = Key::Id(0x0e06);
pub const MESSAGE_FLAGS: Key = Key::Id(0x0e07);
pub const DISPLAY_NAME: Key = Key::Id(0x3001);
pub const CREATION_TIME: Key = Key::Id(0x3007);
pub const LAST_MODIFICATION_TIME: Key = Key::Id(0x3008);
