//! One chunk of records on its way to the tables: event columns and index entries, built at once.
//!
//! A worker drives a [`ChunkBuilder`] through [`RecordSink`], and gets a [`Chunk`]: a batch of
//! events, a sorted [`Run`] of the observables index, and rejects. Rows are numbered from 0 within
//! the chunk; only [`crate::evidence`] knows how many came before.

use arrow::array::ArrayRef;
use comity_model::canonical::{self, Found};
use comity_model::{Class, Column, Field, Kind, Observe, RecordSink, key};
use hashbrown::HashTable;

use crate::columns::{Columns, EventHead};
use crate::index::{Entry, Run, RunBuilder};
use crate::tables::RejectRow;

/// A chunk, read.
#[derive(Debug)]
pub struct Chunk {
    /// Columns of the events, in the order of [`crate::columns::EVENTS`].
    pub events: Vec<ArrayRef>,
    /// Number of events.
    pub rows: usize,
    /// Number of events with text that was not UTF-8.
    pub damaged: u64,
    /// Number of records that carry no event: headers, comments, blank lines.
    pub headers: u64,
    /// First and last time of the events.
    pub times: Option<(i64, i64)>,
    /// Their observables, sorted.
    pub run: Run,
    /// Records that were not understood.
    pub rejects: Vec<RejectRow>,
}

/// Where in the evidence item a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 1-based number of the record.
    pub record: u64,
    /// Offset of its first byte in the decompressed stream.
    pub offset: u64,
    /// Length, bytes, without its line end.
    pub length: u64,
}

/// Builds a [`Chunk`] record by record.
#[derive(Debug)]
pub struct ChunkBuilder {
    columns: Columns,
    pending: Pending,
    texts: Texts,
    headers: u64,
    damaged: u64,
    clock_offset_us: i64,
    rejects: Vec<RejectRow>,
}

/// What a reader put in for the record being read.
#[derive(Debug, Default)]
struct Pending {
    time: Option<i64>,
    class: Option<Class>,
    scratch: String,
    texts: Vec<(Field, Option<Kind>, usize, usize)>,
    integers: Vec<(Field, i64)>,
}

impl Pending {
    fn clear(&mut self) {
        self.time = None;
        self.class = None;
        self.scratch.clear();
        self.texts.clear();
        self.integers.clear();
    }

    fn push(&mut self, field: Field, kind: Option<Kind>, text: &str) {
        let start = self.scratch.len();
        self.scratch.push_str(text);
        self.texts.push((field, kind, start, self.scratch.len()));
    }
}

impl ChunkBuilder {
    /// Begins a chunk; `clock_offset_us` is added to every time (the declared error of the
    /// recorder's clock, with its sign turned).
    pub fn new(clock_offset_us: i64) -> Self {
        Self {
            columns: Columns::new(),
            pending: Pending::default(),
            texts: Texts::default(),
            headers: 0,
            damaged: 0,
            clock_offset_us,
            rejects: Vec::new(),
        }
    }

    /// Ends a record that is an event.
    pub fn event(&mut self, place: Place) {
        let row = u32::try_from(self.columns.rows()).unwrap_or(u32::MAX);
        let mut damaged = false;
        for &(field, kind, start, end) in &self.pending.texts {
            let text = self.pending.scratch.get(start..end).unwrap_or("");
            if kind.is_none() {
                self.columns.text(field, text);
            }
            if text.contains(char::REPLACEMENT_CHARACTER) {
                damaged = true;
            } else if kind.is_some() || field.info().observe != Observe::Nothing {
                self.texts.note(field, kind, text, row);
            }
        }
        for &(field, value) in &self.pending.integers {
            self.columns.integer(field, value);
        }
        self.columns.end_row(EventHead {
            record: signed(place.record),
            offset: signed(place.offset),
            length: signed(place.length),
            time: self.pending.time.map(|t| t.saturating_add(self.clock_offset_us)),
            class: self.pending.class.unwrap_or(Class::Other),
            damaged,
        });
        self.damaged += u64::from(damaged);
        self.pending.clear();
    }

    /// Ends a record that carries no event.
    pub fn header(&mut self) {
        self.headers += 1;
        self.pending.clear();
    }

    /// Ends a record that was not understood.
    pub fn reject(&mut self, reject: RejectRow) {
        self.rejects.push(reject);
        self.pending.clear();
    }

    /// The chunk.
    pub fn finish(self) -> Chunk {
        let rows = self.columns.rows();
        let run = self.texts.into_run(&self.columns.time);
        let times = self.columns.time.iter().flatten().fold(None, |span: Option<(i64, i64)>, &t| {
            Some(span.map_or((t, t), |(first, last)| (first.min(t), last.max(t))))
        });
        Chunk {
            events: self.columns.finish(),
            rows,
            damaged: self.damaged,
            headers: self.headers,
            times,
            run,
            rejects: self.rejects,
        }
    }
}

impl RecordSink for ChunkBuilder {
    fn class(&mut self, class: Class) {
        self.pending.class = Some(class);
    }

    fn time(&mut self, at_us: i64) {
        self.pending.time = Some(at_us);
    }

    fn text(&mut self, field: Field, text: &str) {
        if field.info().column == Column::Text {
            self.pending.texts.retain(|&(other, kind, ..)| other != field || kind.is_some());
        }
        self.pending.push(field, None, text);
    }

    fn integer(&mut self, field: Field, value: i64) {
        self.pending.integers.retain(|&(other, _)| other != field);
        self.pending.integers.push((field, value));
    }

    fn observable(&mut self, field: Field, kind: Kind, value: &str) {
        self.pending.push(field, Some(kind), value);
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The distinct texts of a chunk by field, and in which rows each stands.
#[derive(Debug, Default)]
struct Texts {
    hasher: foldhash::fast::FixedState,
    table: HashTable<u32>,
    bytes: String,
    distinct: Vec<Distinct>,
    /// (text, row) in row order.
    seen: Vec<(u32, u32)>,
}

#[derive(Debug)]
struct Distinct {
    field: Field,
    /// Set where an extractor found the value, which then is canonical.
    kind: Option<Kind>,
    hash: u64,
    start: usize,
    end: usize,
    count: u32,
}

impl Texts {
    fn note(&mut self, field: Field, kind: Option<Kind>, text: &str, row: u32) {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(field as u8);
        hasher.write(text.as_bytes());
        let hash = hasher.finish();
        let (bytes, distinct) = (&mut self.bytes, &mut self.distinct);
        let same = |&id: &u32| {
            let d = &distinct[id as usize];
            d.hash == hash && d.field == field && d.kind == kind && bytes.get(d.start..d.end) == Some(text)
        };
        let id = match self.table.find(hash, same) {
            Some(&id) => id,
            None => {
                let id = u32::try_from(distinct.len()).unwrap_or(u32::MAX);
                let start = bytes.len();
                bytes.push_str(text);
                distinct.push(Distinct { field, kind, hash, start, end: bytes.len(), count: 0 });
                self.table.insert_unique(hash, id, |&id| distinct[id as usize].hash);
                id
            }
        };
        distinct[id as usize].count += 1;
        self.seen.push((id, row));
    }

    /// Canonicalises each distinct text once and gathers the rows of each observable.
    fn into_run(self, times: &[Option<i64>]) -> Run {
        let rows = self.rows_by_text();
        let mut items = Vec::with_capacity(self.distinct.len());
        for (at, text) in self.distinct.iter().enumerate() {
            let written = self.bytes.get(text.start..text.end).unwrap_or("");
            let mut take = |found: Found| {
                items.push(Item {
                    key: key::of_observable(found.kind, &found.value),
                    kind: found.kind,
                    field: text.field,
                    derived: found.derived,
                    as_written: found.derived || found.value == written,
                    value: found.value,
                    text: at,
                });
            };
            match text.kind {
                Some(kind) => take(Found { kind, value: written.to_owned(), derived: false }),
                None => canonical::observe(text.field.info().observe, written, &mut take),
            }
        }
        items.sort_unstable_by(|a, b| {
            (a.kind, &a.key, a.field, a.text).cmp(&(b.kind, &b.key, b.field, b.text))
        });
        let mut run = RunBuilder::default();
        for same_value in items.chunk_by(|a, b| a.kind == b.kind && a.key == b.key) {
            self.push_value(same_value, &rows, times, &mut run);
        }
        run.finish()
    }

    /// Rows of each text, by counting sort: the rows of text `t` are `rows.1[rows.0[t]..rows.0[t + 1]]`.
    fn rows_by_text(&self) -> (Vec<usize>, Vec<u32>) {
        let mut starts = Vec::with_capacity(self.distinct.len() + 1);
        let mut total = 0;
        for text in &self.distinct {
            starts.push(total);
            total += text.count as usize;
        }
        starts.push(total);
        let mut next = starts.clone();
        let mut rows = vec![0; total];
        for &(text, row) in &self.seen {
            rows[next[text as usize]] = row;
            next[text as usize] += 1;
        }
        (starts, rows)
    }

    /// Pushes the entries of one value, a field each; a derived value is not repeated in rows that
    /// carry the value in a field of its own (MATCHING.md, "Which fields are observables").
    fn push_value(
        &self,
        items: &[Item],
        rows: &(Vec<usize>, Vec<u32>),
        times: &[Option<i64>],
        run: &mut RunBuilder,
    ) {
        let rows_of = |item: &Item| &rows.1[rows.0[item.text]..rows.0[item.text + 1]];
        let own: Vec<u32> = if items.iter().any(|i| i.derived) {
            union(items.iter().filter(|i| !i.derived).map(rows_of))
        } else {
            Vec::new()
        };
        for same_field in items.chunk_by(|a, b| a.field == b.field) {
            let mut all: Vec<u32> = if let [only] = same_field {
                let mut rows = rows_of(only).to_vec();
                rows.dedup();
                rows
            } else {
                union(same_field.iter().map(rows_of))
            };
            // a derived value and its origin share the field, so no field mixes both
            if same_field.iter().all(|i| i.derived) {
                all.retain(|row| own.binary_search(row).is_err());
            }
            let [first, ..] = same_field else { continue };
            if all.is_empty() {
                continue;
            }
            let span = all
                .iter()
                .filter_map(|&r| times[r as usize])
                .fold(None, |s: Option<(i64, i64)>, t| Some(s.map_or((t, t), |(a, b)| (a.min(t), b.max(t)))));
            let altered = union(same_field.iter().filter(|i| !i.as_written).map(rows_of));
            run.push(&Entry {
                kind: first.kind,
                key: &first.key,
                value: &first.value,
                field: first.field,
                times: span,
                rows: &all,
                altered: &altered,
            });
        }
    }
}

/// An observable that a distinct text gives.
#[derive(Debug)]
struct Item {
    kind: Kind,
    key: Vec<u8>,
    field: Field,
    derived: bool,
    as_written: bool,
    value: String,
    text: usize,
}

/// Sorted union of sorted lists.
fn union<'a>(lists: impl Iterator<Item = &'a [u32]>) -> Vec<u32> {
    let mut all: Vec<u32> = lists.flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}
