//! `plain`: one value a line, as block lists, trails and hash lists are.
//!
//! ```text
//! # a comment; also `;` and `//`
//! 203.0.113.7     3                 (a count after a tab or blank)
//! 203.0.113.8 # scanner.example     (a comment after a blank and `#`)
//! evil.example;Operation Lantern    (a comment after `;`)
//! 0.0.0.0 ads.example               (a hosts file: the name, met exactly)
//! ```
//!
//! The kind comes from the value's shape ([`super::value`]) or from the job. A name such as
//! `readme.md` is a name only where the list holds more names and addresses than file names.
//! Refused: what has no shape, paths without a host, patterns, names with a port.

use std::borrow::Cow;

use comity_model::{Claim, Kind, Reason, Reject};

use super::value::{What, claim, may_be_file};
use super::{ClaimSink, FeedFormat, FeedOptions, Place, in_order};
use crate::log::{OptionsError, Sample};

/// The table's row.
pub(super) const FORMAT: FeedFormat =
    FeedFormat { name: "plain", title: "one value a line, with comments", detect, read };

/// Lists say little about themselves: a share of lines that are values.
fn detect(sample: &Sample<'_>) -> u8 {
    if matches!(sample.head.trim_ascii_start().first(), None | Some(b'{' | b'[' | b'<')) {
        return 0; // JSON or XML
    }
    let options = FeedOptions::default();
    let mut count = Count::default();
    let mut head = sample.head;
    if let Some(begin) = head.get(..8192) {
        // the line at the cut is not whole
        let cut = memchr::memrchr(b'\n', begin).map_or(begin.len(), |at| at + 1);
        head = begin.get(..cut).unwrap_or(begin);
    }
    if read(head, &options, &mut count).is_err() || count.values == 0 {
        return 0;
    }
    match count.strange {
        strange if strange <= count.values => 40,
        strange if strange / 4 <= count.values => 5,
        _ => 0,
    }
}

/// Lines that are values, usable or not, and lines that are nothing like one.
#[derive(Default)]
struct Count {
    values: u32,
    strange: u32,
}

impl ClaimSink for Count {
    fn accept(&mut self, _: Place, _: Claim) {
        self.values += 1;
    }

    fn reject(&mut self, _: Place, reject: Reject, _: &str) {
        let strange =
            matches!(reject.reason, Reason::NotAnIndicator | Reason::Ambiguous | Reason::NoDeclaredField);
        *(if strange { &mut self.strange } else { &mut self.values }) += 1;
    }
}

fn read(feed: &[u8], options: &FeedOptions, sink: &mut dyn ClaimSink) -> Result<(), OptionsError> {
    let mut list = List::default();
    let read_line = |(place, line), put: &mut Vec<_>| match std::str::from_utf8(line) {
        Ok(text) => put.extend(content(text).map(|text| (place, entry(text, options), text.into()))),
        Err(_) => {
            let reject = Reject::new(Reason::Malformed, "line is not UTF-8");
            put.push((place, Err(reject), String::from_utf8_lossy(line)));
        }
    };
    let read = |some: &[_], put: &mut Vec<_>| some.iter().for_each(|line| read_line(*line, put));
    in_order(lines(feed), read, |(place, stated, text): (Place, _, Cow<'_, str>)| match stated {
        Ok(claim) if options.kind.is_none() && may_be_file(&claim) => list.unsure.push((place, claim)),
        Ok(claim) => {
            list.certain += u64::from(is_host(claim.kind));
            sink.accept(place, claim);
        }
        Err(reject) => {
            list.files += u64::from(reject.reason == Reason::Ambiguous);
            sink.reject(place, reject, &text);
        }
    });
    list.settle(sink);
    Ok(())
}

/// What the lines of a list have in common.
#[derive(Default)]
struct List {
    /// Names and addresses that are nothing else.
    certain: u64,
    /// Values that look like file names.
    files: u64,
    /// Names that may be a file's.
    unsure: Vec<(Place, Claim)>,
}

impl List {
    fn settle(self, sink: &mut dyn ClaimSink) {
        let are_names = self.certain > self.files;
        for (place, claim) in self.unsure {
            if are_names {
                sink.accept(place, claim);
            } else {
                let why =
                    format!("{:?} may be a name or a file; declare the kind of the list", claim.original);
                sink.reject(place, Reject::new(Reason::Ambiguous, why), &claim.original);
            }
        }
    }
}

fn is_host(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DomainName | Kind::Ipv4Addr | Kind::Ipv6Addr | Kind::IpPort | Kind::Ipv4Net | Kind::Url
    )
}

/// The lines of a feed with their places, line ends and a leading byte order mark cut.
pub(super) fn lines(feed: &[u8]) -> impl Iterator<Item = (Place, &[u8])> {
    let mut at = if feed.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut record = 0u64;
    std::iter::from_fn(move || {
        let rest = feed.get(at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        record += 1;
        let place = Place { record, offset: wide(at), length: wide(line.len()) };
        at += length + 1;
        Some((place, line))
    })
}

/// A length as a number of 64 bits.
pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// What a line says; `None` for blank lines and comments.
fn content(line: &str) -> Option<&str> {
    let text = line.trim();
    let is_comment = text.is_empty() || text.starts_with(['#', ';']) || text.starts_with("//");
    (!is_comment).then_some(text)
}

/// Reads what a line says: a value, and what may stand beside it.
fn entry(text: &str, options: &FeedOptions) -> Result<Claim, Reject> {
    let what = options.kind.map_or(What::Unsaid, What::One);
    let text =
        text.split_once(" #").or_else(|| text.split_once("\t#")).map_or(text, |(value, _)| value).trim_end();
    if let Some(name) = hosts_name(text) {
        let mut claim = claim(name, What::One(Kind::DomainName), options)?;
        claim.exact_only = true;
        return Ok(claim);
    }
    claim(without_remark(text, what), what, options)
}

/// The name of a hosts line. More than one name on a line is not split: it is not seen in feeds.
fn hosts_name(text: &str) -> Option<&str> {
    let (address, name) = text.split_once([' ', '\t'])?;
    let name = name.trim();
    let is_sink = matches!(address, "0.0.0.0" | "127.0.0.1" | "::" | "::1");
    let is_name = !name.contains([' ', '\t']) && !name.bytes().all(|byte| byte.is_ascii_digit());
    (is_sink && is_name).then_some(name)
}

/// A value without the count or remark beside it.
fn without_remark(text: &str, what: What) -> &str {
    let text = text.split('\t').next().unwrap_or(text).trim_end();
    if what != What::Unsaid {
        return text;
    }
    let text = match text.split_once(';') {
        Some((value, remark)) if !value.contains('/') || remark.contains(' ') => value.trim_end(),
        _ => text,
    };
    match text.split_once(' ') {
        Some((value, count)) if count.trim().bytes().all(|byte| byte.is_ascii_digit()) => value,
        _ => text,
    }
}
