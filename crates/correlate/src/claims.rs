//! The indicators of all feeds as one sorted list of key ranges, ready to be merged with an index.

use std::cmp::Ordering;

use comity_model::key::{self, Claimed, Span};
use comity_model::{Field, Kind, Tlp, canonical};
use comity_store::StoreError;
use comity_store::feed::{Indicators, Slice};
use comity_store::index::order;
use comity_store::observables::IndexKey;
use rayon::prelude::*;

/// A feed with its indicators.
#[derive(Debug, Clone)]
pub struct Feed {
    /// SHA-256 of the original, hexadecimal.
    pub id: String,
    /// Who submits it.
    pub provider: String,
    /// Marking of the whole feed.
    pub tlp: Option<Tlp>,
    /// Its indicators.
    pub indicators: Indicators,
}

/// Which indicator, or which part of one, a key range belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Position of the feed.
    pub feed: u32,
    /// Position of the indicator within it.
    pub indicator: u32,
    /// Position of the comparison within a `stix-pattern`; 0 for all other kinds.
    pub part: u32,
}

/// A range of index keys that an indicator covers. Nearly all comparisons are of [orders](order); only keys
/// that go on behind what these reach are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// Order of the first key inside.
    lo: u128,
    /// Order of the last key inside.
    last: u128,
    /// Where the keys lie: number of the bytes, place of the first key, its length and that of the first key past
    /// the end, which follows it. Nothing lies there for IPv4 addresses, whose order says all.
    bytes: u32,
    at: usize,
    lo_length: u32,
    hi_length: u32,
    pub(crate) target: Target,
}

/// The ranges of some indicators, and the bytes of their keys.
#[derive(Debug, Default)]
struct Ranges {
    ranges: Vec<Range>,
    bytes: Vec<u8>,
    patterns: Vec<Pattern>,
}

impl Ranges {
    fn push(&mut self, span: &Span, target: Target) {
        let order = |key: &[u8]| order(span.kind, key);
        let lo = order(&span.lo);
        let last = match span.hi.split_last() {
            // one key or addresses: the last key is what stands before the zero
            Some((0, last)) => order(last),
            // all keys with a prefix
            _ => lo | u128::MAX.checked_shr(8 * (number(span.lo.len()) + 1)).unwrap_or(0),
        };
        let mut range = Range { lo, last, bytes: 0, at: 0, lo_length: 0, hi_length: 0, target };
        if span.kind != Kind::Ipv4Addr {
            (range.at, range.lo_length, range.hi_length) =
                (self.bytes.len(), number(span.lo.len()), number(span.hi.len()));
            self.bytes.extend_from_slice(&span.lo);
            self.bytes.extend_from_slice(&span.hi);
        }
        self.ranges.push(range);
    }
}

/// An indicator that is searched for in the text of values: a substring or regular expression.
#[derive(Debug)]
pub struct Pattern {
    /// Whose it is.
    pub target: Target,
    /// Compiled; a substring as an escaped expression.
    pub regex: regex::Regex,
    /// The fields that it is searched for in.
    pub fields: Vec<Field>,
}

/// The indicators of all feeds, ready for the merge.
#[derive(Debug, Default)]
pub struct ClaimIndex {
    /// By first key.
    pub(crate) ranges: Vec<Range>,
    /// For each range, the greatest order of a key that it or one before it holds.
    reach: Vec<u128>,
    bytes: Vec<Vec<u8>>,
    /// Indicators searched for in text.
    pub patterns: Vec<Pattern>,
}

impl ClaimIndex {
    /// Sorts the key ranges of all indicators.
    ///
    /// # Errors
    /// Where an indicator is not as comity writes it.
    pub fn new(feeds: &[Feed]) -> Result<Self, StoreError> {
        let mut index = Self::default();
        let mut ranges = Vec::new();
        for (number_of, feed) in (0..).zip(feeds) {
            let parts = feed.indicators.parts().par_iter();
            let parts: Result<Vec<_>, _> = parts.map(|part| of_part(number_of, feed, part)).collect();
            for mut part in parts? {
                let bytes = number(index.bytes.len());
                part.ranges.iter_mut().for_each(|range| range.bytes = bytes);
                ranges.append(&mut part.ranges);
                index.bytes.push(part.bytes);
                index.patterns.extend(part.patterns);
            }
        }
        // of a feed, the ranges of one kind are in order already, and the sort is one that sees it
        ranges.sort_by(|a, b| {
            a.lo.cmp(&b.lo).then_with(|| index.keys(a).cmp(&index.keys(b))).then(a.target.cmp(&b.target))
        });
        let reach = ranges.iter().scan(0, |reach, range| {
            *reach = range.last.max(*reach);
            Some(*reach)
        });
        index.reach = reach.collect();
        index.ranges = ranges;
        Ok(index)
    }

    /// The first key of a range, and the first past its end, without their kind; empty for IPv4 addresses.
    fn keys(&self, range: &Range) -> (&[u8], &[u8]) {
        let bytes = self.bytes.get(range.bytes as usize).map_or(&[][..], Vec::as_slice);
        let (lo, hi) = (range.lo_length as usize, range.hi_length as usize);
        bytes.get(range.at..).and_then(|rest| rest.get(..lo + hi)?.split_at_checked(lo)).unwrap_or_default()
    }

    /// Whether a range begins at a key or before it.
    pub(crate) fn has_begun(&self, range: &Range, key: &IndexKey<'_>) -> bool {
        match range.lo.cmp(&key.order) {
            Ordering::Equal => self.keys(range).0 <= key.key(),
            of_orders => of_orders == Ordering::Less,
        }
    }

    /// Whether a range that has begun holds a key.
    pub(crate) fn holds(&self, range: &Range, key: &IndexKey<'_>) -> bool {
        match range.last.cmp(&key.order) {
            Ordering::Equal if key.kind == Kind::Ipv4Addr => true,
            Ordering::Equal => self.keys(range).1 > key.key(),
            of_orders => of_orders == Ordering::Greater,
        }
    }

    /// Whether a range may hold a key with an order from `least` to `greatest`, both inclusive.
    pub fn meets(&self, least: u128, greatest: u128) -> bool {
        let begun = self.ranges.partition_point(|range| range.lo <= greatest);
        begun.checked_sub(1).and_then(|last| self.reach.get(last)).is_some_and(|&reach| reach >= least)
    }
}

/// The key ranges and patterns of a part of a feed.
fn of_part(feed_number: u32, feed: &Feed, part: &Slice) -> Result<Ranges, StoreError> {
    let mut all = Ranges::default();
    for (at, claimed) in (part.first()..).zip(part.values()) {
        let claimed = claimed.map_err(|e| feed.indicators.integrity(&e.to_string()))?;
        let target = Target { feed: feed_number, indicator: number(at), part: 0 };
        match claimed.kind {
            Kind::StixPattern => {
                for (part, alone) in (0..).zip(feed.indicators.get(at)?.claim.parts) {
                    // within a pattern an equality is STIX's: exact
                    let (kind, value) = (alone.kind, alone.value.as_str());
                    let spans = key::of_claim(Claimed { kind, value, exact_only: true, prefix: false });
                    spans.iter().for_each(|span| all.push(span, Target { part, ..target }));
                }
            }
            Kind::Substring | Kind::Regex => {
                let compiled = match claimed.kind {
                    Kind::Substring => canonical::compile_regex(&regex::escape(claimed.value)),
                    _ => canonical::compile_regex(claimed.value),
                };
                // feeds accept only what compiles under the same limits
                if let Ok(regex) = compiled {
                    let fields = feed.indicators.get(at)?.claim.fields;
                    all.patterns.push(Pattern { target, regex, fields });
                }
            }
            _ => key::of_claim(claimed).iter().for_each(|span| all.push(span, target)),
        }
    }
    Ok(all)
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
