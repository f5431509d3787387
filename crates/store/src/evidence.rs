//! Events, observables and rejects of an evidence item, written in the order of its chunks.
//!
//! Workers build and encode chunks in parallel; [`EvidenceWriter::append`] takes them in order and
//! only copies encoded bytes and remembers runs. A chunk is one row group, so the file's bytes
//! depend on where chunks end, never on threads.

use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use crate::StoreError;
use crate::chunk::Chunk;
use crate::columns::EVENTS;
use crate::durable::{Stage, Steady};
use crate::index::IndexBuilder;
use crate::observables::{self, OBSERVABLES_FILE};
use crate::tables::{self, RejectRow, properties, rejects_batch, rejects_schema};

/// Name of the events file within its item.
pub const EVENTS_FILE: &str = "events-0.parquet";
/// Name of the rejects file within its item.
pub const REJECTS_FILE: &str = "rejects.parquet";

/// What an evidence item came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Records that hold something to read: events and rejects.
    pub records: u64,
    /// Records that were read.
    pub events: u64,
    /// Records that were not understood.
    pub rejects: u64,
    /// Headers, comments and blank lines; not among `records`.
    pub headers: u64,
    /// Events with text that was not UTF-8.
    pub damaged: u64,
    /// Distinct (kind, value, field).
    pub observables: u64,
    /// First time of an event, microseconds since 1970 UTC.
    pub first_us: Option<i64>,
    /// Last time of an event.
    pub last_us: Option<i64>,
}

/// Most chunks with events: Parquet numbers row groups with 16 bits, one of which is a sign. So many take 2.7 GB until
/// the file is closed, which tests need not.
const MOST_CHUNKS: usize = if cfg!(test) { 100 } else { i16::MAX as usize };

pub(crate) fn events_error(error: ParquetError) -> StoreError {
    StoreError::parquet(EVENTS_FILE.as_ref(), error)
}

/// Writes the tables of an evidence item into a stage.
pub struct EvidenceWriter {
    stage: Stage,
    events: SerializedFileWriter<Steady>,
    index: IndexBuilder,
    rejects: ArrowWriter<File>,
    counts: Counts,
}

impl std::fmt::Debug for EvidenceWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvidenceWriter").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl EvidenceWriter {
    /// Begins an item in a new stage under `tmp`.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn new(tmp: &Path) -> Result<Self, StoreError> {
        let stage = Stage::new(tmp, "evidence")?;
        let events = tables::writer(stage.create(EVENTS_FILE)?, &EVENTS).map_err(events_error)?;
        let rejects =
            ArrowWriter::try_new(stage.create(REJECTS_FILE)?, rejects_schema(), Some(properties().build()))
                .map_err(|e| StoreError::parquet(REJECTS_FILE.as_ref(), e))?;
        Ok(Self { stage, events, index: IndexBuilder::default(), rejects, counts: Counts::default() })
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn append(&mut self, chunk: Chunk) -> Result<(), StoreError> {
        let first_row = self.counts.events;
        if !chunk.columns.is_empty() {
            if self.events.flushed_row_groups().len() == MOST_CHUNKS {
                return Err(StoreError::Chunks { most: MOST_CHUNKS });
            }
            tables::append(&mut self.events, chunk.columns).map_err(events_error)?;
        }
        if !chunk.rejects.is_empty() {
            self.reject(&chunk.rejects)?;
        }
        let (all, new) = (&mut self.counts, chunk.counts);
        all.records += new.records;
        all.events += new.events;
        all.headers += new.headers;
        all.damaged += new.damaged;
        all.rejects += new.rejects;
        all.first_us = [all.first_us, new.first_us].into_iter().flatten().min();
        all.last_us = all.last_us.max(new.last_us);
        self.index.add(chunk.run, first_row, &self.stage)
    }

    /// Takes rejects that belong to no chunk (a record too long to hold, the damaged end of a
    /// stream); they count as records when `counted`.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn reject_outside(&mut self, reject: &RejectRow) -> Result<(), StoreError> {
        self.counts.records += 1;
        self.counts.rejects += 1;
        self.reject(std::slice::from_ref(reject))
    }

    fn reject(&mut self, rows: &[RejectRow]) -> Result<(), StoreError> {
        let batch = rejects_batch(rows)?;
        self.rejects.write(&batch).map_err(|e| StoreError::parquet(REJECTS_FILE.as_ref(), e))
    }

    /// Writes the index and ends the files. The item is durable once the stage is published.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn finish(mut self) -> Result<(Stage, Counts), StoreError> {
        self.events.close().map_err(events_error)?;
        self.rejects.close().map_err(|e| StoreError::parquet(REJECTS_FILE.as_ref(), e))?;
        let entries = self.index.finish(&self.stage)?;
        self.counts.observables = observables::write(self.stage.create(OBSERVABLES_FILE)?, entries)?;
        Ok((self.stage, self.counts))
    }
}

/// Reads columns of some events: `rows` ascending, without repetition; a batch per row group or less.
///
/// # Errors
/// Where the file does not read, or a column is not in it.
pub fn fetch(item: &Path, columns: &[&str], rows: &[u64]) -> Result<Vec<RecordBatch>, StoreError> {
    tables::fetch(&item.join(EVENTS_FILE), columns, rows)
}

/// The time of each event of an item, microseconds since 1970 UTC.
///
/// # Errors
/// Where the file does not read.
pub fn times(item: &Path) -> Result<Vec<Option<i64>>, StoreError> {
    let path = item.join(EVENTS_FILE);
    let batches = tables::read_some(&path, &["time"])?;
    let times = |batch: &RecordBatch| batch.column(0).as_primitive::<TimestampMicrosecondType>().clone();
    Ok(batches.iter().flat_map(|batch| times(batch).iter().collect::<Vec<_>>()).collect())
}

#[cfg(test)]
mod tests {
    use comity_model::{Field, RecordSink};

    use super::*;
    use crate::chunk::{ChunkBuilder, Place};

    #[test]
    fn too_many_chunks_are_told() {
        let scratch = tempfile::tempdir().unwrap();
        let mut writer = EvidenceWriter::new(scratch.path()).unwrap();
        let mut builder = ChunkBuilder::default();
        let mut append = || {
            builder.text(Field::Query, "a.example");
            builder.event(Place { record: 1, offset: 0, length: 1 });
            writer.append(builder.finish().unwrap())
        };
        (0..MOST_CHUNKS).for_each(|_| append().unwrap());
        assert!(append().unwrap_err().to_string().contains("more than 100 chunks"));
    }
}
