//! Indicators of a feed: claims gathered, equal ones joined, sorted for the merge.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Field as ArrowField, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use comity_model::key::Claimed;
use comity_model::{Claim, Field, Kind, Part, Tlp, UnknownToken, key};
use comity_provenance::{Sha256Digest, Sha256Hasher};
use parquet::basic::Encoding;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;
use thiserror::Error;

use crate::columns::{list_type, time_type};
use crate::durable::Stage;
use crate::{StoreError, index, tables};

/// Name of the indicators file within its feed.
pub const INDICATORS_FILE: &str = "indicators.parquet";

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

/// Gathers the claims of a feed.
#[derive(Debug, Default)]
pub struct Claims {
    claims: Vec<Claim>,
}

impl Claims {
    /// Takes a claim.
    pub fn push(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    /// Number of claims taken.
    pub fn accepted(&self) -> u64 {
        self.claims.len() as u64
    }

    /// The indicators of the feed with this id, in the order of the file: by kind and sort key.
    pub fn finish(self, feed: &Sha256Digest) -> Vec<Indicator> {
        let mut claims = self.claims;
        let key =
            |claim: &Claim| key::of_claim(claim).into_iter().next().map(|span| span.lo).unwrap_or_default();
        // what settles nearly every comparison without a look at the claim
        let head = |(at, claim): (usize, &Claim)| (index::order(claim.kind, &key(claim)), at);
        let mut sorted: Vec<(u128, usize)> = claims.par_iter().enumerate().map(head).collect();
        let rest = |at: usize| claims.get(at).map(|c| (c.kind, key(c), &c.value, c.prefix, &c.fields));
        // of equal claims the first in the feed gives the original text
        sorted.par_sort_unstable_by(|&(a_head, a), &(b_head, b)| {
            a_head.cmp(&b_head).then_with(|| rest(a).cmp(&rest(b))).then(a.cmp(&b))
        });
        let mut indicators: Vec<Indicator> = Vec::with_capacity(claims.len());
        for (_, at) in sorted {
            let claim = std::mem::replace(&mut claims[at], Claim::new(Kind::Ipv4Addr, "", ""));
            match indicators.last_mut() {
                Some(known) if is_same(&known.claim, &claim) => {
                    join(&mut known.claim, &claim);
                    known.claims += 1;
                }
                _ => indicators.push(Indicator { id: String::new(), claim, claims: 1 }),
            }
        }
        indicators.par_iter_mut().for_each(|known| known.id = indicator_id(feed, &known.claim));
        indicators
    }
}

/// Whether two claims are one indicator.
fn is_same(a: &Claim, b: &Claim) -> bool {
    a.kind == b.kind && a.value == b.value && a.prefix == b.prefix && a.fields == b.fields
}

/// Joins a further claim about the same value: what either allows holds.
fn join(known: &mut Claim, more: &Claim) {
    known.valid_from = known.valid_from.zip(more.valid_from).map(|(a, b)| a.min(b));
    known.valid_until = known.valid_until.zip(more.valid_until).map(|(a, b)| a.max(b));
    known.confidence = known.confidence.max(more.confidence);
    known.tlp = known.tlp.max(more.tlp);
    known.exact_only &= more.exact_only;
    known.inferred_kind &= more.inferred_kind;
}

fn indicator_id(feed: &Sha256Digest, claim: &Claim) -> String {
    let mut hasher = Sha256Hasher::default();
    hasher.update(feed.as_bytes());
    for part in [claim.kind.as_str(), if claim.prefix { "prefix" } else { "" }, &claim.value] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    for field in &claim.fields {
        hasher.update(&[0]);
        hasher.update(field.as_str().as_bytes());
    }
    let mut id = hasher.finish().to_string();
    id.truncate(32);
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

/// Writes `indicators.parquet`, of [`batches`], into a stage.
///
/// # Errors
/// Where the disk refuses.
pub fn write(stage: &Stage, batches: &[RecordBatch]) -> Result<(), StoreError> {
    let file = stage.create(INDICATORS_FILE)?;
    tables::write_as(file, &stage.path().join(INDICATORS_FILE), &schema(), properties(), batches)
}

/// How columns of indicators are encoded: ids, values and texts as found hardly ever repeat.
fn properties() -> WriterPropertiesBuilder {
    let columns = [
        ("indicator_id", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("value", Encoding::DELTA_BYTE_ARRAY),
        ("original", Encoding::DELTA_BYTE_ARRAY),
    ];
    columns.into_iter().fold(tables::properties(), |properties, (name, encoding)| {
        let column = ColumnPath::from(name);
        properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, encoding)
    })
}

/// The rows of the `indicators` table; one batch at least.
///
/// # Errors
/// Never for indicators made by comity; the arrow library's word otherwise.
pub fn batches(indicators: &[Indicator]) -> Result<Vec<RecordBatch>, StoreError> {
    match indicators {
        [] => Ok(vec![RecordBatch::new_empty(schema())]),
        some => some.par_chunks(1 << 16).map(batch).collect(),
    }
}

fn batch(rows: &[Indicator]) -> Result<RecordBatch, StoreError> {
    let text = |of: for<'a> fn(&'a Indicator) -> &'a str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let time = |of: fn(&Claim) -> Option<i64>| -> ArrayRef {
        let times = rows.iter().map(|r| of(&r.claim));
        Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
    };
    let flag = |of: fn(&Claim) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(of(&r.claim)))))
    };
    let tlp: StringArray = rows.iter().map(|r| r.claim.tlp.map(Tlp::as_str)).collect();
    let columns: Vec<ArrayRef> = vec![
        text(|r| &r.id),
        text(|r| r.claim.kind.as_str()),
        text(|r| &r.claim.value),
        text(|r| &r.claim.original),
        time(|c| c.valid_from),
        time(|c| c.valid_until),
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.claim.confidence.map(i64::from)))),
        Arc::new(tlp),
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|r| i64::try_from(r.claims).unwrap_or(i64::MAX)),
        )),
        flag(|c| c.exact_only),
        flag(|c| c.prefix),
        flag(|c| c.inferred_kind),
        list(rows, &|r| r.claim.fields.iter().map(|f| f.as_str().to_owned()).collect()),
        list(rows, &|r| r.claim.parts.iter().map(part_text).collect()),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|e| StoreError::arrow("indicators", e))
}

fn list(rows: &[Indicator], of: &dyn Fn(&Indicator) -> Vec<String>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        let items = of(row);
        for item in &items {
            lists.values().append_value(item);
        }
        lists.append(!items.is_empty());
    }
    Arc::new(lists.finish())
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

/// The indicators of a feed as they lie in its file, in its order; one is laid out when it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Indicators {
    path: PathBuf,
    parts: Vec<Slice>,
}

impl Indicators {
    /// Reads the indicators of a feed.
    ///
    /// # Errors
    /// Where the file does not read, or has not the columns that comity writes.
    pub fn read(feed: &Path) -> Result<Self, StoreError> {
        let path = feed.join(INDICATORS_FILE);
        let (found, batches) = tables::read(&path)?;
        let mut all = Self { path, parts: Vec::new() };
        if found.fields() != schema().fields() {
            return Err(all.integrity("columns are not those that comity writes"));
        }
        all.take(batches);
        Ok(all)
    }

    /// Indicators that lie in no file.
    ///
    /// # Errors
    /// As [`batches`].
    pub fn of(indicators: &[Indicator]) -> Result<Self, StoreError> {
        let mut all = Self::default();
        all.take(batches(indicators)?);
        Ok(all)
    }

    fn take(&mut self, batches: Vec<RecordBatch>) {
        let mut next = 0;
        for rows in batches {
            let first = next;
            next += rows.num_rows();
            self.parts.push(Slice { first, rows });
        }
    }

    /// The indicators, in parts.
    pub fn parts(&self) -> &[Slice] {
        &self.parts
    }

    /// The indicator at a position.
    ///
    /// # Errors
    /// Where it holds what comity does not write.
    pub fn get(&self, at: usize) -> Result<Indicator, StoreError> {
        let part = self.parts.partition_point(|part| part.first <= at).checked_sub(1);
        let part = part.and_then(|part| self.parts.get(part));
        let row = |part: &Slice| at.checked_sub(part.first).filter(|row| *row < part.rows.num_rows());
        let Some((part, row)) = part.and_then(|part| Some((part, row(part)?))) else {
            return Err(self.integrity("an indicator is missing"));
        };
        indicator(&part.rows, row).map_err(|e| self.integrity(&e.to_string()))
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
    rows: RecordBatch,
}

impl Slice {
    /// Position of its first indicator.
    pub const fn first(&self) -> usize {
        self.first
    }

    /// What each indicator says of the keys that it covers.
    ///
    /// # Errors
    /// Where a kind is none.
    pub fn values(&self) -> impl Iterator<Item = Result<Claimed<'_>, UnknownToken>> {
        let (kinds, values) =
            (self.rows.column(1).as_string::<i32>(), self.rows.column(2).as_string::<i32>());
        let (exact_only, prefix) = (self.rows.column(9).as_boolean(), self.rows.column(10).as_boolean());
        (0..self.rows.num_rows()).map(move |row| {
            Ok(Claimed {
                kind: kinds.value(row).parse()?,
                value: values.value(row),
                exact_only: exact_only.value(row),
                prefix: prefix.value(row),
            })
        })
    }
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
