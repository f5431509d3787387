//! Building the observables index: sorted runs of chunks, merged as an LSM tree does.
//!
//! A run has entries in the order (kind, key, field): those of IPv4 addresses as sorted postings, all else as a
//! byte string. Chunks give runs with rows counted from 0; merging shifts them by the rows that came before.
//! Rows of an entry are a first number and the differences to the next, as LEB128 varints, so joining two lists
//! touches one difference. What outgrows the memory budget is merged into a file of the stage and read back once.
//!
//! An entry has an *order*: 16 bytes, big-endian, that sort as (kind, key) does as far as they reach.
//! Nearly all comparisons of the merge are of these numbers.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use comity_model::{FIELDS, Field, Kind, canonical, key};

use crate::StoreError;
use crate::durable::Stage;

/// Bytes of runs kept in memory before they are merged into a file.
const MEMORY_BUDGET: usize = 192 << 20;
/// Bytes of entries from which a frame of a spilled run is full.
const FRAME_BYTES: usize = 256 << 10;

/// The first 16 bytes of (kind, key), as a number that sorts as they do. Keys of IPv4 addresses share
/// their first 12 bytes, which say nothing, so the whole address fits.
pub fn order(kind: Kind, key: &[u8]) -> u128 {
    let told = match key {
        [_, _, _, _, _, _, _, _, _, _, _, _, four @ ..] if kind == Kind::Ipv4Addr => four,
        _ => key,
    };
    let mut bytes = [0; 16];
    let told = &told[..told.len().min(15)];
    bytes[0] = kind as u8;
    bytes[1..=told.len()].copy_from_slice(told);
    u128::from_be_bytes(bytes)
}

/// The order of an IPv4 address.
pub(crate) fn order_of_quad(address: u32) -> u128 {
    u128::from(Kind::Ipv4Addr as u8) << 120 | u128::from(address) << 88
}

/// An IPv4 address of this order.
const fn quad(order: u128) -> u32 {
    ((order >> 88) & 0xffff_ffff) as u32
}

/// A row of a chunk in which a value stands. From the highest bit: value (32: an IPv4 address, or a number of the
/// chunk's), field (7), derived, row (23), altered.
pub(crate) type Posting = u64;

/// The value was written in another way than the canonical one.
pub(crate) const ALTERED: Posting = 1;
const ROW_SHIFT: u32 = 1;
const ROW_BITS: u32 = 23;
/// Most rows of a chunk; eight million records need as many bytes.
pub const MAX_ROWS: u32 = 1 << ROW_BITS;
/// Bits of a posting below which value, field and derived stand.
pub(crate) const ROW_END: u32 = ROW_SHIFT + ROW_BITS;
/// The value is part of another one; not in a run.
pub(crate) const DERIVED: Posting = 1 << ROW_END;
const FIELD_SHIFT: u32 = ROW_END + 1;
const VALUE_SHIFT: u32 = 32;
const _: () = assert!(FIELDS.len() <= 1 << (VALUE_SHIFT - FIELD_SHIFT), "a field does not fit its bits");

pub(crate) fn posting(value: u32, field: Field, flags: u64, row: u32) -> Posting {
    u64::from(value) << VALUE_SHIFT | (field as u64) << FIELD_SHIFT | u64::from(row) << ROW_SHIFT | flags
}

pub(crate) const fn value_of(posting: Posting) -> u32 {
    (posting >> VALUE_SHIFT) as u32
}

fn field_of(posting: Posting) -> Field {
    let number = posting >> FIELD_SHIFT & ((1 << (VALUE_SHIFT - FIELD_SHIFT)) - 1);
    usize::try_from(number).ok().and_then(|at| Field::ALL.get(at)).copied().unwrap_or(Field::SrcIp)
}

pub(crate) const fn row_of(posting: Posting) -> u32 {
    (posting >> ROW_SHIFT & ((1 << ROW_BITS) - 1)) as u32
}

/// The postings of each value and field, which stand together.
pub(crate) fn of_one_entry(postings: &[Posting]) -> impl Iterator<Item = &[Posting]> {
    postings.chunk_by(|&one, &other| one >> FIELD_SHIFT == other >> FIELD_SHIFT)
}

/// Entries of a chunk, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Those of IPv4 addresses, which come first.
    quads: Vec<Posting>,
    /// All others.
    bytes: Vec<u8>,
}
const _: () = assert!(Kind::Ipv4Addr as u8 == 0, "IPv4 addresses do not come first");

/// An entry: what is known of one value in one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    order: u128,
    /// Kind of the observable.
    pub kind: Kind,
    /// Its sort key.
    pub key: Vec<u8>,
    /// The field that carried it.
    pub field: Field,
    /// Rows of the events.
    pub rows: Rows,
    /// Those in which it was written in another way than the canonical one.
    pub altered: Rows,
}

impl Default for Entry {
    fn default() -> Self {
        let (kind, field) = (Kind::Ipv4Addr, Field::SrcIp);
        let (rows, altered) = (Rows::default(), Rows::default());
        Self { order: 0, kind, key: Vec::new(), field, rows, altered }
    }
}

impl Entry {
    /// Its sort key, written behind what stands in `out`.
    pub(crate) fn write_key(&self, out: &mut Vec<u8>) {
        if self.kind == Kind::Ipv4Addr {
            out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
            out.extend_from_slice(&quad(self.order).to_be_bytes());
        } else {
            out.extend_from_slice(&self.key);
        }
    }

    /// Its value, written behind what stands in `out`; `None` where its key is none.
    pub(crate) fn write_value(&self, out: &mut Vec<u8>) -> Option<()> {
        if self.kind == Kind::Ipv4Addr {
            canonical::write_quad(quad(self.order).to_be_bytes(), out);
            return Some(());
        }
        key::write_value(self.kind, &self.key, out)
    }

    /// Becomes that of postings of one value and field; `order` is that of kind and key.
    fn set(&mut self, order: u128, kind: Kind, key: &[u8], postings: &[Posting], first_row: u64) {
        let Some(&first) = postings.first() else { return };
        (self.order, self.kind, self.field) = (order, kind, field_of(first));
        self.key.clear();
        self.key.extend_from_slice(key);
        self.rows.clear();
        self.altered.clear();
        for &posting in postings {
            let row = first_row + u64::from(row_of(posting));
            self.rows.push(row);
            if posting & ALTERED != 0 {
                self.altered.push(row);
            }
        }
    }

    fn append(&mut self, later: &Self) {
        self.rows.append(&later.rows);
        self.altered.append(&later.altered);
    }

    fn write(&self, out: &mut Vec<u8>) {
        let is_altered = if self.altered.count > 0 { IS_ALTERED } else { 0 };
        out.extend_from_slice(&[self.kind as u8, self.field as u8 | is_altered]);
        if self.kind == Kind::Ipv4Addr {
            out.extend_from_slice(&quad(self.order).to_be_bytes());
        } else {
            write_bytes(out, &self.key);
        }
        self.rows.write(out);
        if is_altered > 0 {
            self.altered.write(out);
        }
    }

    /// Reads the entry that `input` begins with in place of this one.
    fn read(&mut self, input: &mut &[u8]) -> io::Result<()> {
        let [kind, field] = read_array(input)?;
        self.kind = *Kind::ALL.get(usize::from(kind)).ok_or_else(|| bad("unknown kind"))?;
        let number = usize::from(field & !IS_ALTERED);
        self.field = *Field::ALL.get(number).ok_or_else(|| bad("unknown field"))?;
        self.key.clear();
        self.order = if self.kind == Kind::Ipv4Addr {
            order_of_quad(u32::from_be_bytes(read_array(input)?))
        } else {
            self.key.extend_from_slice(read_bytes(input)?);
            order(self.kind, &self.key)
        };
        self.rows.read(input)?;
        self.altered.clear();
        if field & IS_ALTERED != 0 {
            self.altered.read(input)?;
        }
        Ok(())
    }
}

/// Set beside the field of an entry some of whose rows are altered.
const IS_ALTERED: u8 = 1 << 7;
const _: () = assert!(FIELDS.len() <= IS_ALTERED as usize, "a field does not fit beside the bit");

/// Gathers a [`Run`]; entries come in order.
#[derive(Debug)]
pub(crate) struct RunBuilder {
    run: Run,
    entry: Entry,
}

impl RunBuilder {
    /// Begins with the postings of IPv4 addresses, sorted; with room for so many bytes of other entries, of which
    /// those left over are given back.
    pub(crate) fn new(quads: &[Posting], room: usize) -> Self {
        Self { run: Run { quads: quads.to_vec(), bytes: Vec::with_capacity(room) }, entry: Entry::default() }
    }

    /// Puts in an entry of another kind; `order` is that of kind and key.
    pub(crate) fn push(&mut self, order: u128, kind: Kind, key: &[u8], postings: &[Posting]) {
        self.entry.set(order, kind, key, postings, 0);
        self.entry.write(&mut self.run.bytes);
    }

    pub(crate) fn finish(mut self) -> Run {
        self.run.bytes.shrink_to_fit();
        self.run
    }
}

/// Row numbers of an evidence item's events, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: u64,
    first: u64,
    last: u64,
    differences: Vec<u8>,
}

impl Rows {
    fn clear(&mut self) {
        self.count = 0;
        self.differences.clear();
    }

    fn push(&mut self, row: u64) {
        if self.count == 0 {
            self.first = row;
        } else {
            write_varint(&mut self.differences, row - self.last);
        }
        self.last = row;
        self.count += 1;
    }

    fn shift(&mut self, by: u64) {
        self.first += by;
        self.last += by;
    }

    fn append(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            self.first = later.first;
        } else {
            write_varint(&mut self.differences, later.first - self.last);
        }
        self.differences.extend_from_slice(&later.differences);
        self.last = later.last;
        self.count += later.count;
    }

    /// Writes the stored form behind what stands in `out`: the first row and the differences, all as
    /// varints; nothing for no rows.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        if self.count > 0 {
            write_varint(out, self.first);
            out.extend_from_slice(&self.differences);
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// Where the bytes are no list of rows.
    pub fn decode(mut bytes: &[u8]) -> io::Result<Vec<u64>> {
        let mut rows = Vec::new();
        let mut last = 0_u64;
        while !bytes.is_empty() {
            let step = read_varint(&mut bytes)?;
            if step == 0 && !rows.is_empty() {
                return Err(bad("rows are not ascending"));
            }
            last = last.checked_add(step).ok_or_else(|| bad("row number too large"))?;
            rows.push(last);
        }
        Ok(rows)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_varint(out, self.count);
        write_varint(out, self.first);
        if self.count > 1 {
            write_varint(out, self.last);
            write_bytes(out, &self.differences);
        }
    }

    fn read(&mut self, input: &mut &[u8]) -> io::Result<()> {
        self.clear();
        self.count = read_varint(input)?;
        self.first = read_varint(input)?;
        self.last = self.first;
        if self.count > 1 {
            self.last = read_varint(input)?;
            self.differences.extend_from_slice(read_bytes(input)?);
        }
        Ok(())
    }
}

/// Gathers the runs of an evidence item, in the order of its chunks.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    runs: Vec<(Run, u64)>,
    bytes: usize,
    spilled: usize,
}

impl IndexBuilder {
    /// Takes the run of the next chunk, whose first row is `first_row` of the item.
    ///
    /// # Errors
    /// Where runs that outgrew the budget can't be written to the stage.
    pub fn add(&mut self, run: Run, first_row: u64, stage: &Stage) -> Result<(), StoreError> {
        self.bytes += run.bytes.len() + size_of_val(run.quads.as_slice());
        self.runs.push((run, first_row));
        if self.bytes > MEMORY_BUDGET { self.spill(stage) } else { Ok(()) }
    }

    fn spill(&mut self, stage: &Stage) -> Result<(), StoreError> {
        let name = spill_name(self.spilled);
        let at = stage.path().join(&name);
        let mut file = stage.create(&name)?;
        self.spilled += 1;
        self.bytes = 0;
        let mut merge = Merge::new(memory_sources(std::mem::take(&mut self.runs)))?;
        let mut frame = Vec::with_capacity(FRAME_BYTES + 1024);
        let mut ended = false;
        while !ended {
            match merge.next_entry()? {
                Some(entry) => entry.write(&mut frame),
                None => ended = true,
            }
            if frame.len() >= FRAME_BYTES || ended {
                let length = (frame.len() as u64).to_le_bytes();
                file.write_all(&length)
                    .and_then(|()| file.write_all(&frame))
                    .map_err(|e| StoreError::io(&at, e))?;
                frame.clear();
            }
        }
        Ok(())
    }

    /// Every entry of the item, in the order (kind, key, field).
    ///
    /// # Errors
    /// Where a spilled run does not read.
    pub fn finish(self, stage: &Stage) -> Result<Merge, StoreError> {
        let mut sources = Vec::new();
        for at in 0..self.spilled {
            let path = stage.path().join(spill_name(at));
            let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
            // what is open stays readable
            stage.remove(&spill_name(at))?;
            sources.push(Source { file: Some(BufReader::new(file)), ..Source::default() });
        }
        sources.extend(memory_sources(self.runs));
        Merge::new(sources)
    }
}

fn spill_name(at: usize) -> String {
    format!("index-{at}.run")
}

fn memory_sources(runs: Vec<(Run, u64)>) -> Vec<Source> {
    runs.into_iter()
        .map(|(run, first_row)| Source { quads: run.quads, frame: run.bytes, first_row, ..Source::default() })
        .collect()
}

/// A run being read: the entry that is next, and what lies behind it.
#[derive(Debug, Default)]
struct Source {
    entry: Entry,
    quads: Vec<Posting>,
    next_quad: usize,
    frame: Vec<u8>,
    at: usize,
    /// Where further frames lie.
    file: Option<BufReader<File>>,
    first_row: u64,
}

impl Source {
    /// Goes to the next entry; `false` at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let quads = self.quads.get(self.next_quad..).unwrap_or_default();
        if let Some(same) = of_one_entry(quads).next() {
            let order = order_of_quad(same.first().map_or(0, |&first| value_of(first)));
            self.entry.set(order, Kind::Ipv4Addr, &[], same, self.first_row);
            self.next_quad += same.len();
            return Ok(true);
        }
        while self.at == self.frame.len() {
            if !self.next_frame()? {
                return Ok(false);
            }
        }
        let mut input = self.frame.get(self.at..).unwrap_or_default();
        self.entry.read(&mut input)?;
        self.at = self.frame.len() - input.len();
        self.entry.rows.shift(self.first_row);
        self.entry.altered.shift(self.first_row);
        Ok(true)
    }

    fn next_frame(&mut self) -> io::Result<bool> {
        self.frame.clear();
        self.at = 0;
        let Some(file) = &mut self.file else { return Ok(false) };
        let mut length = [0; 8];
        if file.read(&mut length[..1])? == 0 {
            return Ok(false);
        }
        file.read_exact(&mut length[1..])?;
        let length = u64::from_le_bytes(length);
        if file.take(length).read_to_end(&mut self.frame)? as u64 != length {
            return Err(bad("run is cut off"));
        }
        Ok(true)
    }
}

/// Entries of several runs in one order; equal ones of several runs are joined.
#[derive(Debug)]
pub struct Merge {
    sources: Vec<Source>,
    /// What each source has next, as a number that sorts as the entries do, as far as it reaches; of an IPv4
    /// address it says all that is compared. [`ENDED`] for a source that has nothing more.
    ranks: Vec<u128>,
    /// Tree of losers (Knuth, The Art of Computer Programming 3, §5.4.1): the source that comes first, then for
    /// each inner node the one that lost there; the leaf of source i is node i + their number.
    losers: Vec<usize>,
    current: Entry,
}

/// Rank of a source that has ended: no kind has this number.
const ENDED: u128 = u128::MAX;

impl Merge {
    fn new(sources: Vec<Source>) -> Result<Self, StoreError> {
        let count = sources.len();
        let (ranks, losers) = (vec![ENDED; count], vec![0; count]);
        let mut merge = Self { sources, ranks, losers, current: Entry::default() };
        for at in 0..count {
            merge.advance(at)?;
        }
        let mut winners: Vec<usize> = (0..count).chain(0..count).collect();
        for node in (1..count).rev() {
            let (one, other) = (winners[2 * node], winners[2 * node + 1]);
            let is_one = merge.is_before(one, other);
            (winners[node], merge.losers[node]) = if is_one { (one, other) } else { (other, one) };
        }
        if let Some(first) = merge.losers.first_mut() {
            *first = winners.get(1).copied().unwrap_or(0);
        }
        Ok(merge)
    }

    /// Goes to the next entry of a source.
    fn advance(&mut self, at: usize) -> Result<(), StoreError> {
        let source = &mut self.sources[at];
        self.ranks[at] = match source.advance().map_err(run_error)? {
            true if source.entry.kind == Kind::Ipv4Addr => {
                source.entry.order | (source.entry.field as u128) << u64::BITS | at as u128
            }
            true => source.entry.order,
            false => ENDED,
        };
        Ok(())
    }

    /// How many entries there are at most, as far as that is known; those of spilled runs are not.
    pub(crate) fn most(&self) -> usize {
        /// Bytes of the shortest entry: kind, field, length of its key, number of rows, first row.
        const SHORTEST: usize = 5;
        let of = |source: &Source| source.quads.len() + source.frame.len() / SHORTEST;
        self.sources.iter().map(of).sum()
    }

    /// The next entry.
    ///
    /// # Errors
    /// Where a spilled run does not read.
    pub fn next_entry(&mut self) -> Result<Option<&Entry>, StoreError> {
        let Some(first) = self.first() else { return Ok(None) };
        std::mem::swap(&mut self.current, &mut self.sources[first].entry);
        self.replace_first(first)?;
        while let Some(next) = self.first() {
            let entry = &self.sources[next].entry;
            let current = &self.current;
            if (entry.order, entry.field) != (current.order, current.field) || entry.key != current.key {
                break;
            }
            self.current.append(entry);
            self.replace_first(next)?;
        }
        Ok(Some(&self.current))
    }

    /// The source that comes first.
    fn first(&self) -> Option<usize> {
        self.losers.first().copied().filter(|&first| self.ranks[first] != ENDED)
    }

    /// Lets the source that comes first go to its next entry.
    fn replace_first(&mut self, first: usize) -> Result<(), StoreError> {
        self.advance(first)?;
        let (mut winner, mut node) = (first, (first + self.losers.len()) / 2);
        while node > 0 {
            let loser = self.losers[node];
            if self.is_before(loser, winner) {
                self.losers[node] = winner;
                winner = loser;
            }
            node /= 2;
        }
        self.losers[0] = winner;
        Ok(())
    }

    /// Whether one source comes before another: by entry, and among equal ones by source, so that rows ascend.
    fn is_before(&self, one: usize, other: usize) -> bool {
        let (rank, other_rank) = (self.ranks[one], self.ranks[other]);
        if rank != other_rank {
            return rank < other_rank;
        }
        let of = |at: usize| (self.sources[at].entry.key.as_slice(), self.sources[at].entry.field, at);
        of(one) < of(other)
    }
}

fn run_error(error: io::Error) -> StoreError {
    StoreError::io("index run".as_ref(), error)
}

pub(crate) fn bad(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// LEB128: seven bits a byte, low ones first.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn read_varint(input: &mut &[u8]) -> io::Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = input.split_first() else { return Err(bad("entry is cut off")) };
        *input = rest;
        let low = u64::from(byte & 0x7f);
        if low << shift >> shift != low {
            break;
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(bad("number too large"))
}

pub(crate) fn read_array<const N: usize>(input: &mut &[u8]) -> io::Result<[u8; N]> {
    let (array, rest) = input.split_first_chunk().ok_or_else(|| bad("entry is cut off"))?;
    *input = rest;
    Ok(*array)
}

pub(crate) fn read_bytes<'a>(input: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let length = usize::try_from(read_varint(input)?).unwrap_or(usize::MAX);
    let (bytes, rest) = input.split_at_checked(length).ok_or_else(|| bad("entry is cut off"))?;
    *input = rest;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use comity_model::key;
    use proptest::prelude::*;

    use super::*;

    fn run(entries: &[(&str, &[u32])]) -> Run {
        let mut run = RunBuilder::new(&[], 0);
        for (value, rows) in entries {
            let flags = |at: usize| if at == 0 { ALTERED } else { 0 };
            let postings: Vec<_> =
                rows.iter().enumerate().map(|(at, &row)| posting(0, Field::Query, flags(at), row)).collect();
            let (kind, key) = (Kind::DomainName, value.as_bytes());
            run.push(order(kind, key), kind, key, &postings);
        }
        run.finish()
    }

    fn decoded(rows: &Rows) -> Vec<u64> {
        let mut bytes = Vec::new();
        rows.encode(&mut bytes);
        Rows::decode(&bytes).unwrap()
    }

    fn merged(budget_spills: bool) -> Vec<(String, Vec<u64>, Vec<u64>)> {
        let tmp = tempfile::tempdir().unwrap();
        let stage = Stage::new(tmp.path(), "t").unwrap();
        let mut index = IndexBuilder::default();
        index.add(run(&[("a", &[0, 1]), ("c", &[1])]), 0, &stage).unwrap();
        if budget_spills {
            index.spill(&stage).unwrap();
        }
        index.add(run(&[("a", &[3]), ("b", &[0, 200])]), 2, &stage).unwrap();
        let mut merge = index.finish(&stage).unwrap();
        let mut all = Vec::new();
        while let Some(e) = merge.next_entry().unwrap() {
            all.push((String::from_utf8(e.key.clone()).unwrap(), decoded(&e.rows), decoded(&e.altered)));
        }
        all
    }

    #[test]
    fn runs_merge_in_key_order_with_rows_shifted_in_memory_and_spilled_alike() {
        let expected = vec![
            ("a".to_owned(), vec![0, 1, 5], vec![0, 5]),
            ("b".to_owned(), vec![2, 202], vec![2]),
            ("c".to_owned(), vec![1], vec![1]),
        ];
        assert_eq!(merged(false), expected);
        assert_eq!(merged(true), expected);
    }

    #[test]
    fn rows_that_do_not_ascend_are_refused() {
        assert!(Rows::decode(&[1, 0]).is_err());
        assert!(Rows::decode(&[0xff; 11]).is_err());
        assert_eq!(Rows::decode(&[0]).unwrap(), [0]);
    }

    /// Value and row of a chunk, and whether it is altered there; small values are addresses, the others names.
    type Stands = std::collections::BTreeMap<(u32, bool, u32), bool>;

    fn of_value(value: u32) -> (Kind, Vec<u8>) {
        let quad =
            || key::of_observable(Kind::Ipv4Addr, &std::net::Ipv4Addr::from(value << 27 | 5).to_string());
        match value {
            0..20 => (Kind::Ipv4Addr, quad()),
            _ => (
                Kind::DomainName,
                key::of_observable(Kind::DomainName, &format!("{value}.a-long-name.example")),
            ),
        }
    }

    fn field(is_source: bool) -> Field {
        if is_source { Field::SrcIp } else { Field::Query }
    }

    fn run_of(chunk: &Stands) -> Run {
        let postings = chunk.iter().map(|(&(value, is_source, row), &altered)| {
            let number = if value < 20 { value << 27 | 5 } else { value };
            posting(number, field(is_source), u64::from(altered), row)
        });
        let (mut quads, others): (Vec<_>, Vec<_>) = postings.partition(|p| value_of(*p) & 0xff == 5);
        quads.sort_unstable();
        let mut run = RunBuilder::new(&quads, 0);
        let mut entries: Vec<_> = of_one_entry(&others).collect();
        entries.sort_by_key(|entry| (of_value(value_of(entry[0])), field_of(entry[0])));
        for entry in entries {
            let (kind, key) = of_value(value_of(entry[0]));
            run.push(order(kind, &key), kind, &key, entry);
        }
        run.finish()
    }

    proptest! {
        #[test]
        fn a_merge_gives_each_entry_once_with_all_its_rows(
            chunks in proptest::collection::vec(proptest::collection::btree_map((0..40_u32, any::<bool>(), 0..50_u32), any::<bool>(), 0..60), 0..12),
            spilled in 0..13_usize,
        ) {
            let tmp = tempfile::tempdir().unwrap();
            let stage = Stage::new(tmp.path(), "t").unwrap();
            let mut index = IndexBuilder::default();
            let mut expected = std::collections::BTreeMap::<_, (Vec<u64>, Vec<u64>)>::new();
            for (first_row, chunk) in (0..).step_by(50).zip(&chunks) {
                index.add(run_of(chunk), first_row, &stage).unwrap();
                if first_row / 50 == spilled as u64 {
                    index.spill(&stage).unwrap();
                }
                for (&(value, is_source, row), &altered) in chunk {
                    let (rows, some) = expected.entry((of_value(value), field(is_source))).or_default();
                    rows.push(first_row + u64::from(row));
                    some.extend(altered.then_some(first_row + u64::from(row)));
                }
            }
            let (mut merge, mut found) = (index.finish(&stage).unwrap(), Vec::new());
            while let Some(entry) = merge.next_entry().unwrap() {
                let mut key = Vec::new();
                entry.write_key(&mut key);
                found.push((((entry.kind, key), entry.field), (decoded(&entry.rows), decoded(&entry.altered))));
            }
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn orders_never_contradict_keys(a in proptest::collection::vec(any::<u8>(), 0..20), cut in 0..20_usize, b in proptest::collection::vec(any::<u8>(), 0..6)) {
            // keys with a common beginning
            let b: Vec<u8> = a.iter().copied().take(cut).chain(b).collect();
            let (one, other) = (order(Kind::Url, &a), order(Kind::Url, &b));
            prop_assert!(one == other || one.cmp(&other) == a.cmp(&b));
        }

        #[test]
        fn quads_are_ordered_as_their_keys(a: u32, b: u32) {
            let key = |quad: u32| key::of_observable(Kind::Ipv4Addr, &std::net::Ipv4Addr::from(quad).to_string());
            prop_assert_eq!(order(Kind::Ipv4Addr, &key(a)), order_of_quad(a));
            prop_assert_eq!(order_of_quad(a).cmp(&order_of_quad(b)), key(a).cmp(&key(b)));
            let mut written = Vec::new();
            Entry { order: order_of_quad(a), ..Entry::default() }.write_key(&mut written);
            prop_assert_eq!(written, key(a));
        }
    }
}
