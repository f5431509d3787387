//! What the formats share in telling their own streams from others', and in reading text and keys.

use std::borrow::Cow;
use std::collections::BTreeMap;

pub(crate) use super::Sample;
use super::json;
use crate::framing::{Framing, MAX_RECORD_BYTES, Piece, Splitter};

/// Lines of a sample that are looked at.
const LOOK_AT: usize = 40;

/// The bytes of a sample without a byte order mark; none where they look binary.
pub(crate) fn text<'a>(sample: &Sample<'a>) -> &'a [u8] {
    let head = sample.head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample.head);
    let nuls = memchr::memchr_iter(0, head).count();
    if nuls > head.len() / 100 { &[] } else { head }
}

/// Lines of a sample without their ends and without blank ones; the last one only if it is whole or
/// there is no other.
pub(crate) fn lines<'a>(sample: &Sample<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let head = text(sample);
    let whole = memchr::memrchr(b'\n', head).map_or(head, |lf| head.get(..lf).unwrap_or_default());
    whole.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty())
}

/// Share of the first lines that fit, times `best`.
pub(crate) fn share(sample: &Sample<'_>, best: u8, fits: impl Fn(&str) -> bool) -> u8 {
    let (mut seen, mut good) = (0_usize, 0_usize);
    for line in lines(sample).take(LOOK_AT) {
        seen += 1;
        good += usize::from(fits(&String::from_utf8_lossy(line)));
    }
    let score = (usize::from(best) * good).checked_div(seen).unwrap_or(0);
    u8::try_from(score).unwrap_or(best)
}

/// How a stream of JSON objects is cut: an array or lines.
pub(crate) fn json_framing(sample: &Sample<'_>) -> Framing {
    match text(sample).trim_ascii_start().first() {
        Some(b'[') => Framing::JsonArray,
        _ => Framing::Lines,
    }
}

/// Keys of an object with their values as they stand; keys of nested objects after a dot too.
pub(crate) struct Object(BTreeMap<String, String>);

impl Object {
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn of(text: &str) -> Option<Self> {
        let mut keys = BTreeMap::new();
        let mut nested = Vec::new();
        json::members(text, |key, value| {
            if value.starts_with('{') {
                nested.push((key.to_owned(), value));
            }
            keys.insert(key.to_owned(), value.to_owned());
        })
        .ok()?;
        for (outer, value) in nested {
            json::members(value, |key, value| {
                keys.insert(format!("{outer}.{key}"), value.to_owned());
            })
            .ok()?;
        }
        Some(Self(keys))
    }
}

/// Mean score of the first objects of a sample; what is no object counts as 0.
pub(crate) fn objects(sample: &Sample<'_>, score: impl Fn(&Object) -> u64) -> u8 {
    if !matches!(text(sample).trim_ascii_start().first(), Some(b'{' | b'[')) {
        return 0;
    }
    let mut splitter = Splitter::new(json_framing(sample), usize::MAX..=usize::MAX, MAX_RECORD_BYTES);
    splitter.push(text(sample));
    splitter.finish();
    let Some(Piece::Chunk(chunk)) = splitter.next_piece() else { return 0 };
    let records: Vec<_> = chunk.records().collect();
    // the sample may end inside the last one
    let whole = if records.len() > 1 { records.len() - 1 } else { 1 };
    let (mut seen, mut sum) = (0, 0);
    for (start, length) in records.into_iter().take(whole.min(LOOK_AT)) {
        let record = String::from_utf8_lossy(chunk.bytes.get(start..start + length).unwrap_or_default());
        if !record.trim().is_empty() {
            seen += 1;
            sum += Object::of(&record).map_or(0, |keys| score(&keys));
        }
    }
    u8::try_from(sum.checked_div(seen).unwrap_or(0)).unwrap_or(100)
}

/// A record as text, one U+FFFD for each part that is not UTF-8.
pub(crate) fn as_text(record: &[u8]) -> Cow<'_, str> {
    // checking alone is several times as fast as looking for parts to replace
    simdutf8::basic::from_utf8(record).map_or_else(|_| String::from_utf8_lossy(record), Cow::Borrowed)
}

/// Slots of an object's keys. Records of a log have the same keys in much the same order: what stood
/// at a place before is compared first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    seen: Vec<SeenKey>,
    next: usize,
}

#[derive(Debug, Clone)]
struct SeenKey {
    /// In its quotes and with the colon.
    quoted: String,
    /// The first 24 bytes of this, and which of them count: compared without a call.
    head: [u64; 3],
    mask: [u64; 3],
    slot: Option<usize>,
}

/// Keys that are remembered.
const MAX_KEYS: usize = 256;

impl SeenKey {
    fn new(key: &str, slot: Option<usize>) -> Self {
        let quoted = format!("\"{key}\":");
        let (mut head, mut mask) = ([0; 24], [0; 24]);
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(quoted.bytes()) {
            (*head, *mask) = (byte, 0xFF);
        }
        Self { quoted, head: words(&head), mask: words(&mask), slot }
    }

    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(head) if self.quoted.len() <= head.len() => {
                let ([a, b, c], [x, y, z], [k, l, m]) = (words(head), self.head, self.mask);
                (a ^ x) & k | (b ^ y) & l | (c ^ z) & m == 0
            }
            _ => text.starts_with(self.quoted.as_bytes()),
        }
    }
}

#[inline]
fn words(bytes: &[u8; 24]) -> [u64; 3] {
    let [a, b, c] = *bytes.as_chunks::<8>().0 else { return [0; 3] };
    [a, b, c].map(u64::from_le_bytes)
}

impl Keys {
    /// A new object begins.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    /// The slot of the key that `text` begins with, if it stood here, or near, before; and its length with
    /// quotes and colon.
    #[inline]
    pub(crate) fn expected(&mut self, text: &[u8]) -> Option<(usize, Option<usize>)> {
        match self.seen.get(self.next) {
            Some(key) if key.begins(text) => {
                self.next += 1;
                Some((key.quoted.len(), key.slot))
            }
            _ => self.ahead(text),
        }
    }

    /// The same for keys that a record before had between here and there.
    #[cold]
    fn ahead(&mut self, text: &[u8]) -> Option<(usize, Option<usize>)> {
        let mut ahead = self.seen.iter().enumerate().skip(self.next).take(4);
        let (at, key) = ahead.find(|(_, key)| key.begins(text))?;
        self.next = at + 1;
        Some((key.quoted.len(), key.slot))
    }

    /// Remembers the slot of a key that was not expected.
    pub(crate) fn learn(&mut self, key: &str, slot: Option<usize>) {
        if self.seen.len() < MAX_KEYS && self.next <= self.seen.len() {
            self.seen.insert(self.next, SeenKey::new(key, slot));
            self.next += 1;
        }
    }
}
