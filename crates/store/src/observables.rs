//! `observables.parquet`: the index of an evidence item, one row per distinct (kind, value, field).
//!
//! Sorted by kind and the sort key of [`comity_model::key`]. Pages are small; the first row of each has
//! its `key` (the kind's number, one byte, then the sort key), which the page's statistics repeat, so a
//! search reads only pages that can hold what it looks for. Other keys follow from kind and value.
//! `rows` are the 0-based rows of the events file (see [`Rows::decode`]); `altered` those in which the
//! value was written in another way. First and last times follow from `rows` and the events.

use std::fs::File;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use comity_model::canonical::quad;
use comity_model::{Field, Kind, key};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::schema::types::ColumnDescPtr;

use crate::StoreError;
use crate::file_at::FileAt;
use crate::index::{Entry, Merge, Rows, order, order_of_quad};
use crate::pages::{EncodedColumn, PageEncoder, Shape, Values};
use crate::tables;
use crate::texts::Strings;

/// Name of the observables file within its item.
pub const OBSERVABLES_FILE: &str = "observables.parquet";
/// Rows of a page of values: what a search for one has to decode.
const PAGE_ROWS: usize = 512;
/// Rows of a page of the columns that are read for what was found.
const LIST_PAGE_ROWS: usize = 2048;
/// Rows from which a row group is full.
const GROUP_ROWS: usize = 1 << 17;
/// Share of the values that the filter of a full row group takes for ones that it has.
const FILTER_FALSE: f64 = 0.05;
/// Bytes of row lists from which a row group is full.
const GROUP_BYTES: usize = 32 << 20;

/// Schema of `observables.parquet`.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        ArrowField::new("key", DataType::Binary, true),
        ArrowField::new("kind", DataType::Utf8, false),
        ArrowField::new("value", DataType::Utf8, false),
        ArrowField::new("field", DataType::Utf8, false),
        ArrowField::new("count", DataType::Int64, false),
        ArrowField::new("rows", DataType::Binary, false),
        ArrowField::new("altered", DataType::Binary, true),
    ]))
}

/// Kind and sort key of an index row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexKey<'a> {
    /// [`order`] of both.
    pub order: u128,
    /// Kind.
    pub kind: Kind,
    key: &'a [u8],
}

impl<'a> IndexKey<'a> {
    /// Of a kind and its sort key.
    pub fn new(kind: Kind, key: &'a [u8]) -> Self {
        Self { order: order(kind, key), kind, key }
    }

    /// Of an IPv4 address, which its order says whole.
    fn of_quad(address: Ipv4Addr) -> Self {
        Self { order: order_of_quad(address.to_bits()), kind: Kind::Ipv4Addr, key: &[] }
    }

    /// The sort key; not said of an IPv4 address.
    pub const fn key(&self) -> &'a [u8] {
        self.key
    }
}

fn wrap(error: parquet::errors::ParquetError) -> StoreError {
    StoreError::parquet(OBSERVABLES_FILE.as_ref(), error)
}

/// Writes the index and ends the file; gives the number of rows. While a row group is encoded, the next
/// is merged.
pub(crate) fn write(file: File, mut entries: Merge) -> Result<u64, StoreError> {
    let schema = schema();
    let mut out = tables::writer(file, &schema).map_err(wrap)?;
    let mut total = 0;
    let most = entries.most();
    let (mut group, mut next) = (Group::new(most), Group::new(most.saturating_sub(GROUP_ROWS)));
    group.take(&mut entries)?;
    while group.rows() > 0 {
        total += group.rows() as u64;
        let columns = out.schema_descr().columns().to_vec();
        let (encoded, taken) = rayon::join(|| group.encode(&columns), || next.take(&mut entries));
        tables::append(&mut out, encoded?).map_err(wrap)?;
        taken?;
        std::mem::swap(&mut group, &mut next);
    }
    out.close().map_err(wrap)?;
    Ok(total)
}

/// Rows of a row group.
struct Group {
    /// Kind and sort key of the first row of each page: enough to find a page.
    first_keys: Strings,
    kinds: Vec<u32>,
    values: Strings,
    fields: Vec<u32>,
    counts: Vec<i64>,
    rows: Strings,
    altered: Strings,
    is_altered: Vec<bool>,
}

impl Group {
    /// With room for so many rows, or for all that it can have: while it grows it would touch as much again.
    fn new(rows: usize) -> Self {
        /// Bytes of a usual value, and of a usual list of rows.
        const A_VALUE: usize = 16;
        let rows = rows.min(GROUP_ROWS);
        Self {
            first_keys: Strings::default(),
            kinds: Vec::with_capacity(rows),
            values: Strings::with_room(rows, A_VALUE),
            fields: Vec::with_capacity(rows),
            counts: Vec::with_capacity(rows),
            rows: Strings::with_room(rows, A_VALUE),
            altered: Strings::default(),
            is_altered: Vec::with_capacity(rows),
        }
    }

    /// Takes entries in place of what it holds, until it is full or there are no more.
    fn take(&mut self, entries: &mut Merge) -> Result<(), StoreError> {
        for strings in [&mut self.first_keys, &mut self.values, &mut self.rows, &mut self.altered] {
            strings.truncate(0);
        }
        for numbers in [&mut self.kinds, &mut self.fields] {
            numbers.clear();
        }
        self.counts.clear();
        self.is_altered.clear();
        while self.rows() < GROUP_ROWS && self.rows.bytes() < GROUP_BYTES {
            let Some(entry) = entries.next_entry()? else { break };
            self.push(entry)?;
        }
        Ok(())
    }

    fn rows(&self) -> usize {
        self.kinds.len()
    }

    fn push(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if self.rows().is_multiple_of(PAGE_ROWS) {
            self.first_keys.push_by(|out| {
                out.push(entry.kind as u8);
                entry.write_key(out);
            });
        }
        self.values.push_by(|out| entry.write_value(out)).ok_or_else(|| {
            let message = format!("a key of {} has no value", entry.kind);
            StoreError::Integrity { path: OBSERVABLES_FILE.into(), message }
        })?;
        self.kinds.push(entry.kind as u32);
        self.fields.push(entry.field as u32);
        self.counts.push(i64::try_from(entry.rows.count).unwrap_or(i64::MAX));
        self.rows.push_by(|out| entry.rows.encode(out));
        self.is_altered.push(entry.altered.count > 0);
        if entry.altered.count > 0 {
            self.altered.push_by(|out| entry.altered.encode(out));
        }
        Ok(())
    }

    /// Its columns, in the order of [`schema`].
    fn encode(&self, columns: &[ColumnDescPtr]) -> Result<Vec<EncodedColumn>, StoreError> {
        let rows = self.rows();
        let mut filter = Sbbf::new_with_ndv_fpp(rows as u64, FILTER_FALSE).map_err(wrap)?;
        (0..rows).for_each(|row| filter.insert(self.values.get(row)));
        filter.fold_to_target_fpp(FILTER_FALSE);
        let kind_names: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let field_names: Vec<_> = Field::ALL.iter().map(|field| field.as_str()).collect();
        let is_first = NullBuffer::from_iter((0..rows).map(|row| row.is_multiple_of(PAGE_ROWS)));
        let is_altered = NullBuffer::from(self.is_altered.as_slice());
        let all = Shape { rows, nulls: None, lists: None };
        let some = |nulls| Shape { rows, nulls: Some(nulls), lists: None };
        let columns_of_values = [
            (PAGE_ROWS, some(&is_first), Values::Keys(&self.first_keys)),
            (LIST_PAGE_ROWS, all, Values::Names(&self.kinds, &kind_names)),
            (PAGE_ROWS, all, Values::Sorted(&self.values)),
            (LIST_PAGE_ROWS, all, Values::Names(&self.fields, &field_names)),
            (LIST_PAGE_ROWS, all, Values::Integers(&self.counts)),
            (LIST_PAGE_ROWS, all, Values::Bytes(&self.rows)),
            (LIST_PAGE_ROWS, some(&is_altered), Values::Bytes(&self.altered)),
        ];
        let mut encoder = PageEncoder::new().map_err(wrap)?;
        let encode = |(descr, (page_rows, shape, values)): (&ColumnDescPtr, _)| {
            encoder.column(descr, rows, page_rows, Some((shape, values)))
        };
        let encoded: Result<Vec<_>, _> = columns.iter().zip(columns_of_values).map(encode).collect();
        let mut encoded = encoded.map_err(wrap)?;
        if let Some(values) = encoded.get_mut(VALUE_COLUMN) {
            // spares a search for a value that is not there the page that would hold it
            values.set_filter(filter);
        }
        Ok(encoded)
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

/// The index of an item, its footer read.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    footer: Arc<ParquetMetaData>,
}

impl Index {
    /// Opens the index of an item.
    ///
    /// # Errors
    /// Where the file does not read.
    pub fn open(item: &Path) -> Result<Self, StoreError> {
        let path = item.join(OBSERVABLES_FILE);
        let footer = Arc::clone(tables::open(&path)?.metadata());
        Ok(Self { path, footer })
    }

    /// Number of its pages: what a search that rules nothing out has to decode.
    pub fn pages(&self) -> usize {
        self.footer
            .offset_index()
            .into_iter()
            .flatten()
            .filter_map(|group| group.first())
            .map(|column| column.page_locations().len())
            .sum()
    }

    /// Its filters of values; `None` where it does not say what its row groups begin with.
    ///
    /// # Errors
    /// Where the file does not read.
    pub fn filter(&self) -> Result<Option<Filter>, StoreError> {
        let first = |group: usize| match self.footer.column_index()?.get(group)?.first()? {
            ColumnIndexMetaData::BYTE_ARRAY(keys) => keys.min_value(0).and_then(order_of_stored),
            _ => None,
        };
        let firsts: Option<Vec<u128>> = (0..self.footer.num_row_groups()).map(first).collect();
        let Some(firsts) = firsts else { return Ok(None) };
        let reader = tables::with_footer(&self.footer, &self.path)?;
        Ok(Some(Filter { reader, firsts, read: None }))
    }

    fn read(
        &self,
        columns: &[&str],
        ranges: impl Iterator<Item = Range<usize>>,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        tables::fetch_ranges(&self.footer, &self.path, columns, ranges)
    }

    fn integrity(&self, message: &str) -> StoreError {
        StoreError::Integrity { path: self.path.clone(), message: message.into() }
    }

    /// The pages of an item's index that can hold a wanted key, in parts that can be walked side by side: `wanted`
    /// says whether any key with an [`order`] between two given ones (both inclusive) is.
    ///
    /// # Errors
    /// Where the pages are not in order.
    pub fn parts(&self, wanted: &dyn Fn(u128, u128) -> bool) -> Result<Vec<Part>, StoreError> {
        let pages = pages(&self.footer);
        if !pages.iter().filter_map(|(_, first)| *first).is_sorted() {
            return Err(self.integrity(OUT_OF_ORDER));
        }
        let wanted = wanted_pages(&pages, wanted);
        Ok(wanted.chunks(PART_PAGES).map(|pages| Part(pages.to_vec())).collect())
    }

    /// Walks a part in key order; `take` gets the number of an index row and its key.
    ///
    /// # Errors
    /// Where the file does not read, or is not in order.
    pub fn scan(
        &self,
        Part(pages): &Part,
        wanted: &dyn Fn(u128, u128) -> bool,
        take: &mut dyn FnMut(u64, &IndexKey<'_>),
    ) -> Result<(), StoreError> {
        let integrity = |message: &str| self.integrity(message);
        let mut kinds = Vec::new();
        let mixed: Vec<_> =
            pages.iter().filter(|page| page.kind.is_none()).map(|page| page.rows.clone()).collect();
        if !mixed.is_empty() {
            for batch in self.read(&["kind"], mixed.into_iter())? {
                for kind in column::<StringArray>(&batch, 0)?.iter().flatten() {
                    kinds.push(kind.parse::<Kind>().map_err(|e| integrity(&e.to_string()))?);
                }
            }
        }
        let rows = pages.iter().map(|page| page.rows.clone());
        let batches = self.read(&["value"], rows)?;
        let columns: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(0).as_ref()).collect();
        let values = concat(&columns).map_err(|e| StoreError::arrow(OBSERVABLES_FILE, e))?;
        let values = values.as_string_opt::<i32>().ok_or_else(|| integrity("values are no text"))?;
        if values.len() != pages.iter().map(|page| page.rows.len()).sum::<usize>() {
            return Err(integrity("has fewer values than rows"));
        }
        let (mut kinds, mut start, mut before) = (kinds.into_iter(), 0, 0);
        let mut scratch = Vec::new();
        for &Page { ref rows, least, greatest, kind } in pages {
            before = least.max(before);
            let value = |row: usize| values.value(start + row - rows.start);
            for block in
                (rows.start..rows.end).step_by(BLOCK_ROWS).map(|row| row..rows.end.min(row + BLOCK_ROWS))
            {
                if let Some(kind) = kind {
                    // most blocks of a page have nothing that was looked for
                    let least = key_of(kind, value(block.start), &mut scratch).map_err(integrity)?.order;
                    let next = if block.end < rows.end { value(block.end) } else { "" };
                    let bound = match next {
                        "" => greatest,
                        next => key_of(kind, next, &mut scratch).map_err(integrity)?.order,
                    };
                    if !wanted(least, bound) {
                        continue;
                    }
                }
                for row in block {
                    let Some(kind) = kind.or_else(|| kinds.next()) else {
                        return Err(integrity("has fewer kinds than rows"));
                    };
                    let key = key_of(kind, value(row), &mut scratch).map_err(integrity)?;
                    if key.order < before || key.order > greatest {
                        return Err(integrity(OUT_OF_ORDER));
                    }
                    before = key.order;
                    take(row as u64, &key);
                }
            }
            start += rows.len();
        }
        Ok(())
    }

    /// Hands every index row to `take`: its number, kind, field and value.
    ///
    /// # Errors
    /// Where the file does not read, or holds what comity does not write.
    pub fn scan_values(&self, take: &mut dyn FnMut(u64, Kind, Field, &str)) -> Result<(), StoreError> {
        let integrity = |e: comity_model::UnknownToken| self.integrity(&e.to_string());
        let total = usize::try_from(self.footer.file_metadata().num_rows()).unwrap_or(0);
        let mut number = 0;
        for batch in self.read(&["kind", "value", "field"], std::iter::once(0..total))? {
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

    /// Reads index rows by number: ascending, without repetition.
    ///
    /// # Errors
    /// Where the file does not read, or holds what comity does not write.
    pub fn fetch(&self, numbers: &[u64]) -> Result<Vec<Observable>, StoreError> {
        let mut all = Vec::with_capacity(numbers.len());
        for batch in self.read(&["kind", "value", "field", "rows", "altered"], tables::runs(numbers))? {
            let (kinds, values) = (column::<StringArray>(&batch, 0)?, column::<StringArray>(&batch, 1)?);
            let fields = column::<StringArray>(&batch, 2)?;
            let (rows, altered) = (column::<BinaryArray>(&batch, 3)?, column::<BinaryArray>(&batch, 4)?);
            for at in 0..batch.num_rows() {
                let decode = |bytes: &[u8]| Rows::decode(bytes).map_err(|e| self.integrity(&e.to_string()));
                all.push(Observable {
                    kind: kinds
                        .value(at)
                        .parse()
                        .map_err(|e: comity_model::UnknownToken| self.integrity(&e.to_string()))?,
                    value: values.value(at).to_owned(),
                    field: fields
                        .value(at)
                        .parse()
                        .map_err(|e: comity_model::UnknownToken| self.integrity(&e.to_string()))?,
                    rows: decode(rows.value(at))?,
                    altered: if altered.is_null(at) { Vec::new() } else { decode(altered.value(at))? },
                });
            }
        }
        Ok(all)
    }
}

/// Says of a value whether an index may hold it. Those of one row group are best asked for together.
pub struct Filter {
    reader: ParquetRecordBatchReaderBuilder<FileAt>,
    /// Order of the first key of each row group.
    firsts: Vec<u128>,
    /// The row group whose filter was read last; one may have none.
    read: Option<(usize, Option<Sbbf>)>,
}

impl Filter {
    /// Whether the index may hold a value; `order` is that of its key.
    ///
    /// # Errors
    /// Where the file does not read.
    pub fn may_hold(&mut self, order: u128, value: &[u8]) -> Result<bool, StoreError> {
        let begun = self.firsts.partition_point(|first| *first <= order);
        // a group that begins with the same order says nothing about where the one before ends
        let earliest = self.firsts.partition_point(|first| *first < order).saturating_sub(1);
        for group in earliest..begun {
            if self.read.as_ref().is_none_or(|(read, _)| *read != group) {
                let filter =
                    self.reader.get_row_group_column_bloom_filter(group, VALUE_COLUMN).map_err(wrap)?;
                self.read = Some((group, filter));
            }
            if self.read.as_ref().is_none_or(|(_, filter)| filter.as_ref().is_none_or(|f| f.check(value))) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Place of `value` in the schema.
const VALUE_COLUMN: usize = 2;

/// Rows of a page that are looked at together.
const BLOCK_ROWS: usize = 32;

/// The key of a value.
fn key_of<'a>(kind: Kind, value: &str, scratch: &'a mut Vec<u8>) -> Result<IndexKey<'a>, &'static str> {
    if kind == Kind::Ipv4Addr {
        return quad(value).map(IndexKey::of_quad).ok_or("an IPv4 address is none");
    }
    scratch.clear();
    key::write_observable(kind, value, scratch);
    Ok(IndexKey::new(kind, scratch))
}

/// Most pages of a part.
const PART_PAGES: usize = if cfg!(test) { 3 } else { 128 };

const OUT_OF_ORDER: &str = "is not in the order of its keys";

/// Pages of an index that can hold a wanted key.
#[derive(Debug)]
pub struct Part(Vec<Page>);

impl Part {
    /// No key of the part has a smaller order.
    pub fn least(&self) -> u128 {
        self.0.first().map_or(0, |page| page.least)
    }
}

/// A page that can hold a wanted key.
#[derive(Debug, Clone)]
struct Page {
    rows: Range<usize>,
    /// No key of the page has a smaller order.
    least: u128,
    /// No key of the page has a greater order.
    greatest: u128,
    /// The kind of all its values, where it is known to be one.
    kind: Option<Kind>,
}

/// The pages that can hold a wanted key.
fn wanted_pages(pages: &[(Range<usize>, Option<u128>)], wanted: &dyn Fn(u128, u128) -> bool) -> Vec<Page> {
    let kind_of = |order: u128| Kind::ALL.get(usize::from(order.to_be_bytes()[0])).copied();
    let mut all = Vec::new();
    for (at, (rows, first)) in pages.iter().enumerate() {
        // the first key of the next page is none of this one, but bounds those that are
        let next = pages.get(at + 1).map_or(Some(u128::MAX), |(_, next)| *next);
        let rows = rows.clone();
        match first.zip(next) {
            Some((least, greatest)) if wanted(least, greatest) => {
                let kind = kind_of(least).filter(|kind| kind_of(greatest) == Some(*kind));
                all.push(Page { rows, least, greatest, kind });
            }
            Some(_) => {}
            None => all.push(Page {
                rows,
                least: first.unwrap_or(0),
                greatest: next.unwrap_or(u128::MAX),
                kind: None,
            }),
        }
    }
    all
}

/// The order of a stored key; `None` where its kind is none.
fn order_of_stored(key: &[u8]) -> Option<u128> {
    let (kind, key) = key.split_first()?;
    Some(order(*Kind::ALL.get(usize::from(*kind))?, key))
}

/// The rows of each page, and the order of its first key where it says one. Statistics may hold the beginning of a
/// long key only, which is enough.
fn pages(metadata: &ParquetMetaData) -> Vec<(Range<usize>, Option<u128>)> {
    let mut all = Vec::new();
    let mut start = 0;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let end = start + usize::try_from(group.num_rows()).unwrap_or(0);
        let keys = metadata.column_index().and_then(|i| i.get(at)?.first());
        let places = metadata.offset_index().and_then(|i| i.get(at)?.first());
        match (keys, places) {
            (Some(ColumnIndexMetaData::BYTE_ARRAY(keys)), Some(places)) => {
                let firsts = places.page_locations().iter().map(|place| place.first_row_index);
                let firsts: Vec<usize> = firsts.filter_map(|row| usize::try_from(row).ok()).collect();
                for (page, first) in firsts.iter().enumerate() {
                    let page_end = firsts.get(page + 1).map_or(end, |next| start + next);
                    let key = keys.min_value(page).and_then(order_of_stored);
                    all.push((start + first..page_end, key));
                }
            }
            _ => all.push((start..end, None)),
        }
        start = end;
    }
    all
}

fn column<T: Array + 'static>(batch: &RecordBatch, at: usize) -> Result<&T, StoreError> {
    batch.columns().get(at).and_then(|c| c.as_any().downcast_ref()).ok_or_else(|| StoreError::Integrity {
        path: OBSERVABLES_FILE.into(),
        message: format!("column {at} is not of the type that comity writes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Stage;
    use crate::index::{IndexBuilder, RunBuilder, posting};

    /// Values of three kinds, more than a page of two of them.
    fn values() -> Vec<(Kind, String)> {
        let quads = (0..1_500_u32).map(|n| (Kind::Ipv4Addr, Ipv4Addr::from(n * 2_654_435).to_string()));
        let names = (0..1_500).map(|n| (Kind::DomainName, format!("n{n:04}.example")));
        let mut all: Vec<_> = quads.chain([(Kind::Ipv6Addr, "2001:db8::1".into())]).chain(names).collect();
        all.sort_by_key(|(kind, value)| (*kind as u8, key::of_observable(*kind, value)));
        all
    }

    #[test]
    fn a_scan_gives_every_row_that_is_wanted_whatever_it_skips() {
        let scratch = tempfile::tempdir().unwrap();
        let stage = Stage::new(scratch.path(), "t").unwrap();
        let all = values();
        let addresses = all.iter().filter_map(|(_, value)| quad(value));
        let quads: Vec<_> = addresses.map(|four| posting(four.to_bits(), Field::SrcIp, 0, 0)).collect();
        let mut run = RunBuilder::new(&quads, 0);
        for (kind, value) in all.iter().filter(|(kind, _)| *kind != Kind::Ipv4Addr) {
            let key = key::of_observable(*kind, value);
            run.push(order(*kind, &key), *kind, &key, &[posting(0, Field::SrcIp, 0, 0)]);
        }
        let mut index = IndexBuilder::default();
        index.add(run.finish(), 0, &stage).unwrap();
        let entries = index.finish(&stage).unwrap();
        assert_eq!(write(stage.create(OBSERVABLES_FILE).unwrap(), entries).unwrap(), all.len() as u64);
        let orders: Vec<u128> = all.iter().map(|(k, v)| order(*k, &key::of_observable(*k, v))).collect();
        let scanned = |wanted: &dyn Fn(u128, u128) -> bool| {
            let mut rows = Vec::new();
            let index = Index::open(stage.path()).unwrap();
            for part in index.parts(wanted).unwrap() {
                let mut take = |row, key: &IndexKey<'_>| {
                    assert!(part.least() <= key.order);
                    assert_eq!(key.order, orders[usize::try_from(row).unwrap()], "row {row}");
                    rows.push(usize::try_from(row).unwrap());
                };
                index.scan(&part, wanted, &mut take).unwrap();
            }
            rows
        };
        let mut filter = Index::open(stage.path()).unwrap().filter().unwrap().unwrap();
        for ((_, value), order) in all.iter().zip(&orders) {
            assert!(filter.may_hold(*order, value.as_bytes()).unwrap(), "{value}");
        }
        let quad = |n: u32| (order_of_quad(n), Ipv4Addr::from(n).to_string());
        let strange = (0..1_500).map(|n| quad(n * 2_654_435 + 1));
        let held =
            strange.filter(|(order, value)| filter.may_hold(*order, value.as_bytes()).unwrap()).count();
        assert!(held < 300, "{held} of 1,500 that are not there");
        assert_eq!(scanned(&|_, _| true), (0..all.len()).collect::<Vec<_>>());
        assert!(scanned(&|_, _| false).is_empty());
        for looked_for in (0..all.len()).step_by(37) {
            let order = orders[looked_for];
            let rows = scanned(&|least, greatest| least <= order && order <= greatest);
            assert!(rows.contains(&looked_for), "row {looked_for} of {rows:?}");
            // of one page, a block or two, but where it has two kinds
            assert!(rows.len() <= PAGE_ROWS + 2 * BLOCK_ROWS, "{}", rows.len());
        }
        let pages: std::collections::BTreeSet<usize> =
            scanned(&|least, greatest| least <= orders[40] && orders[40] <= greatest).into_iter().collect();
        assert!(pages.len() <= 2 * BLOCK_ROWS, "{}", pages.len());
    }
}
