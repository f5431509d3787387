//! Column chunks of Parquet, made from columns as they lie in memory (Apache Parquet format 2.12, "Encodings" and
//! "Data Pages"). Page headers, footer and indexes are the parquet library's; it offers no way to hand a dictionary
//! over, and would hash every text again.
//!
//! | values | encoding |
//! |---|---|
//! | what repeats | `RLE_DICTIONARY`, dictionary page `PLAIN` |
//! | texts behind the end of the dictionary, bytes | `DELTA_LENGTH_BYTE_ARRAY` |
//! | sorted texts | `DELTA_BYTE_ARRAY` |
//! | integers that hardly repeat | `DELTA_BINARY_PACKED` |
//! | booleans, nothing but nulls | `PLAIN` |
//!
//! Pages are of version 1, levels `RLE`, compressed by zstd but for packed differences; integers have least and
//! greatest value in the page index. Bytes depend on the values alone.

use std::ops::Range;

use arrow::buffer::NullBuffer;
use hashbrown::HashMap;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter as _};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use crate::index::write_varint;
use crate::texts::{Strings, Texts};

/// Bytes of text from which a page ends, where it has more than a row.
const PAGE_BYTES: usize = 1 << 20;
/// Bytes of a key that the page index repeats.
const BOUND_BYTES: usize = 64;
/// Distinct integers from which a column has no dictionary.
const DISTINCT_INTEGERS: usize = 8 << 10;
/// Integers after which a dictionary must have shown that they repeat: half of them at least.
const TRIAL: usize = 1024;

/// Where values stand: all of some rows have one but the nulls, or as many as their lists have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) rows: usize,
    pub(crate) nulls: Option<&'a NullBuffer>,
    /// Where the list of each row ends, after a zero.
    pub(crate) lists: Option<&'a [usize]>,
}

impl Shape<'_> {
    /// Number of values before a row.
    fn values_before(&self, row: usize) -> usize {
        match (self.lists, self.nulls) {
            (Some(ends), _) => ends.get(row).copied().unwrap_or(0),
            (None, Some(nulls)) => row - nulls.slice(0, row).null_count(),
            (None, None) => row,
        }
    }

    /// The row of each value.
    pub(crate) fn rows_of_values(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match (self.lists, self.nulls) {
            (Some(ends), _) => Box::new(
                ends.array_windows()
                    .enumerate()
                    .flat_map(|(row, [from, to])| std::iter::repeat_n(row, to - from)),
            ),
            (None, Some(nulls)) => Box::new(nulls.valid_indices()),
            (None, None) => Box::new(0..self.rows),
        }
    }
}

/// Values that stand one behind the other, without nulls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    /// Texts, those that repeat by number.
    Texts(&'a Texts),
    /// Names of a fixed list, by their place in it.
    Names(&'a [u32], &'a [&'static str]),
    /// Texts or bytes that hardly repeat.
    Bytes(&'a Strings),
    /// Texts that are much like the one before.
    Sorted(&'a Strings),
    /// Bytes in ascending order, of which the page index repeats the first and the last of a page.
    Keys(&'a Strings),
    Integers(&'a [i64]),
    Booleans(&'a [bool]),
}

/// A column chunk, encoded.
#[derive(Debug)]
pub(crate) struct EncodedColumn {
    bytes: Vec<u8>,
    close: ColumnCloseResult,
}

impl EncodedColumn {
    /// Gives it a filter of its values.
    pub(crate) fn set_filter(&mut self, filter: Sbbf) {
        self.close.bloom_filter = Some(filter);
    }

    /// Appends it to a row group.
    pub(crate) fn append_to<W: std::io::Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        group.append_column(&bytes::Bytes::from(self.bytes), self.close)
    }
}

/// Encodes the column chunks of a row group.
pub(crate) struct PageEncoder {
    zstd: zstd::bulk::Compressor<'static>,
}

/// How the values of a column are written.
enum Coded<'a> {
    /// By numbers of a dictionary; those behind the last number as they are.
    Numbered {
        ids: &'a [u32],
        distinct: usize,
        rest: Option<&'a Strings>,
    },
    Plain(&'a Strings),
    Prefixed(&'a Strings),
    Differences(&'a [i64]),
    Booleans(&'a [bool]),
}

impl PageEncoder {
    pub(crate) fn new() -> Result<Self, ParquetError> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(ZstdLevel::default().compression_level())? })
    }

    /// Encodes a column of so many rows, in pages of at most `page_rows` but where all are null; without `column`
    /// they are.
    pub(crate) fn column(
        &mut self,
        descr: &ColumnDescPtr,
        rows: usize,
        page_rows: usize,
        column: Option<(Shape<'_>, Values<'_>)>,
    ) -> Result<EncodedColumn, ParquetError> {
        let column = column.filter(|(shape, _)| shape.nulls.is_none_or(|nulls| nulls.null_count() < rows));
        let has_bounds =
            column.is_some_and(|(_, values)| matches!(values, Values::Integers(_) | Values::Keys(_)));
        let mut chunk = Chunk::new(descr, has_bounds);
        let Some((shape, values)) = column else {
            let mut levels = Levels::default();
            levels.nulls(descr, rows);
            chunk.data_page(None, levels.bytes, Encoding::PLAIN, rows, rows)?;
            return chunk.finish(rows);
        };
        let (ids, distinct);
        let coded = match values {
            Values::Texts(texts) => {
                let distinct = texts.distinct();
                if distinct.len() > 0 {
                    let all = (0..distinct.len()).map(|at| distinct.get(at));
                    chunk.dictionary_page(&mut self.zstd, plain_texts(all), distinct.len())?;
                }
                Coded::Numbered { ids: texts.ids(), distinct: distinct.len(), rest: Some(texts.rest()) }
            }
            Values::Names(ids, names) => {
                let all = names.iter().map(|name| name.as_bytes());
                chunk.dictionary_page(&mut self.zstd, plain_texts(all), names.len())?;
                Coded::Numbered { ids, distinct: names.len(), rest: None }
            }
            Values::Bytes(strings) | Values::Keys(strings) => Coded::Plain(strings),
            Values::Sorted(strings) => Coded::Prefixed(strings),
            Values::Integers(integers) => match numbered(integers) {
                Some(known) => {
                    (distinct, ids) = known;
                    let plain = distinct.iter().flat_map(|value| value.to_le_bytes()).collect();
                    chunk.dictionary_page(&mut self.zstd, plain, distinct.len())?;
                    Coded::Numbered { ids: &ids, distinct: distinct.len(), rest: None }
                }
                None => Coded::Differences(integers),
            },
            Values::Booleans(booleans) => Coded::Booleans(booleans),
        };
        let mut row = 0;
        while row < rows {
            let range = row..coded.page_end(row, rows.min(row + page_rows), &shape);
            let of = shape.values_before(range.start)..shape.values_before(range.end);
            let mut levels = Levels::default();
            let count = levels.of_rows(descr, &shape, range.clone(), of.len());
            let mut body = levels.bytes;
            let encoding = coded.write(of.clone(), &mut body);
            // differences have the bits they need already
            let zstd = (!matches!(coded, Coded::Differences(_))).then_some(&mut self.zstd);
            chunk.data_page(zstd, body, encoding, count, range.len())?;
            chunk.bounds(values, of, range.len());
            row = range.end;
        }
        chunk.finish(rows)
    }
}

impl Coded<'_> {
    /// Row behind the last of the page that begins with `row` and ends before `most`.
    fn page_end(&self, row: usize, most: usize, shape: &Shape<'_>) -> usize {
        let (numbered, strings) = match *self {
            Coded::Numbered { ids, rest: Some(rest), .. } => (ids.len(), rest),
            Coded::Plain(strings) | Coded::Prefixed(strings) => (0, strings),
            _ => return most,
        };
        // the last row that ends where it may, and at least the first; nearly always that is `most`
        let last = |may_end: &dyn Fn(usize) -> bool| {
            let (mut low, mut high) = (row + 1, most);
            let mut middle = most;
            while low < high {
                if may_end(shape.values_before(middle)) {
                    low = middle
                } else {
                    high = middle - 1
                }
                middle = low + (high - low).div_ceil(2);
            }
            low
        };
        let first = shape.values_before(row);
        if first < numbered {
            return last(&|end| end <= numbered);
        }
        last(&|end| strings.range(first - numbered..end - numbered).len() <= PAGE_BYTES)
    }

    /// Writes a range of the values of one page.
    fn write(&self, range: Range<usize>, out: &mut Vec<u8>) -> Encoding {
        match *self {
            // nothing but empty lists
            Coded::Numbered { distinct: 0, .. } => Encoding::PLAIN,
            Coded::Numbered { ids, distinct, rest } => match (ids.get(range.clone()), rest) {
                (None, Some(rest)) => {
                    Coded::Plain(rest).write(range.start - ids.len()..range.end - ids.len(), out)
                }
                (ids, _) => {
                    let width = (distinct.saturating_sub(1) | 1).ilog2() + 1;
                    out.push(u8::try_from(width).unwrap_or(u8::MAX));
                    hybrid(ids.unwrap_or_default(), width, out);
                    Encoding::RLE_DICTIONARY
                }
            },
            Coded::Plain(strings) => {
                differences(&strings.lengths(range.clone()).map(wide).collect::<Vec<_>>(), out);
                out.extend_from_slice(strings.range(range));
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
            Coded::Prefixed(strings) => {
                let (mut prefixes, mut lengths) = (Vec::new(), Vec::new());
                let (mut suffixes, mut before) = (Vec::new(), &[][..]);
                for string in range.map(|at| strings.get(at)) {
                    let same = string.iter().zip(before).take_while(|(a, b)| a == b).count();
                    let suffix = string.get(same..).unwrap_or_default();
                    prefixes.push(wide(same));
                    lengths.push(wide(suffix.len()));
                    suffixes.extend_from_slice(suffix);
                    before = string;
                }
                differences(&prefixes, out);
                differences(&lengths, out);
                out.extend_from_slice(&suffixes);
                Encoding::DELTA_BYTE_ARRAY
            }
            Coded::Differences(integers) => {
                differences(integers.get(range).unwrap_or_default(), out);
                Encoding::DELTA_BINARY_PACKED
            }
            Coded::Booleans(booleans) => {
                pack(booleans.get(range).unwrap_or_default().iter().map(|&set| u64::from(set)), 1, out);
                Encoding::PLAIN
            }
        }
    }
}

fn wide(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Texts as `PLAIN` has them: each behind its length.
fn plain_texts<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut plain = Vec::new();
    for text in texts {
        plain.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        plain.extend_from_slice(text);
    }
    plain
}

/// Distinct integers in the order in which they come first, and the number of each; `None` where few repeat.
fn numbered(integers: &[i64]) -> Option<(Vec<i64>, Vec<u32>)> {
    let mut known = HashMap::<i64, u32, foldhash::fast::RandomState>::default();
    let (mut distinct, mut ids) = (Vec::new(), Vec::with_capacity(TRIAL));
    for &value in integers {
        let next = u32::try_from(distinct.len()).ok()?;
        let id = *known.entry(value).or_insert(next);
        if id == next {
            distinct.push(value);
            if distinct.len() > DISTINCT_INTEGERS || ids.len() >= TRIAL && distinct.len() > ids.len() / 2 {
                return None;
            }
        }
        ids.push(id);
    }
    (ids.len() >= distinct.len() * 2).then_some((distinct, ids))
}

/// Definition and repetition levels of a page, each behind its length.
#[derive(Default)]
struct Levels {
    bytes: Vec<u8>,
}

impl Levels {
    /// Writes one kind of levels.
    fn block(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write(&mut self.bytes);
        let length = u32::try_from(self.bytes.len() - start - 4).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }

    /// Writes the levels of rows that are null.
    fn nulls(&mut self, descr: &ColumnDescPtr, rows: usize) {
        for most in [descr.max_rep_level(), descr.max_def_level()] {
            if most > 0 {
                self.block(|out| run(0, rows, width_of(most), out));
            }
        }
    }

    /// Writes the levels of rows that have so many values; gives how many levels there are.
    fn of_rows(
        &mut self,
        descr: &ColumnDescPtr,
        shape: &Shape<'_>,
        rows: Range<usize>,
        values: usize,
    ) -> usize {
        let most = descr.max_def_level();
        let width = width_of(most);
        if let Some(ends) = shape.lists {
            // of a list whose items may be null too: 0 where it is null, 1 where it is empty, else all levels
            let full = u32::try_from(most).unwrap_or(0);
            let (mut repetition, mut definition) = (Vec::with_capacity(values), Vec::with_capacity(values));
            let lists = ends.get(rows.start..=rows.end).unwrap_or_default().array_windows();
            for (row, [from, to]) in rows.clone().zip(lists) {
                let is_null = || shape.nulls.is_some_and(|nulls| nulls.is_null(row));
                let empty = if is_null() { 0 } else { full.saturating_sub(2) };
                repetition.push(0);
                repetition.extend(std::iter::repeat_n(1, (to - from).saturating_sub(1)));
                definition
                    .extend(std::iter::repeat_n(if from == to { empty } else { full }, (to - from).max(1)));
            }
            self.block(|out| hybrid(&repetition, 1, out));
            self.block(|out| hybrid(&definition, width, out));
            return definition.len();
        }
        match shape.nulls {
            _ if most == 0 => {}
            Some(nulls) if values < rows.len() => {
                let bits = nulls.inner().slice(rows.start, rows.len()).sliced();
                let groups = rows.len().div_ceil(8);
                self.block(|out| {
                    write_varint(out, groups as u64 * 2 + 1);
                    out.extend_from_slice(bits.get(..groups).unwrap_or(&bits));
                });
            }
            _ => self.block(|out| run(1, rows.len(), width, out)),
        }
        rows.len()
    }
}

/// Bits of the greatest level.
fn width_of(level: i16) -> u32 {
    u32::try_from(level).unwrap_or(0).checked_ilog2().map_or(0, |log| log + 1)
}

/// A column chunk on its way.
struct Chunk<'a> {
    descr: &'a ColumnDescPtr,
    sink: TrackedWrite<Vec<u8>>,
    offsets: OffsetIndexBuilder,
    /// Least and greatest value of the pages.
    index: Option<ColumnIndexBuilder>,
    /// Of integers, those of all.
    integers: Option<(i64, i64)>,
    nulls: usize,
    levels: usize,
    uncompressed: usize,
    dictionary_bytes: usize,
    is_compressed: bool,
    /// Kinds of pages, in their order.
    kinds: Vec<PageEncodingStats>,
}

impl<'a> Chunk<'a> {
    fn new(descr: &'a ColumnDescPtr, has_bounds: bool) -> Self {
        let index = has_bounds.then(|| ColumnIndexBuilder::new(descr.physical_type()));
        Self {
            descr,
            sink: TrackedWrite::new(Vec::new()),
            offsets: OffsetIndexBuilder::new(),
            index,
            integers: None,
            nulls: 0,
            levels: 0,
            uncompressed: 0,
            dictionary_bytes: 0,
            is_compressed: false,
            kinds: Vec::new(),
        }
    }

    fn dictionary_page(
        &mut self,
        zstd: &mut zstd::bulk::Compressor<'_>,
        plain: Vec<u8>,
        values: usize,
    ) -> Result<(), ParquetError> {
        let num_values = u32::try_from(values)?;
        let make = |buf: Vec<u8>| Page::DictionaryPage {
            buf: buf.into(),
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.dictionary_bytes = self.page(Some(zstd), plain, make)?;
        Ok(())
    }

    fn data_page(
        &mut self,
        zstd: Option<&mut zstd::bulk::Compressor<'_>>,
        body: Vec<u8>,
        encoding: Encoding,
        levels: usize,
        rows: usize,
    ) -> Result<(), ParquetError> {
        let (num_values, at) = (u32::try_from(levels)?, self.sink.bytes_written());
        let make = |buf: Vec<u8>| Page::DataPage {
            buf: buf.into(),
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let bytes = self.page(zstd, body, make)?;
        self.offsets.append_row_count(i64::try_from(rows)?);
        self.offsets.append_offset_and_size(i64::try_from(at)?, i32::try_from(bytes)?);
        self.levels += levels;
        Ok(())
    }

    /// Writes a page; gives its bytes with the header.
    fn page(
        &mut self,
        zstd: Option<&mut zstd::bulk::Compressor<'_>>,
        body: Vec<u8>,
        make: impl FnOnce(Vec<u8>) -> Page,
    ) -> Result<usize, ParquetError> {
        let length = body.len();
        let body = match zstd {
            Some(zstd) => {
                self.is_compressed = true;
                zstd.compress(&body)?
            }
            None => body,
        };
        let page = make(body);
        let kind = (page.page_type(), page.encoding());
        match self.kinds.last_mut() {
            Some(last) if (last.page_type, last.encoding) == kind => last.count += 1,
            _ => self.kinds.push(PageEncodingStats { page_type: kind.0, encoding: kind.1, count: 1 }),
        }
        let spec = SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, length))?;
        self.uncompressed += spec.uncompressed_size;
        Ok(spec.compressed_size)
    }

    /// Notes least and greatest value of the page written last, and its nulls: rows without a value.
    fn bounds(&mut self, values: Values<'_>, range: Range<usize>, rows: usize) {
        let Some(index) = &mut self.index else { return };
        let nulls = rows - range.len();
        self.nulls += nulls;
        let bounds = match values {
            Values::Integers(integers) => {
                let part = integers.get(range).unwrap_or_default();
                let bounds = part.iter().min().copied().zip(part.iter().max().copied());
                let all = self.integers.into_iter().chain(bounds);
                self.integers = all.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
                bounds
                    .map(|(least, greatest)| (least.to_le_bytes().to_vec(), greatest.to_le_bytes().to_vec()))
            }
            Values::Keys(keys) if !range.is_empty() => {
                let (first, last) = (keys.get(range.start), keys.get(range.end - 1));
                Some((first.get(..BOUND_BYTES).unwrap_or(first).to_vec(), at_least(last)))
            }
            _ => None,
        };
        let is_null = bounds.is_none();
        let (least, greatest) = bounds.unwrap_or_default();
        index.append(is_null, least, greatest, wide(nulls));
    }

    fn finish(self, rows: usize) -> Result<EncodedColumn, ParquetError> {
        let bytes = self.sink.into_inner()?;
        let encodings = self.kinds.iter().map(|kind| kind.encoding).chain([Encoding::RLE]);
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let mut metadata = ColumnChunkMetaData::builder(self.descr.clone())
            .set_compression(if self.is_compressed { zstd } else { Compression::UNCOMPRESSED })
            .set_encodings(encodings.collect())
            .set_total_compressed_size(i64::try_from(bytes.len())?)
            .set_total_uncompressed_size(i64::try_from(self.uncompressed)?)
            .set_num_values(i64::try_from(self.levels)?)
            .set_data_page_offset(i64::try_from(self.dictionary_bytes)?)
            .set_dictionary_page_offset((self.dictionary_bytes > 0).then_some(0));
        if let Some((least, greatest)) = self.integers {
            let nulls = Some(self.nulls as u64);
            metadata =
                metadata.set_statistics(Statistics::int64(Some(least), Some(greatest), None, nulls, false));
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata: metadata.set_page_encoding_stats(self.kinds).build()?,
            bloom_filter: None,
            column_index: self.index.map(ColumnIndexBuilder::build).transpose()?,
            offset_index: Some(self.offsets.build()),
        };
        Ok(EncodedColumn { bytes, close })
    }
}

/// A text of few bytes that is not less than this one.
fn at_least(key: &[u8]) -> Vec<u8> {
    let Some(mut bound) = key.get(..BOUND_BYTES).filter(|bound| bound.len() < key.len()).map(<[u8]>::to_vec)
    else {
        return key.to_vec();
    };
    while let Some(last) = bound.pop() {
        if let Some(next) = last.checked_add(1) {
            bound.push(next);
            return bound;
        }
    }
    key.to_vec()
}

/// A signed integer as a varint, its sign in the lowest bit.
fn zigzag(value: i64, out: &mut Vec<u8>) {
    write_varint(out, (value << 1 ^ value >> 63).cast_unsigned());
}

/// The lowest bits of integers one behind the other, the lowest first; the last byte is filled up with zeros.
fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let (mut word, mut bits) = (0_u128, 0);
    for value in values {
        word |= u128::from(value) << bits;
        bits += width;
        if bits >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes()[..8]);
            word >>= u64::BITS;
            bits -= u64::BITS;
        }
    }
    out.extend_from_slice(word.to_le_bytes().get(..bits.div_ceil(8) as usize).unwrap_or_default());
}

/// Repetitions from which a run is written as one.
const RUN: usize = 24;

/// A run of equal values ("RLE run").
fn run(value: u32, count: usize, width: u32, out: &mut Vec<u8>) {
    write_varint(out, count as u64 * 2);
    out.extend_from_slice(value.to_le_bytes().get(..width.div_ceil(8) as usize).unwrap_or_default());
}

/// Runs of equal values, and what is between them in groups of eight ("RLE / bit-packing hybrid").
fn hybrid(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let packed = |values: &[u32], out: &mut Vec<u8>| {
        if !values.is_empty() {
            let groups = values.len().div_ceil(8);
            write_varint(out, groups as u64 * 2 + 1);
            let padding = std::iter::repeat_n(0, groups * 8 - values.len());
            pack(values.iter().map(|&value| u64::from(value)).chain(padding), width, out);
        }
    };
    // what awaits packing begins at `from`
    let (mut from, mut at) = (0, 0);
    for same in values.chunk_by(|a, b| a == b) {
        let (start, end) = (at, at + same.len());
        // the last group before a run must be whole
        let whole = from + (start - from).next_multiple_of(8);
        if whole + RUN <= end {
            packed(values.get(from..whole).unwrap_or_default(), out);
            run(same.first().copied().unwrap_or(0), end - whole, width, out);
            from = end;
        }
        at = end;
    }
    packed(values.get(from..).unwrap_or_default(), out);
}

/// Values of a block, and of each of its parts.
const BLOCK: usize = 128;
const PART: usize = 32;

/// Differences of neighbours, bit-packed by what each part of a block needs (`DELTA_BINARY_PACKED`).
fn differences(values: &[i64], out: &mut Vec<u8>) {
    let (&first, others) = values.split_first().unwrap_or((&0, &[]));
    write_varint(out, BLOCK as u64);
    write_varint(out, (BLOCK / PART) as u64);
    write_varint(out, values.len() as u64);
    zigzag(first, out);
    let mut before = first;
    for block in others.chunks(BLOCK) {
        let mut deltas = [0; BLOCK];
        for (delta, &value) in deltas.iter_mut().zip(block) {
            *delta = value.wrapping_sub(before);
            before = value;
        }
        let least = deltas.iter().take(block.len()).min().copied().unwrap_or(0);
        zigzag(least, out);
        let mut above = [0; BLOCK];
        for (above, delta) in above.iter_mut().zip(deltas).take(block.len()) {
            *above = delta.wrapping_sub(least).cast_unsigned();
        }
        let parts = above.chunks(PART).take(block.len().div_ceil(PART));
        let mut widths = [0; BLOCK / PART];
        for (width, part) in widths.iter_mut().zip(parts.clone()) {
            let all = part.iter().fold(0, |all, above| all | above);
            *width = u64::BITS - u64::leading_zeros(all);
        }
        out.extend(widths.iter().map(|width| width.to_le_bytes()[0]));
        for (width, part) in widths.into_iter().zip(parts) {
            pack(part.iter().copied(), width, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array as _, AsArray};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
    use comity_model::{Class, Field, RecordSink};
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::{ChunkBuilder, Place};
    use crate::evidence::{EVENTS_FILE, EvidenceWriter, fetch};
    use crate::tables::{RejectRow, unclaimed};

    /// What the value of a row is, by how values repeat.
    fn value(kind: u8, row: usize) -> Option<u64> {
        let random = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        match kind {
            0 => Some(7),
            1 => Some(random % 5),
            2 => Some(random),
            3 => (!random.is_multiple_of(3)).then_some(random % 2000),
            // few at first, then none twice
            4 => Some(if row < 2500 { random % 9 } else { random }),
            5 => random.is_multiple_of(40).then_some(random),
            // long runs, and long gaps
            6 => (row / 3000).is_multiple_of(2).then_some(row as u64 / 700),
            _ => None,
        }
    }

    fn word(value: u64) -> String {
        format!("{value:x}-{}", "é".repeat((value % 7) as usize))
    }

    /// Value of an integer column: of all magnitudes.
    fn number(value: u64) -> i64 {
        (value.cast_signed() << (value % 60)).wrapping_sub(3)
    }

    fn check(rows: usize, [text, list, integer]: [u8; 3], rejects: usize) {
        let scratch = tempfile::tempdir().unwrap();
        let items =
            |row: usize| (0..row % 4).filter_map(|at| value(list, row + at)).map(word).collect::<Vec<_>>();
        let mut writer = EvidenceWriter::new(scratch.path()).unwrap();
        let mut chunk = ChunkBuilder::default();
        let put = |row: usize, chunk: &mut ChunkBuilder| {
            if let Some(value) = value(text, row) {
                chunk.text(Field::UserAgent, "forgotten");
                chunk.text(Field::UserAgent, &word(value));
            }
            items(row).iter().for_each(|item| chunk.text(Field::Answers, item));
            if let Some(value) = value(integer, row) {
                chunk.integer(Field::BytesIn, 1);
                chunk.integer(Field::BytesIn, number(value));
                chunk.time(number(value) >> 8);
            }
        };
        let fill = |chunk: &mut ChunkBuilder| {
            for row in 0..rows {
                if rejects > 0 && row % rejects == 0 {
                    put(row + 1_000_000, chunk);
                    let reason = comity_model::Reason::BadValue;
                    let (message, text) = (String::new(), String::new());
                    chunk.reject(RejectRow { record: 1, offset: 0, length: 0, reason, message, text });
                }
                put(row, chunk);
                chunk.event(Place {
                    record: row as u64 + 1,
                    offset: row as u64 * 9,
                    length: row as u64 % 11,
                });
            }
            chunk.finish().unwrap()
        };
        let first = fill(&mut chunk);
        chunk.text(Field::Query, "of another chunk");
        chunk.event(Place { record: 1, offset: 0, length: 0 });
        chunk.finish().unwrap();
        let same = fill(&mut chunk);
        assert_eq!(first.run, same.run);
        assert!(first.columns.iter().zip(&same.columns).all(|(one, other)| one.bytes == other.bytes));
        writer.append(same).unwrap();
        let (stage, counts) = writer.finish().unwrap();
        assert_eq!(counts.events, rows as u64);
        assert_eq!(unclaimed(&stage.path().join(EVENTS_FILE)).unwrap(), None);
        let columns =
            ["record", "length", "time", "class", "damaged", "bytes_in", "answers", "user_agent", "query"];
        let all: Vec<u64> = (0..rows as u64).collect();
        let some: Vec<u64> =
            all.iter().copied().filter(|row| row % 977 == 5 || row % 20_000 > 19_990).collect();
        for wanted in [all, some] {
            let mut seen = wanted.iter().map(|&row| usize::try_from(row).unwrap());
            for batch in fetch(stage.path(), &columns, &wanted).unwrap() {
                let column = |name| batch.column_by_name(name).unwrap();
                let integers = |name| column(name).as_primitive::<Int64Type>().clone();
                let (records, lengths, bytes_in) =
                    (integers("record"), integers("length"), integers("bytes_in"));
                let times = column("time").as_primitive::<TimestampMicrosecondType>().clone();
                let texts = column("user_agent").as_string::<i32>();
                let lists = column("answers").as_list::<i32>();
                for at in 0..batch.num_rows() {
                    let row = seen.next().unwrap();
                    assert_eq!(records.value(at), row as i64 + 1);
                    assert_eq!(lengths.value(at), row as i64 % 11);
                    assert_eq!(column("class").as_string::<i32>().value(at), Class::Other.as_str());
                    assert!(!column("damaged").as_boolean().value(at) && column("query").is_null(at));
                    let expected = value(integer, row).map(number);
                    assert_eq!(bytes_in.is_valid(at).then(|| bytes_in.value(at)), expected);
                    assert_eq!(
                        times.is_valid(at).then(|| times.value(at)),
                        expected.map(|number| number >> 8)
                    );
                    assert_eq!(
                        texts.is_valid(at).then(|| texts.value(at).to_owned()),
                        value(text, row).map(word)
                    );
                    let found = lists.is_valid(at).then(|| lists.value(at)).into_iter();
                    let found: Vec<_> = found
                        .flat_map(|list| {
                            list.as_string::<i32>().iter().map(|s| s.unwrap().to_owned()).collect::<Vec<_>>()
                        })
                        .collect();
                    assert_eq!(found, items(row), "row {row}");
                }
            }
            assert_eq!(seen.next(), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_was_put_in_is_read(
            rows in prop_oneof![1..40_usize, 19_990..20_010_usize, 40_000..45_000_usize],
            kinds in [0..8_u8, 0..8_u8, 0..8_u8],
            rejects in prop_oneof![Just(0), 1..50_usize],
        ) {
            check(rows, kinds, rejects);
        }
    }

    #[test]
    fn long_texts_end_a_page() {
        let scratch = tempfile::tempdir().unwrap();
        let mut writer = EvidenceWriter::new(scratch.path()).unwrap();
        let mut chunk = ChunkBuilder::default();
        let text = |row: u64| format!("{row}{}", "x".repeat(150_000));
        for row in 0..50 {
            chunk.text(Field::UserAgent, &text(row));
            chunk.event(Place { record: row + 1, offset: 0, length: 0 });
        }
        writer.append(chunk.finish().unwrap()).unwrap();
        let (stage, _) = writer.finish().unwrap();
        let reader = crate::tables::open(&stage.path().join(EVENTS_FILE)).unwrap();
        let column = crate::columns::EVENTS.index_of("user_agent").unwrap();
        let pages = reader.metadata().offset_index().unwrap()[0][column].page_locations().len();
        assert_eq!(pages, 1 + 50_usize.div_ceil(6));
        let found = fetch(stage.path(), &["user_agent"], &[3, 49]).unwrap();
        assert_eq!(found[0].column(0).as_string::<i32>().value(1), text(49));
    }

    #[test]
    fn nothing_of_a_reject_is_left_in_the_dictionary() {
        let mut texts = Texts::default();
        for text in ["a", "b", "a", "c"] {
            texts.push(text, true);
        }
        texts.truncate(3);
        assert_eq!((texts.distinct().len(), texts.ids()), (2, &[0, 1, 0][..]));
        texts.push("d", true);
        texts.truncate(1);
        texts.push("b", true);
        assert_eq!((texts.distinct().range(0..2), texts.ids()), (&b"ab"[..], &[0, 1][..]));
    }
}
