//! `observables.parquet`: the index of an evidence item, one row per distinct (kind, value, field).
//!
//! Sorted by `key`, which is the kind's number (one byte) and the sort key of
//! [`comity_model::key`]. Pages are small and carry their least and greatest key, so a search
//! reads only pages that can hold what it looks for. `rows` are the 0-based rows of the events
//! file (see [`Rows::decode`]); `altered` those in which the value was written in another way.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use comity_model::{Field, Kind};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::schema::types::ColumnPath;

use crate::StoreError;
use crate::columns::time_type;
use crate::evidence::OBSERVABLES_FILE;
use crate::index::{Merged, Rows};
use crate::tables;

/// Rows of a page: what a search for one value has to decode.
const PAGE_ROWS: usize = 2_048;
/// Rows gathered before they are handed to the Parquet writer.
const BATCH_ROWS: usize = 1 << 15;
/// Bytes of row lists gathered before they are handed to the Parquet writer.
const BATCH_BYTES: usize = 32 << 20;

/// Schema of `observables.parquet`.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        ArrowField::new("key", DataType::Binary, false),
        ArrowField::new("kind", DataType::Utf8, false),
        ArrowField::new("value", DataType::Utf8, false),
        ArrowField::new("field", DataType::Utf8, false),
        ArrowField::new("count", DataType::Int64, false),
        ArrowField::new("first_seen", time_type(), true),
        ArrowField::new("last_seen", time_type(), true),
        ArrowField::new("rows", DataType::Binary, false),
        ArrowField::new("altered", DataType::Binary, true),
    ]))
}

/// Key of an index row: the kind's number, then the sort key.
pub fn index_key(kind: Kind, key: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(key.len() + 1);
    all.push(kind as u8);
    all.extend_from_slice(key);
    all
}

fn wrap(error: parquet::errors::ParquetError) -> StoreError {
    StoreError::parquet(OBSERVABLES_FILE.as_ref(), error)
}

/// Writes the index, entry by entry, in order.
pub(crate) struct ObservablesWriter {
    writer: ArrowWriter<File>,
    waiting: Vec<Merged>,
    waiting_bytes: usize,
    rows: u64,
}

impl ObservablesWriter {
    pub(crate) fn new(file: File) -> Result<Self, StoreError> {
        let mut props =
            tables::properties().set_data_page_row_count_limit(PAGE_ROWS).set_write_batch_size(PAGE_ROWS);
        for name in ["key", "value", "rows", "altered"] {
            let column = ColumnPath::from(name);
            props = props.set_column_dictionary_enabled(column.clone(), false);
            if name == "key" || name == "value" {
                props = props.set_column_encoding(column, Encoding::DELTA_BYTE_ARRAY);
            }
        }
        let writer = ArrowWriter::try_new(file, schema(), Some(props.build())).map_err(wrap)?;
        Ok(Self { writer, waiting: Vec::new(), waiting_bytes: 0, rows: 0 })
    }

    pub(crate) fn push(&mut self, entry: Merged) -> Result<(), StoreError> {
        self.waiting_bytes += entry.rows.stored_bytes();
        self.waiting.push(entry);
        if self.waiting.len() >= BATCH_ROWS || self.waiting_bytes >= BATCH_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let entries = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.rows += entries.len() as u64;
        let time = |of: fn(&(i64, i64)) -> i64| {
            let times = entries.iter().map(|e| e.times.as_ref().map(of));
            Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
        };
        let altered: BinaryArray =
            entries.iter().map(|e| (e.altered.count > 0).then(|| e.altered.encode())).collect();
        let batch = RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(BinaryArray::from_iter_values(entries.iter().map(|e| index_key(e.kind, &e.key)))),
                Arc::new(StringArray::from_iter_values(entries.iter().map(|e| e.kind.as_str()))),
                Arc::new(StringArray::from_iter_values(entries.iter().map(|e| e.value.as_str()))),
                Arc::new(StringArray::from_iter_values(entries.iter().map(|e| e.field.as_str()))),
                Arc::new(Int64Array::from_iter_values(
                    entries.iter().map(|e| i64::try_from(e.rows.count).unwrap_or(i64::MAX)),
                )),
                time(|t| t.0),
                time(|t| t.1),
                Arc::new(BinaryArray::from_iter_values(entries.iter().map(|e| e.rows.encode()))),
                Arc::new(altered),
            ],
        )
        .map_err(|e| StoreError::arrow("observables", e))?;
        self.writer.write(&batch).map_err(wrap)
    }

    /// Ends the file; gives the number of rows.
    pub(crate) fn finish(mut self) -> Result<u64, StoreError> {
        self.flush()?;
        self.writer.close().map_err(wrap)?;
        Ok(self.rows)
    }
}

/// An index row met by a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observable {
    /// Kind.
    pub kind: Kind,
    /// Canonical value.
    pub value: String,
    /// The event column that carried it.
    pub field: Field,
    /// 0-based rows of the events file, ascending.
    pub rows: Vec<u64>,
    /// Those of them in which the value was written in another way, ascending.
    pub altered: Vec<u64>,
}

/// Walks the pages of an item's index that can hold a wanted key, in key order: `wanted` says
/// whether any key between two given ones (both inclusive) is; `take` gets the number of an index
/// row and its key.
///
/// # Errors
/// Where the file does not read.
pub fn scan(
    item: &Path,
    wanted: &dyn Fn(&[u8], &[u8]) -> bool,
    take: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), StoreError> {
    let path = item.join(OBSERVABLES_FILE);
    let reader = tables::open(&path)?;
    let ranges = wanted_ranges(reader.metadata(), wanted);
    if ranges.is_empty() {
        return Ok(());
    }
    let mut numbers = ranges.iter().cloned().flatten();
    for batch in tables::fetch_ranges(reader, &path, &["key"], ranges.iter().cloned())? {
        let keys = column::<BinaryArray>(&batch, 0)?;
        for key in keys.iter().flatten() {
            let Some(number) = numbers.next() else { break };
            take(number as u64, key);
        }
    }
    Ok(())
}

/// Hands every index row to `take`: its number, kind, field and value.
///
/// # Errors
/// Where the file does not read, or holds what comity does not write.
pub fn scan_values(item: &Path, take: &mut dyn FnMut(u64, Kind, Field, &str)) -> Result<(), StoreError> {
    let path = item.join(OBSERVABLES_FILE);
    let integrity =
        |e: comity_model::UnknownToken| StoreError::Integrity { path: path.clone(), message: e.to_string() };
    let reader = tables::open(&path)?;
    let total = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
    let mut number = 0;
    for batch in tables::fetch_ranges(reader, &path, &["kind", "value", "field"], std::iter::once(0..total))?
    {
        let (kinds, values) = (column::<StringArray>(&batch, 0)?, column::<StringArray>(&batch, 1)?);
        let fields = column::<StringArray>(&batch, 2)?;
        for at in 0..batch.num_rows() {
            let (kind, field) = (kinds.value(at).parse(), fields.value(at).parse());
            take(number, kind.map_err(integrity)?, field.map_err(integrity)?, values.value(at));
            number += 1;
        }
    }
    Ok(())
}

/// Ranges of rows whose pages can hold a wanted key.
fn wanted_ranges(
    metadata: &parquet::file::metadata::ParquetMetaData,
    wanted: &dyn Fn(&[u8], &[u8]) -> bool,
) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    let mut group_start = 0;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let group_rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let pages = metadata.column_index().and_then(|i| i.get(at)?.first());
        let places = metadata.offset_index().and_then(|i| i.get(at)?.first());
        let (Some(ColumnIndexMetaData::BYTE_ARRAY(pages)), Some(places)) = (pages, places) else {
            ranges.push(group_start..group_start + group_rows);
            group_start += group_rows;
            continue;
        };
        let starts = places.page_locations();
        for (page, place) in starts.iter().enumerate() {
            let first = usize::try_from(place.first_row_index).unwrap_or(0);
            let end = starts
                .get(page + 1)
                .and_then(|next| usize::try_from(next.first_row_index).ok())
                .unwrap_or(group_rows);
            let (Some(least), Some(greatest)) = (pages.min_value(page), pages.max_value(page)) else {
                continue;
            };
            if wanted(least, greatest) {
                match ranges.last_mut() {
                    Some(last) if last.end == group_start + first => last.end = group_start + end,
                    _ => ranges.push(group_start + first..group_start + end),
                }
            }
        }
        group_start += group_rows;
    }
    ranges
}

/// Reads index rows by number: ascending, without repetition.
///
/// # Errors
/// Where the file does not read, or holds what comity does not write.
pub fn fetch(item: &Path, numbers: &[u64]) -> Result<Vec<Observable>, StoreError> {
    let path = item.join(OBSERVABLES_FILE);
    let mut all = Vec::with_capacity(numbers.len());
    for batch in tables::fetch(&path, &["kind", "value", "field", "rows", "altered"], numbers)? {
        let (kinds, values) = (column::<StringArray>(&batch, 0)?, column::<StringArray>(&batch, 1)?);
        let fields = column::<StringArray>(&batch, 2)?;
        let (rows, altered) = (column::<BinaryArray>(&batch, 3)?, column::<BinaryArray>(&batch, 4)?);
        for at in 0..batch.num_rows() {
            let integrity = |message: String| StoreError::Integrity { path: path.clone(), message };
            let decode = |bytes: &[u8]| Rows::decode(bytes).map_err(|e| integrity(e.to_string()));
            all.push(Observable {
                kind: kinds
                    .value(at)
                    .parse()
                    .map_err(|e: comity_model::UnknownToken| integrity(e.to_string()))?,
                value: values.value(at).to_owned(),
                field: fields
                    .value(at)
                    .parse()
                    .map_err(|e: comity_model::UnknownToken| integrity(e.to_string()))?,
                rows: decode(rows.value(at))?,
                altered: if altered.is_null(at) { Vec::new() } else { decode(altered.value(at))? },
            });
        }
    }
    Ok(all)
}

fn column<T: Array + 'static>(batch: &RecordBatch, at: usize) -> Result<&T, StoreError> {
    batch.columns().get(at).and_then(|c| c.as_any().downcast_ref()).ok_or_else(|| StoreError::Integrity {
        path: OBSERVABLES_FILE.into(),
        message: format!("column {at} is not of the type that comity writes"),
    })
}
