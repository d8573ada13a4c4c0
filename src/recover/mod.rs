//! What lies in the file that the live trees do not show, and the one way to open a store.
//!
//! [`open`] is the only opener for `mount` and the command line. It tries the normal way, by the header. Where header or
//! roots are damaged, and where a damaged page is met later, the whole file is searched once ([`survey`](mod@survey)) and
//! maps made of what stands in it take the trees' place: blocks by their trailers, nodes by what any page said of blocks
//! that are still in use, and what no page names by its content. [`Orphans`] are nodes that no folder reaches, those among
//! them that a salvage could not place. [`search`] brings up what the live trees do not show ([`Findings`]): deleted items,
//! earlier states of live ones, and parts of items that are lost. [`carve`] finds stores inside other files.
//!
//! The way of a salvage: `detect` format and cipher, `survey` the file, put right the `halves` of ids that nothing covers;
//! `live` tells what is in use, `history` what pages said, ids that are `flipped` are put right; then `loose` blocks become
//! `object`s, which `pair` with their subnode trees, and `rebuild` gives them the ids that the `rows` of folder tables have
//! of them, and tables the folders that are their `owners`. What is kept of each block and item lies in `lists` that may
//! leave memory, as there may be millions; what fits what is `deal`t out, not listed. `names` looks for an earlier map of
//! named properties where the present one is damaged.

mod carve;
mod deal;
mod detect;
mod findings;
mod flipped;
mod halves;
mod history;
mod lists;
mod live;
mod loose;
mod names;
mod nodes;
mod object;
mod open;
mod orphan;
mod owners;
mod page;
mod pair;
mod piece;
mod ranges;
mod rebuild;
mod rows;
mod salvage;
mod search;
pub mod survey;

pub use carve::{Carved, carve};
pub use findings::{Category, Confidence, Findings, Found, FoundFolder, Origin, Part, Shelf};
pub use open::{Bytes, Options, bytes, bytes_of, open, open_bytes, open_source};
pub use orphan::{FolderOrphans, ORPHANED, Orphans, folders_below};
pub use rebuild::is_counted;
pub use search::{earlier_states, search};
pub use survey::{FoundBlock, FoundPage, Survey};
