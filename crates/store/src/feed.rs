//! Indicators of a feed: claims gathered, equal ones joined, sorted for the merge.

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Int64Builder, ListBuilder, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{
    DataType, Field as ArrowField, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use comity_model::key::Claimed;
use comity_model::{Claim, Field, Kind, Part, Tlp, UnknownToken, key};
use comity_provenance::logical::Lines;
use comity_provenance::{Sha256Digest, Sha256Hasher};
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::ParquetMetaData;
use rayon::prelude::*;
use thiserror::Error;

use crate::columns::{list_type, time_type};
use crate::durable::Stage;
use crate::tables::TableWriter;
use crate::{StoreError, index, rows, tables};

/// Name of the indicators file within its feed.
pub const INDICATORS_FILE: &str = "indicators.parquet";

/// Longest value or text of a claim, bytes.
pub const MAX_CLAIM_BYTES: usize = 64 << 10;

/// Rows of a batch that is built. Texts of the greatest length would fill an eighth of what its offsets can say.
const BATCH_ROWS: usize = 1 << 12;
const _: () = assert!(BATCH_ROWS <= (1 << 30) / MAX_CLAIM_BYTES, "offsets of a batch overflow");
const _: () = assert!(tables::GROUP_ROWS.is_multiple_of(BATCH_ROWS), "a batch reaches over two row groups");

/// Rows whose lines are made at once.
const LINE_ROWS: usize = 8 * BATCH_ROWS;

/// Rows that are asked for at once.
const FEW: usize = 16;

/// An indicator: equal claims of one feed about one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// 32 hexadecimal digits: the beginning of SHA-256 over feed, kind and value; the same in every
    /// case and at every partner.
    pub id: String,
    /// What is claimed; validity is the hull of the claims', confidence the greatest, marking the
    /// strictest.
    pub claim: Claim,
    /// How many claims.
    pub claims: u64,
}

/// Gathers the claims of a feed: what has a fixed size, and their texts end to end.
#[derive(Debug, Default)]
pub struct Claims {
    taken: Vec<Taken>,
    /// Of each claim its value, then the text as found where that is another.
    texts: String,
    /// Fields and parts of the few claims that have some.
    patterns: HashMap<usize, (Vec<Field>, Vec<Part>)>,
}

/// A claim, its texts elsewhere.
#[derive(Debug)]
struct Taken {
    stated: Stated,
    /// Whether the text as found is the value.
    is_canonical: bool,
    /// Length of the value.
    length: u32,
    /// Where its texts end.
    end: usize,
}

impl Claims {
    /// With room for the claims of a feed of so many bytes. What is not filled costs nothing.
    pub fn with_room(bytes: usize) -> Self {
        /// The shortest rows are about as long.
        const A_CLAIM: usize = 24;
        const MOST: usize = 256 << 20;
        let bytes = bytes.min(MOST);
        let (taken, texts) = (Vec::with_capacity(bytes / A_CLAIM), String::with_capacity(bytes));
        Self { taken, texts, patterns: HashMap::new() }
    }

    /// Takes a claim.
    pub fn push(&mut self, claim: Claim) {
        self.texts.push_str(&claim.value);
        let is_canonical = claim.original == claim.value;
        if !is_canonical {
            self.texts.push_str(&claim.original);
        }
        let stated = Stated::of(&claim);
        if !claim.fields.is_empty() || !claim.parts.is_empty() {
            self.patterns.insert(self.taken.len(), (claim.fields, claim.parts));
        }
        self.taken.push(Taken {
            stated,
            is_canonical,
            length: number(claim.value.len()),
            end: self.texts.len(),
        });
    }

    /// Number of claims taken.
    pub fn accepted(&self) -> u64 {
        self.taken.len() as u64
    }

    /// The indicators of the feed with this id, in the order of its file.
    pub fn sorted(self, feed: Sha256Digest) -> Sorted {
        // what settles nearly every comparison without a look at the claim
        let head = |scratch: &mut Vec<u8>, at: usize| {
            let kind = self.taken[at].stated.kind;
            (self.of_key(at, scratch, |key| index::order(kind, key)), number(at))
        };
        let all = (0..self.taken.len()).into_par_iter();
        let mut sorted: Vec<(u128, u32)> = all.map_init(Vec::new, head).collect();
        sorted.par_sort_unstable();
        // of equal claims the first in the feed gives the original text
        let rest = |&(_, at): &(u128, u32)| {
            let row = self.row(at as usize);
            let key = self.of_key(at as usize, &mut Vec::new(), <[u8]>::to_vec);
            (row.stated.kind, key, row.value, row.stated.prefix, row.fields, at)
        };
        let alike = sorted.par_chunk_by_mut(|a, b| a.0 == b.0).filter(|some| some.len() > 1);
        alike.for_each(|some| some.par_sort_by_cached_key(rest));
        let is_first = |&at: &u32| match (
            at.checked_sub(1).map(|before| sorted[before as usize]),
            sorted[at as usize],
        ) {
            (Some((before_head, before)), (head, at)) => {
                before_head != head || !self.row(before as usize).is_same(&self.row(at as usize))
            }
            (None, _) => true,
        };
        let mut begins: Vec<u32> = (0..number(sorted.len())).into_par_iter().filter(is_first).collect();
        begins.push(number(sorted.len()));
        let order: Vec<u32> = sorted.par_iter().map(|&(_, at)| at).collect();
        drop(sorted);
        let mut sorted = Sorted { claims: self, order, begins, ids: Vec::new() };
        let id = |at| indicator_id(&feed, &sorted.row(at));
        sorted.ids = (0..sorted.indicators()).into_par_iter().map(id).collect();
        sorted
    }

    fn row(&self, at: usize) -> Row<'_> {
        let begin = at.checked_sub(1).map_or(0, |before| self.taken[before].end);
        let Taken { stated, is_canonical, length, end } = self.taken[at];
        let value_end = begin + length as usize;
        let (fields, parts) = match self.patterns.get(&at) {
            Some((fields, parts)) => (fields.as_slice(), parts.as_slice()),
            None => Default::default(),
        };
        let text = |range: Range<usize>| self.texts.get(range).unwrap_or_default();
        let value = text(begin..value_end);
        let original = if is_canonical { value } else { text(value_end..end) };
        Row { stated, value, original, fields, parts, claims: 1 }
    }

    /// What is made of the first key that a claim covers; of an empty one where it covers none.
    fn of_key<T>(&self, at: usize, scratch: &mut Vec<u8>, of: impl Fn(&[u8]) -> T) -> T {
        let Row { stated: Stated { kind, exact_only, prefix, .. }, value, .. } = self.row(at);
        let mut made = None;
        key::each_span(Claimed { kind, value, exact_only, prefix }, scratch, |_, lo, _| {
            made.get_or_insert_with(|| of(lo));
        });
        made.unwrap_or_else(|| of(&[]))
    }
}

/// The claims of a feed in the order of its indicators: by kind and sort key.
#[derive(Debug)]
pub struct Sorted {
    claims: Claims,
    /// Positions of the claims.
    order: Vec<u32>,
    /// Where in the order the claims of each indicator begin, and where all end.
    begins: Vec<u32>,
    /// Id of each indicator.
    ids: Vec<[u8; 16]>,
}

impl Sorted {
    /// Number of indicators.
    pub fn indicators(&self) -> usize {
        self.begins.len() - 1
    }

    /// Kind of each indicator.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        let firsts = self.begins.iter().filter_map(|&begin| self.order.get(begin as usize));
        firsts.map(|&first| self.claims.taken[first as usize].stated.kind)
    }

    /// The rows of each row group of the `indicators` table, made when it is asked for: those of all take more
    /// memory than the claims. One group at least, and one batch in it.
    pub fn groups(&self) -> impl Iterator<Item = Result<Vec<RecordBatch>, StoreError>> {
        let count = self.indicators();
        let batch = move |first: usize| {
            let last = (first + BATCH_ROWS).min(count);
            let mut rows = Rows::with_capacity(last - first);
            self.each(first..last, |id, row| rows.push(id, row));
            rows.finish()
        };
        (0..count.max(1)).step_by(tables::GROUP_ROWS).map(move |first| {
            let last = (first + tables::GROUP_ROWS).min(count.max(1));
            (first..last).into_par_iter().step_by(BATCH_ROWS).map(batch).collect()
        })
    }

    /// The logical lines of the `indicators` table, sorted, some at a time.
    ///
    /// # Errors
    /// Where two indicators have one id.
    pub fn lines(&self) -> Result<impl Iterator<Item = Lines>, StoreError> {
        let header = rows::no_lines("indicators", &schema());
        // an id is what a line begins with, and its own
        let first = |id: &[u8; 16]| id.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let id = |at: u32| self.ids[at as usize];
        let mut order: Vec<(u64, u32)> =
            self.ids.par_iter().enumerate().map(|(at, id)| (first(id), number(at))).collect();
        order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| id(a.1).cmp(&id(b.1))));
        if order.par_windows(2).any(|pair| pair[0].0 == pair[1].0 && id(pair[0].1) == id(pair[1].1)) {
            let message = "two indicators have one id".to_owned();
            return Err(StoreError::Integrity { path: INDICATORS_FILE.into(), message });
        }
        Ok((0..order.len()).step_by(LINE_ROWS).map(move |first| {
            let some = &order[first..(first + LINE_ROWS).min(order.len())];
            let of_part = |part: &[(u64, u32)]| {
                let mut lines = header.clone();
                self.each(part.iter().map(|&(_, at)| at as usize), |id, row| write_line(id, row, &mut lines));
                lines
            };
            let parts: Vec<Lines> = some.par_chunks(BATCH_ROWS).map(of_part).collect();
            let mut lines = header.clone();
            parts.into_iter().for_each(|part| lines.join(part));
            lines
        }))
    }

    /// Hands over the rows at these positions, with their ids.
    fn each(&self, positions: impl Iterator<Item = usize>, mut put: impl FnMut(&str, &Row<'_>)) {
        let (mut positions, mut few) = (positions.fuse(), Vec::with_capacity(FEW));
        loop {
            few.clear();
            few.extend(positions.by_ref().take(FEW));
            if few.is_empty() {
                break;
            }
            self.touch(&few);
            for &at in &few {
                let mut id = [b'0'; 32];
                // 16 bytes take 32 digits
                let _ = hex::encode_to_slice(self.ids[at], &mut id);
                put(std::str::from_utf8(&id).unwrap_or_default(), &self.row(at));
            }
        }
    }

    /// Asks memory for what a few rows need at once, so that one wait serves all: they may lie at random.
    fn touch(&self, few: &[usize]) {
        let first = |at: usize| self.order[self.begins[at] as usize] as usize;
        let firsts: Vec<usize> = few.iter().map(|&at| first(at)).collect();
        let ends: Vec<usize> = firsts.iter().map(|&first| self.claims.taken[first].end).collect();
        let text = |end: usize| end.checked_sub(1).and_then(|last| self.claims.texts.as_bytes().get(last));
        let texts = ends.into_iter().fold(0, |all, end| all ^ text(end).copied().unwrap_or_default());
        black_box(few.iter().fold(texts, |all, &at| all ^ self.ids[at][0]));
    }

    /// The row of an indicator: its claims joined.
    fn row(&self, at: usize) -> Row<'_> {
        let claims = &self.order[self.begins[at] as usize..self.begins[at + 1] as usize];
        let mut row = self.claims.row(claims[0] as usize);
        claims[1..].iter().for_each(|&more| row.stated.join(&self.claims.taken[more as usize].stated));
        row.claims = claims.len() as u64;
        row
    }
}

/// A position among claims: a feed has four GiB at most, and a claim takes more than a byte of it.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// What a claim or an indicator states beside its texts.
#[derive(Debug, Clone, Copy)]
struct Stated {
    kind: Kind,
    valid_from: Time,
    valid_until: Time,
    confidence: Option<u8>,
    tlp: Option<Tlp>,
    exact_only: bool,
    prefix: bool,
    inferred_kind: bool,
}

impl Stated {
    const fn of(claim: &Claim) -> Self {
        let Claim { kind, confidence, tlp, exact_only, prefix, inferred_kind, .. } = *claim;
        let (valid_from, valid_until) = (Time::of(claim.valid_from), Time::of(claim.valid_until));
        Self { kind, valid_from, valid_until, confidence, tlp, exact_only, prefix, inferred_kind }
    }

    /// Joins a further claim about the same value: what either allows holds.
    fn join(&mut self, more: &Self) {
        let hull = |a: Time, b: Time, of: fn(i64, i64) -> i64| {
            Time::of(a.stated().zip(b.stated()).map(|(a, b)| of(a, b)))
        };
        self.valid_from = hull(self.valid_from, more.valid_from, i64::min);
        self.valid_until = hull(self.valid_until, more.valid_until, i64::max);
        self.confidence = self.confidence.max(more.confidence);
        self.tlp = self.tlp.max(more.tlp);
        self.exact_only &= more.exact_only;
        self.inferred_kind &= more.inferred_kind;
    }
}

/// Microseconds since 1970 UTC, where they are stated. In half the room of an `Option`; no claim is of the first
/// microsecond that a number can say, 290,000 years before.
#[derive(Debug, Clone, Copy)]
struct Time(i64);

impl Time {
    const fn of(stated: Option<i64>) -> Self {
        match stated {
            Some(time) => Self(time),
            None => Self(i64::MIN),
        }
    }

    const fn stated(self) -> Option<i64> {
        if self.0 == i64::MIN { None } else { Some(self.0) }
    }
}

/// A row of the `indicators` table, without its id.
#[derive(Debug)]
struct Row<'a> {
    stated: Stated,
    value: &'a str,
    original: &'a str,
    fields: &'a [Field],
    parts: &'a [Part],
    claims: u64,
}

impl Row<'_> {
    /// Whether two claims are one indicator.
    fn is_same(&self, other: &Self) -> bool {
        let of = |row: &Self| (row.stated.kind, row.stated.prefix);
        of(self) == of(other) && self.value == other.value && self.fields == other.fields
    }
}

/// An indicator's id.
fn indicator_id(feed: &Sha256Digest, row: &Row<'_>) -> [u8; 16] {
    let mut hasher = Sha256Hasher::default();
    hasher.update(feed.as_bytes());
    for part in [row.stated.kind.as_str(), if row.stated.prefix { "prefix" } else { "" }, row.value] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    for field in row.fields {
        hasher.update(&[0]);
        hasher.update(field.as_str().as_bytes());
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finish().as_bytes()[..16]);
    id
}

/// Schema of `indicators.parquet`.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        ArrowField::new("indicator_id", DataType::Utf8, false),
        ArrowField::new("kind", DataType::Utf8, false),
        ArrowField::new("value", DataType::Utf8, false),
        ArrowField::new("original", DataType::Utf8, false),
        ArrowField::new("valid_from", time_type(), true),
        ArrowField::new("valid_until", time_type(), true),
        ArrowField::new("confidence", DataType::Int64, true),
        ArrowField::new("tlp", DataType::Utf8, true),
        ArrowField::new("claims", DataType::Int64, false),
        ArrowField::new("exact_only", DataType::Boolean, false),
        ArrowField::new("prefix", DataType::Boolean, false),
        ArrowField::new("inferred_kind", DataType::Boolean, false),
        ArrowField::new("fields", list_type(), true),
        ArrowField::new("parts", list_type(), true),
    ]))
}

/// Begins `indicators.parquet` in a stage; its row groups are those of [`Sorted::groups`].
///
/// # Errors
/// Where the disk refuses.
pub fn writer(stage: &Stage) -> Result<TableWriter, StoreError> {
    let (file, path) = (stage.create(INDICATORS_FILE)?, stage.path().join(INDICATORS_FILE));
    // an address or name is much like the one before, in the order of their keys
    TableWriter::new(file, &path, &schema(), &["value", "original"])
}

/// The rows of the `indicators` table; one batch at least.
///
/// # Errors
/// Never for indicators made by comity; the arrow library's word otherwise.
pub fn batches(indicators: &[Indicator]) -> Result<Vec<RecordBatch>, StoreError> {
    let batch = |some: &[Indicator]| {
        let mut rows = Rows::with_capacity(some.len());
        for Indicator { id, claim, claims } in some {
            let Claim { value, original, fields, parts, .. } = claim;
            rows.push(
                id,
                &Row { stated: Stated::of(claim), value, original, fields, parts, claims: *claims },
            );
        }
        rows.finish()
    };
    match indicators {
        [] => Ok(vec![RecordBatch::new_empty(schema())]),
        some => some.par_chunks(BATCH_ROWS).map(batch).collect(),
    }
}

/// Builds rows of the `indicators` table.
#[derive(Debug)]
struct Rows {
    ids: StringBuilder,
    kinds: StringBuilder,
    values: StringBuilder,
    originals: StringBuilder,
    valid_from: TimestampMicrosecondBuilder,
    valid_until: TimestampMicrosecondBuilder,
    confidence: Int64Builder,
    tlp: StringBuilder,
    claims: Int64Builder,
    exact_only: BooleanBuilder,
    prefix: BooleanBuilder,
    inferred_kind: BooleanBuilder,
    fields: ListBuilder<StringBuilder>,
    parts: ListBuilder<StringBuilder>,
}

impl Rows {
    fn with_capacity(rows: usize) -> Self {
        let texts = |length: usize| StringBuilder::with_capacity(rows, rows * length);
        let (times, numbers) = (TimestampMicrosecondBuilder::with_capacity, Int64Builder::with_capacity);
        let flags = BooleanBuilder::with_capacity;
        let lists = || ListBuilder::with_capacity(StringBuilder::new(), rows);
        Self {
            ids: texts(32),
            kinds: texts(12),
            values: texts(24),
            originals: texts(24),
            valid_from: times(rows),
            valid_until: times(rows),
            confidence: numbers(rows),
            tlp: texts(0),
            claims: numbers(rows),
            exact_only: flags(rows),
            prefix: flags(rows),
            inferred_kind: flags(rows),
            fields: lists(),
            parts: lists(),
        }
    }

    fn push(&mut self, id: &str, row: &Row<'_>) {
        let Stated { kind, valid_from, valid_until, confidence, tlp, exact_only, prefix, inferred_kind } =
            row.stated;
        self.ids.append_value(id);
        self.kinds.append_value(kind.as_str());
        self.values.append_value(row.value);
        self.originals.append_value(row.original);
        self.valid_from.append_option(valid_from.stated());
        self.valid_until.append_option(valid_until.stated());
        self.confidence.append_option(confidence.map(i64::from));
        self.tlp.append_option(tlp.map(Tlp::as_str));
        self.claims.append_value(i64::try_from(row.claims).unwrap_or(i64::MAX));
        self.exact_only.append_value(exact_only);
        self.prefix.append_value(prefix);
        self.inferred_kind.append_value(inferred_kind);
        row.fields.iter().for_each(|field| self.fields.values().append_value(field.as_str()));
        self.fields.append(!row.fields.is_empty());
        row.parts.iter().for_each(|part| self.parts.values().append_value(part_text(part)));
        self.parts.append(!row.parts.is_empty());
    }

    fn finish(mut self) -> Result<RecordBatch, StoreError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.ids.finish()),
            Arc::new(self.kinds.finish()),
            Arc::new(self.values.finish()),
            Arc::new(self.originals.finish()),
            Arc::new(self.valid_from.finish().with_timezone("UTC")),
            Arc::new(self.valid_until.finish().with_timezone("UTC")),
            Arc::new(self.confidence.finish()),
            Arc::new(self.tlp.finish()),
            Arc::new(self.claims.finish()),
            Arc::new(self.exact_only.finish()),
            Arc::new(self.prefix.finish()),
            Arc::new(self.inferred_kind.finish()),
            Arc::new(self.fields.finish()),
            Arc::new(self.parts.finish()),
        ];
        RecordBatch::try_new(schema(), columns).map_err(|e| StoreError::arrow("indicators", e))
    }
}

/// A part as stored: kind, field or nothing, value, blanks between; neither of the first two holds one.
fn part_text(part: &Part) -> String {
    let field = part.field.map_or("", Field::as_str);
    format!("{} {field} {}", part.kind, part.value)
}

fn part_of(text: &str) -> Result<Part, UnknownToken> {
    let mut words = text.splitn(3, ' ');
    let (kind, field, value) = (words.next(), words.next(), words.next());
    Ok(Part {
        kind: kind.unwrap_or_default().parse()?,
        field: field.filter(|f| !f.is_empty()).map(str::parse).transpose()?,
        value: value.unwrap_or_default().to_owned(),
    })
}

/// Places in the schema of what says which keys an indicator covers: kind, value, `exact_only`, prefix.
const KEY_COLUMNS: [usize; 4] = [1, 2, 9, 10];

/// The indicators of a feed, in the order of its file. What says which keys they cover is held; of the few that
/// are met the rest is read when it is asked for.
#[derive(Debug, Clone)]
pub struct Indicators {
    path: PathBuf,
    footer: Arc<ParquetMetaData>,
    parts: Vec<Slice>,
}

impl Indicators {
    /// Reads the indicators of a feed.
    ///
    /// # Errors
    /// Where the file does not read, or has not the columns that comity writes.
    pub fn read(feed: &Path) -> Result<Self, StoreError> {
        let path = feed.join(INDICATORS_FILE);
        let reader = tables::open_rows(&path)?;
        let mut all = Self { path, footer: Arc::clone(reader.metadata()), parts: Vec::new() };
        if reader.schema().fields() != schema().fields() {
            return Err(all.integrity("columns are not those that comity writes"));
        }
        let columns = ProjectionMask::roots(reader.parquet_schema(), KEY_COLUMNS);
        let mut first = 0;
        for batch in tables::read_columns(&all.footer, &all.path, &columns)? {
            let text = |at: usize| batch.column(at).as_string::<i32>().clone();
            let flag = |at: usize| batch.column(at).as_boolean().clone();
            let (kinds, values, exact_only, prefix) = (text(0), text(1), flag(2), flag(3));
            all.parts.push(Slice { first, kinds, values, exact_only, prefix });
            first += batch.num_rows();
        }
        Ok(all)
    }

    /// The indicators, in parts.
    pub fn parts(&self) -> &[Slice] {
        &self.parts
    }

    /// The indicators at these positions, which ascend without repetition.
    ///
    /// # Errors
    /// Where the file does not read, or holds what comity does not write.
    pub fn fetch(&self, positions: &[u64]) -> Result<Vec<Indicator>, StoreError> {
        let schema = schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let batches = tables::fetch_ranges(&self.footer, &self.path, &names, tables::runs(positions))?;
        let of_batch = |batch: &RecordBatch| {
            let one = |row| indicator(batch, row).map_err(|e| self.integrity(&e.to_string()));
            (0..batch.num_rows()).map(one).collect::<Result<Vec<_>, _>>()
        };
        let found = batches.iter().map(of_batch).collect::<Result<Vec<_>, _>>()?.concat();
        if found.len() == positions.len() {
            Ok(found)
        } else {
            Err(self.integrity("an indicator is missing"))
        }
    }

    /// What stands in the file is not what comity writes.
    pub fn integrity(&self, message: &str) -> StoreError {
        StoreError::Integrity { path: self.path.clone(), message: message.to_owned() }
    }
}

/// Indicators of a feed that follow one another.
#[derive(Debug, Clone)]
pub struct Slice {
    first: usize,
    kinds: StringArray,
    values: StringArray,
    exact_only: BooleanArray,
    prefix: BooleanArray,
}

impl Slice {
    /// Position of its first indicator.
    pub const fn first(&self) -> usize {
        self.first
    }

    /// Number of its indicators.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What each indicator says of the keys that it covers.
    ///
    /// # Errors
    /// Where a kind is none.
    pub fn values(&self) -> impl Iterator<Item = Result<Claimed<'_>, UnknownToken>> {
        // a kind stands in many rows, one behind the other
        let mut last = None;
        (0..self.values.len()).map(move |row| {
            let name = self.kinds.value(row);
            let kind = match last {
                Some((last, kind)) if last == name => kind,
                _ => name.parse()?,
            };
            last = Some((name, kind));
            Ok(Claimed {
                kind,
                value: self.values.value(row),
                exact_only: self.exact_only.value(row),
                prefix: self.prefix.value(row),
            })
        })
    }
}

/// Appends the logical line (`comity-rows/v1`) of a row.
fn write_line(id: &str, row: &Row<'_>, lines: &mut Lines) {
    let Stated { kind, valid_from, valid_until, confidence, tlp, exact_only, prefix, inferred_kind } =
        row.stated;
    [id, kind.as_str(), row.value, row.original].into_iter().for_each(|text| lines.text(text));
    for number in [valid_from.stated(), valid_until.stated(), confidence.map(i64::from)] {
        match number {
            Some(number) => lines.integer(number),
            None => lines.null(),
        }
    }
    match tlp {
        Some(tlp) => lines.text(tlp.as_str()),
        None => lines.null(),
    }
    lines.integer(row.claims);
    [exact_only, prefix, inferred_kind].into_iter().for_each(|flag| lines.boolean(flag));
    match row.fields {
        [] => lines.null(),
        fields => lines.list(fields.iter().map(|field| field.as_str())),
    }
    match row.parts {
        [] => lines.null(),
        parts => lines.list(parts.iter().map(part_text).collect::<Vec<_>>().iter().map(String::as_str)),
    }
    lines.end_row();
}

/// Reads one indicator from its logical line (`comity-rows/v1`), without the line end.
///
/// # Errors
/// What is wrong with the line.
pub fn parse_line(line: &[u8]) -> Result<Indicator, BadLine> {
    let line = std::str::from_utf8(line).map_err(|_| BadLine::Form("is not UTF-8"))?;
    let cells: Vec<Option<&str>> = line.split('\t').map(|cell| (cell != "\\N").then_some(cell)).collect();
    let [
        id,
        kind,
        value,
        original,
        from,
        until,
        confidence,
        tlp,
        claims,
        exact,
        prefix,
        inferred,
        fields,
        parts,
    ] = <[Option<&str>; 14]>::try_from(cells).map_err(|_| BadLine::Form("has not 14 columns"))?;
    let text = |cell: Option<&str>| unescaped(cell.ok_or(BadLine::Form("has NULL where none may be"))?);
    let number = |cell: Option<&str>| -> Result<Option<i64>, BadLine> {
        cell.map(|c| c.parse()).transpose().map_err(|_| BadLine::Form("has text where a number must be"))
    };
    let flag = |cell: Option<&str>| match cell {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(BadLine::Form("has no boolean where one must be")),
    };
    let items = |cell: Option<&str>| -> Result<Vec<String>, BadLine> {
        cell.unwrap_or_default().split_terminator('\u{1f}').map(unescaped).collect()
    };
    Ok(Indicator {
        id: text(id)?,
        claim: Claim {
            kind: text(kind)?.parse()?,
            value: text(value)?,
            original: text(original)?,
            valid_from: number(from)?,
            valid_until: number(until)?,
            confidence: number(confidence)?.and_then(|c| u8::try_from(c).ok()),
            tlp: tlp.map(|t| t.parse()).transpose()?,
            exact_only: flag(exact)?,
            prefix: flag(prefix)?,
            inferred_kind: flag(inferred)?,
            fields: items(fields)?.iter().map(|f| f.parse()).collect::<Result<_, _>>()?,
            parts: items(parts)?.iter().map(|p| part_of(p)).collect::<Result<_, _>>()?,
        },
        claims: number(claims)?.and_then(|c| u64::try_from(c).ok()).unwrap_or(0),
    })
}

/// A text that is no logical line of an indicator.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadLine {
    /// Not in the form of a line.
    #[error("line {0}")]
    Form(&'static str),
    /// A word that comity does not know.
    #[error(transparent)]
    Token(#[from] UnknownToken),
}

/// Undoes the escapes of a cell or item.
fn unescaped(cell: &str) -> Result<String, BadLine> {
    let mut text = String::with_capacity(cell.len());
    let mut left = cell.chars();
    while let Some(next) = left.next() {
        let plain = match next {
            '\\' => match left.next() {
                Some('\\') => '\\',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                Some('u') => '\u{1f}',
                _ => return Err(BadLine::Form("has an escape that is none")),
            },
            other => other,
        };
        text.push(plain);
    }
    Ok(text)
}

fn indicator(batch: &RecordBatch, row: usize) -> Result<Indicator, UnknownToken> {
    let text = |at: usize| batch.column(at).as_string::<i32>().value(row);
    let time = |at: usize| {
        let column = batch.column(at).as_primitive::<TimestampMicrosecondType>();
        column.is_valid(row).then(|| column.value(row))
    };
    let number = |at: usize| {
        let column = batch.column(at).as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let flag = |at: usize| batch.column(at).as_boolean().value(row);
    let items = |at: usize| -> Vec<String> {
        let column = batch.column(at).as_list::<i32>();
        if column.is_null(row) {
            return Vec::new();
        }
        column.value(row).as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    };
    Ok(Indicator {
        id: text(0).to_owned(),
        claim: Claim {
            kind: text(1).parse()?,
            value: text(2).to_owned(),
            original: text(3).to_owned(),
            valid_from: time(4),
            valid_until: time(5),
            confidence: number(6).and_then(|c| u8::try_from(c).ok()),
            tlp: if batch.column(7).is_null(row) { None } else { Some(text(7).parse()?) },
            exact_only: flag(9),
            prefix: flag(10),
            inferred_kind: flag(11),
            fields: items(12).iter().map(|f| f.parse()).collect::<Result<_, _>>()?,
            parts: items(13).iter().map(|p| part_of(p)).collect::<Result<_, _>>()?,
        },
        claims: number(8).and_then(|c| u64::try_from(c).ok()).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_from_the_file_is_what_was_claimed() {
        let count = tables::GROUP_ROWS + 100;
        let mut claims = Claims::default();
        for number in 0..count {
            let value = std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap()).to_string();
            let fields = if number % 3 == 0 { vec![Field::SrcIp, Field::DstIp] } else { Vec::new() };
            let part = |value: &str| Part { kind: Kind::Ipv4Addr, value: value.to_owned(), field: None };
            let claim = Claim {
                fields,
                confidence: (number % 7 > 0).then_some(50),
                valid_from: (number % 5 > 0).then_some(number as i64 - 10),
                valid_until: (number % 4 > 0).then_some(i64::MAX - number as i64),
                tlp: (number % 6 == 0).then_some(Tlp::Green),
                parts: if number % 100 == 0 { vec![part(&value), part("a\tb")] } else { Vec::new() },
                ..Claim::new(Kind::Ipv4Addr, &value, format!("{value}\\"))
            };
            // every tenth is claimed twice
            for _ in 0..=usize::from(number % 10 == 0) {
                claims.push(claim.clone());
            }
        }
        let sorted = claims.sorted(Sha256Digest::of(b"feed"));
        let groups: Vec<Vec<RecordBatch>> = sorted.groups().collect::<Result<_, _>>().unwrap();
        assert_eq!((sorted.indicators(), groups.len()), (count, 2));
        let lines: Vec<Lines> = sorted.lines().unwrap().collect();
        let of_rows = rows::lines("indicators", &schema(), &groups.concat()).unwrap();
        assert!(lines.iter().all(|some| some.header() == of_rows.header()));
        assert!(lines.iter().flat_map(Lines::sorted).eq(of_rows.sorted()));

        let scratch = tempfile::tempdir().unwrap();
        let stage = Stage::new(scratch.path(), "feed").unwrap();
        let mut table = writer(&stage).unwrap();
        groups.iter().for_each(|group| table.group(group).unwrap());
        table.finish().unwrap();

        let read = Indicators::read(stage.path()).unwrap();
        let made = arrow::compute::concat_batches(&schema(), groups.iter().flatten()).unwrap();
        let values = made.column(2).as_string::<i32>().iter().flatten();
        let read_values = read.parts().iter().flat_map(Slice::values).map(|claimed| claimed.unwrap().value);
        assert!(read_values.eq(values));
        assert_eq!(sorted.kinds().filter(|kind| *kind == Kind::Ipv4Addr).count(), count);
        let border = tables::GROUP_ROWS as u64;
        let positions = [0, 1, 30, border - 1, border, border + 1, count as u64 - 1];
        let found = read.fetch(&positions).unwrap();
        let at = |&position: &u64| indicator(&made, usize::try_from(position).unwrap()).unwrap();
        assert_eq!(found, positions.iter().map(at).collect::<Vec<_>>());
        let of = |at: usize| (&*found[at].claim.value, found[at].claims, found[at].claim.fields.len());
        assert_eq!(
            [of(0), of(1), of(2), of(4)],
            [("0.0.0.0", 2, 2), ("0.0.0.1", 1, 0), ("0.0.0.30", 2, 2), ("0.2.0.0", 1, 0)]
        );
        assert!(read.fetch(&[count as u64]).is_err());
        assert!(read.fetch(&[]).unwrap().is_empty());
    }
}
