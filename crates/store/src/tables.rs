//! Parquet files: how they are written, and the tables whose rows comity makes itself.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{Array as _, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use comity_model::Reason;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetStatisticsPolicy};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use rayon::prelude::*;

use crate::StoreError;
use crate::durable::Steady;
use crate::file_at::FileAt;
use crate::footer::{self, Footer};
use crate::pages::{EncodedColumn, PageEncoder, Shape, Values};
use crate::texts::{Strings, Texts};

/// Name that comity's Parquet files give as their maker; fixed, so that bytes do not change with
/// every release.
const CREATED_BY: &str = "comity";

/// Rows of a row group: groups are read on all threads.
pub(crate) const GROUP_ROWS: usize = 1 << 17;

/// Most rows of a batch that is read: columns make room for so many, filled or not.
const BATCH_ROWS: usize = 1 << 14;

/// Most rows of a page: what a reader of one row must decode.
pub(crate) const PAGE_ROWS: usize = 20_000;

/// Properties that all of comity's Parquet files share: zstd, no machine's traces.
pub fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(CREATED_BY.to_owned())
}

/// Writes batches as a Parquet file and leaves it open for the stage to fsync.
///
/// # Errors
/// Where the disk refuses, or a batch does not fit the schema.
pub fn write(file: File, path: &Path, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), StoreError> {
    let wrap = |e| StoreError::parquet(path, e);
    let has_null_items =
        |column: &ArrayRef| column.as_list_opt::<i32>().is_some_and(|l| l.values().null_count() > 0);
    if !schema.fields().iter().all(|field| is_own(field))
        || batches.iter().flat_map(RecordBatch::columns).any(has_null_items)
    {
        // what a query may give beside these is left to the library
        let properties = properties().set_max_row_group_row_count(Some(GROUP_ROWS)).build();
        let mut out = ArrowWriter::try_new(file, Arc::clone(schema), Some(properties)).map_err(wrap)?;
        batches.iter().try_for_each(|batch| out.write(batch)).map_err(wrap)?;
        return out.close().map(|_| ()).map_err(wrap);
    }
    let mut table = TableWriter::new(file, path, schema, &[])?;
    let (mut group, mut rows) = (Vec::new(), 0);
    for batch in batches {
        let mut at = 0;
        while at < batch.num_rows() {
            let part = batch.slice(at, (batch.num_rows() - at).min(GROUP_ROWS - rows));
            (at, rows) = (at + part.num_rows(), rows + part.num_rows());
            group.push(part);
            if rows == GROUP_ROWS {
                table.group(&group)?;
                group.clear();
                rows = 0;
            }
        }
    }
    table.group(&group)?;
    table.finish()
}

/// A Parquet file, written a row group at a time; all its columns are of types that comity writes itself.
pub struct TableWriter {
    out: SerializedFileWriter<Steady>,
    path: PathBuf,
    schema: SchemaRef,
    /// Columns whose texts are much like the one before.
    sorted: &'static [&'static str],
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// Begins a file.
    pub(crate) fn new(
        file: File,
        path: &Path,
        schema: &SchemaRef,
        sorted: &'static [&'static str],
    ) -> Result<Self, StoreError> {
        let out = writer(file, schema).map_err(|e| StoreError::parquet(path, e))?;
        Ok(Self { out, path: path.to_owned(), schema: Arc::clone(schema), sorted })
    }

    /// Writes a row group, unless there are no rows.
    ///
    /// # Errors
    /// Where the disk refuses, or a batch does not fit the schema.
    pub fn group(&mut self, rows: &[RecordBatch]) -> Result<(), StoreError> {
        if rows.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let encoded = encode(self.out.schema_descr(), &self.schema, self.sorted, rows);
        let written = encoded.and_then(|columns| append(&mut self.out, columns));
        written.map_err(|e| StoreError::parquet(&self.path, e))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn finish(self) -> Result<(), StoreError> {
        self.out.close().map(|_| ()).map_err(|e| StoreError::parquet(&self.path, e))
    }
}

/// Whether comity writes columns of this type itself.
fn is_own(field: &Field) -> bool {
    match field.data_type() {
        DataType::Utf8 | DataType::Binary | DataType::Int64 | DataType::Boolean => true,
        DataType::Timestamp(TimeUnit::Microsecond, _) => true,
        DataType::List(item) => *item.data_type() == DataType::Utf8 && item.is_nullable(),
        _ => false,
    }
}

/// Encodes a row group on all threads; the bytes do not depend on how many.
fn encode(
    columns: &SchemaDescriptor,
    schema: &SchemaRef,
    sorted: &[&str],
    group: &[RecordBatch],
) -> Result<Vec<EncodedColumn>, ParquetError> {
    let types = |fields: &Fields| fields.iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    let expected = types(schema.fields());
    if columns.num_columns() != expected.len()
        || group.iter().any(|batch| types(batch.schema_ref().fields()) != expected)
    {
        return Err(ParquetError::General("rows are not of the schema".into()));
    }
    let rows = group.iter().map(RecordBatch::num_rows).sum();
    let encode = |(at, field): (usize, &FieldRef)| {
        let parts: Vec<_> = group.iter().map(|batch| batch.column(at)).collect();
        let nulls = nulls_of(&parts);
        if !field.is_nullable() && nulls.as_ref().is_some_and(|nulls| nulls.null_count() > 0) {
            return Err(ParquetError::General(format!("column {} has NULL where none may be", field.name())));
        }
        let flat = Shape { rows, nulls: nulls.as_ref(), lists: None };
        let mut encoder = PageEncoder::new()?;
        let mut encode =
            |shape, values| encoder.column(&columns.column(at), rows, PAGE_ROWS, Some((shape, values)));
        let texts = parts.iter().filter_map(|part| part.as_string_opt::<i32>());
        match field.data_type() {
            DataType::Utf8 if sorted.contains(&field.name().as_str()) => {
                let mut all = Strings::default();
                texts.flat_map(|part| part.iter().flatten()).for_each(|text| all.push(text.as_bytes()));
                encode(flat, Values::Sorted(&all))
            }
            DataType::Utf8 => {
                let mut all = Texts::default();
                texts.flat_map(|part| part.iter().flatten()).for_each(|text| {
                    all.push(text, true);
                });
                encode(flat, Values::Texts(&all))
            }
            DataType::Binary => {
                let mut all = Strings::default();
                let parts = parts.iter().filter_map(|part| part.as_binary_opt::<i32>());
                parts.flat_map(|part| part.iter().flatten()).for_each(|bytes| all.push(bytes));
                encode(flat, Values::Bytes(&all))
            }
            DataType::Int64 => encode(flat, Values::Integers(&integers::<Int64Type>(&parts))),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                encode(flat, Values::Integers(&integers::<TimestampMicrosecondType>(&parts)))
            }
            DataType::Boolean => {
                let parts = parts.iter().filter_map(|part| part.as_boolean_opt());
                encode(
                    flat,
                    Values::Booleans(&parts.flat_map(|part| part.iter().flatten()).collect::<Vec<_>>()),
                )
            }
            DataType::List(_) => {
                let (mut items, mut ends) = (Texts::default(), vec![0]);
                for list in
                    parts.iter().filter_map(|part| part.as_list_opt::<i32>()).flat_map(|part| part.iter())
                {
                    let texts = list.iter().filter_map(|list| list.as_string_opt::<i32>());
                    for (at, text) in texts.flat_map(|texts| texts.iter()).enumerate() {
                        let text = text.ok_or_else(|| ParquetError::NYI("a list that holds NULL".into()))?;
                        items.push(text, at == 0);
                    }
                    ends.push(items.len());
                }
                encode(Shape { lists: Some(&ends), ..flat }, Values::Texts(&items))
            }
            other => Err(ParquetError::NYI(format!("a column of {other}"))),
        }
    };
    schema.fields().par_iter().enumerate().map(encode).collect()
}

/// The nulls of a column that lies in parts.
fn nulls_of(parts: &[&ArrayRef]) -> Option<NullBuffer> {
    let mut nulls = NullBufferBuilder::new(0);
    for part in parts {
        match part.nulls() {
            Some(some) => nulls.append_buffer(some),
            None => nulls.append_n_non_nulls(part.len()),
        }
    }
    nulls.finish()
}

/// The integers of a column that lies in parts, without nulls.
fn integers<T: ArrowPrimitiveType<Native = i64>>(parts: &[&ArrayRef]) -> Vec<i64> {
    parts
        .iter()
        .filter_map(|part| part.as_primitive_opt::<T>())
        .flat_map(|part| part.iter().flatten())
        .collect()
}

/// Begins a file whose row groups are encoded elsewhere ([`crate::pages`]).
pub(crate) fn writer(file: File, schema: &SchemaRef) -> Result<SerializedFileWriter<Steady>, ParquetError> {
    let writer = ArrowWriter::try_new(Steady::new(file), Arc::clone(schema), Some(properties().build()))?;
    writer.into_serialized_writer().map(|(writer, _)| writer)
}

/// Appends a row group.
pub(crate) fn append(
    file: &mut SerializedFileWriter<Steady>,
    columns: Vec<EncodedColumn>,
) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for column in columns {
        column.append_to(&mut group)?;
    }
    group.close().map(|_| ())
}

/// Reads a whole Parquet file.
///
/// # Errors
/// Where it does not read.
pub fn read(path: &Path) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
    let reader = open_rows(path)?;
    let schema = Arc::clone(reader.schema());
    Ok((schema, read_columns(reader.metadata(), path, &ProjectionMask::all())?))
}

/// Reads some columns of a Parquet file; those that it lacks are left out. They come in file order.
///
/// # Errors
/// Where it does not read.
pub fn read_some(path: &Path, columns: &[&str]) -> Result<Vec<RecordBatch>, StoreError> {
    let reader = open_rows(path)?;
    let columns = ProjectionMask::columns(reader.parquet_schema(), columns.iter().copied());
    read_columns(reader.metadata(), path, &columns)
}

/// Reads columns of all rows of a Parquet file whose footer was read before.
pub(crate) fn read_columns(
    footer: &Arc<ParquetMetaData>,
    path: &Path,
    columns: &ProjectionMask,
) -> Result<Vec<RecordBatch>, StoreError> {
    let of_group = |group: usize| -> Result<Vec<RecordBatch>, StoreError> {
        let reader = with_footer(footer, path)?.with_projection(columns.clone());
        let reader = reader.with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build();
        let batches = reader.map_err(|e| StoreError::parquet(path, e))?;
        batches.collect::<Result<_, _>>().map_err(|e| StoreError::arrow(&path.to_string_lossy(), e))
    };
    let groups = footer.num_row_groups();
    let batches: Vec<Vec<_>> = (0..groups).into_par_iter().map(of_group).collect::<Result<_, _>>()?;
    Ok(batches.into_iter().flatten().collect())
}

/// Opens a Parquet file whose footer was read before.
pub(crate) fn with_footer(
    footer: &Arc<ParquetMetaData>,
    path: &Path,
) -> Result<ParquetRecordBatchReaderBuilder<FileAt>, StoreError> {
    let (file, metadata) = (file_at(path)?, arrow_metadata(Arc::clone(footer), path)?);
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata))
}

fn file_at(path: &Path) -> Result<FileAt, StoreError> {
    File::open(path).and_then(FileAt::new).map_err(|e| StoreError::io(path, e))
}

fn arrow_metadata(footer: Arc<ParquetMetaData>, path: &Path) -> Result<ArrowReaderMetadata, StoreError> {
    ArrowReaderMetadata::try_new(footer, ArrowReaderOptions::new()).map_err(|e| StoreError::parquet(path, e))
}

/// A refused record or claim, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectRow {
    /// 1-based number of the record.
    pub record: u64,
    /// Offset of its first byte in the decompressed stream.
    pub offset: u64,
    /// Length, bytes.
    pub length: u64,
    /// Reason code.
    pub reason: Reason,
    /// What was wrong.
    pub message: String,
    /// The beginning of the text as found, at most [`EXCERPT`] bytes, lossy.
    pub text: String,
}

/// Longest excerpt of a refused text, bytes; the whole stays in the evidence item or feed.
pub const EXCERPT: usize = 200;

/// The beginning of some bytes as text, at most [`EXCERPT`] bytes of them.
pub fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..EXCERPT).unwrap_or(bytes)).into_owned()
}

/// Schema of `rejects.parquet`.
pub fn rejects_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("record", DataType::Int64, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("length", DataType::Int64, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, false),
    ]))
}

/// The rows of `rejects.parquet`.
///
/// # Errors
/// Never for rows made by comity; the arrow library's word otherwise.
pub fn rejects_batch(rows: &[RejectRow]) -> Result<RecordBatch, StoreError> {
    let number = |of: fn(&RejectRow) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| i64::try_from(of(r)).unwrap_or(i64::MAX))))
    };
    let text = |of: for<'a> fn(&'a RejectRow) -> &'a str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let columns = vec![
        number(|r| r.record),
        number(|r| r.offset),
        number(|r| r.length),
        text(|r| r.reason.as_str()),
        text(|r| &r.message),
        text(|r| &r.text),
    ];
    RecordBatch::try_new(rejects_schema(), columns).map_err(|e| StoreError::arrow("rejects", e))
}

/// Reads a whole column of integers that are not negative; nulls are left out.
///
/// # Errors
/// Where the file does not read, or lacks the column.
pub fn numbers(path: &Path, column: &str) -> Result<Vec<u64>, StoreError> {
    let reader = open_rows(path)?;
    let mask = ProjectionMask::columns(reader.parquet_schema(), [column]);
    let reader = reader.with_projection(mask).build().map_err(|e| StoreError::parquet(path, e))?;
    let mut numbers = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| StoreError::arrow(&path.to_string_lossy(), e))?;
        let values = batch.column_by_name(column).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let values = values.ok_or_else(|| StoreError::Integrity {
            path: path.to_owned(),
            message: format!("has no column {column:?} of integers"),
        })?;
        numbers.extend(values.iter().flatten().filter_map(|n| u64::try_from(n).ok()));
    }
    Ok(numbers)
}

/// Opens a Parquet file with its page index.
///
/// # Errors
/// Where it does not read.
pub fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<FileAt>, StoreError> {
    open_as(path, PageIndexPolicy::Required)
}

/// Opens a Parquet file without its page index: that of all columns takes longer to read than it spares one who wants
/// few rows, or all.
pub(crate) fn open_rows(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<FileAt>, StoreError> {
    open_as(path, PageIndexPolicy::Skip)
}

/// Opens a file whose statistics will not be asked for; its page index, which says where each page of each column lies
/// and what its values begin with, is read where `page_index` says so.
fn open_as(
    path: &Path,
    page_index: PageIndexPolicy,
) -> Result<ParquetRecordBatchReaderBuilder<FileAt>, StoreError> {
    let options = without_statistics().with_page_index_policy(page_index);
    ParquetRecordBatchReaderBuilder::try_new_with_options(file_at(path)?, options)
        .map_err(|e| StoreError::parquet(path, e))
}

/// Options by which the statistics of a footer are not decoded.
pub(crate) fn without_statistics() -> ArrowReaderOptions {
    ArrowReaderOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
}

/// Reads columns of some rows of a Parquet file: `rows` ascending, without repetition. Row groups
/// without such a row are passed over, and what the footer says of them. The columns come in file order.
///
/// # Errors
/// Where the file does not read, or lacks a column.
pub fn fetch(path: &Path, columns: &[&str], rows: &[u64]) -> Result<Vec<RecordBatch>, StoreError> {
    let mut file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    let footer = Footer::read(&mut file, path)?;
    let file = FileAt::new(file).map_err(|e| StoreError::io(path, e))?;
    let mut wanted = Wanted::of(footer.rows(), runs(rows), path)?;
    let groups: Vec<usize> = wanted.iter().map(|wanted| wanted.group).collect();
    let footer = footer.of_groups(&groups).map_err(|e| StoreError::parquet(path, e))?;
    // it knows of no others
    wanted.iter_mut().enumerate().for_each(|(at, wanted)| wanted.group = at);
    read_rows(&file, Arc::new(footer), path, columns, wanted)
}

/// Ascending numbers of rows as ranges.
pub(crate) fn runs(rows: &[u64]) -> impl Iterator<Item = Range<usize>> {
    rows.chunk_by(|a, b| a + 1 == *b).filter_map(|run| {
        let (first, last) = (usize::try_from(*run.first()?).ok()?, usize::try_from(*run.last()?).ok()?);
        Some(first..last + 1)
    })
}

/// Reads columns of ranges of rows, which ascend, of a Parquet file whose footer was read before; row groups
/// without such a row are passed over.
///
/// # Errors
/// Where the file does not read, or lacks a column.
pub fn fetch_ranges(
    footer: &Arc<ParquetMetaData>,
    path: &Path,
    columns: &[&str],
    ranges: impl Iterator<Item = Range<usize>>,
) -> Result<Vec<RecordBatch>, StoreError> {
    let rows = footer.row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0));
    let wanted = Wanted::of(rows, ranges, path)?;
    read_rows(&file_at(path)?, Arc::clone(footer), path, columns, wanted)
}

/// Rows of a row group.
struct Wanted {
    group: usize,
    /// The rows, counted in those of the group.
    within: Vec<Range<usize>>,
    /// How many rows the group has.
    total: usize,
}

impl Wanted {
    /// The row groups that hold some rows.
    fn of(
        rows_of_groups: impl Iterator<Item = usize>,
        mut ranges: impl Iterator<Item = Range<usize>>,
        path: &Path,
    ) -> Result<Vec<Self>, StoreError> {
        let (mut all, mut start, mut next) = (Vec::new(), 0_usize, ranges.next());
        for (group, total) in rows_of_groups.enumerate() {
            let (end, mut within) = (start.saturating_add(total), Vec::new());
            while let Some(range) = next.take_if(|range| range.start < end) {
                within.push(range.start - start..range.end.min(end) - start);
                next = if range.end > end { Some(end..range.end) } else { ranges.next() };
            }
            if !within.is_empty() {
                all.push(Self { group, within, total });
            }
            start = end;
        }
        if let Some(Range { start: row, .. }) = next {
            let message = format!("has no row {row}: it has {start}");
            return Err(StoreError::Integrity { path: path.to_owned(), message });
        }
        Ok(all)
    }
}

/// Reads columns of rows, the row groups on all threads.
fn read_rows(
    file: &FileAt,
    footer: Arc<ParquetMetaData>,
    path: &Path,
    columns: &[&str],
    wanted: Vec<Wanted>,
) -> Result<Vec<RecordBatch>, StoreError> {
    let metadata = arrow_metadata(footer, path)?;
    let of_group = |Wanted { group, within, total }: Wanted| -> Result<Vec<RecordBatch>, StoreError> {
        let rows = within.iter().map(ExactSizeIterator::len).sum::<usize>();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone());
        let mask = ProjectionMask::columns(reader.parquet_schema(), columns.iter().copied());
        let reader = reader
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(rows.clamp(1, BATCH_ROWS))
            .with_row_selection(RowSelection::from_consecutive_ranges(within.into_iter(), total))
            .build()
            .map_err(|e| StoreError::parquet(path, e))?;
        reader.collect::<Result<_, _>>().map_err(|e| StoreError::arrow(&path.to_string_lossy(), e))
    };
    let batches: Vec<Vec<_>> = wanted.into_par_iter().map(of_group).collect::<Result<_, _>>()?;
    Ok(batches.into_iter().flatten().collect())
}

/// What of a Parquet file is claimed by no column, index or footer: where bytes could be hidden that no reader
/// shows. `None` where every byte is claimed and no foreign key stands in the footer.
///
/// # Errors
/// Where the file does not read.
pub fn unclaimed(path: &Path) -> Result<Option<String>, StoreError> {
    let reader = open(path)?;
    let metadata = reader.metadata();
    let keys = metadata.file_metadata().key_value_metadata();
    if let Some(key) = keys.into_iter().flatten().find(|kv| kv.key != "ARROW:schema") {
        return Ok(Some(format!("footer has the foreign key {:?}", key.key)));
    }
    let mut claimed = vec![(0, 4)];
    let mut claim = |at: Option<i64>, length: Option<i32>| {
        let range =
            at.zip(length).and_then(|(at, n)| Some((u64::try_from(at).ok()?, u64::try_from(n).ok()?)));
        claimed.extend(range);
    };
    let mut columns = Vec::new();
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        columns.push(column.byte_range());
        claim(column.column_index_offset(), column.column_index_length());
        claim(column.offset_index_offset(), column.offset_index_length());
    }
    claimed.extend(columns);
    claimed.sort_unstable();
    let mut end = 0;
    for (at, length) in claimed {
        if at != end {
            return Ok(Some(format!("bytes {end} to {at} belong to nothing")));
        }
        end = at.saturating_add(length);
    }
    // what is left is the footer
    let (footer, _) = footer::place(&mut File::open(path).map_err(|e| StoreError::io(path, e))?, path)?;
    Ok((end != footer).then(|| format!("bytes {end} to {footer} belong to nothing")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Stage;

    #[test]
    fn rows_are_fetched_whatever_groups_they_lie_in() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = Stage::new(scratch.path(), "t").unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let total = GROUP_ROWS as u64 * 3 + 7;
        let numbers = Int64Array::from_iter_values(0..i64::try_from(total).unwrap());
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers)]).unwrap();
        let path = stage.path().join("t.parquet");
        write(stage.create("t.parquet").unwrap(), &path, &schema, &[batch]).unwrap();
        let group = GROUP_ROWS as u64;
        let across: Vec<u64> = (group - 2..group + 2).chain(group * 2 - 1..group * 3 + 1).collect();
        for rows in
            [vec![], vec![0], vec![total - 1], vec![5, 6, group * 2 + 9], across, (0..total).collect()]
        {
            let batches = fetch(&path, &["n"], &rows).unwrap();
            let found =
                batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
            assert!(found.map(|n| u64::try_from(n).unwrap()).eq(rows.iter().copied()));
        }
        let missing = fetch(&path, &["n"], &[3, total]).unwrap_err().to_string();
        assert!(missing.contains("has no row 393223"), "{missing}");
    }

    #[test]
    fn every_kind_of_column_is_read_as_it_was_written() {
        use arrow::array::{
            BinaryArray, BooleanArray, ListBuilder, StringBuilder, TimestampMicrosecondArray,
        };

        let scratch = tempfile::tempdir().unwrap();
        let stage = Stage::new(scratch.path(), "t").unwrap();
        let schema = Arc::new(Schema::new(vec![
            Field::new("text", DataType::Utf8, true),
            Field::new("sorted", DataType::Utf8, false),
            Field::new("bytes", DataType::Binary, true),
            Field::new("number", DataType::Int64, true),
            Field::new("time", crate::columns::time_type(), true),
            Field::new("flag", DataType::Boolean, true),
            Field::new("list", crate::columns::list_type(), true),
            Field::new("empty", crate::columns::list_type(), true),
        ]));
        let batch = |rows: std::ops::Range<i64>| {
            let word = |n: i64| format!("{n:06}");
            let (mut lists, mut empty) =
                (ListBuilder::new(StringBuilder::new()), ListBuilder::new(StringBuilder::new()));
            for n in rows.clone() {
                // null, empty, and with items
                (2..n % 5).for_each(|item| lists.values().append_value(word(n * item)));
                lists.append(n % 5 > 0);
                empty.append(true);
            }
            let columns: Vec<ArrayRef> = vec![
                Arc::new(rows.clone().map(|n| (n % 3 > 0).then(|| word(n % 50))).collect::<StringArray>()),
                Arc::new(StringArray::from_iter_values(rows.clone().map(word))),
                Arc::new(rows.clone().map(|n| (n % 7 > 0).then(|| n.to_be_bytes())).collect::<BinaryArray>()),
                Arc::new(rows.clone().map(|n| (n % 2 > 0).then_some(n * n)).collect::<Int64Array>()),
                Arc::new(TimestampMicrosecondArray::from_iter_values(rows.clone()).with_timezone("UTC")),
                Arc::new(rows.clone().map(|n| (n % 4 > 0).then_some(n % 3 == 0)).collect::<BooleanArray>()),
                Arc::new(lists.finish()),
                Arc::new(empty.finish()),
            ];
            RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
        };
        let path = stage.path().join("t.parquet");
        let total = i64::try_from(GROUP_ROWS).unwrap() + 50_000;
        let batches = [batch(0..10_007), batch(10_007..10_007), batch(10_007..total)];
        write(stage.create("t.parquet").unwrap(), &path, &schema, &batches).unwrap();
        let sorted = stage.path().join("sorted.parquet");
        let file = stage.create("sorted.parquet").unwrap();
        let mut table = TableWriter::new(file, &sorted, &schema, &["sorted"]).unwrap();
        batches.iter().for_each(|batch| table.group(std::slice::from_ref(batch)).unwrap());
        table.finish().unwrap();
        assert_eq!(open(&sorted).unwrap().metadata().num_row_groups(), 2, "a group without rows was written");
        for path in [path, sorted] {
            let (found, read) = read(&path).unwrap();
            assert_eq!(found.fields(), schema.fields());
            let all = |batches: &[RecordBatch]| arrow::compute::concat_batches(&schema, batches).unwrap();
            assert_eq!(all(&read), all(&batches));
            assert_eq!(unclaimed(&path).unwrap(), None);
        }
    }

    #[test]
    fn what_only_queries_give_is_written_too() {
        use arrow::array::{LargeStringArray, ListArray, UInt64Array};

        let scratch = tempfile::tempdir().unwrap();
        let stage = Stage::new(scratch.path(), "t").unwrap();
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
        let large: ArrayRef = Arc::new(LargeStringArray::from(vec![Some("a"), None]));
        let whole: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 0]));
        let columns = [("large", large), ("whole", whole), ("list", Arc::new(list) as ArrayRef)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let path = stage.path().join("t.parquet");
        let schema = batch.schema();
        write(stage.create("t.parquet").unwrap(), &path, &schema, std::slice::from_ref(&batch)).unwrap();
        assert_eq!(read(&path).unwrap().1, [batch]);

        let mut items = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
        items.append_value([Some("a"), None]);
        let batch = RecordBatch::try_from_iter([("list", Arc::new(items.finish()) as ArrayRef)]).unwrap();
        let schema = batch.schema();
        write(stage.create("u.parquet").unwrap(), &path, &schema, std::slice::from_ref(&batch)).unwrap();
        assert_eq!(read(&stage.path().join("u.parquet")).unwrap().1, [batch]);
    }
}
