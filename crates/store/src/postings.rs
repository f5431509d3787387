//! The observables of a chunk: which value stands in which field of which row.
//!
//! IPv4 addresses, most of what logs hold, are the value of their [`Posting`]s; all else is taken as distinct
//! texts, each canonicalised once, and the value is the rank of its key. Sorting the numbers gives the entries.
//! Distinct are the texts of the columns' dictionaries; those behind the end of one, and what extractors found,
//! are gathered here.

use std::hash::{BuildHasher, Hasher};
use std::net::Ipv4Addr;

use comity_model::canonical::{self, Found};
use comity_model::{Field, Kind, Observe, key};
use hashbrown::HashTable;

use crate::StoreError;
use crate::columns::{Columns, gives_observables};
use crate::index::{
    self, ALTERED, DERIVED, MAX_ROWS, Posting, Run, RunBuilder, order, posting, row_of, value_of,
};
use crate::texts::text_of;

/// Bytes that an entry of a run seldom has more of, its key left out.
const ENTRY_BYTES: usize = 8;

/// Gathers the observables of a chunk that stand in no dictionary.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    quads: Vec<Posting>,
    texts: Texts,
    /// Where sorting puts them.
    scratch: Vec<Posting>,
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

    /// The entries of these and of the texts of the dictionaries, whose chunk has ended; begins the next.
    pub(crate) fn take_run(&mut self, columns: &Columns) -> Result<Run, StoreError> {
        if columns.rows() > MAX_ROWS as usize {
            return Err(StoreError::ChunkRows { most: MAX_ROWS });
        }
        let Self { quads, texts, scratch } = self;
        let own = RowsByText::new(&texts.ids, texts.distinct.len(), texts.rows.iter().copied());
        let dictionaries: Vec<_> = columns
            .all_texts()
            .filter(|(field, ..)| gives_observables(*field))
            .map(|(field, texts, shape)| {
                let rows = shape.rows_of_values().map(|row| u32::try_from(row).unwrap_or(u32::MAX));
                (field, texts.distinct(), RowsByText::new(texts.ids(), texts.distinct().len(), rows))
            })
            .collect();
        let mut values = Vec::new();
        for (at, text) in texts.distinct.iter().enumerate() {
            let written = texts.bytes.get(text.start..text.end).unwrap_or_default();
            take(text.field, text.known, written, own.of(at), &mut values, quads);
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
                    take(*field, None, written, rows.of(at), &mut values, quads);
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
        sort(quads, scratch);
        sort(&mut postings, scratch);
        clean(quads);
        clean(&mut postings);
        let keys_bytes: usize = keys.iter().map(|value| value.key.len()).sum();
        let mut run = RunBuilder::new(quads, keys_bytes + postings.len() * ENTRY_BYTES);
        for same in index::of_one_entry(&postings) {
            if let Some(value) = same.first().and_then(|&first| keys.get(value_of(first) as usize)) {
                run.push(value.order, value.kind, &value.key, same);
            }
        }
        quads.clear();
        texts.clear();
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
fn sort(postings: &mut Vec<Posting>, scratch: &mut Vec<Posting>) {
    const DIGIT: u32 = 11;
    if postings.len() < 1 << DIGIT {
        return postings.sort_unstable();
    }
    scratch.clear();
    scratch.resize(postings.len(), 0);
    let (from, to) = (postings, scratch);
    // rows come ascending but where a text has several spellings; `clean` looks at that
    let mut shift = index::ROW_END;
    while shift < Posting::BITS {
        let digit = |p: Posting| usize::try_from((p >> shift) & ((1 << DIGIT) - 1)).unwrap_or(0);
        let mut next = [0_usize; 1 << DIGIT];
        from.iter().for_each(|&p| next[digit(p)] += 1);
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        for &p in &*from {
            let place = &mut next[digit(p)];
            to[*place] = p;
            *place += 1;
        }
        std::mem::swap(from, to);
        shift += DIGIT;
    }
}

/// Makes of sorted postings those of a run: in full order, each row once for a value and a field. A derived value is
/// not repeated in rows that carry the value in a field of its own (MATCHING.md, "Which fields are observables").
fn clean(postings: &mut Vec<Posting>) {
    if postings.iter().any(|p| p & DERIVED != 0) {
        let (mut kept, mut own) = (Vec::with_capacity(postings.len()), Vec::new());
        for same_value in postings.chunk_by(|&a, &b| value_of(a) == value_of(b)) {
            own.clear();
            own.extend(same_value.iter().filter(|&&p| p & DERIVED == 0).map(|&p| row_of(p)));
            own.sort_unstable();
            let stands = |p: Posting| p & DERIVED == 0 || own.binary_search(&row_of(p)).is_err();
            kept.extend(same_value.iter().copied().filter(|&p| stands(p)).map(|p| p & !DERIVED));
        }
        *postings = kept;
    }
    for same_value in postings.chunk_by_mut(|&a, &b| value_of(a) == value_of(b)) {
        // nearly always sorted
        if !same_value.is_sorted() {
            same_value.sort_unstable();
        }
    }
    postings.dedup_by(|next, kept| {
        let is_same = (*next ^ *kept) & !ALTERED == 0;
        *kept |= if is_same { *next & ALTERED } else { 0 };
        is_same
    });
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

    fn clear(&mut self) {
        self.table.clear();
        self.bytes.clear();
        self.distinct.clear();
        self.ids.clear();
        self.rows.clear();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_once_for_a_value_and_field() {
        let (src, url) = (Field::SrcIp, Field::Url);
        for copies in [1, 3000] {
            let mut postings = Vec::new();
            for value in 0..copies {
                postings.extend([
                    posting(value, src, 0, 7),
                    posting(value, src, ALTERED, 7),
                    posting(value, src, ALTERED, 3),
                    // part of a URL; in row 7 the address stands by itself
                    posting(value, url, DERIVED, 7),
                    posting(value, url, DERIVED, 9),
                ]);
            }
            sort(&mut postings, &mut Vec::new());
            clean(&mut postings);
            let of_one = |value| {
                [posting(value, src, ALTERED, 3), posting(value, src, ALTERED, 7), posting(value, url, 0, 9)]
            };
            let mut expected: Vec<_> = (0..copies).flat_map(of_one).collect();
            expected.sort_unstable();
            assert_eq!(postings, expected);
        }
    }
}
