//! Single records out of an original, each with its proof: one pass over the bytes, which also shows
//! that the original is still the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use comity_parse::framing::{Framing, MAX_RECORD_BYTES, Piece, Splitter, TooLong};
use comity_provenance::Sha256Digest;
use comity_provenance::merkle::Tree;
use comity_provenance::record_tree::{BLOCK_RECORDS, BlockTree, ProvenRecord, Salts, leaf, path_from_blocks};
use comity_store::case::Normalised;
use comity_store::source::Source;

use crate::JobError;
use crate::ingest::LongRecords;
use crate::progress::Progress;

/// Bytes read at once, and of a chunk.
const BLOCK_BYTES: usize = 1 << 20;

/// Records to be disclosed: number (1-based), and whether each is context only.
pub(crate) type Wanted = BTreeMap<u64, bool>;

/// Something that is cut into records and committed to.
#[derive(Debug)]
pub(crate) struct Committed {
    /// Root, blocks and number of records.
    pub(crate) tree: BlockTree,
    /// Where the salts come from.
    pub(crate) salts: Salts,
}

/// What a pass gathers.
struct Gathering<'a> {
    committed: &'a Committed,
    wanted: &'a Wanted,
    /// Blocks with a wanted record.
    blocks: BTreeSet<u64>,
    leaves: BTreeMap<u64, Vec<Sha256Digest>>,
    found: Vec<ProvenRecord>,
}

impl<'a> Gathering<'a> {
    fn new(committed: &'a Committed, wanted: &'a Wanted) -> Self {
        let blocks = wanted.keys().map(|record| (record - 1) / BLOCK_RECORDS).collect();
        Self { committed, wanted, blocks, leaves: BTreeMap::new(), found: Vec::new() }
    }

    /// Whether a record lies in a block that is needed.
    fn needs(&self, number: u64) -> bool {
        self.blocks.contains(&((number - 1) / BLOCK_RECORDS))
    }

    fn leaf(&mut self, number: u64, leaf: Sha256Digest) {
        self.leaves.entry((number - 1) / BLOCK_RECORDS).or_default().push(leaf);
    }

    fn record(&mut self, number: u64, offset: u64, bytes: &[u8]) {
        if !self.needs(number) {
            return;
        }
        let index = number - 1;
        let salt = self.committed.salts.salt(index);
        self.leaf(number, leaf(&salt, offset, bytes));
        if let Some(&context) = self.wanted.get(&number) {
            self.found.push(ProvenRecord {
                record: number,
                offset,
                salt,
                bytes: bytes.to_vec(),
                path: Vec::new(),
                context,
            });
        }
    }

    /// Gives each record its path.
    fn proven(mut self, shown: &Path) -> Result<Vec<ProvenRecord>, JobError> {
        let wrong = |message: String| JobError::NotCommitted { path: shown.to_owned(), message };
        if self.found.len() != self.wanted.len() {
            return Err(wrong(format!(
                "holds {} of the {} records that are wanted",
                self.found.len(),
                self.wanted.len()
            )));
        }
        let blocks = Tree::new(self.committed.tree.block_roots.clone());
        let within: BTreeMap<u64, Tree> =
            std::mem::take(&mut self.leaves).into_iter().map(|(n, leaves)| (n, Tree::new(leaves))).collect();
        let none = Tree::new(Vec::new());
        for record in &mut self.found {
            let index = record.record - 1;
            let block = within.get(&(index / BLOCK_RECORDS)).unwrap_or(&none);
            record.path = path_from_blocks(index, self.committed.tree.records, block, &blocks)
                .map_err(|e| wrong(format!("record {}: {e}", record.record)))?;
            record
                .verify(self.committed.tree.records, &self.committed.tree.root)
                .map_err(|e| wrong(format!("record {}: {e}", record.record)))?;
        }
        Ok(self.found)
    }
}

/// The wanted records of an evidence item, in order, out of its original.
///
/// # Errors
/// Where the original can't be read, is not the evidence, or its records are not those committed to.
pub(crate) fn of_evidence(
    item: &Normalised,
    original: &Path,
    committed: &Committed,
    wanted: &Wanted,
    progress: &dyn Progress,
) -> Result<Vec<ProvenRecord>, JobError> {
    let framing = Framing::by_name(&item.framing).ok_or_else(|| JobError::NotCommitted {
        path: original.to_owned(),
        message: format!("framing {:?} is not known to this version", item.framing),
    })?;
    let mut gathering = Gathering::new(committed, wanted);
    let mut long = LongRecords::new(original, committed.salts.clone());
    let sha256 = each_record(original, framing, progress, &mut |seen| {
        match seen {
            Seen::Whole { number, offset, bytes } => gathering.record(number, offset, bytes),
            Seen::TooLong(place) if gathering.needs(place.record) => {
                gathering.leaf(place.record, long.leaf(place.record, place.offset, place.length)?);
            }
            Seen::TooLong(_) => {}
        }
        Ok(())
    })?;
    if sha256 != item.id {
        let message = format!("its SHA-256 is {sha256}, but the evidence is {}", item.id);
        return Err(JobError::NotCommitted { path: original.to_owned(), message });
    }
    gathering.proven(original)
}

/// The wanted lines of a text of sorted lines, each with its LF.
///
/// # Errors
/// Where the lines are not those committed to.
pub(crate) fn of_lines(
    shown: &Path,
    lines: &[&[u8]],
    committed: &Committed,
    wanted: &Wanted,
) -> Result<Vec<ProvenRecord>, JobError> {
    let mut gathering = Gathering::new(committed, wanted);
    let mut offset = 0;
    for (number, line) in (1..).zip(lines) {
        gathering.record(number, offset, line.strip_suffix(b"\n").unwrap_or(line));
        offset += line.len() as u64;
    }
    gathering.proven(shown)
}

/// A record of an original that is read again.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// With its bytes.
    Whole {
        /// 1-based number.
        number: u64,
        /// Where it begins in the stream.
        offset: u64,
        /// The record, without its line end.
        bytes: &'a [u8],
    },
    /// Longer than is held.
    TooLong(TooLong),
}

/// Calls `each` for every record of an original; gives the SHA-256 of the file.
pub(crate) fn each_record(
    original: &Path,
    framing: Framing,
    progress: &dyn Progress,
    each: &mut dyn FnMut(Seen<'_>) -> Result<(), JobError>,
) -> Result<Sha256Digest, JobError> {
    let mut source = Source::open(original, &[])?;
    let mut splitter = Splitter::new(framing, BLOCK_BYTES..=BLOCK_BYTES, MAX_RECORD_BYTES);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let count = source.read(&mut block)?;
        match count {
            0 => splitter.finish(),
            _ => splitter.push(block.get(..count).unwrap_or_default()),
        }
        while let Some(piece) = splitter.next_piece() {
            match piece {
                Piece::Chunk(cut) => {
                    for (number, (start, length)) in (cut.first_record..).zip(cut.records()) {
                        let bytes = cut.bytes.get(start..start + length).unwrap_or_default();
                        each(Seen::Whole { number, offset: cut.offset + start as u64, bytes })?;
                    }
                }
                Piece::TooLong(long) => each(Seen::TooLong(long))?,
            }
        }
        progress.bytes(source.taken()?);
        progress.check()?;
        if count == 0 {
            return Ok(source.finish()?.0.sha256);
        }
    }
}
