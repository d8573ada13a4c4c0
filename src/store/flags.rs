//! The bits of PidTagMessageFlags ([MS-OXCMSG] 2.2.1.6) and PidTagSubmitFlags ([MS-OXOMSG] 2.2.3.9): what a scan asks for is
//! what a repair sets.

/// The message was read.
pub const READ: i32 = 0x1;
/// It was submitted.
pub const SUBMITTED: i32 = 0x4;
/// It is a draft.
pub const UNSENT: i32 = 0x8;
/// It has attachments.
pub const HAS_ATTACHMENTS: i32 = 0x10;
/// It is associated with its folder.
pub const ASSOCIATED: i32 = 0x40;
/// All bits of PidTagMessageFlags, and those that Outlook sets in real stores.
pub const KNOWN: i32 = 0x0003_bfff;
/// All bits of PidTagSubmitFlags: locked, to be preprocessed.
pub const SUBMIT_KNOWN: i32 = 0x3;
