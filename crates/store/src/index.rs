//! Building the observables index: sorted runs of chunks, merged as an LSM tree does.
//!
//! A run is a byte string of entries in the order (kind, key, field). Chunks give runs with rows
//! counted from 0; merging shifts them by the rows that came before. Rows are a first number and
//! the differences to the next, as LEB128 varints, so joining two lists touches one difference.
//! What outgrows the memory budget is merged into a file of the stage and read back once.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Write};

use comity_model::{Field, Kind};

use crate::StoreError;
use crate::durable::Stage;

/// Bytes of runs kept in memory before they are merged into a file.
const MEMORY_BUDGET: usize = 192 << 20;

/// An entry to be put into a run.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: Kind,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a str,
    pub(crate) field: Field,
    /// First and last time, microseconds since 1970 UTC, of the rows that have one.
    pub(crate) times: Option<(i64, i64)>,
    /// Rows of the chunk, ascending, without repetition.
    pub(crate) rows: &'a [u32],
    /// Those of them in which the value was written in another way than the canonical one.
    pub(crate) altered: &'a [u32],
}

/// Entries of a chunk, sorted.
#[derive(Debug, Default)]
pub struct Run {
    bytes: Vec<u8>,
}

/// Gathers a [`Run`]; entries come in order.
#[derive(Debug, Default)]
pub(crate) struct RunBuilder {
    bytes: Vec<u8>,
}

impl RunBuilder {
    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        let rows = |rows: &[u32]| {
            let mut all = Rows::default();
            rows.iter().for_each(|&row| all.push(u64::from(row)));
            all
        };
        // writing to memory does not fail
        let _ = write_entry(
            &mut self.bytes,
            (entry.kind, entry.field, entry.times),
            (entry.key, entry.value),
            (&rows(entry.rows), &rows(entry.altered)),
        );
    }

    pub(crate) fn finish(self) -> Run {
        Run { bytes: self.bytes }
    }
}

/// Writes an entry as [`Merged::read`] reads it.
fn write_entry(
    out: &mut impl Write,
    (kind, field, times): (Kind, Field, Option<(i64, i64)>),
    (key, value): (&[u8], &str),
    (rows, altered): (&Rows, &Rows),
) -> io::Result<()> {
    out.write_all(&[kind as u8, field as u8, u8::from(times.is_some())])?;
    write_bytes(out, key)?;
    write_bytes(out, value.as_bytes())?;
    if let Some((first, last)) = times {
        out.write_all(&first.to_le_bytes())?;
        out.write_all(&last.to_le_bytes())?;
    }
    rows.write(out)?;
    altered.write(out)
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
            *self = later.clone();
            return;
        }
        write_varint(&mut self.differences, later.first - self.last);
        self.differences.extend_from_slice(&later.differences);
        self.last = later.last;
        self.count += later.count;
    }

    /// Size of the stored form, bytes, to within a few.
    pub(crate) fn stored_bytes(&self) -> usize {
        self.differences.len() + 10
    }

    /// The stored form: the first row and the differences, all as varints; empty for no rows.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.differences.len() + 5);
        if self.count > 0 {
            write_varint(&mut bytes, self.first);
            bytes.extend_from_slice(&self.differences);
        }
        bytes
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

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write_number(out, self.count)?;
        if self.count > 0 {
            write_number(out, self.first)?;
            write_number(out, self.last)?;
            write_bytes(out, &self.differences)?;
        }
        Ok(())
    }

    fn read(input: &mut impl Read) -> io::Result<Self> {
        let count = read_varint(input)?;
        if count == 0 {
            return Ok(Self::default());
        }
        Ok(Self {
            count,
            first: read_varint(input)?,
            last: read_varint(input)?,
            differences: read_bytes(input)?,
        })
    }
}

/// An entry of the whole evidence item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Kind of the observable.
    pub kind: Kind,
    /// Its sort key.
    pub key: Vec<u8>,
    /// Its canonical value.
    pub value: String,
    /// The field that carried it.
    pub field: Field,
    /// First and last time, microseconds since 1970 UTC, of the events that have one.
    pub times: Option<(i64, i64)>,
    /// Rows of the events.
    pub rows: Rows,
    /// Those in which it was written in another way than the canonical one.
    pub altered: Rows,
}

impl Merged {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (key, value) = (self.key.as_slice(), self.value.as_str());
        write_entry(out, (self.kind, self.field, self.times), (key, value), (&self.rows, &self.altered))
    }

    /// The next entry; `None` at the end.
    fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 3];
        if input.read(&mut head[..1])? == 0 {
            return Ok(None);
        }
        input.read_exact(&mut head[1..])?;
        let [kind, field, timed] = head.map(usize::from);
        let kind = *Kind::ALL.get(kind).ok_or_else(|| bad("unknown kind"))?;
        let field = *Field::ALL.get(field).ok_or_else(|| bad("unknown field"))?;
        let key = read_bytes(input)?;
        let value = String::from_utf8(read_bytes(input)?).map_err(|_| bad("value is not UTF-8"))?;
        let times = if timed == 1 { Some((read_time(input)?, read_time(input)?)) } else { None };
        let (rows, altered) = (Rows::read(input)?, Rows::read(input)?);
        Ok(Some(Self { kind, key, value, field, times, rows, altered }))
    }

    fn append(&mut self, later: &Self) {
        self.rows.append(&later.rows);
        self.altered.append(&later.altered);
        self.times = match (self.times, later.times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (a, b) => a.or(b),
        };
    }

    fn same_entry(&self, other: &Self) -> bool {
        self.kind == other.kind && self.field == other.field && self.key == other.key
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
        self.bytes += run.bytes.len();
        self.runs.push((run, first_row));
        if self.bytes > MEMORY_BUDGET { self.spill(stage) } else { Ok(()) }
    }

    fn spill(&mut self, stage: &Stage) -> Result<(), StoreError> {
        let name = spill_name(self.spilled);
        let at = stage.path().join(&name);
        let mut out = BufWriter::with_capacity(1 << 20, stage.create(&name)?);
        self.spilled += 1;
        self.bytes = 0;
        let sources = memory_sources(std::mem::take(&mut self.runs));
        merge(sources, &mut |entry| entry.write(&mut out).map_err(|e| StoreError::io(&at, e)))?;
        out.flush().map_err(|e| StoreError::io(&at, e))
    }

    /// Hands every entry of the item to `take`, in the order (kind, key, field).
    ///
    /// # Errors
    /// What `take` returns, or where a spilled run does not read.
    pub fn finish(
        self,
        stage: &Stage,
        take: &mut dyn FnMut(Merged) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut sources = Vec::new();
        for at in 0..self.spilled {
            let path = stage.path().join(spill_name(at));
            let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
            sources.push(Source { input: Box::new(BufReader::with_capacity(1 << 18, file)), first_row: 0 });
        }
        sources.extend(memory_sources(self.runs));
        merge(sources, take)?;
        (0..self.spilled).try_for_each(|at| stage.remove(&spill_name(at)))
    }
}

fn spill_name(at: usize) -> String {
    format!("index-{at}.run")
}

struct Source {
    input: Box<dyn Read + Send>,
    first_row: u64,
}

fn memory_sources(runs: Vec<(Run, u64)>) -> Vec<Source> {
    runs.into_iter()
        .map(|(run, first_row)| Source { input: Box::new(Cursor::new(run.bytes)), first_row })
        .collect()
}

impl Source {
    fn next(&mut self) -> Result<Option<Merged>, StoreError> {
        let next = Merged::read(&mut self.input).map_err(|e| StoreError::io("index run".as_ref(), e))?;
        Ok(next.map(|mut entry| {
            entry.rows.shift(self.first_row);
            entry.altered.shift(self.first_row);
            entry
        }))
    }
}

/// The next entry of a source, in the order of the merge: by key, and among equal keys by source,
/// so that rows ascend.
struct Waiting {
    entry: Merged,
    source: usize,
}

impl Waiting {
    fn position(&self) -> (Kind, &[u8], Field, usize) {
        (self.entry.kind, &self.entry.key, self.entry.field, self.source)
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.position().cmp(&other.position())
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

fn merge(
    mut sources: Vec<Source>,
    take: &mut dyn FnMut(Merged) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (source, reader) in sources.iter_mut().enumerate() {
        heap.extend(reader.next()?.map(|entry| Reverse(Waiting { entry, source })));
    }
    let mut current: Option<Merged> = None;
    while let Some(mut first) = heap.peek_mut() {
        let source = first.0.source;
        // the next entry of the same source sinks to its place once, when `first` is let go
        let entry = match sources[source].next()? {
            Some(next) => std::mem::replace(&mut first.0.entry, next),
            None => PeekMut::pop(first).0.entry,
        };
        match &mut current {
            Some(same) if same.same_entry(&entry) => same.append(&entry),
            _ => {
                if let Some(done) = current.replace(entry) {
                    take(done)?;
                }
            }
        }
    }
    current.map_or(Ok(()), take)
}

fn bad(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// LEB128: seven bits a byte, low ones first; the bytes and how many they are.
fn varint(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return (bytes, at + 1);
        }
        *byte |= 0x80;
    }
    (bytes, 10)
}

fn write_varint(out: &mut Vec<u8>, value: u64) {
    let (bytes, length) = varint(value);
    out.extend_from_slice(&bytes[..length]);
}

fn write_number(out: &mut impl Write, value: u64) -> io::Result<()> {
    let (bytes, length) = varint(value);
    out.write_all(&bytes[..length])
}

fn write_bytes(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write_number(out, bytes.len() as u64)?;
    out.write_all(bytes)
}

fn read_varint(input: &mut impl Read) -> io::Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        let low = u64::from(byte[0] & 0x7f);
        if low << shift >> shift != low {
            break;
        }
        value |= low << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(bad("number too large"))
}

fn read_bytes(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = read_varint(input)?;
    let mut bytes = Vec::new();
    if input.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(bad("entry is cut off"));
    }
    Ok(bytes)
}

fn read_time(input: &mut impl Read) -> io::Result<i64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(i64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(entries: &[(&str, &[u32])]) -> Run {
        let mut run = RunBuilder::default();
        for (value, rows) in entries {
            run.push(&Entry {
                kind: Kind::DomainName,
                key: value.as_bytes(),
                value,
                field: Field::Query,
                times: Some((i64::from(rows[0]), 9)),
                rows,
                altered: &rows[..1],
            });
        }
        run.finish()
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
        let mut all = Vec::new();
        index
            .finish(&stage, &mut |e| {
                all.push((
                    e.value,
                    Rows::decode(&e.rows.encode()).unwrap(),
                    Rows::decode(&e.altered.encode()).unwrap(),
                ));
                Ok(())
            })
            .unwrap();
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
}
