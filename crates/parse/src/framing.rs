//! Where a record ends. The only place that sees chunk borders; knows nothing of meaning.
//!
//! | framing | a record is |
//! |---|---|
//! | `lines/v1` | a line without its LF or CRLF; a lone CR is content; a blank line is a record; what follows the last LF is a record if it is not empty |
//! | `csv/v1` | an RFC 4180 row without its LF or CRLF; line ends inside quotes belong to it |
//! | `json-array/v1` | an element of the one top-level array |
//!
//! Every byte of a stream lies in exactly one record, separator or gap: a UTF-8 byte order mark at
//! the beginning is a gap, line ends are separators, and so are brackets, commas and blanks between
//! the elements of an array.
//!
//! `csv/v1`: a quote opens at the beginning of a row or after `,` `;` tab or `|`, since a delimiter is
//! not known here; a quote elsewhere is content, so that `5" disk` does not swallow the rest of the file.
//! Known hole: a quote that opens and is not closed takes the rows up to the next quote with it; they are
//! one record, which the format rejects.
//!
//! `json-array/v1`: a line end inside a string ends the string (JSON allows none there), so that a
//! missing quote spoils one element and not all that follow. What stands after the array, or instead of
//! one, is read as lines without the blanks before them: records for the format to refuse.
//!
//! A [`Splitter`] takes blocks as a reader gives them and hands out [`Chunk`]s cut at record ends: one
//! copy of each byte. Chunk borders depend on the bytes and the limits only, never on the blocks. The
//! records of a chunk are then found by [`Chunk::records`], on any thread.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

mod lines;
mod scan;
#[cfg(test)]
mod tests;

/// How a stream is cut into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framing {
    /// `lines/v1`
    Lines,
    /// `csv/v1`
    Csv,
    /// `json-array/v1`
    JsonArray,
}

impl Framing {
    /// The framing of that name and version.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Lines, Self::Csv, Self::JsonArray].into_iter().find(|framing| framing.name() == name)
    }

    /// Name and version, for the intake record and the run's definition.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines/v1",
            Self::Csv => "csv/v1",
            Self::JsonArray => "json-array/v1",
        }
    }
}

/// Longest record that is held in memory unless the job says otherwise, bytes.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// The UTF-8 byte order mark.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A block is taken in in parts of this size, so that a chunk's buffer grows by no more at once.
const PART_BYTES: usize = 256 << 10;

/// Share of a stream that a chunk may have.
const SHARE: u64 = 64;

/// What comes out of a [`Splitter`], in stream order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Records.
    Chunk(Chunk),
    /// A record that is longer than the limit; its bytes were not kept.
    TooLong(TooLong),
}

/// A record that is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// 1-based number.
    pub record: u64,
    /// Offset of its first byte in the stream.
    pub offset: u64,
    /// Length without the line end, bytes.
    pub length: u64,
}

/// Contiguous bytes of a stream that begin and end at a record's border, with one record or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes, separators included.
    pub bytes: Vec<u8>,
    /// Offset of the first byte in the stream.
    pub offset: u64,
    /// 1-based number of the first record.
    pub first_record: u64,
    /// Number of records.
    pub count: u64,
    /// Start and length of each record, where finding them anew would take a scan from the
    /// stream's beginning; `None` for lines.
    spans: Option<Vec<(usize, usize)>>,
}

impl Chunk {
    /// Start (in [`Chunk::bytes`]) and length of each record, in order.
    pub fn records(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let lines = self.spans.is_none().then(|| lines::records(&self.bytes));
        self.spans.iter().flatten().copied().chain(lines.into_iter().flatten())
    }
}

/// Cuts a stream into chunks.
#[derive(Debug)]
pub struct Splitter {
    /// How many bytes of a byte order mark came at the beginning; [`BOM_DONE`] once that is settled.
    bom: usize,
    cutter: Cutter,
    out: Out,
}

const BOM_DONE: usize = usize::MAX;

#[derive(Debug)]
enum Cutter {
    Lines(lines::Lines),
    Csv(scan::Scan<scan::Csv>),
    JsonArray(scan::Scan<scan::JsonArray>),
}

/// Limits, and the pieces that are ready.
#[derive(Debug)]
struct Out {
    /// Bytes from which a chunk is full: the least, and the most.
    sizes: RangeInclusive<usize>,
    /// Bytes from which this one is.
    target: usize,
    max: usize,
    next_record: u64,
    ready: VecDeque<Piece>,
    /// Buffers of chunks that are done with.
    spare: Vec<Vec<u8>>,
}

impl Splitter {
    /// Makes a splitter whose chunks end with the first record end at or after so many bytes, and before and
    /// after each record that is longer than `max_record_bytes`. So many are a 64th of what came before,
    /// rounded down to a power of two, within `sizes`: long streams have few chunks, and the last is soon read.
    pub fn new(framing: Framing, sizes: RangeInclusive<usize>, max_record_bytes: usize) -> Self {
        let cutter = match framing {
            Framing::Lines => Cutter::Lines(lines::Lines::default()),
            Framing::Csv => Cutter::Csv(scan::Scan::default()),
            Framing::JsonArray => Cutter::JsonArray(scan::Scan::default()),
        };
        let out = Out {
            target: size_after(0, &sizes),
            sizes,
            max: max_record_bytes,
            next_record: 1,
            ready: VecDeque::new(),
            spare: Vec::new(),
        };
        Self { bom: 0, cutter, out }
    }

    /// Takes the next bytes of the stream. Hand out what is ready before pushing more: memory is
    /// bounded by the limits and one block only then.
    pub fn push(&mut self, mut block: &[u8]) {
        while self.bom != BOM_DONE {
            match (block.split_first(), BOM.get(self.bom)) {
                (Some((first, rest)), Some(expected)) if first == expected => {
                    self.bom += 1;
                    block = rest;
                }
                (None, Some(_)) => return,
                _ => self.settle_bom(),
            }
        }
        for part in block.chunks(PART_BYTES) {
            self.cutter.push(part, &mut self.out);
        }
    }

    /// Takes note that the stream has ended. Pieces may become ready by it.
    pub fn finish(&mut self) {
        if self.bom != BOM_DONE {
            self.settle_bom();
        }
        match &mut self.cutter {
            Cutter::Lines(lines) => lines.finish(&mut self.out),
            Cutter::Csv(scan) => scan.finish(&mut self.out),
            Cutter::JsonArray(scan) => scan.finish(&mut self.out),
        }
    }

    /// The next piece, if one is ready.
    pub fn next_piece(&mut self) -> Option<Piece> {
        self.out.ready.pop_front()
    }

    /// Takes back the buffer of a chunk that is done with, for a later one: its memory is there already.
    pub fn recycle(&mut self, mut bytes: Vec<u8>) {
        // not one that a long record made large
        if (self.out.target..=self.out.target.saturating_mul(2)).contains(&bytes.capacity()) {
            bytes.clear();
            self.out.spare.push(bytes);
        }
    }

    /// Gives back the buffers that are done with, for another stream.
    pub fn into_spare(self) -> Vec<Vec<u8>> {
        self.out.spare
    }

    /// A whole byte order mark is a gap; a part of one is content.
    fn settle_bom(&mut self) {
        match BOM.get(..self.bom) {
            Some(part) if part.len() < BOM.len() => self.cutter.push(part, &mut self.out),
            _ => self.cutter.skip(BOM.len()),
        }
        self.bom = BOM_DONE;
    }
}

impl Cutter {
    fn push(&mut self, part: &[u8], out: &mut Out) {
        match self {
            Self::Lines(lines) => lines.push(part, out),
            Self::Csv(scan) => scan.push(part, out),
            Self::JsonArray(scan) => scan.push(part, out),
        }
    }

    fn skip(&mut self, length: usize) {
        match self {
            Self::Lines(lines) => lines.offset += count(length),
            Self::Csv(scan) => scan.offset += count(length),
            Self::JsonArray(scan) => scan.offset += count(length),
        }
    }
}

impl Out {
    fn chunk(&mut self, bytes: Vec<u8>, offset: u64, records: u64, spans: Option<Vec<(usize, usize)>>) {
        let first_record = self.next_record;
        self.next_record += records;
        self.target = size_after(offset + count(bytes.len()), &self.sizes);
        self.ready.push_back(Piece::Chunk(Chunk { bytes, offset, first_record, count: records, spans }));
    }

    fn too_long(&mut self, offset: u64, length: u64) {
        let record = self.next_record;
        self.next_record += 1;
        self.ready.push_back(Piece::TooLong(TooLong { record, offset, length }));
    }

    /// Room for a chunk, so that it need not grow.
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| match self.target {
            // holds as much as there is, which may be little
            usize::MAX => Vec::new(),
            target => Vec::with_capacity(target.saturating_add(target.min(PART_BYTES))),
        })
    }
}

/// Bytes from which a chunk is full that has so many before it.
fn size_after(offset: u64, sizes: &RangeInclusive<usize>) -> usize {
    let share = usize::try_from(offset / SHARE).unwrap_or(usize::MAX);
    let power = share.checked_ilog2().map_or(1, |bits| 1 << bits);
    power.max(*sizes.start()).min(*sizes.end()).max(1)
}

/// A length as a distance in a stream.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
