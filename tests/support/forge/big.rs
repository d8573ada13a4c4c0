//! Stores too large to keep or to describe line by line: made by a generator, in memory that does not grow with them.

use std::path::Path;
use std::time::Instant;

use pstfs::disk::WritableFile;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::header::Client;
use pstfs::format::id::Nid;
use pstfs::ltp::value::Value;
use pstfs::ndb::write::{BulkOptions, BulkWriter};
use pstfs::store::props::Key;
use pstfs::store::tags;
use pstfs::store::write::{AttachmentContent, AttachmentDraft, FolderDraft, MessageDraft, PropertyList, StoreBuilder, StoreOptions};

use super::random::{Random, Stream};

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Big {
    /// The variant of the format.
    pub format: Format,
    /// How data are encoded.
    pub cipher: Cipher,
    /// How many messages lie in each folder.
    pub messages: u64,
    /// How many folders lie side by side.
    pub folders: u64,
    /// How many folders lie in each other below the first.
    pub depth: u64,
    /// Bytes of each message's attachment; none for 0.
    pub attachment: u64,
}

/// What was made, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Bytes of the file.
    pub bytes: u64,
    /// How long it took, in seconds, until the data were on the disk.
    pub seconds: f64,
    /// The most memory that the process ever had, in bytes.
    pub peak_rss_bytes: u64,
}

impl Big {
    /// A folder of so many short messages.
    pub const fn folder_of(messages: u64) -> Self {
        Self { format: Format::Unicode, cipher: Cipher::Permute, messages, folders: 1, depth: 0, attachment: 0 }
    }

    /// Writes the store; a file of that name is replaced.
    pub fn write(&self, path: &Path) -> Made {
        let _ = std::fs::remove_file(path);
        let file = WritableFile::create_new(path).expect("a new file");
        let start = Instant::now();
        let bulk = BulkOptions { format: self.format, cipher: self.cipher, client: Client::PST, compress: false };
        let writer = BulkWriter::new(&file, bulk).unwrap();
        let mut builder = StoreBuilder::new(writer, StoreOptions::named("Big")).unwrap();
        let mut random = Random::new(99);
        let mut parent = builder.subtree();
        for n in 1..=self.folders {
            let folder = builder.add_folder(parent, FolderDraft::named(&format!("Folder {n}")).of_class("IPF.Note")).unwrap();
            self.fill(&mut builder, folder, n, &mut random);
        }
        for n in 1..=self.depth {
            parent = builder.add_folder(parent, FolderDraft::named(&format!("Level {n}"))).unwrap();
            self.fill(&mut builder, parent, self.folders + n, &mut random);
        }
        builder.finish().unwrap();
        Made {
            bytes: std::fs::metadata(path).expect("the file").len(),
            seconds: start.elapsed().as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes(),
        }
    }

    fn fill(&self, builder: &mut StoreBuilder<'_>, folder: Nid, number: u64, random: &mut Random) {
        for n in 0..self.messages {
            let mut message = message(number * 1_000_000 + n, random);
            if self.attachment > 0 {
                message.attachments.push(attachment(n, self.attachment));
            }
            builder.add_message(folder, message).unwrap();
        }
    }
}

fn text(text: String) -> Value {
    Value::Unicode(text)
}

/// Letters come an hour after each other, for twenty years.
const HOURS: u64 = 175_000;

fn message(n: u64, random: &mut Random) -> MessageDraft<'static> {
    let mut props = PropertyList::default();
    let minute = super::items::time(super::items::FIRST_MINUTE + (n % HOURS) as i64 * 60);
    props.set(tags::MESSAGE_CLASS, text("IPM.Note".into())).set(tags::SUBJECT, text(format!("\u{1}\u{1}Message {n}")));
    props.set(tags::MESSAGE_FLAGS, Value::I32(1)).set(Key::Id(0x1000), text(random.text(400)));
    props.set(tags::CLIENT_SUBMIT_TIME, minute.clone()).set(tags::MESSAGE_DELIVERY_TIME, minute.clone());
    props.set(tags::CREATION_TIME, minute.clone()).set(tags::LAST_MODIFICATION_TIME, minute);
    props.set(Key::Id(0x300b), Value::Binary(random.bytes(16)));
    let mut recipients = Vec::new();
    for (id, to) in [(0x0c1a, false), (0x0e04, true)] {
        let name = format!("Person {}", random.below(500));
        props.set(Key::Id(id), text(name.clone()));
        if to {
            let mut recipient = PropertyList::default();
            let address = format!("{}@example.com", name.replace(' ', "."));
            recipient.set(tags::DISPLAY_NAME, text(name)).set(Key::Id(0x3003), text(address));
            recipient.set(Key::Id(0x3002), text("SMTP".into())).set(Key::Id(0x0c15), Value::I32(1));
            recipients.push(recipient);
        }
    }
    MessageDraft { props, recipients, attachments: Vec::new() }
}

fn attachment(seed: u64, len: u64) -> AttachmentDraft<'static> {
    let mut props = PropertyList::default();
    props.set(tags::ATTACH_LONG_FILENAME, text(format!("data {seed}.bin"))).set(tags::ATTACH_FILENAME, text("data.bin".into()));
    AttachmentDraft { props, content: AttachmentContent::Bytes(Box::new(Stream::new(seed, len))) }
}

/// The most memory that this process ever had (VmHWM), 0 where the system does not tell.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
