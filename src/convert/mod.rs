//! What an item looks like as `.eml`, `.ics`, `.vcf`.
//!
//! A function of the item's content and nothing else: no clock, no host name, no randomness.
//!
//! Mail starts in [`eml`]: [`envelope`] makes the header (from [`transport`], [`people`] and properties), [`body`] the
//! text, [`part`], [`smime`] and [`pgp`] the attachments, which [`file`](mod@file) gives their names and bytes, [`report`] and
//! [`form`] what reports, meetings and tasks have beside them. All end in a [`document`], whose length is known before its
//! bytes.
pub mod address;
pub mod body;
pub mod calendar;
pub mod contact;
pub mod digest;
mod directory;
pub mod document;
pub mod eml;
pub mod encode;
pub mod envelope;
pub mod file;
pub mod form;
mod freebusy;
pub mod header;
mod kind;
mod lines;
pub mod macbinary;
mod marks;
pub mod ole;
pub mod part;
pub mod people;
pub mod pgp;
mod render;
pub mod report;
pub mod rtf;
pub mod smime;
pub mod transport;

pub use directory::addresses;
pub use document::Document;
pub use kind::Format;
pub use lines::Given;
pub use marks::is_note;
pub use render::{Options, attachment_name, render, render_attachment, render_with};
