//! The observables of a chunk: which value stands in which field of which row.
//!
//! A posting is one number: value, field, what is known of the spelling, row. IPv4 addresses, most of
//! what logs hold, are their own value; all else is taken as distinct texts, each canonicalised once, and
//! its value is the rank of its key. Sorting the numbers gives the entries. Distinct are the texts of the
//! columns' dictionaries; those behind the end of one, and what extractors found, are gathered here.

use std::hash::{BuildHasher, Hasher};
use std::net::Ipv4Addr;

use comity_model::canonical::{self, Found};
use comity_model::{FIELDS, Field, Kind, Observe, key};
use hashbrown::HashTable;

use crate::StoreError;
use crate::columns::{Events, gives_observables};
use crate::index::{Posted, Run, RunBuilder, order, order_of_quad};
use crate::texts::text_of;

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

/// Bytes that an entry of a run seldom has more of, its key left out.
const ENTRY_BYTES: usize = 10;

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

/// Gathers the observables of a chunk that stand in no dictionary.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    quads: Vec<Posting>,
    texts: Texts,
}

impl Postings {
    /// A text of a column that gives observables stands in a row.
    pub(crate) fn text(&mut self, field: Field, text: &[u8], row: u32) {
        match quad_in(field, text) {
            Some(address) => self.quads.push(posting(address.to_bits(), field, 0, row)),
            None => self.texts.note(field, None, text_of(text), row),
        }
    }

    /// An extractor found a value in a row; `altered` where it was written in another way.
    pub(crate) fn extracted(&mut self, field: Field, kind: Kind, altered: bool, value: &str, row: u32) {
        self.texts.note(field, Some((kind, altered)), value, row);
    }

    /// The entries of these and of the dictionaries' texts.
    pub(crate) fn into_run(self, events: &Events) -> Result<Run, StoreError> {
        if events.rows() >= MAX_ROWS as usize {
            return Err(StoreError::ChunkRows { most: MAX_ROWS });
        }
        let Self { mut quads, texts } = self;
        let own = RowsByText::new(&texts.ids, texts.distinct.len(), texts.rows.iter().copied());
        let dictionaries: Vec<_> = events
            .texts()
            .filter(|(field, ..)| gives_observables(*field))
            .map(|(field, texts, shape)| {
                let rows = shape.rows_of_values().map(|row| u32::try_from(row).unwrap_or(u32::MAX));
                (field, texts.distinct(), RowsByText::new(texts.ids(), texts.distinct().len(), rows))
            })
            .collect();
        let mut values = Vec::new();
        for (at, text) in texts.distinct.iter().enumerate() {
            let written = texts.bytes.get(text.start..text.end).unwrap_or_default();
            take(text.field, text.known, written, own.of(at), &mut values, &mut quads);
        }
        for (field, distinct, rows) in &dictionaries {
            for at in 0..distinct.len() {
                let written = distinct.get(at);
                if let Some(address) = quad_in(*field, written) {
                    quads.extend(rows.of(at).iter().map(|&row| posting(address.to_bits(), *field, 0, row)));
                    continue;
                }
                let written = text_of(written);
                if !written.contains(char::REPLACEMENT_CHARACTER) {
                    take(*field, None, written, rows.of(at), &mut values, &mut quads);
                }
            }
        }
        values.sort_unstable_by(|a, b| a.order.cmp(&b.order).then_with(|| a.key.cmp(&b.key)));
        let mut postings = Vec::with_capacity(values.iter().map(|value| value.rows.len()).sum());
        let (mut keys, mut rank) = (Vec::<&Value<'_>>::new(), 0);
        for value in &values {
            if keys.last().is_none_or(|last| last.order != value.order || last.key != value.key) {
                rank = u32::try_from(keys.len()).unwrap_or(u32::MAX);
                keys.push(value);
            }
            postings.extend(value.rows.iter().map(|&row| posting(rank, value.field, value.flags, row)));
        }
        sort(&mut quads);
        sort(&mut postings);
        let keys_bytes: usize = keys.iter().map(|value| value.key.len()).sum();
        let mut run =
            RunBuilder::with_capacity(quads.len() * ENTRY_BYTES + postings.len() * ENTRY_BYTES + keys_bytes);
        let mut lists = Lists::default();
        let before = keys.partition_point(|value| value.order < order_of_quad(0));
        let cut = postings.partition_point(|&p| (value_of(p) as usize) < before);
        let (first, last) = postings.split_at(cut);
        let keyed = |value: u32| keys.get(value as usize).map(|v| (v.order, v.kind, v.key.as_slice()));
        lists.push_all(first, keyed, &mut run);
        lists.push_all(&quads, |quad| Some((order_of_quad(quad), Kind::Ipv4Addr, &[][..])), &mut run);
        lists.push_all(last, keyed, &mut run);
        Ok(run.finish())
    }
}

/// The IPv4 address that a text of a field is, written canonically.
fn quad_in(field: Field, text: &[u8]) -> Option<Ipv4Addr> {
    match field.info().observe {
        Observe::Address | Observe::Host | Observe::One(Kind::Ipv4Addr | Kind::Ipv6Addr) => {
            canonical::quad(text)
        }
        _ => None,
    }
}

/// Canonicalises a distinct text. IPv4 addresses go to `quads`, all else to `values`. `known` is what an extractor
/// says of it: its kind, which makes it a canonical value, and whether it was written in another way.
fn take<'r>(
    field: Field,
    known: Option<(Kind, bool)>,
    written: &str,
    rows: &'r [u32],
    values: &mut Vec<Value<'r>>,
    quads: &mut Vec<Posting>,
) {
    let mut take = |found: &Found, altered: bool| {
        let flag = |set: bool, flag: u64| if set { flag } else { 0 };
        let flags = flag(found.derived, DERIVED) | flag(altered && !found.derived, ALTERED);
        if found.kind == Kind::Ipv4Addr {
            let Some(address) = canonical::quad(&found.value) else {
                debug_assert!(false, "{:?} is not canonical", found.value);
                return;
            };
            return quads.extend(rows.iter().map(|&row| posting(address.to_bits(), field, flags, row)));
        }
        let key = key::of_observable(found.kind, &found.value);
        let order = order(found.kind, &key);
        values.push(Value { order, key, kind: found.kind, field, flags, rows });
    };
    match known {
        Some((kind, altered)) => take(&Found { kind, value: written.to_owned(), derived: false }, altered),
        None => canonical::observe(field.info().observe, written, &mut |found| {
            take(&found, found.value != written);
        }),
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

/// Distinct texts by field, and in which rows each stands.
#[derive(Debug, Default)]
struct Texts {
    hasher: foldhash::fast::RandomState,
    table: HashTable<u32>,
    bytes: String,
    distinct: Vec<Distinct>,
    /// Number of each text, and its row, in row order.
    ids: Vec<u32>,
    rows: Vec<u32>,
}

#[derive(Debug)]
struct Distinct {
    field: Field,
    known: Option<(Kind, bool)>,
    hash: u64,
    start: usize,
    end: usize,
}

/// An observable that a distinct text gives.
#[derive(Debug)]
struct Value<'r> {
    order: u128,
    key: Vec<u8>,
    kind: Kind,
    field: Field,
    flags: u64,
    rows: &'r [u32],
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
                distinct.push(Distinct { field, known, hash, start, end: bytes.len() });
                self.table.insert_unique(hash, id, |&id| distinct[id as usize].hash);
                id
            }
        };
        self.ids.push(id);
        self.rows.push(row);
    }
}

/// The rows of each distinct text.
struct RowsByText {
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl RowsByText {
    /// Sorts by counting: text and row of each place.
    fn new(ids: &[u32], distinct: usize, rows_of_places: impl Iterator<Item = u32>) -> Self {
        let mut starts = vec![0; distinct + 1];
        ids.iter().for_each(|&id| starts[id as usize + 1] += 1);
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut next = starts.clone();
        let mut rows = vec![0; total];
        for (&id, row) in ids.iter().zip(rows_of_places) {
            let place = &mut next[id as usize];
            rows[*place] = row;
            *place += 1;
        }
        Self { starts, rows }
    }

    fn of(&self, text: usize) -> &[u32] {
        self.rows.get(self.starts[text]..self.starts[text + 1]).unwrap_or_default()
    }
}
