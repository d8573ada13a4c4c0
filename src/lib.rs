//! pstfs shows an Outlook mail store (PST, OST) as folders of `.eml`, `.ics` and `.vcf` files.
//!
//! # The picture of the whole
//!
//! A store is a small database in one file. Near its start a header names the roots of two B-trees. One, the *block
//! B-tree*, tells at which offset each *block* of up to 8 KiB (64 KiB in newer files) lies. The other, the *node B-tree*,
//! tells which blocks make up each *node*. A node is a file within the file: a folder is a few nodes, a message one, with
//! its attachments and recipients as subnodes of it. In a node stands a *heap*, and on the heap either a list of
//! *properties* (a message's subject, its sender, its body) or a *table* (the messages of a folder).
//!
//! pstfs climbs these steps one by one. Each folder of `src` is one step: a layer, which answers one kind of question for
//! the layer above and asks only those below.
//!
//! ```text
//!   cli            what the user typed, what to print
//!    |
//!  mount           the kernel's requests and the replies
//!    |
//!   tree           which name and inode number stands for which item, how long is it
//!    |
//! convert          what does an item look like as .eml, .ics, .vcf
//!    |
//!  store           which folders, messages, recipients, attachments are there
//!    |
//!   ltp            which properties or rows does this node hold
//!    |
//!   ndb            which bytes belong to this node
//!    |    \
//!    |     disk    which bytes stand at this offset
//!    |
//!  format          how does a structure look in each variant of the format
//!    |
//!  damage          what can be wrong, and where
//! ```
//!
//! What looks for lost things or mends them stands beside this ladder and asks `store`, `ltp` and `ndb`: `recover` finds
//! what the B-trees no longer reach, `scan` proves what is wrong, `repair` changes it, `compare` sets two mailboxes side by
//! side, `control` runs one such job at a time. `tests/layers.rs` has the list of all layers, of those to come too, and
//! fails when one asks a layer above it.
//!
//! # How a mail is read
//!
//! Someone opens `Inbox/2001-10-22 20.06.22Z New OBA's.eml`.
//!
//! 1. `mount` gets an inode number from the kernel and asks `tree`, which turns it into the id of a node. That takes no
//!    table: one follows from the other, so that numbers stay the same from mount to mount.
//! 2. `store` asks for the node's properties, its table of recipients and its attachments. `ltp` decodes them from the
//!    node's heap, `ndb` finds the node and puts its bytes together from blocks, `disk` reads these. On the way up nothing
//!    is believed: a block's length, id and check sum are compared with what its parent says of it, and every number is
//!    taken for a claim that the bytes must bear out.
//! 3. `convert` makes a *document* of the item. A document is a short list of segments: bytes as they are, and "attachment
//!    N in base64". Its length follows by arithmetic, so that `ls -l` reads no attachment.
//! 4. The kernel asks for ranges of the document. Only the blocks under that range are read.
//!
//! Decoded blocks, listings and documents stay in caches with a fixed number of bytes. Nothing else in memory grows with
//! the store; mounting reads a header and a handful of pages.
//!
//! # What holds everywhere
//!
//! - **Looking never changes anything.** A store is opened for reading only. Names that write are confined to the layers
//!   that may.
//! - **One damaged piece hides that piece, not its neighbours.** A decoder returns an error for what is cut short; whoever
//!   walks over many things notes it ([`damage::Notes`]) and goes on. Only a failing disk ends a walk.
//! - **No input crashes or hangs us.** Only [`format::codec`] cuts slices; the lints forbid indexing, unchecked arithmetic,
//!   narrowing casts and panics; every descent has a bound. The file itself may change while we read, see [`disk`].
//! - **The same item gives the same bytes**, today and tomorrow, on every machine: [`convert`] asks no clock, no host name
//!   and no random number, and nothing depends on the order of a hash map.
//!
//! # Where to begin
//!
//! Read [`format`](mod@format) for one structure from disk to test, then [`damage`] for how errors are told, then the layer
//! that you came for: its `mod.rs` says what it answers and what one must know. The format is described in \[MS-PST\];
//! doc lines name the section and say where real files do otherwise.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::disallowed_methods, clippy::string_slice))]

pub mod cli;
pub mod control;
pub mod convert;
pub mod damage;
pub mod disk;
pub mod export;
pub mod format;
pub mod ltp;
pub mod mount;
pub mod ndb;
pub mod progress;
pub mod recover;
pub mod repair;
pub mod scan;
pub mod store;
pub mod tree;
