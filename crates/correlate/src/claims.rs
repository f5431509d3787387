//! The indicators of all feeds as one sorted list of key ranges, ready to be merged with an index.

use std::cmp::Ordering;
use std::net::Ipv4Addr;
use std::slice;
use std::sync::Arc;

use comity_model::key::{self, Claimed};
use comity_model::{Field, Kind, Tlp, canonical};
use comity_store::StoreError;
use comity_store::feed::{Indicator, Indicators, Slice};
use comity_store::index::order;
use comity_store::observables::{Index, IndexKey};
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
    scratch: Vec<u8>,
    /// Their number among those of all.
    number: u32,
}

impl Ranges {
    /// Takes the key ranges of an indicator or of a part of one.
    fn push(&mut self, claimed: Claimed<'_>, target: Target) {
        let Self { ranges, bytes, scratch, number: of_bytes, .. } = self;
        key::each_span(claimed, scratch, |kind, lo_key, hi_key| {
            let lo = order(kind, lo_key);
            let last = match hi_key.split_last() {
                // one key or addresses: the last key is what stands before the zero
                Some((0, last)) => order(kind, last),
                // all keys with a prefix
                _ => lo | u128::MAX.checked_shr(8 * (number(lo_key.len()) + 1)).unwrap_or(0),
            };
            let mut range = Range { lo, last, bytes: *of_bytes, at: 0, lo_length: 0, hi_length: 0, target };
            if kind != Kind::Ipv4Addr {
                (range.at, range.lo_length, range.hi_length) =
                    (bytes.len(), number(lo_key.len()), number(hi_key.len()));
                bytes.extend_from_slice(lo_key);
                bytes.extend_from_slice(hi_key);
            }
            ranges.push(range);
        });
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
    /// Those that cover keys.
    pub sorted: Sorted,
    /// Indicators searched for in text.
    pub patterns: Vec<Pattern>,
}

/// Key ranges in order.
#[derive(Debug, Default)]
pub struct Sorted {
    /// In the order of first keys; none is empty.
    pieces: Vec<Piece>,
    bytes: Arc<Vec<Vec<u8>>>,
}

/// Key ranges that follow one another.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) ranges: Vec<Range>,
    /// For each [`BLOCK`] of ranges, the greatest order of a key that one of it or before it holds.
    reach: Vec<u128>,
}

/// Ranges that are looked at together.
const BLOCK: usize = 64;

impl Piece {
    fn new(ranges: Vec<Range>) -> Self {
        let reach = ranges.chunks(BLOCK).scan(0, |reach, block| {
            *reach = block.iter().fold(*reach, |reach, range| range.last.max(reach));
            Some(*reach)
        });
        Self { reach: reach.collect(), ranges }
    }
}

impl ClaimIndex {
    /// Sorts the key ranges of all indicators.
    ///
    /// # Errors
    /// Where an indicator is not as comity writes it.
    pub fn new(feeds: &[Feed]) -> Result<Self, StoreError> {
        let parts = (0..).zip(feeds).flat_map(|(feed_number, feed)| {
            feed.indicators.parts().iter().map(move |part| (feed_number, feed, part))
        });
        let parts: Vec<(u32, &Feed, &Slice)> = parts.collect();
        let of_part = |(at, &(feed_number, feed, part))| of_part(number(at), feed_number, feed, part);
        let parts = parts.par_iter().enumerate().map(of_part).collect::<Result<Vec<_>, _>>()?;
        let (mut patterns, mut bytes, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            patterns.extend(part.patterns);
            bytes.push(part.bytes);
            ranges.push(part.ranges);
        }
        let mut sorted = Sorted { pieces: Vec::new(), bytes: Arc::new(bytes) };
        sorted.pieces = sorted.pieces_of(ranges);
        Ok(Self { sorted, patterns })
    }
}

impl Sorted {
    /// Puts the ranges of parts in order, a piece at a time on all threads. Of a feed, those of one kind are in
    /// order already, so that a piece is a few stretches of parts, joined.
    fn pieces_of(&self, mut parts: Vec<Vec<Range>>) -> Vec<Piece> {
        /// About as many ranges are a piece, and one of so many stands for its neighbours.
        const A_PIECE: usize = if cfg!(test) { 8 } else { 1 << 16 };
        const A_SAMPLE: usize = A_PIECE / 8;
        let order = |a: &Range, b: &Range| self.order(a, b);
        parts.par_iter_mut().for_each(|part| part.sort_unstable_by(order));
        let mut samples: Vec<Range> =
            parts.iter().flat_map(|part| part.iter().step_by(A_SAMPLE)).copied().collect();
        samples.sort_unstable_by(order);
        let borders: Vec<&Range> = samples.iter().step_by(A_PIECE / A_SAMPLE).skip(1).collect();
        let piece = |at: usize| {
            let below = |border: Option<&&Range>, part: &[Range]| {
                border.map(|border| part.partition_point(|range| order(range, border).is_lt()))
            };
            let stretches = parts.iter().map(|part| {
                let begin =
                    at.checked_sub(1).and_then(|before| below(borders.get(before), part)).unwrap_or(0);
                &part[begin..below(borders.get(at), part).unwrap_or(part.len())]
            });
            let stretches: Vec<&[Range]> = stretches.filter(|stretch| !stretch.is_empty()).collect();
            let mut ranges = stretches.concat();
            // the stable sort: it sees stretches that are in order
            ranges.sort_by(order);
            Piece::new(ranges)
        };
        let pieces: Vec<Piece> = (0..=borders.len()).into_par_iter().map(piece).collect();
        let mut pieces: Vec<Piece> = pieces.into_iter().filter(|piece| !piece.ranges.is_empty()).collect();
        let mut before = 0;
        for piece in &mut pieces {
            piece.reach.iter_mut().for_each(|reach| *reach = before.max(*reach));
            before = piece.reach.last().copied().unwrap_or(before);
        }
        pieces
    }

    fn order(&self, a: &Range, b: &Range) -> Ordering {
        a.lo.cmp(&b.lo).then_with(|| self.keys(a).cmp(&self.keys(b))).then(a.target.cmp(&b.target))
    }

    /// All ranges.
    fn ranges(&self) -> impl Iterator<Item = &Range> {
        self.pieces.iter().flat_map(|piece| &piece.ranges)
    }

    /// The ranges without the single keys that the filter of an index says it has not; `None` where asking
    /// it would cost more than looking at the pages.
    ///
    /// # Errors
    /// Where the index does not read.
    pub(crate) fn without_strangers(&self, index: &Index) -> Result<Option<Self>, StoreError> {
        /// Questions that cost less than a page.
        const A_PAGE: usize = 16;
        let count: usize = self.pieces.iter().map(|piece| piece.ranges.len()).sum();
        if count > index.pages().saturating_mul(A_PAGE) {
            return Ok(None);
        }
        let Some(mut filter) = index.filter()? else { return Ok(None) };
        let (mut kept, mut value) = (Vec::new(), Vec::new());
        for range in self.ranges() {
            value.clear();
            if self.write_only_value(range, &mut value).is_none() || filter.may_hold(range.lo, &value)? {
                kept.push(*range);
            }
        }
        let pieces = if kept.is_empty() { Vec::new() } else { vec![Piece::new(kept)] };
        Ok(Some(Self { pieces, bytes: Arc::clone(&self.bytes) }))
    }

    /// Writes the value whose key is the only one of a range; `None` where there may be others.
    fn write_only_value(&self, range: &Range, value: &mut Vec<u8>) -> Option<()> {
        let [kind, four @ .., _, _, _, _, _, _, _, _, _, _, _] = range.lo.to_be_bytes();
        let kind = *Kind::ALL.get(usize::from(kind))?;
        if kind == Kind::Ipv4Addr {
            let key = Ipv4Addr::from(four).to_ipv6_mapped().octets();
            return (range.lo == range.last).then(|| key::write_value(kind, &key, value))?;
        }
        let (key, end) = self.keys(range);
        (end.strip_suffix(&[0]) == Some(key)).then(|| key::write_value(kind, key, value))?
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

    /// The ranges from one before which none holds a key of this order or a greater one: those of its piece, and
    /// the pieces behind it.
    pub(crate) fn reaching(&self, order: u128) -> (&[Range], slice::Iter<'_, Piece>) {
        let below = |reach: &u128| *reach < order;
        let first = self.pieces.partition_point(|piece| piece.reach.last().is_some_and(below));
        let mut pieces = self.pieces[first..].iter();
        let ranges = pieces.next().map(|piece| &piece.ranges[piece.reach.partition_point(below) * BLOCK..]);
        (ranges.unwrap_or_default(), pieces)
    }

    /// Whether a range may hold a key with an order from `least` to `greatest`, both inclusive.
    pub fn meets(&self, least: u128, greatest: u128) -> bool {
        let has_begun = |range: &Range| range.lo <= greatest;
        let begun = self.pieces.partition_point(|piece| piece.ranges.first().is_some_and(has_begun));
        let (Some(piece), earlier) = (begun.checked_sub(1).map(|at| &self.pieces[at]), begun.checked_sub(2))
        else {
            return false;
        };
        let begun = piece.ranges.partition_point(has_begun);
        let blocks = begun / BLOCK;
        let reach = match blocks.checked_sub(1) {
            Some(block) => Some(&piece.reach[block]),
            None => earlier.and_then(|at| self.pieces[at].reach.last()),
        };
        reach.is_some_and(|reach| *reach >= least)
            || piece.ranges[blocks * BLOCK..begun].iter().any(|range| range.last >= least)
    }
}

/// The key ranges and patterns of a part of a feed.
fn of_part(number: u32, feed_number: u32, feed: &Feed, part: &Slice) -> Result<Ranges, StoreError> {
    let mut patterns = Vec::new();
    let mut all = Ranges { ranges: Vec::with_capacity(part.len()), number, ..Ranges::default() };
    let target =
        |at: u64| Target { feed: feed_number, indicator: u32::try_from(at).unwrap_or(u32::MAX), part: 0 };
    for (at, claimed) in (part.first() as u64..).zip(part.values()) {
        let claimed = claimed.map_err(|e| feed.indicators.integrity(&e.to_string()))?;
        match claimed.kind {
            Kind::StixPattern | Kind::Substring | Kind::Regex => patterns.push(at),
            _ => all.push(claimed, target(at)),
        }
    }
    for (&at, Indicator { claim, .. }) in patterns.iter().zip(feed.indicators.fetch(&patterns)?) {
        let compiled = match claim.kind {
            Kind::StixPattern => {
                for (part, alone) in (0..).zip(claim.parts) {
                    // within a pattern an equality is STIX's: exact
                    let (kind, value) = (alone.kind, alone.value.as_str());
                    let claimed = Claimed { kind, value, exact_only: true, prefix: false };
                    all.push(claimed, Target { part, ..target(at) });
                }
                continue;
            }
            Kind::Substring => canonical::compile_regex(&regex::escape(&claim.value)),
            _ => canonical::compile_regex(&claim.value),
        };
        // feeds accept only what compiles under the same limits
        if let Ok(regex) = compiled {
            all.patterns.push(Pattern { target: target(at), regex, fields: claim.fields });
        }
    }
    Ok(all)
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use comity_model::Claim;
    use comity_store::durable::Stage;
    use comity_store::feed;

    /// The index of a feed with these claims, in this order.
    pub(crate) fn index_of(claims: impl IntoIterator<Item = Claim>) -> ClaimIndex {
        let scratch = tempfile::tempdir().unwrap();
        let stage = Stage::new(scratch.path(), "feed").unwrap();
        let indicator = |claim| Indicator { id: String::new(), claim, claims: 1 };
        let mut table = feed::writer(&stage).unwrap();
        table.group(&feed::batches(&claims.into_iter().map(indicator).collect::<Vec<_>>()).unwrap()).unwrap();
        table.finish().unwrap();
        let indicators = Indicators::read(stage.path()).unwrap();
        let feeds = [Feed { id: String::new(), provider: String::new(), tlp: None, indicators }];
        ClaimIndex::new(&feeds).unwrap()
    }

    #[test]
    fn a_range_of_one_key_says_its_value() {
        let claim = |kind, value: &str| Claim::new(kind, value, "");
        let exact = Claim { exact_only: true, ..claim(Kind::DomainName, "a.example") };
        let claims = [
            (claim(Kind::Ipv4Addr, "192.0.2.7"), vec!["192.0.2.7"]),
            (claim(Kind::Ipv4Net, "192.0.2.0/31"), vec![]),
            (claim(Kind::IpPort, "192.0.2.8:443"), vec!["192.0.2.8"]),
            (claim(Kind::Ipv6Addr, "2001:db8::1"), vec!["2001:db8::1"]),
            (exact, vec!["a.example"]),
            // names under it are met too
            (claim(Kind::DomainName, "b.example"), vec![]),
            (claim(Kind::Url, "http://c.example/d"), vec!["c.example/d", "http://c.example/d"]),
            (Claim { prefix: true, ..claim(Kind::Url, "http://c.example/d") }, vec![]),
            (
                claim(Kind::FileMd5, "d41d8cd98f00b204e9800998ecf8427e"),
                vec!["d41d8cd98f00b204e9800998ecf8427e"],
            ),
        ];
        for (claim, expected) in claims {
            let shown = claim.value.clone();
            let sorted = index_of([claim]).sorted;
            let only = |range| {
                let mut value = Vec::new();
                sorted.write_only_value(range, &mut value).and_then(|()| String::from_utf8(value).ok())
            };
            assert_eq!(sorted.ranges().filter_map(only).collect::<Vec<_>>(), expected, "{shown}");
        }
    }
}
