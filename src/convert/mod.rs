//! What an item looks like as `.eml`, `.ics`, `.vcf`.
//!
//! A function of the item's content and nothing else: no clock, no host name, no randomness.

pub mod calendar;
pub mod contact;
mod lines;

pub use lines::Given;
