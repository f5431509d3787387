//! The texts of a column in memory: those that repeat stand once, in a dictionary.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use hashbrown::HashTable;

/// Bytes of distinct texts from which a column's dictionary is full.
const DICTIONARY_BYTES: usize = 64 << 10;
/// Texts after which a dictionary must have shown that they repeat: a quarter of them at least.
const TRIAL: usize = 1024;

/// Texts, or other bytes, one behind the other.
#[derive(Debug)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    /// Where each ends, after a zero.
    ends: Vec<usize>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: vec![0] }
    }
}

impl Strings {
    /// With room for so many of so many bytes each.
    pub(crate) fn with_room(count: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(count + 1);
        ends.push(0);
        Self { bytes: Vec::with_capacity(count * bytes), ends }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    pub(crate) fn get(&self, at: usize) -> &[u8] {
        self.range(at..at + 1)
    }

    /// Those of a range, without gaps.
    pub(crate) fn range(&self, range: Range<usize>) -> &[u8] {
        let ends = self.ends.get(range.start).zip(self.ends.get(range.end));
        ends.and_then(|(&from, &to)| self.bytes.get(from..to)).unwrap_or_default()
    }

    /// Length of each of a range, bytes.
    pub(crate) fn lengths(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        self.ends.get(range.start..=range.end).unwrap_or_default().array_windows().map(|[from, to]| to - from)
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.push_by(|out| out.extend_from_slice(bytes));
    }

    /// Appends what `write` appends.
    pub(crate) fn push_by<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let written = write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        written
    }

    /// Bytes of all.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all but the first so many.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.ends.truncate(count + 1);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

/// Texts of which those that repeat are told by their number: from the first on while the dictionary lasts; from
/// where it is full, or has shown that few repeat, as they are.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// Distinct texts, in the order in which they came first.
    distinct: Strings,
    /// Place of the first of each distinct text.
    firsts: Vec<usize>,
    /// Number of each text.
    ids: Vec<u32>,
    /// Half of the hash of a distinct text, and its number.
    table: HashTable<(u32, u32)>,
    hasher: foldhash::fast::RandomState,
    is_full: bool,
    rest: Strings,
}

/// What was put in as text.
pub(crate) fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Both halves alike: all bits of what is kept tell entries of a table apart.
const fn spread(half: u32) -> u64 {
    (half as u64) << 32 | half as u64
}

impl Texts {
    pub(crate) fn len(&self) -> usize {
        self.ids.len() + self.rest.len()
    }

    pub(crate) fn get(&self, at: usize) -> &[u8] {
        match self.ids.get(at) {
            Some(&id) => self.distinct.get(id as usize),
            None => self.rest.get(at - self.ids.len()),
        }
    }

    /// Number in the dictionary of each text that stands there: the first ones of the column.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    pub(crate) const fn distinct(&self) -> &Strings {
        &self.distinct
    }

    /// The texts behind those of the dictionary.
    pub(crate) const fn rest(&self) -> &Strings {
        &self.rest
    }

    /// Appends a text; whether it stands behind the dictionary. That may end before it only where it is the first of
    /// its row: a row has all its texts on one side.
    pub(crate) fn push(&mut self, text: &str, is_first: bool) -> bool {
        if self.is_full && (is_first || self.rest.len() > 0) {
            self.rest.push(text.as_bytes());
            return true;
        }
        let half = self.half(text.as_bytes());
        let known = self.table.find(spread(half), |&(hash, id)| {
            hash == half && self.distinct.get(id as usize) == text.as_bytes()
        });
        let id = match known {
            Some(&(_, id)) => id,
            None if is_first && self.overflows() => {
                self.is_full = true;
                self.rest.push(text.as_bytes());
                return true;
            }
            None => {
                let id = u32::try_from(self.distinct.len()).unwrap_or(u32::MAX);
                self.distinct.push(text.as_bytes());
                self.firsts.push(self.ids.len());
                self.table.insert_unique(spread(half), (half, id), |&(half, _)| spread(half));
                id
            }
        };
        self.ids.push(id);
        false
    }

    /// Whether one more distinct text is too much.
    fn overflows(&self) -> bool {
        let (distinct, all) = (self.distinct.len(), self.ids.len());
        self.distinct.bytes.len() >= DICTIONARY_BYTES || all >= TRIAL && distinct > all / 4 * 3
    }

    fn half(&self, text: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text);
        let hash = hasher.finish();
        u32::try_from((hash ^ hash >> 32) & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.distinct.truncate(0);
        self.firsts.clear();
        self.ids.clear();
        self.table.clear();
        self.is_full = false;
        self.rest.truncate(0);
    }

    /// Forgets all but the first so many; the dictionary too forgets what no other text is.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.rest.truncate(count.saturating_sub(self.ids.len()));
        self.ids.truncate(count);
        while self.firsts.pop_if(|first| *first >= count).is_some() {
            let id = self.firsts.len();
            let half = self.half(self.distinct.get(id));
            if let Ok(entry) = self.table.find_entry(spread(half), |&(_, known)| known as usize == id) {
                entry.remove();
            }
            self.distinct.truncate(id);
        }
    }
}
