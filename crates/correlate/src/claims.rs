//! The indicators of all feeds as one sorted list of key ranges, ready to be merged with an index.

use comity_model::{Claim, Kind, Part, Tlp, canonical, key};
use comity_store::feed::Indicator;
use comity_store::observables::index_key;
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
    /// Its indicators, in the order of the file.
    pub indicators: Vec<Indicator>,
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

/// A range of index keys that an indicator covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) lo: Box<[u8]>,
    pub(crate) hi: Box<[u8]>,
    pub(crate) target: Target,
}

/// An indicator that is searched for in the text of values: a substring or regular expression.
#[derive(Debug)]
pub struct Pattern {
    /// Whose it is.
    pub target: Target,
    /// Compiled; a substring as an escaped expression.
    pub regex: regex::Regex,
}

/// The indicators of all feeds, ready for the merge.
#[derive(Debug, Default)]
pub struct ClaimIndex {
    pub(crate) ranges: Vec<Range>,
    /// For each range, the position among it and all before it of the one that ends last.
    longest: Vec<u32>,
    /// Indicators searched for in text.
    pub patterns: Vec<Pattern>,
}

impl ClaimIndex {
    /// Sorts the key ranges of all indicators.
    pub fn new(feeds: &[Feed]) -> Self {
        let mut index = Self::default();
        for (feed, of) in feeds.iter().enumerate() {
            let target = |indicator| Target { feed: number(feed), indicator: number(indicator), part: 0 };
            let claims = of.indicators.par_iter().enumerate();
            index.ranges.par_extend(claims.flat_map_iter(|(at, known)| ranges_of(target(at), &known.claim)));
            for (at, known) in of.indicators.iter().enumerate() {
                index.add_pattern(target(at), &known.claim);
            }
        }
        index.ranges.par_sort_unstable();
        let mut longest = 0;
        for at in 0..index.ranges.len() {
            if index.ranges[at].hi > index.ranges[longest].hi {
                longest = at;
            }
            index.longest.push(number(longest));
        }
        index
    }

    fn add_pattern(&mut self, target: Target, claim: &Claim) {
        let compiled = match claim.kind {
            Kind::Substring => canonical::compile_regex(&regex::escape(&claim.value)),
            Kind::Regex => canonical::compile_regex(&claim.value),
            _ => return,
        };
        // feeds accept only what compiles under the same limits
        if let Ok(regex) = compiled {
            self.patterns.push(Pattern { target, regex });
        }
    }

    /// Whether a range meets the keys from `least` to `greatest`, both inclusive.
    pub fn meets(&self, least: &[u8], greatest: &[u8]) -> bool {
        let begun = self.ranges.partition_point(|r| *r.lo <= *greatest);
        let Some(last) = begun.checked_sub(1) else { return false };
        self.longest.get(last).is_some_and(|&l| *self.ranges[l as usize].hi > *least)
    }
}

/// The key ranges of an indicator.
fn ranges_of(target: Target, claim: &Claim) -> Vec<Range> {
    let spans = |target, claim: &Claim| {
        let range = move |span: key::Span| Range {
            lo: index_key(span.kind, &span.lo).into(),
            hi: index_key(span.kind, &span.hi).into(),
            target,
        };
        key::of_claim(claim).into_iter().map(range)
    };
    if claim.kind != Kind::StixPattern {
        return spans(target, claim).collect();
    }
    let part = |(part, comparison): (usize, &Part)| {
        let mut alone = Claim::new(comparison.kind, comparison.value.clone(), "");
        // within a pattern an equality is STIX's: exact
        alone.exact_only = true;
        spans(Target { part: number(part), ..target }, &alone)
    };
    claim.parts.iter().enumerate().flat_map(part).collect()
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
