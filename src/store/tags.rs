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
pub const ATTACH_ENCODING: Key = Key::Id(0x3702);
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

pub const START_DATE: Key = Key::Id(0x0060);
pub const END_DATE: Key = Key::Id(0x0061);
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
pub const ICON_INDEX: Key = Key::Id(0x1080);
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
pub const MESSAGE_LOCALE_ID: Key = Key::Id(0x3ff1);
pub const INTERNET_CODEPAGE: Key = Key::Id(0x3fde);
pub const SENDER_SMTP_ADDRESS: Key = Key::Id(0x5d01);
pub const SENT_REPRESENTING_SMTP_ADDRESS: Key = Key::Id(0x5d02);
pub const RECIPIENT_DISPLAY_NAME: Key = Key::Id(0x5ff6);
pub const CONTENT_CLASS: Key = Key::Name(PS_INTERNET_HEADERS, "Content-Class");
pub const KEYWORDS: Key = Key::Name(PS_PUBLIC_STRINGS, "Keywords");

// Calendar items, contacts, tasks, journal entries ([MS-OXOCAL], [MS-OXOCNTC], [MS-OXOTASK], [MS-OXOJRNL]).
pub const RESPONSE_REQUESTED: Key = Key::Id(0x0063);
pub const RECIPIENT_FLAGS: Key = Key::Id(0x5ffd);
pub const RECIPIENT_TRACK_STATUS: Key = Key::Id(0x5fff);
pub const EXCEPTION_REPLACE_TIME: Key = Key::Id(0x7ff9);
pub const EXCEPTION_START_TIME: Key = Key::Id(0x7ffb);
pub const ATTACHMENT_FLAGS: Key = Key::Id(0x7ffd);
pub const ATTACHMENT_CONTACT_PHOTO: Key = Key::Id(0x7fff);

pub const LID_GLOBAL_OBJECT_ID: Key = Key::Lid(PSETID_MEETING, 0x0003);
pub const LID_OWNER_CRITICAL_CHANGE: Key = Key::Lid(PSETID_MEETING, 0x001a);
pub const LID_CLEAN_GLOBAL_OBJECT_ID: Key = Key::Lid(PSETID_MEETING, 0x0023);

pub const LID_APPOINTMENT_SEQUENCE: Key = Key::Lid(PSETID_APPOINTMENT, 0x8201);
pub const OWNER_APPOINTMENT_ID: Key = Key::Id(0x0062);
pub const LID_INTENDED_BUSY_STATUS: Key = Key::Lid(PSETID_APPOINTMENT, 0x8224);
pub const LID_APPOINTMENT_NOT_ALLOW_PROPOSE: Key = Key::Lid(PSETID_APPOINTMENT, 0x825a);
pub const LID_BUSY_STATUS: Key = Key::Lid(PSETID_APPOINTMENT, 0x8205);
pub const LID_LOCATION: Key = Key::Lid(PSETID_APPOINTMENT, 0x8208);
pub const LID_APPOINTMENT_START_WHOLE: Key = Key::Lid(PSETID_APPOINTMENT, 0x820d);
pub const LID_APPOINTMENT_END_WHOLE: Key = Key::Lid(PSETID_APPOINTMENT, 0x820e);
pub const LID_APPOINTMENT_SUB_TYPE: Key = Key::Lid(PSETID_APPOINTMENT, 0x8215);
pub const LID_APPOINTMENT_RECUR: Key = Key::Lid(PSETID_APPOINTMENT, 0x8216);
pub const LID_APPOINTMENT_STATE_FLAGS: Key = Key::Lid(PSETID_APPOINTMENT, 0x8217);
pub const LID_TIME_ZONE_STRUCT: Key = Key::Lid(PSETID_APPOINTMENT, 0x8233);
pub const LID_TIME_ZONE_DESCRIPTION: Key = Key::Lid(PSETID_APPOINTMENT, 0x8234);
pub const LID_TIME_ZONE_START_DISPLAY: Key = Key::Lid(PSETID_APPOINTMENT, 0x825e);
pub const LID_TIME_ZONE_END_DISPLAY: Key = Key::Lid(PSETID_APPOINTMENT, 0x825f);
pub const LID_TIME_ZONE_RECUR: Key = Key::Lid(PSETID_APPOINTMENT, 0x8260);

pub const LID_REMINDER_DELTA: Key = Key::Lid(PSETID_COMMON, 0x8501);
pub const LID_REMINDER_TIME: Key = Key::Lid(PSETID_COMMON, 0x8502);
pub const LID_REMINDER_SET: Key = Key::Lid(PSETID_COMMON, 0x8503);
pub const LID_COMPANIES: Key = Key::Lid(PSETID_COMMON, 0x8539);
pub const LID_CONTACTS: Key = Key::Lid(PSETID_COMMON, 0x853a);

pub const LID_TASK_STATUS: Key = Key::Lid(PSETID_TASK, 0x8101);
pub const LID_PERCENT_COMPLETE: Key = Key::Lid(PSETID_TASK, 0x8102);
pub const LID_TASK_START_DATE: Key = Key::Lid(PSETID_TASK, 0x8104);
pub const LID_TASK_DUE_DATE: Key = Key::Lid(PSETID_TASK, 0x8105);
pub const LID_TASK_DATE_COMPLETED: Key = Key::Lid(PSETID_TASK, 0x810f);
pub const LID_TASK_RECURRENCE: Key = Key::Lid(PSETID_TASK, 0x8116);
pub const LID_TASK_COMPLETE: Key = Key::Lid(PSETID_TASK, 0x811c);
pub const LID_TASK_OWNER: Key = Key::Lid(PSETID_TASK, 0x811f);

pub const LID_TASK_ACTUAL_EFFORT: Key = Key::Lid(PSETID_TASK, 0x8110);
pub const LID_TASK_ESTIMATED_EFFORT: Key = Key::Lid(PSETID_TASK, 0x8111);
pub const LID_TASK_ASSIGNER: Key = Key::Lid(PSETID_TASK, 0x8121);
pub const LID_TASK_OWNERSHIP: Key = Key::Lid(PSETID_TASK, 0x8129);
pub const LID_TASK_ACCEPTANCE_STATE: Key = Key::Lid(PSETID_TASK, 0x812a);

pub const LID_LOG_TYPE: Key = Key::Lid(PSETID_LOG, 0x8700);
pub const LID_LOG_START: Key = Key::Lid(PSETID_LOG, 0x8706);
pub const LID_LOG_DURATION: Key = Key::Lid(PSETID_LOG, 0x8707);
pub const LID_LOG_END: Key = Key::Lid(PSETID_LOG, 0x8708);
pub const LID_LOG_TYPE_DESC: Key = Key::Lid(PSETID_LOG, 0x8712);

pub const CALLBACK_TELEPHONE_NUMBER: Key = Key::Id(0x3a02);
pub const GENERATION: Key = Key::Id(0x3a05);
pub const GIVEN_NAME: Key = Key::Id(0x3a06);
pub const BUSINESS_TELEPHONE_NUMBER: Key = Key::Id(0x3a08);
pub const HOME_TELEPHONE_NUMBER: Key = Key::Id(0x3a09);
pub const SURNAME: Key = Key::Id(0x3a11);
pub const COMPANY_NAME: Key = Key::Id(0x3a16);
pub const TITLE: Key = Key::Id(0x3a17);
pub const DEPARTMENT_NAME: Key = Key::Id(0x3a18);
pub const OFFICE_LOCATION: Key = Key::Id(0x3a19);
pub const POSTAL_ADDRESS: Key = Key::Id(0x3a15);
pub const PRIMARY_TELEPHONE_NUMBER: Key = Key::Id(0x3a1a);
pub const BUSINESS2_TELEPHONE_NUMBER: Key = Key::Id(0x3a1b);
pub const MOBILE_TELEPHONE_NUMBER: Key = Key::Id(0x3a1c);
pub const RADIO_TELEPHONE_NUMBER: Key = Key::Id(0x3a1d);
pub const CAR_TELEPHONE_NUMBER: Key = Key::Id(0x3a1e);
pub const OTHER_TELEPHONE_NUMBER: Key = Key::Id(0x3a1f);
pub const PAGER_TELEPHONE_NUMBER: Key = Key::Id(0x3a21);
pub const PRIMARY_FAX_NUMBER: Key = Key::Id(0x3a23);
pub const BUSINESS_FAX_NUMBER: Key = Key::Id(0x3a24);
pub const HOME_FAX_NUMBER: Key = Key::Id(0x3a25);
pub const COUNTRY: Key = Key::Id(0x3a26);
pub const LOCALITY: Key = Key::Id(0x3a27);
pub const STATE_OR_PROVINCE: Key = Key::Id(0x3a28);
pub const STREET_ADDRESS: Key = Key::Id(0x3a29);
pub const POSTAL_CODE: Key = Key::Id(0x3a2a);
pub const POST_OFFICE_BOX: Key = Key::Id(0x3a2b);
pub const TELEX_NUMBER: Key = Key::Id(0x3a2c);
pub const ISDN_NUMBER: Key = Key::Id(0x3a2d);
pub const ASSISTANT_TELEPHONE_NUMBER: Key = Key::Id(0x3a2e);
pub const HOME2_TELEPHONE_NUMBER: Key = Key::Id(0x3a2f);
pub const ASSISTANT: Key = Key::Id(0x3a30);
pub const WEDDING_ANNIVERSARY: Key = Key::Id(0x3a41);
pub const BIRTHDAY: Key = Key::Id(0x3a42);
pub const HOBBIES: Key = Key::Id(0x3a43);
pub const MIDDLE_NAME: Key = Key::Id(0x3a44);
pub const DISPLAY_NAME_PREFIX: Key = Key::Id(0x3a45);
pub const PROFESSION: Key = Key::Id(0x3a46);
pub const SPOUSE_NAME: Key = Key::Id(0x3a48);
pub const TTY_TDD_NUMBER: Key = Key::Id(0x3a4b);
pub const FTP_SITE: Key = Key::Id(0x3a4c);
pub const GENDER: Key = Key::Id(0x3a4d);
pub const MANAGER_NAME: Key = Key::Id(0x3a4e);
pub const NICKNAME: Key = Key::Id(0x3a4f);
pub const PERSONAL_HOME_PAGE: Key = Key::Id(0x3a50);
pub const BUSINESS_HOME_PAGE: Key = Key::Id(0x3a51);
pub const COMPANY_MAIN_TELEPHONE_NUMBER: Key = Key::Id(0x3a57);
pub const CHILDRENS_NAMES: Key = Key::Id(0x3a58);
pub const HOME_CITY: Key = Key::Id(0x3a59);
pub const HOME_COUNTRY: Key = Key::Id(0x3a5a);
pub const HOME_POSTAL_CODE: Key = Key::Id(0x3a5b);
pub const HOME_STATE: Key = Key::Id(0x3a5c);
pub const HOME_STREET: Key = Key::Id(0x3a5d);
pub const HOME_POST_OFFICE_BOX: Key = Key::Id(0x3a5e);
pub const OTHER_CITY: Key = Key::Id(0x3a5f);
pub const OTHER_COUNTRY: Key = Key::Id(0x3a60);
pub const OTHER_POSTAL_CODE: Key = Key::Id(0x3a61);
pub const OTHER_STATE: Key = Key::Id(0x3a62);
pub const OTHER_STREET: Key = Key::Id(0x3a63);
pub const OTHER_POST_OFFICE_BOX: Key = Key::Id(0x3a64);

pub const LANGUAGE: Key = Key::Id(0x3a0c);
pub const INITIALS: Key = Key::Id(0x3a0a);
pub const ACCOUNT: Key = Key::Id(0x3a00);
pub const GOVERNMENT_ID_NUMBER: Key = Key::Id(0x3a07);
pub const CUSTOMER_ID: Key = Key::Id(0x3a4a);
pub const REFERRED_BY: Key = Key::Id(0x3a47);
pub const COMPUTER_NETWORK_NAME: Key = Key::Id(0x3a49);
pub const LID_CONTACT_USER_FIELD1: Key = Key::Lid(PSETID_ADDRESS, 0x804f);
pub const LID_CONTACT_USER_FIELD2: Key = Key::Lid(PSETID_ADDRESS, 0x8050);
pub const LID_CONTACT_USER_FIELD3: Key = Key::Lid(PSETID_ADDRESS, 0x8051);
pub const LID_CONTACT_USER_FIELD4: Key = Key::Lid(PSETID_ADDRESS, 0x8052);
pub const LID_EMAIL1_DISPLAY_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x8080);
pub const LID_EMAIL2_DISPLAY_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x8090);
pub const LID_EMAIL3_DISPLAY_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x80a0);

pub const LID_FILE_UNDER: Key = Key::Lid(PSETID_ADDRESS, 0x8005);
pub const LID_HOME_ADDRESS: Key = Key::Lid(PSETID_ADDRESS, 0x801a);
pub const LID_WORK_ADDRESS: Key = Key::Lid(PSETID_ADDRESS, 0x801b);
pub const LID_OTHER_ADDRESS: Key = Key::Lid(PSETID_ADDRESS, 0x801c);
pub const LID_HTML: Key = Key::Lid(PSETID_ADDRESS, 0x802b);
pub const LID_YOMI_FIRST_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x802c);
pub const LID_YOMI_LAST_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x802d);
pub const LID_YOMI_COMPANY_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x802e);
pub const LID_WORK_ADDRESS_STREET: Key = Key::Lid(PSETID_ADDRESS, 0x8045);
pub const LID_WORK_ADDRESS_CITY: Key = Key::Lid(PSETID_ADDRESS, 0x8046);
pub const LID_WORK_ADDRESS_STATE: Key = Key::Lid(PSETID_ADDRESS, 0x8047);
pub const LID_WORK_ADDRESS_POSTAL_CODE: Key = Key::Lid(PSETID_ADDRESS, 0x8048);
pub const LID_WORK_ADDRESS_COUNTRY: Key = Key::Lid(PSETID_ADDRESS, 0x8049);
pub const LID_WORK_ADDRESS_POST_OFFICE_BOX: Key = Key::Lid(PSETID_ADDRESS, 0x804a);
pub const LID_DISTRIBUTION_LIST_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x8053);
pub const LID_DISTRIBUTION_LIST_ONE_OFF_MEMBERS: Key = Key::Lid(PSETID_ADDRESS, 0x8054);
pub const LID_DISTRIBUTION_LIST_MEMBERS: Key = Key::Lid(PSETID_ADDRESS, 0x8055);
pub const LID_INSTANT_MESSAGING_ADDRESS: Key = Key::Lid(PSETID_ADDRESS, 0x8062);
pub const LID_DISTRIBUTION_LIST_STREAM: Key = Key::Lid(PSETID_ADDRESS, 0x8064);
pub const LID_EMAIL1_ADDRESS_TYPE: Key = Key::Lid(PSETID_ADDRESS, 0x8082);
pub const LID_EMAIL1_EMAIL_ADDRESS: Key = Key::Lid(PSETID_ADDRESS, 0x8083);
pub const LID_EMAIL1_ORIGINAL_DISPLAY_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x8084);
pub const LID_EMAIL2_ADDRESS_TYPE: Key = Key::Lid(PSETID_ADDRESS, 0x8092);
pub const LID_EMAIL2_EMAIL_ADDRESS: Key = Key::Lid(PSETID_ADDRESS, 0x8093);
pub const LID_EMAIL2_ORIGINAL_DISPLAY_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x8094);
pub const LID_EMAIL3_ADDRESS_TYPE: Key = Key::Lid(PSETID_ADDRESS, 0x80a2);
pub const LID_EMAIL3_EMAIL_ADDRESS: Key = Key::Lid(PSETID_ADDRESS, 0x80a3);
pub const LID_EMAIL3_ORIGINAL_DISPLAY_NAME: Key = Key::Lid(PSETID_ADDRESS, 0x80a4);
pub const LID_FREE_BUSY_LOCATION: Key = Key::Lid(PSETID_ADDRESS, 0x80d8);
pub const LID_BIRTHDAY_LOCAL: Key = Key::Lid(PSETID_ADDRESS, 0x80de);
pub const LID_WEDDING_ANNIVERSARY_LOCAL: Key = Key::Lid(PSETID_ADDRESS, 0x80df);

// What readers do not ask for and writers must give.
pub const MESSAGE_SIZE: Key = Key::Id(0x0e08);
pub const SUBMIT_FLAGS: Key = Key::Id(0x0e14);
pub const ATTACH_SIZE: Key = Key::Id(0x0e20);
pub const CHANGE_KEY: Key = Key::Id(0x65e2);
pub const PREDECESSOR_CHANGE_LIST: Key = Key::Id(0x65e3);
pub const COMMON_VIEWS_ENTRY_ID: Key = Key::Id(0x35e6);
pub const VALID_FOLDER_MASK: Key = Key::Id(0x35df);
pub const STORE_SUPPORT_MASK: Key = Key::Id(0x340d);
pub const COMMENT: Key = Key::Id(0x3004);
pub const SUBFOLDERS: Key = Key::Id(0x360a);
pub const RENDERING_POSITION: Key = Key::Id(0x370b);
pub const HIDDEN_COUNT: Key = Key::Id(0x6635);
pub const HIDDEN_UNREAD_COUNT: Key = Key::Id(0x6636);
pub const SEARCH_FLAGS: Key = Key::Id(0x660b);
pub const NAME_MAP_BUCKETS: Key = Key::Id(0x0001);
pub const MESSAGE_CODEPAGE: Key = Key::Id(0x3ffd);

// Reports, receipts, lists, voice mail, feeds: what their mail tells more ([MS-OXOMSG], [MS-OXCMAIL] 2.1.3).
pub const DELIVER_TIME: Key = Key::Id(0x0010);
pub const PARENT_KEY: Key = Key::Id(0x0025);
pub const PRIORITY: Key = Key::Id(0x0026);
pub const REPORT_TIME: Key = Key::Id(0x0032);
pub const READ_RECEIPT_ENTRY_ID: Key = Key::Id(0x0046);
pub const ORIGINAL_SUBJECT: Key = Key::Id(0x0049);
pub const ORIGINAL_SUBMIT_TIME: Key = Key::Id(0x004e);
pub const READ_RECEIPT_SEARCH_KEY: Key = Key::Id(0x0053);
pub const ORIGINAL_DISPLAY_TO: Key = Key::Id(0x0074);
pub const REPORT_DISPOSITION: Key = Key::Id(0x0080);
pub const REPORT_DISPOSITION_MODE: Key = Key::Id(0x0081);
pub const NON_DELIVERY_REPORT_REASON_CODE: Key = Key::Id(0x0c04);
pub const NON_DELIVERY_REPORT_DIAG_CODE: Key = Key::Id(0x0c05);
pub const SUPPLEMENTARY_INFO: Key = Key::Id(0x0c1b);
pub const NON_DELIVERY_REPORT_STATUS_CODE: Key = Key::Id(0x0c20);
pub const REMOTE_MESSAGE_TRANSFER_AGENT: Key = Key::Id(0x0c21);
pub const LIST_HELP: Key = Key::Id(0x1043);
pub const LIST_SUBSCRIBE: Key = Key::Id(0x1044);
pub const LIST_UNSUBSCRIBE: Key = Key::Id(0x1045);
pub const ORIGINAL_MESSAGE_ID: Key = Key::Id(0x1046);
pub const AUTO_RESPONSE_SUPPRESS: Key = Key::Id(0x3fdf);
pub const READ_RECEIPT_ADDRESS_TYPE: Key = Key::Id(0x4029);
pub const READ_RECEIPT_EMAIL_ADDRESS: Key = Key::Id(0x402a);
pub const READ_RECEIPT_NAME: Key = Key::Id(0x402b);
pub const READ_RECEIPT_SMTP_ADDRESS: Key = Key::Id(0x5d05);
pub const VOICE_MESSAGE_DURATION: Key = Key::Id(0x6801);
pub const SENDER_TELEPHONE_NUMBER: Key = Key::Id(0x6802);
pub const VOICE_MESSAGE_SENDER_NAME: Key = Key::Id(0x6803);
pub const FAX_NUMBER_OF_PAGES: Key = Key::Id(0x6804);
pub const VOICE_MESSAGE_ATTACHMENT_ORDER: Key = Key::Id(0x6805);
pub const CALL_ID: Key = Key::Id(0x6806);
pub const REPORTING_MESSAGE_TRANSFER_AGENT: Key = Key::Id(0x6820);
pub const PSETID_POST_RSS: Guid = Guid::mapi(0x0006_2041);
pub const LID_POST_RSS_CHANNEL_LINK: Key = Key::Lid(PSETID_POST_RSS, 0x8900);
pub const LID_POST_RSS_ITEM_LINK: Key = Key::Lid(PSETID_POST_RSS, 0x8901);
pub const LID_POST_RSS_ITEM_GUID: Key = Key::Lid(PSETID_POST_RSS, 0x8903);
pub const LID_POST_RSS_CHANNEL: Key = Key::Lid(PSETID_POST_RSS, 0x8904);

// Free/busy items ([MS-OXOPFFB]).
pub const FREE_BUSY_PUBLISH_START: Key = Key::Id(0x6847);
pub const FREE_BUSY_PUBLISH_END: Key = Key::Id(0x6848);
pub const SCHEDULE_INFO_MONTHS_TENTATIVE: Key = Key::Id(0x6851);
pub const SCHEDULE_INFO_FREE_BUSY_TENTATIVE: Key = Key::Id(0x6852);
pub const SCHEDULE_INFO_MONTHS_BUSY: Key = Key::Id(0x6853);
pub const SCHEDULE_INFO_FREE_BUSY_BUSY: Key = Key::Id(0x6854);
pub const SCHEDULE_INFO_MONTHS_AWAY: Key = Key::Id(0x6855);
pub const SCHEDULE_INFO_FREE_BUSY_AWAY: Key = Key::Id(0x6856);
// Columns of folder tables that only a salvage asks for.
pub const REPLICATION_KEY: Key = Key::Id(0x3013);
pub const LTP_PARENT_NID: Key = Key::Id(0x67f1);
pub const SEND_OUTLOOK_RECALL_REPORT: Key = Key::Id(0x6803);
pub const VIEW_DESCRIPTOR_FLAGS: Key = Key::Id(0x7003);

/// What users call the properties that they see first.
const CALLED: [(Key, &str); 6] = [
    (SUBJECT, "the subject"),
    (BODY, "the text"),
    (HTML, "the HTML text"),
    (RTF_COMPRESSED, "the formatted text"),
    (TRANSPORT_MESSAGE_HEADERS, "the mail's headers"),
    (ATTACH_DATA, "the content"),
];

/// What users call a property.
pub fn called(id: u16) -> String {
    let named = CALLED.into_iter().find(|(key, _)| *key == Key::Id(id));
    named.map_or_else(|| format!("property {id:#06x}"), |(_, name)| name.to_owned())
}
