//! `zeek-intel`: the input files of Zeek's intelligence framework.
//!
//! ```text
//! #fields⇥indicator⇥indicator_type⇥meta.source          (⇥ is a tab)
//! 203.0.113.7⇥Intel::ADDR⇥example
//! ```
//!
//! URLs have no scheme. Zeek itself meets names exactly; here a name meets those under it too, as
//! MATCHING.md has it, and the sighting says which it was. Refused: rows of another width than the
//! header, and the types `SOFTWARE`, `USER_NAME` and `PUBKEY_HASH`.

use comity_model::{Claim, Reason, Reject};

use super::plain::lines;
use super::value::{claim, named_type, shown};
use super::{ClaimSink, FeedFormat, FeedOptions, Place};
use crate::log::{OptionsError, Sample};

/// The table's row.
pub(super) const FORMAT: FeedFormat =
    FeedFormat { name: "zeek-intel", title: "Zeek intelligence framework, tab-separated", detect, read };

fn detect(sample: &Sample<'_>) -> u8 {
    let is_header = |line: &[u8]| std::str::from_utf8(line).is_ok_and(|line| Columns::read(line).is_some());
    if lines(sample.head).take(100).any(|(_, line)| is_header(line)) { 100 } else { 0 }
}

/// Where the columns stand, counted from 0.
struct Columns {
    indicator: usize,
    kind: usize,
    width: usize,
}

impl Columns {
    fn read(line: &str) -> Option<Self> {
        let names: Vec<&str> = line.strip_prefix("#fields")?.trim_start().split('\t').collect();
        let at = |wanted: &str| names.iter().position(|name| name.trim() == wanted);
        Some(Self { indicator: at("indicator")?, kind: at("indicator_type")?, width: names.len() })
    }

    fn claim(&self, text: &str, options: &FeedOptions) -> Result<Claim, Reject> {
        let cells: Vec<&str> = text.split('\t').collect();
        let (Some(value), Some(kind), true) =
            (cells.get(self.indicator), cells.get(self.kind), cells.len() == self.width)
        else {
            let why = format!("row has {} fields, the header names {}", cells.len(), self.width);
            return Err(Reject::new(Reason::WrongFieldCount, why));
        };
        let what = named_type(kind).filter(|_| kind.starts_with("Intel::")).ok_or_else(|| {
            Reject::new(Reason::UnsupportedType, format!("type {:?} is not matched on", shown(kind)))
        })?;
        claim(value, what, options)
    }
}

fn read(feed: &[u8], options: &FeedOptions, sink: &mut dyn ClaimSink) -> Result<(), OptionsError> {
    let mut columns = None;
    for (place, line) in lines(feed) {
        let text = String::from_utf8_lossy(line);
        if text.starts_with('#') {
            columns = Columns::read(&text).or(columns);
        } else if !text.trim().is_empty() {
            give(columns.as_ref(), &text, place, options, sink);
        }
    }
    Ok(())
}

fn give(
    columns: Option<&Columns>,
    text: &str,
    place: Place,
    options: &FeedOptions,
    sink: &mut dyn ClaimSink,
) {
    let claim = match columns {
        Some(columns) => columns.claim(text, options),
        None => Err(Reject::new(Reason::NoHeader, "row stands before a #fields line")),
    };
    match claim {
        Ok(claim) => sink.accept(place, claim),
        Err(reject) => sink.reject(place, reject, text),
    }
}
