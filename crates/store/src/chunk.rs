//! One chunk of records on its way to the tables: event columns and index entries, built at once.
//!
//! A worker drives a [`ChunkBuilder`] through [`RecordSink`], and gets a [`Chunk`]: a batch of
//! events, a sorted [`Run`] of the observables index, and rejects. Rows are numbered from 0 within
//! the chunk; only [`crate::evidence`] knows how many came before.

use comity_model::{Class, Column, Field, Kind, RecordSink};

use crate::StoreError;
use crate::columns::{Columns, EventHead, Events};
use crate::index::Run;
use crate::postings::Postings;
use crate::tables::RejectRow;
use crate::texts::text_of;

/// A chunk, read.
#[derive(Debug)]
pub struct Chunk {
    /// Columns of the events.
    pub(crate) events: Events,
    /// Number of events with text that was not UTF-8.
    pub damaged: u64,
    /// Number of records that carry no event: headers, comments, blank lines.
    pub headers: u64,
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
    postings: Postings,
    time: Option<i64>,
    class: Option<Class>,
    extracted: Vec<Extracted>,
    /// What is known of extracted observables as text.
    scratch: String,
    /// Whether a text of the record may hold U+FFFD.
    suspect: bool,
    headers: u64,
    damaged: u64,
    clock_offset_us: i64,
    rejects: Vec<RejectRow>,
}

/// An observable that an extractor found in the record being read; its value stands in the scratch.
#[derive(Debug)]
struct Extracted {
    field: Field,
    kind: Kind,
    start: usize,
    end: usize,
    altered: bool,
}

impl ChunkBuilder {
    /// Begins a chunk of so many records; `clock_offset_us` is added to every time (the declared error
    /// of the recorder's clock, with its sign turned).
    pub fn new(clock_offset_us: i64, records: u64) -> Self {
        // a hint, and no more than a chunk has
        let expected = usize::try_from(records).unwrap_or(usize::MAX).min(1 << 20);
        Self {
            columns: Columns::new(expected),
            postings: Postings::default(),
            time: None,
            class: None,
            extracted: Vec::new(),
            scratch: String::new(),
            suspect: false,
            headers: 0,
            damaged: 0,
            clock_offset_us,
            rejects: Vec::new(),
        }
    }

    /// Ends a record that is an event.
    pub fn event(&mut self, place: Place) {
        let row = u32::try_from(self.columns.rows()).unwrap_or(u32::MAX);
        let is_damaged = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
        let mut damaged = self.suspect && self.columns.texts().any(|(_, text)| is_damaged(text));
        for (field, text) in self.columns.loose_texts() {
            if !(damaged && is_damaged(text_of(text))) {
                self.postings.text(field, text, row);
            }
        }
        for found in &self.extracted {
            let value = self.scratch.get(found.start..found.end).unwrap_or_default();
            if is_damaged(value) {
                damaged = true;
            } else {
                self.postings.extracted(found.field, found.kind, found.altered, value, row);
            }
        }
        self.columns.end_row(EventHead {
            record: signed(place.record),
            offset: signed(place.offset),
            length: signed(place.length),
            time: self.time.map(|t| t.saturating_add(self.clock_offset_us)),
            class: self.class.unwrap_or(Class::Other),
            damaged,
        });
        self.damaged += u64::from(damaged);
        self.clear();
    }

    /// Ends a record that carries no event.
    pub fn header(&mut self) {
        self.headers += 1;
        self.columns.forget_row();
        self.clear();
    }

    /// Ends a record that was not understood.
    pub fn reject(&mut self, reject: RejectRow) {
        self.rejects.push(reject);
        self.columns.forget_row();
        self.clear();
    }

    fn clear(&mut self) {
        self.time = None;
        self.class = None;
        self.suspect = false;
        self.extracted.clear();
        self.scratch.clear();
    }

    /// The chunk.
    ///
    /// # Errors
    /// Where it has more events than the index can number, which takes more than a chunk's bytes.
    pub fn finish(self) -> Result<Chunk, StoreError> {
        let events = self.columns.finish();
        let run = self.postings.into_run(&events)?;
        Ok(Chunk { events, damaged: self.damaged, headers: self.headers, run, rejects: self.rejects })
    }
}

impl RecordSink for ChunkBuilder {
    fn class(&mut self, class: Class) {
        self.class = Some(class);
    }

    fn time(&mut self, at_us: i64) {
        self.time = Some(at_us);
    }

    fn text(&mut self, field: Field, text: &str) {
        debug_assert!(field.info().column != Column::Integer, "{field} is an integer column");
        self.suspect |= !text.is_ascii();
        self.columns.text(field, text);
    }

    fn integer(&mut self, field: Field, value: i64) {
        self.columns.integer(field, value);
    }

    fn observable(&mut self, field: Field, kind: Kind, value: &str, as_found: &str) {
        let start = self.scratch.len();
        self.scratch.push_str(value);
        let (end, altered) = (self.scratch.len(), value != as_found);
        self.extracted.push(Extracted { field, kind, start, end, altered });
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
