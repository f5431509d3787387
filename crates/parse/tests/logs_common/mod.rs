//! A sink of plain structs, and reading as the ingest path does it.
#![allow(dead_code, clippy::print_stdout, reason = "each test binary uses a part; a skip is told")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use comity_model::{Class, Field, Kind, Reason, Reject};
use comity_parse::framing::{Piece, Splitter};
use comity_parse::log::{LogFormat, LogOptions, Outcome, RecordSink, Sample};

/// An event as plain values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) class: Option<Class>,
    pub(crate) at_us: Option<i64>,
    pub(crate) values: BTreeMap<Field, Vec<String>>,
    /// Observables beyond those that the columns give by themselves.
    pub(crate) observables: Vec<(Field, Kind, String)>,
}

impl Event {
    pub(crate) fn get(&self, field: Field) -> Option<&str> {
        self.values.get(&field)?.first().map(String::as_str)
    }
}

impl RecordSink for Event {
    fn class(&mut self, class: Class) {
        self.class = Some(class);
    }

    fn time(&mut self, at_us: i64) {
        self.at_us = Some(at_us);
    }

    fn text(&mut self, field: Field, text: &str) {
        use comity_model::Column;
        assert!(!text.is_empty(), "{field} is empty");
        let values = self.values.entry(field).or_default();
        match field.info().column {
            Column::Text => *values = vec![text.to_owned()],
            Column::TextList => values.push(text.to_owned()),
            Column::Integer => panic!("{field} is an integer, not {text:?}"),
        }
    }

    fn integer(&mut self, field: Field, value: i64) {
        assert_eq!(field.info().column, comity_model::Column::Integer, "{field}");
        self.values.insert(field, vec![value.to_string()]);
    }

    fn observable(&mut self, field: Field, kind: Kind, value: &str, _: &str) {
        self.observables.push((field, kind, value.to_owned()));
    }
}

/// A record and what it turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    pub(crate) record: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) outcome: Outcome,
    pub(crate) event: Event,
}

/// Reads a whole stream: the reader in order skims each chunk, a fork of it reads the chunk.
pub(crate) fn read_all(
    format: &LogFormat,
    name: &str,
    bytes: &[u8],
    options: &LogOptions,
    target: usize,
) -> Vec<Read> {
    let head = &bytes[..bytes.len().min(64 << 10)];
    let framing = (format.framing)(&Sample { name, head });
    let mut splitter = Splitter::new(framing, target..=target, 1 << 20);
    let mut reader = (format.open)(options).unwrap();
    splitter.push(bytes);
    splitter.finish();
    let mut reads = Vec::new();
    while let Some(piece) = splitter.next_piece() {
        match piece {
            Piece::TooLong(long) => reads.push(Read {
                record: long.record,
                offset: long.offset,
                length: long.length,
                outcome: Outcome::Reject(Reject::new(Reason::TooLong, "")),
                event: Event::default(),
            }),
            Piece::Chunk(chunk) => {
                let mut fork = reader.fork();
                reader.skim(&chunk.bytes);
                for (number, (start, length)) in (chunk.first_record..).zip(chunk.records()) {
                    let mut event = Event::default();
                    let outcome = fork.read(&chunk.bytes[start..start + length], &mut event);
                    let offset = chunk.offset + start as u64;
                    reads.push(Read { record: number, offset, length: length as u64, outcome, event });
                }
            }
        }
    }
    reads
}

/// Events, headers and rejects among records.
pub(crate) fn counts(reads: &[Read]) -> (usize, usize, usize) {
    let of = |wanted: fn(&Outcome) -> bool| reads.iter().filter(|read| wanted(&read.outcome)).count();
    (
        of(|outcome| *outcome == Outcome::Event),
        of(|outcome| *outcome == Outcome::Header),
        of(|outcome| matches!(outcome, Outcome::Reject(_))),
    )
}

/// A record for a golden.
pub(crate) fn render(read: &Read) -> String {
    let mut text = format!("{} at {} length {}: ", read.record, read.offset, read.length);
    match &read.outcome {
        Outcome::Header => text.push_str("header\n"),
        Outcome::Reject(reject) => writeln!(text, "reject {}: {}", reject.reason, reject.message).unwrap(),
        Outcome::Event => {
            writeln!(text, "event {}", read.event.class.unwrap_or(Class::Other)).unwrap();
            match read.event.at_us.map(|at_us| jiff::Timestamp::from_microsecond(at_us).unwrap()) {
                Some(at) => writeln!(text, "  time = {at:.6}").unwrap(),
                None => text.push_str("  time = null\n"),
            }
            for (field, values) in &read.event.values {
                writeln!(text, "  {field} = {}", values.join(" | ")).unwrap();
            }
            for (field, kind, value) in &read.event.observables {
                writeln!(text, "  + {field}: {kind} {value}").unwrap();
            }
        }
    }
    text
}

/// The folder of real data; `None` (with a message) where it is not there.
pub(crate) fn shared() -> Option<PathBuf> {
    let by_environment = std::env::var_os("COMITY_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let candidates = by_environment.into_iter().chain([beside, PathBuf::from("/work/shared")]);
    let found = candidates.into_iter().find(|path| path.join("data/logs").is_dir());
    if found.is_none() {
        println!("skipped: no ../shared/data (set COMITY_SHARED to its place)");
    }
    found
}
