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

            /// Whether it speaks of a page: of no node in particular.
            pub fn is_of_pages(self) -> bool {
                self.id().starts_with('P')
            }

            /// Whether it speaks of a page or a block, which several nodes may share.
            pub fn is_of_blocks(self) -> bool {
                self.id().starts_with(['P', 'B'])
            }

            /// Whether it speaks of heaps, properties, tables or messages: of what stands in the blocks of a node.
            pub fn is_of_objects(self) -> bool {
                self.id().starts_with(['L', 'T', 'M'])
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $( Self::$name => Severity::$severity, )* }
            }

            /// What is wrong, in a sentence.
            pub const fn title(self) -> &'static str {
                match self { $( Self::$name => $title, )* }
            }

            /// What `repair` does about it, in a sentence that goes on after that word.
            pub const fn repair(self) -> &'static str {
                match self { $( Self::$name => $repair, )* }
            }
        }
    };
}

codes! {
    H01 HeaderMagic Fatal "the file does not begin with a store's magic number" => "writes the magic number where pages of a store are found behind it";
    H02 HeaderClient Warning "the header's client magic is unknown" => "writes the magic of a PST, or of an OST where the contents are one's";
    H03 HeaderVersion Fatal "the header's version is unknown" => "writes the version that the allocation maps show";
    H04 HeaderCrcPartial Error "the header's partial CRC does not match" => "turns the bit back where one alone is flipped, else computes it anew when the other fields have been proved";
    H05 HeaderCrcFull Error "the header's full CRC does not match" => "turns the bit back where one alone is flipped, else computes it anew when the other fields have been proved";
    H06 HeaderReserved Note "a field of the header that is always the same has another value" => "writes the usual value with the next change of the header";
    H07 HeaderCrypt Error "the header's encryption method is unknown or is not that of the data" => "writes the method that the data show";
    H08 HeaderEof Error "the file's length differs from the header's" => "grows the file to whole parts, or tells the header of its length; what is missing is listed";
    H09 HeaderParts Warning "the file does not end with a whole part" => "grows the file to a whole part";
    H10 HeaderAmapLast Warning "the header names another last allocation map than the length implies" => "computes it anew";
    H11 HeaderAmapFree Warning "the header's count of free bytes differs from the allocation maps" => "computes it anew";
    H12 HeaderPmapFree Note "the header's count of free page bytes differs from the page maps" => "writes 0 when the page maps are written";
    H13 HeaderDirty Warning "the store was not closed cleanly (allocation maps not valid)" => "rebuilds the allocation maps and marks them valid";
    H14 HeaderRoot Fatal "a B-tree's root lies where no page can be" => "takes the newest root page that is whole, or rebuilds the tree from its leaves";
    H15 HeaderRootBid Error "a B-tree's root has another id than the header says" => "corrects the header where the tree below is whole, else takes an older root";
    H16 HeaderNextBlock Error "the next block id is not above those in use" => "raises it";
    H17 HeaderNextPage Error "the next page id is not above those in use" => "raises it";
    H18 HeaderNids Error "the highest node index of a type is below one in use" => "raises it";
    H19 HeaderUnique Note "the header's counter is below a row's version" => "raises it with the next change of the header";
    H20 HeaderFreeMaps Note "the header's deprecated free maps are in use" => "fills them with the value that says nothing, when it rebuilds the allocation maps";
    H21 FileChanged Error "the file was changed by another program while it was open" => "stops before it writes anything";
    H22 FileUnreadable Error "the file cannot be read" => "stops; copy what the disk still gives, and repair the copy";
    H23 MapsRebuilt Warning "the maps of blocks and nodes were rebuilt from what stands in the file" => "writes both trees anew";
    H24 RepairCutOff Warning "a repair of this store was cut off; its journal stands beside it" => "brings it to its end before anything else";
    P01 PageUnreadable Error "a page is cut off or of another type" => "rebuilds the tree from the pages and blocks that are found";
    P02 PageCrc Error "a page's CRC does not match its contents" => "turns the bit back where one alone is flipped, else keeps the entries whose targets are whole, and rebuilds the tree";
    P03 PageSignature Error "a page's signature does not match its place" => "writes the page anew where its entries are right";
    P04 PageBid Error "a page's id differs from the one its parent names" => "writes the page anew where its entries are right, else rebuilds the tree";
    P05 PageEntries Error "a page's entry counts do not fit its kind" => "keeps the entries whose targets are whole, and rebuilds the tree";
    P06 PageLevel Error "a page's level does not follow from its parent's" => "rebuilds the tree from its leaves";
    P07 PageOrder Error "a page's keys are not ascending" => "sorts them and rebuilds the tree";
    P08 PageFirstKey Error "a page's first key differs from its parent's" => "writes the parent anew; no data are touched";
    P09 PageOverlap Error "a page holds keys that belong behind it" => "sorts the entries and rebuilds the tree";
    P10 PageTwice Error "a page is reached twice" => "cuts the second way and rebuilds the tree";
    P11 PageBidTwice Warning "two pages have the same id" => "gives a new id when the tree is written anew";
    P12 PagePlace Error "a page lies where none can be" => "rebuilds the tree with the page in another place";
    P13 AllocationMap Warning "an allocation map is damaged" => "rebuilds the allocation maps";
    P14 AllocationMapSelf Warning "an allocation map has the pages of maps as free" => "marks them";
    P15 NotAllocated Error "something in use is marked as free and would be overwritten" => "marks it before anything else is written";
    P16 Leak Note "space is marked as in use that nothing uses" => "frees it; what lies there can be recovered before";
    P17 PastEnd Note "space behind the end of the file is marked as free" => "marks it";
    P18 TwoOwners Error "two things claim the same space" => "keeps the one that is whole; the other one is looked for elsewhere";
    P19 PageMap Warning "a page map is damaged" => "writes it anew; nothing reads it";
    P20 FreeMap Warning "a free map is damaged" => "writes it anew; nothing reads it";
    P21 DensityList Note "the density list is damaged or out of date" => "writes an empty one";
    P22 HeadSpace Note "something in use lies before the first allocation map" => "leaves it";
    B01 BlockEntry Error "an entry of the block B-tree is double or has an impossible id" => "keeps the entry whose block is whole";
    B02 BlockPlace Error "a block lies outside the file or its size is impossible" => "looks for a copy of the block elsewhere in the file";
    B03 BlockLength Error "a block's length is impossible" => "looks for a copy of the block elsewhere in the file";
    B04 BlockCrosses Error "a block reaches over an allocation map" => "writes the block in another place";
    B05 BlockSize Error "a block's trailer tells another size than the block B-tree" => "takes the size that the CRC proves";
    B06 BlockBid Error "a block's trailer names another block" => "looks for the block elsewhere in the file";
    B07 BlockSignature Error "a block's signature does not match its place" => "writes the block anew where CRC and id are right, else looks for it elsewhere";
    B08 BlockCrc Error "a block's CRC does not match its contents" => "turns the bit back where one alone is flipped, else takes a whole copy from free space where there is one, else keeps the data and says so; no item is deleted";
    B09 BlockInflate Error "a compressed block does not inflate to its size" => "keeps what can be inflated";
    B10 BlockKind Error "a block is not of the kind its referrer needs" => "trusts the referrer where the contents bear it out";
    B11 DataTree Error "a data tree's inner block is damaged" => "keeps the blocks below that can be read, and marks the gaps";
    B12 DataTotal Error "a data tree's total differs from the sum of its blocks" => "computes it anew where all blocks are whole";
    B13 DataGaps Error "a block that is not the last of its data tree is not full" => "packs the data anew";
    B14 SubnodeTree Error "a subnode tree's block is damaged" => "rebuilds the tree from the leaves that can be read";
    B15 SubnodeOrder Error "a subnode tree's ids are not ascending" => "sorts them; of two with one id the whole one stays";
    B16 BlockCycle Error "a tree of blocks goes too deep or round in a circle" => "cuts it there";
    B17 BlockMissing Error "a block that is named is not in the block B-tree" => "looks for it in free space; else the node stays with what is left of it";
    B18 BlockReferences Error "a block's count differs from the entries that name it" => "corrects the count";
    B19 BlockUnused Note "a block that nothing names" => "leaves it; it can be recovered";
    B20 BlockReferencesMax Note "a block is named more often than its count can say" => "leaves it; what comes to name it gets a block of its own";
    B21 BlockPadding Note "there are data between a block's end and its trailer" => "leaves them";
    N01 NodeEntry Error "a node's id is double, of an unknown type or too large" => "keeps the entry that is whole; unknown types stay as they are";
    N02 NodeBlocks Error "a node's data or subnodes cannot be read" => "looks for the blocks in free space; else the node stays with what is left of it";
    N03 NodeParent Error "a node's parent folder does not exist" => "puts it into the folder that lists it, else into Lost and Found";
    N04 NodeParentSet Note "a table or a node of the store's own has a parent" => "leaves it";
    N05 FolderLoop Error "a folder is not below the root folder" => "puts it into the folder that lists it, else into Lost and Found";
    N06 NodeSpecial Error "a node that every store has is missing" => "makes it anew";
    N07 FolderTable Error "a folder's table is missing or cannot be read" => "rebuilds it from the items that name the folder";
    N08 TableWithoutFolder Error "a folder's table has no folder" => "makes the folder anew where another one lists it, else in Lost and Found";
    N09 NodeEmpty Error "a node that must have data has none" => "makes it anew from what others tell of it";
    N10 SearchQueue Warning "a list of the search machinery is damaged" => "takes out what does not exist";
    L01 HeapHeader Error "a heap has no heap signature" => "looks for an older copy of the block; else the item stays with what is left of it";
    L02 HeapMap Error "a heap block's page map cannot be read" => "builds the heap anew from the items whose bounds make sense";
    L03 HeapItems Error "a heap block's items do not lie one after the other" => "builds the heap anew from the items whose bounds make sense";
    L04 HeapFreed Note "a heap block's count of freed items is wrong" => "corrects it when the heap is written; with --thorough everywhere";
    L05 HeapItemSize Warning "a heap item is larger than the format allows" => "moves the value out of the heap when the heap is written";
    L06 HeapFillLevel Note "a heap's fill levels are out of date" => "corrects them when the heap is written; with --thorough everywhere";
    L07 HeapId Error "a heap id names no item of the heap" => "drops the value and keeps the others";
    L08 HeapBlockShort Warning "a heap block before the last is not full" => "packs the heap anew";
    L09 TreeHeader Error "a B-tree on a heap has a wrong header or entry size" => "builds it anew from the records that can be read";
    L10 TreeOrder Error "a B-tree on a heap is out of order or goes round in a circle" => "sorts its records and builds it anew";
    L11 HeapLeak Note "a heap holds items that nothing names" => "leaves them, for they may be older values; with --thorough writes the heap without them";
    L12 HeapIdTwice Warning "two values share one heap item" => "gives each its own when the heap is written";
    L13 ForeignHeap Note "a heap for a use that no document describes is damaged" => "leaves it";
    T01 PropertyRecord Error "a property record has no known type" => "gives it the type that the property has everywhere, else keeps its bytes";
    T02 PropertySize Warning "a property's value has the wrong size" => "drops the value and keeps the others";
    T03 PropertyMissing Error "a property's value cannot be read" => "drops the value and keeps the others; a message with another body keeps that";
    T04 StringValue Warning "a string or a list of values is not well-formed" => "keeps what can be decoded";
    T05 ObjectValue Error "an object property names nothing" => "keeps the attachment without content, and says so";
    T06 TableHeader Error "a table's header cannot be read" => "builds the table anew from its template and the items";
    T07 TableColumns Error "a table's column lies outside its rows" => "builds the table anew from its template and the columns that can be read";
    T08 RowIndex Error "a table's row index and its rows disagree" => "builds the index anew from the rows, which hold their ids";
    T09 RowMatrix Error "a table's rows are cut short" => "builds the missing rows from the items";
    T10 CellValue Warning "a table cell's value cannot be read" => "copies it from the item";
    T11 TableTemplate Error "a table's template has rows or lacks a column" => "writes the template anew";
    T12 PropertyOrder Note "an object's properties are not ascending, or one stands twice" => "sorts them when the object is written; with --thorough everywhere";
    T13 ColumnOrder Note "a table's columns are not ascending" => "sorts them when the table is written; with --thorough everywhere";
    M01 StoreProperties Error "the store's properties lack something or point nowhere" => "points them to folders that exist, new ones where there are none";
    M02 FolderRow Error "a folder's table and the folders below it disagree" => "adds the missing row, or takes out the row of a folder that is nowhere";
    M03 MessageRow Error "a row of a folder's table has no message" => "looks for the message in free space; without one, what the row tells goes to Lost and Found";
    M04 RowCell Warning "a table's row tells something else than its object" => "copies it from the object";
    M05 FolderCounts Warning "a folder's counts differ from what it holds" => "counts anew";
    M06 FolderName Note "a folder has no name, or that of one beside it" => "leaves it";
    M07 MessageClass Error "a message has no class" => "sets IPM.Note";
    M08 MessageFlags Warning "a message's flags contradict what it is" => "corrects those that follow from the rest";
    M09 SubmitFlags Warning "a message's submit flags are set where none can be" => "clears them outside the outbox";
    M10 SubmitTime Warning "a sent message does not tell when" => "sets it from the delivery time or the headers";
    M11 SearchKey Note "a message has no search key" => "sets one that says it was made by a repair, when it writes the message; with --thorough everywhere";
    M12 CreationTime Note "a message does not tell when it was made" => "sets it from its other times, when it writes the message; with --thorough everywhere";
    M13 ModificationTime Note "a message does not tell when it was last changed" => "sets it from its other times, when it writes the message; with --thorough everywhere";
    M14 MessageSize Note "a message's size is far from what it holds" => "computes it anew when it writes the message; with --thorough everywhere";
    M15 TimeRange Note "a time lies outside the years 1601 to 2100" => "leaves it";
    M16 Recipients Warning "a message's recipient table is missing or cannot be read" => "builds the rows anew from the headers and display names";
    M17 AttachmentTable Error "a message's attachment table and its attachments disagree" => "adds the missing rows, and takes out those of attachments that are nowhere";
    M18 Attachment Error "an attachment's content cannot be read" => "keeps its name, and says so";
    M19 EmbeddedMessage Error "an embedded message cannot be read" => "puts what can be read of it into Lost and Found";
    M20 MessageParent Error "a message's parent is not the folder that lists it" => "names the folder that lists it";
    M21 Orphan Error "an item is reached by no folder" => "puts it into Lost and Found";
    M22 CompressedRtf Warning "a message's compressed RTF is damaged" => "leaves it; the other bodies stay";
    M23 SubjectPrefix Note "a subject's prefix is longer than the subject" => "leaves it";
    M24 NamedProperties Warning "the map of named properties is damaged" => "builds its index anew; no property gets another id";
    M25 PropertyUnnamed Note "a named property has no name in the map" => "leaves it";
    M26 ReceiveFolder Warning "the table of receive folders lacks a class or names no folder" => "points it to the inbox";
    M27 SearchFolder Note "a search folder lists what does not exist" => "leaves it; with --thorough empties it, and Outlook searches again";
    M28 ItemTwice Error "an item is listed twice" => "keeps it in the folder that the item names";
    M29 NameIndex Note "the index of named properties has an entry in the wrong place" => "builds the index anew when it writes the map; with --thorough in any case";
    M30 DisplayNames Note "a message's display names differ from its recipients" => "sets them from the recipients when it writes the message; with --thorough everywhere";
    M31 AttachmentProperties Note "an attachment lacks a property or has a wrong size" => "sets it when it writes the message; with --thorough everywhere";
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

    /// A plain repair writes nothing for a note alone.
    #[test]
    fn what_is_only_noted_of_objects_says_when_it_is_mended() {
        for code in Code::ALL.iter().filter(|code| code.is_of_objects() && code.severity() == Severity::Note) {
            let is_told = code.repair().contains("--thorough") || code.repair() == "leaves it";
            assert!(is_told, "{}: {}", code.id(), code.repair());
        }
    }
}
