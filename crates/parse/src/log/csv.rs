//! CSV of any kind, by the column mapping of the job (RFC 4180, with any of `,` `;` tab `|` between).
//!
//! ```text
//! when,src,dst,"host name"
//! 2024-04-19 00:10:01,192.0.2.7,198.51.100.9,www.example.com
//! ```
//!
//! A mapping names columns by the header's names or by 1-based numbers. A column that the mapping names
//! and the header lacks is null in every event, and the header is rejected with the names that it has.
//! Rejects: a row with another number of columns than the header, a quote that is not closed or has text
//! behind it, a time that is none, a number that is none. Blank rows carry no event.

use comity_model::{Reason, Reject};

use super::detect::{self, Sample};
use super::mapping::{Plan, TimeFormat, nearest};
use super::put::{To, put};
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};
use crate::framing::{Framing, MAX_RECORD_BYTES, Piece, Splitter};

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "csv",
    title: "CSV by a column mapping",
    needs_mapping: true,
    has_context: true,
    detect,
    framing: |_: &Sample<'_>| Framing::Csv,
    open,
};

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Low: every better format goes first, and nothing says what the columns mean.
fn detect(sample: &Sample<'_>) -> u8 {
    let width = |line: &[u8], delimiter| memchr::memchr_iter(delimiter, line).count();
    let Some(first) = detect::lines(sample).next() else { return 0 };
    if first.starts_with(b"{") || first.starts_with(b"[") || first.starts_with(b"#") {
        return 0;
    }
    let named = if sample.name.ends_with(".csv") || sample.name.ends_with(".tsv") { 20 } else { 0 };
    let steady = DELIMITERS.iter().any(|&delimiter| {
        let expected = width(first, delimiter);
        expected > 0 && detect::lines(sample).take(20).all(|line| width(line, delimiter) == expected)
    });
    named + if steady { 20 } else { 0 }
}

fn open(options: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    let plan = Plan::new(FORMAT.name, options)?;
    let mapping = options.mapping.clone().unwrap_or_default();
    let delimiter = mapping.delimiter.unwrap_or(b',');
    if !DELIMITERS.contains(&delimiter) {
        let message = format!("delimiter {:?} is none of \",\" \";\" tab \"|\"", char::from(delimiter));
        return Err(OptionsError { message });
    }
    let mut reader = Reader { plan, delimiter, columns: None, fields: Vec::new(), scratch: String::new() };
    if mapping.header == Some(false) {
        reader.columns = Some(reader.numbered()?);
    }
    Ok(Box::new(reader))
}

#[derive(Debug, Clone)]
struct Reader {
    plan: Plan,
    delimiter: u8,
    /// `None` before the header.
    columns: Option<Columns>,
    fields: Vec<Span>,
    scratch: String,
}

/// Where the mapping's columns are in a row, 0-based.
#[derive(Debug, Clone, Default)]
struct Columns {
    /// Number of columns; `None` without a header.
    width: Option<usize>,
    time: Option<usize>,
    targets: Vec<(usize, To)>,
}

/// A field of a row as it stands, quotes cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    /// Whether there are doubled quotes in it.
    doubled: bool,
}

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        if record.trim_ascii().is_empty() {
            return Outcome::Header;
        }
        let text = detect::as_text(record);
        let Some(columns) = &self.columns else {
            return match self.header(&text) {
                Ok(()) => Outcome::Header,
                Err(reject) => Outcome::Reject(reject),
            };
        };
        let Self { plan, delimiter, fields, scratch, .. } = self;
        let row = split(&text, *delimiter, fields)
            .and_then(|()| put_row(plan, columns, &text, fields, scratch, sink));
        row.map_or_else(Outcome::Reject, |()| Outcome::Event)
    }

    fn skim(&mut self, chunk: &[u8]) {
        if self.columns.is_some() {
            return;
        }
        let mut splitter = Splitter::new(Framing::Csv, usize::MAX..=usize::MAX, MAX_RECORD_BYTES);
        splitter.push(chunk);
        splitter.finish();
        let Some(Piece::Chunk(rows)) = splitter.next_piece() else { return };
        let mut rows = rows.records().filter_map(|(start, length)| rows.bytes.get(start..start + length));
        if let Some(row) = rows.find(|row| !row.trim_ascii().is_empty()) {
            // what can't be used is rejected by the one who reads it
            let _ = self.header(&detect::as_text(row));
        }
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

impl Reader {
    /// Takes over the row that names the columns.
    fn header(&mut self, text: &str) -> Result<(), Reject> {
        let split = split(text, self.delimiter, &mut self.fields);
        let names: Vec<String> =
            self.fields.iter().map(|span| field(text, *span, &mut self.scratch).trim().to_owned()).collect();
        let (mut columns, mut missing) =
            (Columns { width: Some(names.len()), ..Columns::default() }, Vec::new());
        let mut place = |name: &str| {
            let at = names.iter().position(|known| known == name).or_else(|| number(name, names.len()));
            if at.is_none() {
                let near = nearest(name, names.iter().map(String::as_str)).join(", ");
                missing.push(format!("column {name:?} is not in the header; nearest: {near}"));
            }
            at
        };
        columns.time = self.plan.time.as_ref().and_then(|(name, _)| place(name));
        columns.targets =
            self.plan.columns.iter().filter_map(|(name, to)| Some((place(name)?, *to))).collect();
        self.columns = Some(columns);
        split?;
        if missing.is_empty() { Ok(()) } else { Err(Reject::new(Reason::BadHeader, missing.join("; "))) }
    }

    /// The columns of a file without a header.
    fn numbered(&self) -> Result<Columns, OptionsError> {
        let place = |name: &str| {
            number(name, usize::MAX).ok_or_else(|| OptionsError {
                message: format!(
                    "column {name:?} is no number; without a header, columns go by numbers from 1"
                ),
            })
        };
        let targets = self.plan.columns.iter().map(|(name, to)| Ok((place(name)?, *to)));
        Ok(Columns {
            width: None,
            time: self.plan.time.as_ref().map(|(name, _)| place(name)).transpose()?,
            targets: targets.collect::<Result<_, OptionsError>>()?,
        })
    }
}

/// A 1-based column number, as a place.
fn number(name: &str, width: usize) -> Option<usize> {
    name.parse::<usize>().ok()?.checked_sub(1).filter(|&at| at < width)
}

fn put_row(
    plan: &Plan,
    columns: &Columns,
    text: &str,
    fields: &[Span],
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    if let Some(width) = columns.width.filter(|&width| width != fields.len()) {
        let message = format!("{} columns, where the header names {width}", fields.len());
        return Err(Reject::new(Reason::WrongFieldCount, message));
    }
    sink.class(plan.class);
    if let (Some(at), Some((_, format))) = (columns.time, &plan.time) {
        put_time(format, fields.get(at).map(|span| field(text, *span, scratch)), sink)?;
    }
    for &(at, to) in &columns.targets {
        let Some(span) = fields.get(at) else { continue };
        put(to, field(text, *span, scratch).trim(), sink)?;
    }
    Ok(())
}

fn put_time(format: &TimeFormat, text: Option<&str>, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(()) };
    sink.time(format.read(text)?);
    Ok(())
}

/// Text of a field, with doubled quotes made single.
fn field<'a>(text: &'a str, span: Span, scratch: &'a mut String) -> &'a str {
    let inner = text.get(span.start..span.end).unwrap_or_default();
    if !span.doubled {
        return inner;
    }
    scratch.clear();
    scratch.push_str(&inner.replace("\"\"", "\""));
    scratch
}

/// Finds the fields of a row.
fn split(text: &str, delimiter: u8, fields: &mut Vec<Span>) -> Result<(), Reject> {
    fields.clear();
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let (span, next) = match bytes.get(at) {
            Some(b'"') => quoted(bytes, at + 1)?,
            _ => {
                let tail = bytes.get(at..).unwrap_or_default();
                let end = memchr::memchr(delimiter, tail).map_or(bytes.len(), |length| at + length);
                (Span { start: at, end, doubled: false }, end)
            }
        };
        fields.push(span);
        match bytes.get(next) {
            None => return Ok(()),
            Some(&byte) if byte == delimiter => at = next + 1,
            Some(_) => {
                let message = format!("text behind the quote that ends column {}", fields.len());
                return Err(Reject::new(Reason::BadQuoting, message));
            }
        }
    }
}

/// A field in quotes that begins at `start`, and where its closing quote has been.
fn quoted(bytes: &[u8], start: usize) -> Result<(Span, usize), Reject> {
    let (mut at, mut doubled) = (start, false);
    loop {
        let tail = bytes.get(at..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'"', tail) else {
            return Err(Reject::new(Reason::BadQuoting, "a quote that is not closed"));
        };
        let end = at + length;
        if bytes.get(end + 1) != Some(&b'"') {
            return Ok((Span { start, end, doubled }, end + 1));
        }
        doubled = true;
        at = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<Vec<String>, Reject> {
        let mut spans = Vec::new();
        split(text, b',', &mut spans)?;
        Ok(spans.into_iter().map(|span| field(text, span, &mut String::new()).to_owned()).collect())
    }

    #[test]
    fn rows_split_as_rfc_4180_says() {
        assert_eq!(fields(r#"a,"b ""c"", d",,"#).unwrap(), ["a", "b \"c\", d", "", ""]);
        assert_eq!(fields(r#"5" disk,é"#).unwrap(), ["5\" disk", "é"]);
        assert_eq!(fields("").unwrap(), [""]);
        assert_eq!(fields(r#""a"b"#).unwrap_err().reason, Reason::BadQuoting);
        assert_eq!(fields(r#""a"#).unwrap_err().reason, Reason::BadQuoting);
    }
}
