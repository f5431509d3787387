//! The observables of a chunk: which value stands in which field of which row.
//!
//! A posting is one number: value, field, what is known of the spelling, row. IPv4 addresses, most of
//! what logs hold, are their own value; all else is gathered as distinct texts first, each
//! canonicalised once, and its value is the rank of its key. Sorting the numbers gives the entries.

use std::hash::{BuildHasher, Hasher};
use std::net::Ipv4Addr;

use comity_model::canonical::{self, Found};
use comity_model::{FIELDS, Field, Kind, key};
use hashbrown::HashTable;

use crate::StoreError;
use crate::index::{Posted, Run, RunBuilder, order, order_of_quad};

/// Value (32 bits), field (7), derived, altered, row (23).
type Posting = u64;

const ROW_BITS: u32 = 23;
/// Most rows of a chunk; eight million records need as many bytes.
const MAX_ROWS: u32 = 1 << ROW_BITS;
/// The value was written in another way than the canonical one.
const ALTERED: u64 = 1 << ROW_BITS;
/// The value is part of another one.
const DERIVED: u64 = ALTERED << 1;
const FIELD_SHIFT: u32 = ROW_BITS + 2;
const VALUE_SHIFT: u32 = 32;
const _: () = assert!(FIELDS.len() <= 1 << (VALUE_SHIFT - FIELD_SHIFT), "a field does not fit its bits");

fn posting(value: u32, field: Field, flags: u64, row: u32) -> Posting {
    u64::from(value) << VALUE_SHIFT | (field as u64) << FIELD_SHIFT | flags | u64::from(row)
}

const fn value_of(posting: Posting) -> u32 {
    (posting >> VALUE_SHIFT) as u32
}

fn field_of(posting: Posting) -> Field {
    let number = posting >> FIELD_SHIFT & ((1 << (VALUE_SHIFT - FIELD_SHIFT)) - 1);
    usize::try_from(number).ok().and_then(|at| Field::ALL.get(at)).copied().unwrap_or(Field::SrcIp)
}

const fn row_of(posting: Posting) -> u32 {
    (posting & (ALTERED - 1)) as u32
}

/// Gathers the observables of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    quads: Vec<Posting>,
    texts: Texts,
    rows: u32,
}

impl Postings {
    /// Makes room for the observables of so many rows.
    pub(crate) fn new(rows: usize) -> Self {
        Self { quads: Vec::with_capacity(2 * rows), ..Self::default() }
    }

    /// An IPv4 address stands in a row, written canonically.
    pub(crate) fn quad(&mut self, field: Field, address: Ipv4Addr, row: u32) {
        self.rows = self.rows.max(row);
        self.quads.push(posting(address.to_bits(), field, 0, row));
    }

    /// A text stands in a row; `known` is what an extractor says of it: its kind, which makes it a
    /// canonical value, and whether it was written in another way.
    pub(crate) fn text(&mut self, field: Field, known: Option<(Kind, bool)>, text: &str, row: u32) {
        self.rows = self.rows.max(row);
        self.texts.note(field, known, text, row);
    }

    /// The entries.
    pub(crate) fn into_run(mut self) -> Result<Run, StoreError> {
        if self.rows >= MAX_ROWS {
            return Err(StoreError::ChunkRows { most: MAX_ROWS });
        }
        let rows = self.texts.rows();
        let mut values = Vec::new();
        self.texts.values(&rows, &mut values, &mut self.quads);
        values.sort_unstable_by(|a, b| a.order.cmp(&b.order).then_with(|| a.key.cmp(&b.key)));
        let mut postings = Vec::with_capacity(self.texts.seen.len());
        let (mut keys, mut rank) = (Vec::<&Value>::new(), 0);
        for value in &values {
            if keys.last().is_none_or(|last| last.order != value.order || last.key != value.key) {
                rank = u32::try_from(keys.len()).unwrap_or(u32::MAX);
                keys.push(value);
            }
            postings
                .extend(rows.of(value.text).iter().map(|&row| posting(rank, value.field, value.flags, row)));
        }
        sort(&mut self.quads);
        sort(&mut postings);
        let mut run = RunBuilder::default();
        let mut lists = Lists::default();
        let before = keys.partition_point(|value| value.order < order_of_quad(0));
        let cut = postings.partition_point(|&p| (value_of(p) as usize) < before);
        let (first, last) = postings.split_at(cut);
        let keyed = |value: u32| keys.get(value as usize).map(|v| (v.order, v.kind, v.key.as_slice()));
        lists.push_all(first, keyed, &mut run);
        lists.push_all(&self.quads, |quad| Some((order_of_quad(quad), Kind::Ipv4Addr, &[][..])), &mut run);
        lists.push_all(last, keyed, &mut run);
        Ok(run.finish())
    }
}

/// Sorts postings. Addresses differ in all their bits and come in thousands, so this is by digits;
/// few are compared.
fn sort(postings: &mut Vec<Posting>) {
    const DIGIT: u32 = 11;
    if postings.len() < 1 << DIGIT {
        return postings.sort_unstable();
    }
    let mut from = std::mem::take(postings);
    let mut to = vec![0; from.len()];
    // rows come ascending but where a text has several spellings; `Lists` looks at that
    let mut shift = ROW_BITS;
    while shift < Posting::BITS {
        let digit = |p: Posting| usize::try_from((p >> shift) & ((1 << DIGIT) - 1)).unwrap_or(0);
        let mut next = [0_usize; 1 << DIGIT];
        from.iter().for_each(|&p| next[digit(p)] += 1);
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        for &p in &from {
            let place = &mut next[digit(p)];
            to[*place] = p;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
        shift += DIGIT;
    }
    *postings = from;
}

/// Makes entries of sorted postings.
#[derive(Default)]
struct Lists {
    rows: Vec<u32>,
    own: Vec<u32>,
    altered: Vec<u32>,
}

impl Lists {
    fn push_all<'k>(
        &mut self,
        postings: &[Posting],
        keyed: impl Fn(u32) -> Option<(u128, Kind, &'k [u8])>,
        run: &mut RunBuilder,
    ) {
        for same_value in postings.chunk_by(|&a, &b| value_of(a) == value_of(b)) {
            let Some((order, kind, key)) = same_value.first().and_then(|&p| keyed(value_of(p))) else {
                continue;
            };
            // a derived value is not repeated in rows that carry the value in a field of its own
            // (MATCHING.md, "Which fields are observables")
            self.own.clear();
            if same_value.iter().any(|p| p & DERIVED != 0) {
                gather(&mut self.own, same_value, |p| p & DERIVED == 0);
            }
            for same_field in same_value.chunk_by(|a, b| a >> FIELD_SHIFT == b >> FIELD_SHIFT) {
                let Some(&first) = same_field.first() else { continue };
                gather(&mut self.rows, same_field, |_| true);
                // a derived value and its origin share the field, so no field mixes both
                if !self.own.is_empty() && same_field.iter().all(|p| p & DERIVED != 0) {
                    let own = &self.own;
                    self.rows.retain(|row| own.binary_search(row).is_err());
                }
                if self.rows.is_empty() {
                    continue;
                }
                gather(&mut self.altered, same_field, |p| p & ALTERED != 0);
                let field = field_of(first);
                let (rows, altered) = (&self.rows, &self.altered);
                run.push(&Posted { order, kind, key, field, rows, altered });
            }
        }
    }
}

/// The rows of those postings, ascending, without repetition.
fn gather(rows: &mut Vec<u32>, postings: &[Posting], wanted: impl Fn(Posting) -> bool) {
    rows.clear();
    rows.extend(postings.iter().filter(|&&p| wanted(p)).map(|&p| row_of(p)));
    if !rows.is_sorted() {
        rows.sort_unstable();
    }
    rows.dedup();
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
    known: Option<(Kind, bool)>,
    hash: u64,
    start: usize,
    end: usize,
    count: u32,
}

/// An observable that a distinct text gives.
#[derive(Debug)]
struct Value {
    order: u128,
    key: Vec<u8>,
    kind: Kind,
    field: Field,
    flags: u64,
    text: usize,
}

impl Texts {
    fn note(&mut self, field: Field, known: Option<(Kind, bool)>, text: &str, row: u32) {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(field as u8);
        hasher.write(text.as_bytes());
        let hash = hasher.finish();
        let (bytes, distinct) = (&mut self.bytes, &mut self.distinct);
        let same = |&id: &u32| {
            let d = &distinct[id as usize];
            d.hash == hash && d.field == field && d.known == known && bytes.get(d.start..d.end) == Some(text)
        };
        let id = match self.table.find(hash, same) {
            Some(&id) => id,
            None => {
                let id = u32::try_from(distinct.len()).unwrap_or(u32::MAX);
                let start = bytes.len();
                bytes.push_str(text);
                distinct.push(Distinct { field, known, hash, start, end: bytes.len(), count: 0 });
                self.table.insert_unique(hash, id, |&id| distinct[id as usize].hash);
                id
            }
        };
        distinct[id as usize].count += 1;
        self.seen.push((id, row));
    }

    /// Canonicalises each distinct text once. IPv4 addresses go to `quads`, all else to `values`.
    fn values(&self, rows: &TextRows, values: &mut Vec<Value>, quads: &mut Vec<Posting>) {
        for (at, text) in self.distinct.iter().enumerate() {
            let written = self.bytes.get(text.start..text.end).unwrap_or_default();
            let mut take = |found: &Found, altered: bool| {
                let flag = |set: bool, flag: u64| if set { flag } else { 0 };
                let flags = flag(found.derived, DERIVED) | flag(altered && !found.derived, ALTERED);
                if found.kind == Kind::Ipv4Addr {
                    let Some(address) = canonical::quad(&found.value) else {
                        debug_assert!(false, "{:?} is not canonical", found.value);
                        return;
                    };
                    let one = |&row: &u32| posting(address.to_bits(), text.field, flags, row);
                    return quads.extend(rows.of(at).iter().map(one));
                }
                let key = key::of_observable(found.kind, &found.value);
                let order = order(found.kind, &key);
                values.push(Value { order, key, kind: found.kind, field: text.field, flags, text: at });
            };
            match text.known {
                Some((kind, altered)) => {
                    take(&Found { kind, value: written.to_owned(), derived: false }, altered);
                }
                None => canonical::observe(text.field.info().observe, written, &mut |found| {
                    take(&found, found.value != written);
                }),
            }
        }
    }

    /// The rows of each text, by counting sort.
    fn rows(&self) -> TextRows {
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
        TextRows { starts, rows }
    }
}

/// Rows by text.
struct TextRows {
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl TextRows {
    fn of(&self, text: usize) -> &[u32] {
        self.rows.get(self.starts[text]..self.starts[text + 1]).unwrap_or_default()
    }
}
