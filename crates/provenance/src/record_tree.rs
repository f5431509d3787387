//! The tree over the records of an item, `record-tree`: one record can be shown, and proven to be the one
//! that was committed to at intake, without any of its neighbours (docs/provenance.md, "The record tree").
//!
//! Leaf entry of the record with 0-based index i, hashed as RFC 6962 does ([`crate::merkle`]):
//!
//! ```text
//! salt (16 bytes) ‖ offset (8, big-endian) ‖ length (8, big-endian) ‖ the record's bytes
//! salt = HMAC-SHA-256(secret, i as 8 bytes big-endian)[..16]
//! ```
//!
//! The salt keeps a short neighbour from being guessed by its hash; its fixed length keeps a byte from being
//! shifted between it and the record. One proven record is a JSON object on one line:
//!
//! ```json
//! {"record":"17","offset":"2040","length":"118","salt":"<32 hex>","bytes":"<base64>","path":["<64 hex>"],"context":false}
//! ```
//!
//! Rejected: fields beyond these, integers with a sign or leading zeros, base64 that is not the only encoding
//! of its bytes, a length that is not that of the bytes, more than 64 MiB or 64 hashes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use thiserror::Error;

use crate::merkle::{self, Compact, ProofError, Tree, TreeError};
use crate::strict_json::{self, JsonError};
use crate::{Sha256Digest, Sha256Hasher};

/// Levels of a block of records.
const BLOCK_HEIGHT: u32 = 10;

/// Records of a block. The leaf hashes of one block and the roots of all make the path of any record.
pub const BLOCK_RECORDS: u64 = 1 << BLOCK_HEIGHT;

/// Most bytes of one proven record.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// What 64 MiB take as base64, and the rest of the line with it.
const MAX_LINE_BYTES: usize = MAX_RECORD_BYTES.div_ceil(3) * 4 + (64 << 10);

/// Most hashes of a path: the number of records is a `u64`.
const MAX_PATH: usize = 64;

/// Why a text is no proven record, or a record can't be hashed.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not the JSON of a proven record.
    #[error("proven record: {0}")]
    Json(#[from] JsonError),
    /// An integer that is not written as its digits alone.
    #[error("proven record: {0} is not an integer in decimal")]
    Integer(&'static str),
    /// A salt of another form or length.
    #[error("proven record: salt is not 32 hexadecimal digits in lower case")]
    Salt,
    /// Bytes whose base64 is not as it would be written.
    #[error("proven record: bytes are not padded base64 of RFC 4648 §4")]
    Base64,
    /// A record or line that is too long.
    #[error("proven record: record is longer than {MAX_RECORD_BYTES} bytes")]
    TooLong,
    /// A path that no tree has.
    #[error("proven record: path has more than {MAX_PATH} hashes")]
    Path,
    /// Bytes that are not as many as said.
    #[error("record: {found} bytes where the length says {expected}")]
    Length {
        /// Length said.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
}

/// Makes the salt of each record from the secret of an item.
#[derive(Clone)]
pub struct Salts(Hmac<Sha256>);

impl Salts {
    /// Takes the secret; hashes what depends on it alone.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..32].copy_from_slice(secret);
        Self(Hmac::new(&block))
    }

    /// The salt of the record with this 0-based index.
    pub fn salt(&self, index: u64) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(&index.to_be_bytes());
        let mut salt = [0; 16];
        salt.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        salt
    }
}

impl fmt::Debug for Salts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salts")
    }
}

/// Leaf hash of a record.
pub fn leaf(salt: &[u8; 16], offset: u64, record: &[u8]) -> Sha256Digest {
    let mut hasher = begin(salt, offset, record.len() as u64);
    hasher.update(record);
    hasher.finish()
}

fn begin(salt: &[u8; 16], offset: u64, length: u64) -> Sha256Hasher {
    // the first byte is that of a leaf
    let mut prefix = [0; 33];
    prefix[1..17].copy_from_slice(salt);
    prefix[17..25].copy_from_slice(&offset.to_be_bytes());
    prefix[25..].copy_from_slice(&length.to_be_bytes());
    let mut hasher = Sha256Hasher::default();
    hasher.update(&prefix);
    hasher
}

/// Leaf hash of a record that is not held in memory. Its length must be known before its bytes.
#[derive(Debug, Clone)]
pub struct LeafHasher {
    hasher: Sha256Hasher,
    length: u64,
    taken: u64,
}

impl LeafHasher {
    /// Begins a record with this offset and length, bytes.
    pub fn begin(salt: &[u8; 16], offset: u64, length: u64) -> Self {
        Self { hasher: begin(salt, offset, length), length, taken: 0 }
    }

    /// Takes more of the record.
    pub fn update(&mut self, part: &[u8]) {
        self.hasher.update(part);
        self.taken += part.len() as u64;
    }

    /// The hash, if as many bytes came as were said to come.
    pub fn finish(self) -> Result<Sha256Digest, RecordError> {
        if self.taken != self.length {
            return Err(RecordError::Length { expected: self.length, found: self.taken });
        }
        Ok(self.hasher.finish())
    }
}

/// Contiguous records of a tree, folded where they were read so that little is left to do in order.
#[derive(Debug, Clone)]
pub struct ChunkTree {
    first: u64,
    next: u64,
    /// Height and root of each subtree that stands on its own in the whole tree; none is above a block.
    subtrees: Vec<(u32, Sha256Digest)>,
    /// Offset of the first record of each block that begins here.
    block_offsets: Vec<u64>,
}

impl ChunkTree {
    /// Begins with the record of this 0-based index.
    pub const fn new(first: u64) -> Self {
        Self { first, next: first, subtrees: Vec::new(), block_offsets: Vec::new() }
    }

    /// Appends the next record: where it begins, and its leaf hash.
    pub fn push(&mut self, offset: u64, leaf: Sha256Digest) {
        if self.next.is_multiple_of(BLOCK_RECORDS) {
            self.block_offsets.push(offset);
        }
        let (mut node, mut height) = (leaf, 0);
        while height < BLOCK_HEIGHT && self.next >> height & 1 == 1 {
            // the left sibling lies in another chunk, all of it or its beginning
            let Some((_, left)) = self.subtrees.pop_if(|(last, _)| *last == height) else { break };
            node = merkle::node_hash(&left, &node);
            height += 1;
        }
        self.subtrees.push((height, node));
        self.next += 1;
    }
}

/// Builds the tree from chunks in their order.
#[derive(Debug, Clone, Default)]
pub struct TreeBuilder {
    open: Compact,
    block_roots: Vec<Sha256Digest>,
    block_offsets: Vec<u64>,
}

impl TreeBuilder {
    /// Begins a tree without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of records so far.
    pub fn records(&self) -> u64 {
        self.block_roots.len() as u64 * BLOCK_RECORDS + self.open.size()
    }

    /// Appends a chunk, which must begin with the record that is next.
    pub fn append(&mut self, chunk: ChunkTree) -> Result<(), TreeError> {
        if chunk.first != self.records() {
            return Err(TreeError::NotNext { expected: self.records(), found: chunk.first });
        }
        for (height, root) in chunk.subtrees {
            self.open.push_subtree(height, root)?;
            if self.open.size() == BLOCK_RECORDS {
                self.block_roots.push(std::mem::take(&mut self.open).root());
            }
        }
        self.block_offsets.extend(chunk.block_offsets);
        Ok(())
    }

    /// Ends the tree.
    pub fn finish(mut self) -> BlockTree {
        let records = self.records();
        if self.open.size() > 0 {
            self.block_roots.push(self.open.root());
        }
        let root = merkle::root(&self.block_roots);
        BlockTree { records, root, block_roots: self.block_roots, block_offsets: self.block_offsets }
    }
}

/// What is kept of the tree of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockTree {
    /// Number of records.
    pub records: u64,
    /// Root over all records. It is that over the block roots: blocks are as high as the levels below them.
    pub root: Sha256Digest,
    /// Root of each block of [`BLOCK_RECORDS`] records; the last may have fewer.
    pub block_roots: Vec<Sha256Digest>,
    /// Offset of the first record of each block, bytes.
    pub block_offsets: Vec<u64>,
}

/// The inclusion path of the record with this 0-based index, from the leaf hashes of its own block and the
/// roots of all blocks. Leaves that are not those of the block are refused.
pub fn path_from_blocks(
    index: u64,
    records: u64,
    block: &Tree,
    blocks: &Tree,
) -> Result<Vec<Sha256Digest>, ProofError> {
    if index >= records {
        return Err(ProofError::Index { index, size: records });
    }
    let (number, within) = (index / BLOCK_RECORDS, index % BLOCK_RECORDS);
    let block_records = (records - (index - within)).min(BLOCK_RECORDS);
    check_count(records.div_ceil(BLOCK_RECORDS), blocks)?;
    check_count(block_records, block)?;
    let above = blocks.path(number)?;
    merkle::verify_inclusion(number, blocks.leaves().len() as u64, &block.root(), &above, &blocks.root())?;
    Ok([block.path(within)?, above].concat())
}

fn check_count(expected: u64, tree: &Tree) -> Result<(), ProofError> {
    let found = tree.leaves().len() as u64;
    if found == expected { Ok(()) } else { Err(ProofError::LeafCount { expected, found }) }
}

/// A record and what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvenRecord {
    /// 1-based number.
    pub record: u64,
    /// Where it begins in the stream, bytes.
    pub offset: u64,
    /// Its salt.
    pub salt: [u8; 16],
    /// Its bytes, as they are in the stream, without separator.
    pub bytes: Vec<u8>,
    /// Its inclusion path.
    pub path: Vec<Sha256Digest>,
    /// Whether it says how others are to be read, and is no evidence of a finding itself.
    pub context: bool,
}

/// The JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    record: String,
    offset: String,
    length: String,
    salt: String,
    bytes: String,
    path: Vec<Sha256Digest>,
    context: bool,
}

impl ProvenRecord {
    /// Reads one line, without its line end.
    pub fn parse(line: &[u8]) -> Result<Self, RecordError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(RecordError::TooLong);
        }
        strict_json::from_slice::<Line>(line)?.try_into()
    }

    /// The line, without a line end.
    pub fn to_line(&self) -> Result<String, RecordError> {
        Ok(serde_json::to_string(self).map_err(JsonError::Syntax)?)
    }

    /// Leaf hash of the record.
    pub fn leaf(&self) -> Sha256Digest {
        leaf(&self.salt, self.offset, &self.bytes)
    }

    /// Checks that it is the record of this number in the tree of so many records.
    pub fn verify(&self, records: u64, root: &Sha256Digest) -> Result<(), ProofError> {
        // there is no record 0: it wraps to the one index that no tree has
        let index = self.record.wrapping_sub(1);
        merkle::verify_inclusion(index, records, &self.leaf(), &self.path, root)
    }
}

impl fmt::Debug for ProvenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} ({} bytes at {})", self.record, self.bytes.len(), self.offset)
    }
}

impl TryFrom<Line> for ProvenRecord {
    type Error = RecordError;

    fn try_from(line: Line) -> Result<Self, RecordError> {
        let integer = |name, text: &str| decimal(text).ok_or(RecordError::Integer(name));
        let mut salt = [0; 16];
        if hex::decode_to_slice(&line.salt, &mut salt).is_err() || line.salt != hex::encode(salt) {
            return Err(RecordError::Salt);
        }
        let bytes = STANDARD.decode(line.bytes).map_err(|_| RecordError::Base64)?;
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong);
        }
        let (expected, found) = (integer("length", &line.length)?, bytes.len() as u64);
        if expected != found {
            return Err(RecordError::Length { expected, found });
        }
        if line.path.len() > MAX_PATH {
            return Err(RecordError::Path);
        }
        let record = integer("record", &line.record)?;
        let offset = integer("offset", &line.offset)?;
        Ok(Self { record, offset, salt, bytes, path: line.path, context: line.context })
    }
}

impl Serialize for ProvenRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = Line {
            record: self.record.to_string(),
            offset: self.offset.to_string(),
            length: self.bytes.len().to_string(),
            salt: hex::encode(self.salt),
            bytes: STANDARD.encode(&self.bytes),
            path: self.path.clone(),
            context: self.context,
        };
        line.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ProvenRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Line::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// An integer as it is written where texts are signed or proven: digits, no leading zero.
pub fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests;
