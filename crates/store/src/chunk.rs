//! One chunk of records on its way to the tables: event columns and index entries, built at once.
//!
//! A worker drives a [`ChunkBuilder`] through [`RecordSink`], and gets a [`Chunk`]: the events as the columns
//! of a row group, a sorted [`Run`] of the observables index, and rejects. Rows are numbered from 0 within
//! the chunk; only [`crate::evidence`] knows how many came before.

use comity_model::{Class, Column, Field, Kind, RecordSink};

use crate::StoreError;
use crate::columns::{Columns, EventHead};
use crate::evidence::{Counts, events_error};
use crate::index::Run;
use crate::pages::{EncodedColumn, PageEncoder};
use crate::postings::Postings;
use crate::tables::RejectRow;
use crate::texts::text_of;

/// A chunk, encoded.
pub struct Chunk {
    /// Columns of the events; none where there are no events.
    pub(crate) columns: Vec<EncodedColumn>,
    /// What it came to; observables are not yet counted.
    pub(crate) counts: Counts,
    /// Their observables, sorted.
    pub(crate) run: Run,
    /// Records that were not understood.
    pub(crate) rejects: Vec<RejectRow>,
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk").field("counts", &self.counts).finish_non_exhaustive()
    }
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

/// Builds a [`Chunk`] record by record; then the next, in the same memory.
#[derive(Default)]
pub struct ChunkBuilder {
    columns: Columns,
    postings: Postings,
    /// Made for the first chunk.
    encoder: Option<PageEncoder>,
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

impl std::fmt::Debug for ChunkBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkBuilder").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl ChunkBuilder {
    /// What is added to every time from here on: the declared error of the recorder's clock, with its sign turned.
    pub fn set_clock_offset(&mut self, us: i64) {
        self.clock_offset_us = us;
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

    /// Ends the chunk, and begins the next.
    ///
    /// # Errors
    /// Where it has more events than the index can number, which takes more than a chunk's bytes; where the
    /// parquet library finds the columns unfit, which would be a defect.
    pub fn finish(&mut self) -> Result<Chunk, StoreError> {
        self.columns.finish();
        let (events, times) = (self.columns.rows() as u64, self.columns.times());
        let rejects = std::mem::take(&mut self.rejects);
        let counts = Counts {
            records: events + rejects.len() as u64,
            events,
            rejects: rejects.len() as u64,
            headers: std::mem::take(&mut self.headers),
            damaged: std::mem::take(&mut self.damaged),
            observables: 0,
            first_us: times.map(|t| t.0),
            last_us: times.map(|t| t.1),
        };
        let run = self.postings.take_run(&self.columns)?;
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(PageEncoder::new().map_err(events_error)?),
        };
        let columns =
            if events == 0 { Vec::new() } else { self.columns.encode(encoder).map_err(events_error)? };
        self.columns.clear();
        Ok(Chunk { columns, counts, run, rejects })
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
