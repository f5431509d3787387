//! Log formats: the table, the seam between a format and where its events go, and detection.

use std::collections::BTreeMap;

pub use comity_model::RecordSink;
use comity_model::{Class, Reject};
use thiserror::Error;

use crate::framing::Framing;
use crate::time::Zone;

mod apache_combined;
mod csv;
mod detect;
mod json;
mod mapping;
mod ndjson;
mod put;
mod suricata_eve;
mod syslog;
mod syslog_rfc3164;
mod syslog_rfc5424;
mod zeek;
mod zeek_json;
mod zeek_tsv;

/// Every log format, sorted by name. A new one is a file beside these, a row here and a directory of
/// samples under `tests/samples/logs/`.
pub const LOG_FORMATS: &[LogFormat] = &[
    apache_combined::FORMAT,
    csv::FORMAT,
    ndjson::FORMAT,
    suricata_eve::FORMAT,
    syslog_rfc3164::FORMAT,
    syslog_rfc5424::FORMAT,
    zeek_json::FORMAT,
    zeek_tsv::FORMAT,
];

/// The format of that name.
pub fn by_name(name: &str) -> Option<&'static LogFormat> {
    LOG_FORMATS.iter().find(|format| format.name == name)
}

/// Formats that a stream may be of and how sure each is, the surest first; empty where none is.
pub fn detect(sample: &Sample<'_>) -> Vec<(&'static LogFormat, u8)> {
    let mut scores: Vec<_> = LOG_FORMATS.iter().map(|format| (format, (format.detect)(sample))).collect();
    scores.retain(|&(_, score)| score > 0);
    // stable: equal scores stay in the order of names
    scores.sort_by_key(|&(_, score)| std::cmp::Reverse(score));
    scores
}

/// The zone of times without one.
fn zone(options: &LogOptions) -> Result<Zone, OptionsError> {
    let Some(name) = options.zone.as_deref() else { return Ok(Zone::Utc) };
    Zone::find(name).ok_or_else(|| {
        let names = Zone::names();
        let near = mapping::nearest(name, names.iter().map(String::as_str)).join(", ");
        OptionsError { message: format!("zone {name:?} is not in the tz database; nearest: {near}") }
    })
}

/// What a record turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An event; its fields went into the sink.
    Event,
    /// A header, comment or blank line: a record that carries no event. Counted apart.
    Header,
    /// Not understood.
    Reject(Reject),
}

/// Reads the records of one stream, in order. State (a Zeek header, a CSV header) lives in the
/// reader, so that chunks can be read in parallel: the one in order `skim`s each chunk, and a
/// `fork` of it, taken before, reads the chunk's records.
pub trait LogReader: Send {
    /// Reads one record, without its line end.
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome;
    /// Takes over whatever state the records of a whole chunk leave behind, without reading them.
    /// Must cost little: it is the one sequential part of reading.
    fn skim(&mut self, _chunk: &[u8]) {}
    /// A reader with the same state.
    fn fork(&self) -> Box<dyn LogReader>;
}

/// What the job declares about reading a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// IANA zone for times without one; `None`: UTC.
    pub zone: Option<String>,
    /// Period that times without a year lie in, microseconds since 1970 UTC: the latest year that
    /// puts a time before `.1` (and if possible not before `.0`) is taken. `None`: such times are null.
    pub period: Option<(i64, i64)>,
    /// Columns of `csv` and `ndjson`.
    pub mapping: Option<Mapping>,
}

/// Column mapping of the generic formats.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Class of every event; `None`: `other`.
    pub class: Option<Class>,
    /// Column of the time; `None`: times are null.
    pub time: Option<String>,
    /// `rfc3339` (the default; a blank for `T` and a missing zone allowed), `epoch`, `epoch_ms`,
    /// `epoch_us`, or a strftime format.
    pub time_format: Option<String>,
    /// From column (CSV header name or 1-based number; JSON key, or keys joined by dots) to event
    /// column, or to `hashes`: a packed text like Sysmon's `SHA1=…,MD5=…,IMPHASH=…` whose parts go
    /// to the columns of their own kinds.
    pub columns: BTreeMap<String, String>,
    /// Delimiter of CSV; `None`: comma.
    pub delimiter: Option<u8>,
    /// Whether the first CSV row names the columns; `None`: yes.
    pub header: Option<bool>,
}

/// Options that a format can't work with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct OptionsError {
    /// What is wrong, and what is expected.
    pub message: String,
}

/// The beginning of a stream, for detection.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// File name without directories and without endings of compression.
    pub name: &'a str,
    /// The first bytes, decompressed; at most 64 KiB.
    pub head: &'a [u8],
}

/// A row of the table of log formats.
#[derive(Debug, Clone, Copy)]
pub struct LogFormat {
    /// Name in jobs, tables and `--format`.
    pub name: &'static str,
    /// One phrase for people.
    pub title: &'static str,
    /// Whether it needs a column mapping.
    pub needs_mapping: bool,
    /// Whether headers say how the records after them are read, so that a record is not understood
    /// without those before it. Then its reader must `skim`.
    pub has_context: bool,
    /// How sure it is that a stream is its own: 0 (is not) to 100 (can be nothing else).
    pub detect: fn(&Sample<'_>) -> u8,
    /// How the stream is cut, seen from its beginning.
    pub framing: fn(&Sample<'_>) -> Framing,
    /// Makes a reader.
    pub open: fn(&LogOptions) -> Result<Box<dyn LogReader>, OptionsError>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use comity_model::{Field, Kind};

    /// A sink that keeps nothing.
    pub(super) struct Nothing;

    impl RecordSink for Nothing {
        fn class(&mut self, _: Class) {}
        fn time(&mut self, _: i64) {}
        fn text(&mut self, _: Field, _: &str) {}
        fn integer(&mut self, _: Field, _: i64) {}
        fn observable(&mut self, _: Field, _: Kind, _: &str, _: &str) {}
    }

    #[test]
    fn the_table_is_sorted_by_name() {
        assert!(LOG_FORMATS.is_sorted_by(|a, b| a.name < b.name));
        assert!(
            LOG_FORMATS
                .iter()
                .all(|format| by_name(format.name).is_some_and(|found| found.name == format.name))
        );
    }

    #[test]
    fn an_unknown_zone_names_its_nearest() {
        let options = LogOptions { zone: Some("Europe/Berlim".to_owned()), ..LogOptions::default() };
        let message = zone(&options).unwrap_err().message;
        assert!(
            message.starts_with("zone \"Europe/Berlim\" is not in the tz database; nearest: Europe/Berlin")
        );
    }
}
