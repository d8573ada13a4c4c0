//! The table of all that can be wrong: ids, severities, words.
//!
//! An id is permanent: never reused, never given another meaning. `H` is the header, `P` pages and maps, `B` blocks, `N`
//! nodes, `L` heaps, `T` properties and tables, `M` messaging.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// An oddity that healthy files have too.
    Note,
    /// Metadata disagree, the content is whole.
    Warning,
    /// Content is lost or wrong, or Outlook refuses the store.
    Error,
    /// The store cannot be opened by following its header.
    Fatal,
}

impl Severity {
    /// The mark of a line in `.scanlog`, as users of scanpst know them.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Note => "--",
            Self::Warning => "??",
            Self::Error | Self::Fatal => "!!",
        }
    }
}

macro_rules! codes {
    ($( $id:ident $name:ident $severity:ident $title:literal => $repair:literal; )*) => {
        /// One thing that can be wrong: a permanent id, a severity and a title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $( #[doc = $title] $name, )* }

        impl Code {
            /// Every code, in the order of the ids.
            pub const ALL: &[Self] = &[$( Self::$name, )*];

            /// The permanent id that users see, such as `P02`.
            pub const fn id(self) -> &'static str {
                match self { $( Self::$name => stringify!($id), )* }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $( Self::$name => Severity::$severity, )* }
            }

            /// What is wrong, in a sentence.
            pub const fn title(self) -> &'static str {
                match self { $( Self::$name => $title, )* }
            }

            /// What `repair` does about it, in a sentence; empty where that is not settled.
            pub const fn repair(self) -> &'static str {
                match self { $( Self::$name => $repair, )* }
            }
        }
    };
}

codes! {
    H01 HeaderMagic Fatal "the file does not begin with a store's magic number" => "";
    H02 HeaderClient Warning "the header's client magic is unknown" => "";
    H03 HeaderVersion Fatal "the header's version is unknown" => "";
    H04 HeaderCrcPartial Error "the header's partial CRC does not match" => "";
    H05 HeaderCrcFull Error "the header's full CRC does not match" => "";
    H07 HeaderCrypt Error "the header's encryption method is unknown" => "";
    H08 HeaderEof Error "the file's length differs from the header's" => "";
    H13 HeaderDirty Warning "the store was not closed cleanly (allocation maps not valid)" => "";
    H14 HeaderRoot Fatal "a B-tree's root lies outside the file" => "";
    H21 FileChanged Error "the file was changed by another program while it was open" => "";
    H22 FileUnreadable Error "the file cannot be read" => "";
    H23 MapsRebuilt Warning "the maps of blocks and nodes were rebuilt from what stands in the file" => "";
    P01 PageUnreadable Error "a page is cut off or of another type" => "";
    P02 PageCrc Error "a page's CRC does not match its contents" => "";
    P03 PageSignature Error "a page's signature does not match its place" => "";
    P04 PageBid Error "a page's id differs from the one its parent names" => "";
    P05 PageEntries Error "a page's entry counts do not fit its kind" => "";
    P06 PageLevel Error "a page's level does not follow from its parent's" => "";
    P07 PageOrder Error "a page's keys are not ascending" => "";
    B02 BlockPlace Error "a block lies outside the file or its size is impossible" => "";
    B05 BlockSize Error "a block's trailer tells another size than the block B-tree" => "";
    B06 BlockBid Error "a block's trailer names another block" => "";
    B07 BlockSignature Error "a block's signature does not match its place" => "";
    B08 BlockCrc Error "a block's CRC does not match its contents" => "";
    B09 BlockInflate Error "a compressed block does not inflate to its size" => "";
    B10 BlockKind Error "a block is not of the kind its referrer needs" => "";
    B11 DataTree Error "a data tree's inner block is damaged" => "";
    B12 DataTotal Error "a data tree's total differs from the sum of its blocks" => "";
    B14 SubnodeTree Error "a subnode tree's block is damaged" => "";
    B16 BlockCycle Error "a tree of blocks goes too deep or round in a circle" => "";
    B17 BlockMissing Error "a block that is named is not in the block B-tree" => "";
    B18 BlockReferences Warning "a block's count differs from the entries that name it" => "";
    N02 NodeBlocks Error "a node's data or subnodes cannot be read" => "";
    N03 NodeParent Error "a node's parent folder does not exist" => "";
    N06 NodeSpecial Error "a node that every store has is missing" => "";
    N07 FolderTable Error "a folder's table is missing or cannot be read" => "";
    L01 HeapHeader Error "a heap has no heap signature" => "";
    L02 HeapMap Error "a heap block's page map cannot be read" => "";
    L07 HeapId Error "a heap id names no item of the heap" => "";
    L09 TreeHeader Error "a B-tree on a heap has a wrong header or entry size" => "";
    L10 TreeOrder Error "a B-tree on a heap is out of order or goes round in a circle" => "";
    T01 PropertyRecord Warning "a property record has no known type" => "";
    T02 PropertySize Warning "a property's value has the wrong size" => "";
    T03 PropertyMissing Error "a property's value cannot be read" => "";
    T05 ObjectValue Error "an object property names nothing" => "";
    T06 TableHeader Error "a table's header cannot be read" => "";
    T07 TableColumns Error "a table's column lies outside its rows" => "";
    T08 RowIndex Error "a table's row index and its rows disagree" => "";
    T09 RowMatrix Error "a table's rows are cut short" => "";
    T10 CellValue Warning "a table cell's value cannot be read" => "";
    M02 FolderRow Error "a folder's table and the folders below it disagree" => "";
    M03 MessageRow Error "a row of a folder's table has no message" => "";
    M07 MessageClass Warning "a message has no class" => "";
    M16 Recipients Warning "a message's recipient table cannot be read" => "";
    M17 AttachmentTable Error "a message's attachment table and its attachments disagree" => "";
    M18 Attachment Error "an attachment's content cannot be read" => "";
    M19 EmbeddedMessage Error "an embedded message cannot be read" => "";
    M21 Orphan Error "an item is reached by no folder" => "";
    M22 CompressedRtf Warning "a message's compressed RTF is damaged" => "";
    M24 NamedProperties Warning "the map of named properties is damaged" => "";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids: HashSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
    }
}
