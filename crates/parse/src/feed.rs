//! Feed formats: the table, the seam between a format and where its claims go, and detection.
//!
//! A format is one file in `feed/` with `FORMAT`, and one row in [`FEED_FORMATS`]. It reads a whole
//! snapshot and hands every claim to a [`ClaimSink`], accepted or rejected, once.

use std::collections::BTreeMap;

use comity_model::{Claim, Kind, Reject};
use rayon::prelude::*;

use crate::log::{OptionsError, Sample};

mod csv;
mod json;
mod misp;
mod pattern;
mod plain;
mod stix;
pub(crate) mod value;
mod zeek_intel;

/// Every feed format, sorted by name.
pub const FEED_FORMATS: &[FeedFormat] =
    &[csv::FORMAT, misp::FORMAT, plain::FORMAT, stix::FORMAT, zeek_intel::FORMAT];

/// The format of that name.
pub fn by_name(name: &str) -> Option<&'static FeedFormat> {
    FEED_FORMATS.iter().find(|format| format.name == name)
}

/// The format that is surest that a stream is its own; of two as sure, the first by name. `None`
/// where none is, such as for the manifest of a MISP feed directory.
pub fn detect(sample: &Sample<'_>) -> Option<&'static FeedFormat> {
    let mut best: Option<(u8, &'static FeedFormat)> = None;
    for format in FEED_FORMATS {
        let sure = (format.detect)(sample);
        if sure > best.map_or(0, |(surest, _)| surest) {
            best = Some((sure, format));
        }
    }
    best.map(|(_, format)| format)
}

/// Where in a feed a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 1-based number: of the line for line formats and CSV, of the object for STIX, of the
    /// attribute for MISP.
    pub record: u64,
    /// Offset of the record's first byte in the (decompressed) feed; 0 where the format can't tell.
    pub offset: u64,
    /// Length of the record, bytes; 0 where the format can't tell.
    pub length: u64,
}

/// Takes the claims of a feed. Every claim that a feed makes is either accepted or rejected, once.
pub trait ClaimSink: Send {
    /// Takes a claim.
    fn accept(&mut self, place: Place, claim: Claim);
    /// Takes a refusal; `text` is the claim as found.
    fn reject(&mut self, place: Place, reject: Reject, text: &str);
}

/// What the job declares about reading a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedOptions {
    /// Columns of `csv`; `None`: by the header's names.
    pub mapping: Option<FeedMapping>,
    /// Kind of every value of a plain list whose lines do not tell; `None`: inferred.
    pub kind: Option<Kind>,
    /// Whether STIX equalities on names and MISP `hostname` also meet names under them.
    pub widen_names: bool,
    /// Whether networks shorter than /8 (/19 for IPv6) are accepted.
    pub allow_broad: bool,
}

/// Column mapping of a CSV feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedMapping {
    /// From role (`value`, `kind`, `port`, `valid_from`, `valid_until`, `confidence`, `tlp`) to
    /// column: header name or 1-based number.
    pub columns: BTreeMap<String, String>,
    /// Delimiter; `None`: comma.
    pub delimiter: Option<u8>,
}

/// A row of the table of feed formats.
#[derive(Debug, Clone, Copy)]
pub struct FeedFormat {
    /// Name in jobs, tables and `--format`.
    pub name: &'static str,
    /// One phrase for people.
    pub title: &'static str,
    /// How sure it is that a stream is its own: 0 (is not) to 100 (can be nothing else).
    pub detect: fn(&Sample<'_>) -> u8,
    /// Reads a whole feed, decompressed. Never fails for the feed's bytes: what it can't read is rejects.
    pub read: fn(&[u8], &FeedOptions, &mut dyn ClaimSink) -> Result<(), OptionsError>,
}

/// Reads records on all threads, some at a time, and takes what each puts down in the order of the
/// records, while the next are read. What is held at once is bounded, whatever their number.
pub(crate) fn in_order<T: Copy + Send + Sync, R: Send>(
    records: impl Iterator<Item = T> + Send,
    read: impl Fn(&[T], &mut Vec<R>) + Sync,
    mut take: impl FnMut(R) + Send,
) {
    const AT_ONCE: usize = 1 << 15;
    const TOGETHER: usize = 1 << 9;
    let read_some = |some: &[T]| {
        let mut put = Vec::with_capacity(some.len());
        read(some, &mut put);
        put
    };
    let mut records = records.fuse();
    let mut batch: Vec<T> = records.by_ref().take(AT_ONCE).collect();
    let mut done: Vec<Vec<R>> = Vec::new();
    while !batch.is_empty() || !done.is_empty() {
        let read_all = || batch.par_chunks(TOGETHER).map(read_some).collect();
        let take_all = || {
            done.drain(..).flatten().for_each(&mut take);
            records.by_ref().take(AT_ONCE).collect()
        };
        (done, batch) = rayon::join(read_all, take_all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_on_all_threads_comes_in_order() {
        let mut taken = Vec::new();
        in_order(
            0..200_000_u32,
            |some, put| put.extend(some.iter().flat_map(|n| [*n, *n])),
            |n| taken.push(n),
        );
        assert!(taken.len() == 400_000 && taken.is_sorted());
    }

    #[test]
    fn the_table_is_sorted_and_named_once() {
        assert!(FEED_FORMATS.is_sorted_by(|a, b| a.name < b.name));
        for format in FEED_FORMATS {
            assert_eq!(by_name(format.name).map(|found| found.title), Some(format.title));
        }
        assert!(by_name("nothing").is_none());
    }
}
