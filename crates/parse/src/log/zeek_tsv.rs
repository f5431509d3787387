//! Zeek's tab-separated logs (Zeek 7 documentation, "Log Formats: Zeek TSV").
//!
//! ```text
//! #separator \x09
//! #set_separator    ,
//! #empty_field    (empty)
//! #unset_field    -
//! #path    conn
//! #fields    ts    uid    id.orig_h    id.orig_p    id.resp_h    id.resp_p    proto
//! #types    time    string    addr    port    addr    port    enum
//! 1521911720.629574    CmC9kY1X0u9nP78KZc    192.0.2.120    39611    198.51.100.200    443    tcp
//! ```
//!
//! Wide blanks stand for tabs. The header says which columns there are; a new one may come at any place, as in concatenated logs.
//! Columns that the table in [`super::zeek`] does not name (`_node_name`, labels) are passed over.
//! Rejects: a record before any header, one with another number of columns than `#fields`, a `ts` that
//! is no time, a count that is no number, a `#separator` that is not one ASCII character.

use comity_model::{Reason, Reject};

use super::detect::{self, Sample};
use super::put::Value;
use super::zeek::{Names, Plan, Record, put_record};
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};
use crate::framing::Framing;

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "zeek-tsv",
    title: "Zeek logs with tabs",
    needs_mapping: false,
    has_context: true,
    detect,
    framing: |_| Framing::Lines,
    open,
};

fn detect(sample: &Sample<'_>) -> u8 {
    let has = |start: &[u8]| detect::lines(sample).take(20).any(|line| line.starts_with(start));
    match (has(b"#separator"), has(b"#fields")) {
        (_, true) => 100,
        (true, false) => 90,
        _ => 0,
    }
}

fn open(_: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    Ok(Box::new(Reader {
        names: Names::new(),
        header: Header::default(),
        plan: None,
        columns: Vec::new(),
        scratch: String::new(),
    }))
}

#[derive(Debug, Clone)]
struct Reader {
    names: Names,
    header: Header,
    /// `None` before `#fields`.
    plan: Option<Plan>,
    /// Start and end of each column of the record at hand.
    columns: Vec<(usize, usize)>,
    scratch: String,
}

/// What the header in force says.
#[derive(Debug, Clone)]
struct Header {
    separator: u8,
    set_separator: char,
    empty: String,
    unset: String,
    path: String,
    /// Number of columns.
    width: usize,
    /// Column of each slot.
    column: Vec<Option<usize>>,
    /// Slots that have a column.
    slots: Vec<usize>,
    /// Type of each column; empty where the header has none.
    types: Vec<Type>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Scalar,
    Bool,
    List,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            separator: b'\t',
            set_separator: ',',
            empty: "(empty)".to_owned(),
            unset: "-".to_owned(),
            path: String::new(),
            width: 0,
            column: Vec::new(),
            slots: Vec::new(),
            types: Vec::new(),
        }
    }
}

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        if record.first().is_none_or(|&first| first == b'#') {
            return self.header_line(record).map_or_else(Outcome::Reject, |()| Outcome::Header);
        }
        match self.data(record, sink) {
            Ok(()) => Outcome::Event,
            Err(reject) => Outcome::Reject(reject),
        }
    }

    fn skim(&mut self, chunk: &[u8]) {
        let first = chunk.starts_with(b"#").then_some(0);
        let others = memchr::memmem::find_iter(chunk, b"\n#").map(|lf| lf + 1);
        for start in first.into_iter().chain(others) {
            let line = chunk.get(start..).unwrap_or_default();
            let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
            let line = line.get(..end).unwrap_or_default();
            // what can't be used is rejected by the one who reads it
            let _ = self.header_line(line.strip_suffix(b"\r").unwrap_or(line));
        }
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

impl Reader {
    /// Takes over a line that begins with `#`; comments change nothing.
    fn header_line(&mut self, line: &[u8]) -> Result<(), Reject> {
        let line = String::from_utf8_lossy(line);
        if let Some(rest) = line.strip_prefix("#separator") {
            // a file begins anew
            self.header = Header { separator: separator(rest)?, ..Header::default() };
            self.plan = None;
            return Ok(());
        }
        let mut parts = line.split(char::from(self.header.separator));
        let (key, value) = (parts.next().unwrap_or_default(), parts.clone().next());
        match (key, value) {
            ("#set_separator", Some(value)) => {
                self.header.set_separator = value.chars().next().unwrap_or(',');
            }
            ("#empty_field", Some(value)) => value.clone_into(&mut self.header.empty),
            ("#unset_field", Some(value)) => value.clone_into(&mut self.header.unset),
            ("#path", Some(value)) => {
                value.clone_into(&mut self.header.path);
                if self.plan.as_ref().is_some_and(|plan| plan.path != value) {
                    self.plan = Some(Plan::new(&self.names, value));
                }
            }
            ("#fields", _) => self.fields(parts),
            ("#types", _) => self.header.types = parts.map(type_of).collect(),
            _ => {}
        }
        Ok(())
    }

    fn fields<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        self.header.column = vec![None; self.names.count()];
        self.header.slots.clear();
        self.header.types.clear();
        self.header.width = 0;
        for field in fields {
            if let Some(slot) = self.names.slot(field) {
                self.header.column[slot] = Some(self.header.width);
                self.header.slots.push(slot);
            }
            self.header.width += 1;
        }
        self.plan = Some(Plan::new(&self.names, &self.header.path));
    }

    fn data(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Result<(), Reject> {
        let Some(plan) = &self.plan else {
            return Err(Reject::new(Reason::NoHeader, "a record before any #fields line"));
        };
        self.columns.clear();
        let mut start = 0;
        for end in memchr::memchr_iter(self.header.separator, record) {
            self.columns.push((start, end));
            start = end + 1;
        }
        self.columns.push((start, record.len()));
        if self.columns.len() != self.header.width {
            let (found, expected) = (self.columns.len(), self.header.width);
            let message = format!("{found} columns, where #fields names {expected}");
            return Err(Reject::new(Reason::WrongFieldCount, message));
        }
        let text = detect::lossy(record, &mut self.columns);
        let plain = memchr::memchr(b'\\', record).is_none();
        let row = Row { header: &self.header, text: &text, columns: &self.columns, plain };
        put_record(&self.names, plan, &row, &mut self.scratch, sink)
    }
}

fn separator(text: &str) -> Result<u8, Reject> {
    let text = text.strip_prefix([' ', '\t']).unwrap_or(text);
    let code = match (text.strip_prefix("\\x"), text.as_bytes()) {
        (Some(hex), _) => u8::from_str_radix(hex.trim(), 16).ok(),
        (None, &[byte]) => Some(byte),
        _ => None,
    };
    code.filter(|&byte| byte.is_ascii() && byte != b'\n').ok_or_else(|| {
        Reject::new(Reason::BadHeader, format!("separator {text:?} is not one ASCII character"))
    })
}

fn type_of(name: &str) -> Type {
    match name {
        "bool" => Type::Bool,
        _ if name.starts_with("set[") || name.starts_with("vector[") => Type::List,
        _ => Type::Scalar,
    }
}

struct Row<'a> {
    header: &'a Header,
    text: &'a str,
    columns: &'a [(usize, usize)],
    /// Whether the record has no escapes.
    plain: bool,
}

impl Row<'_> {
    fn column(&self, slot: usize) -> Option<usize> {
        self.header.column.get(slot).copied().flatten()
    }
}

impl Record for Row<'_> {
    fn slots(&self) -> impl Iterator<Item = usize> {
        self.header.slots.iter().copied()
    }

    fn raw(&self, slot: usize) -> Option<&str> {
        let &(start, end) = self.columns.get(self.column(slot)?)?;
        let text = self.text.get(start..end)?;
        (text != self.header.unset && text != self.header.empty && !text.is_empty()).then_some(text)
    }

    fn value(&self, slot: usize) -> Option<Value<'_>> {
        let text = self.raw(slot)?;
        let kind = self.header.types.get(self.column(slot)?).copied();
        Some(match (kind, text) {
            (Some(Type::Bool), "T") => Value::Text("true"),
            (Some(Type::Bool), "F") => Value::Text("false"),
            (Some(Type::List), _) => Value::Escaped(text, Some(self.header.set_separator)),
            _ if self.plain => Value::Text(text),
            _ => Value::Escaped(text, None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_one_ascii_character() {
        assert_eq!(separator(" \\x09"), Ok(b'\t'));
        assert_eq!(separator("\t\\x2c"), Ok(b','));
        assert_eq!(separator(" ;"), Ok(b';'));
        for bad in ["", " \\xff", " \\x0a", " ab", " \\x"] {
            assert_eq!(separator(bad).map_err(|reject| reject.reason), Err(Reason::BadHeader), "{bad:?}");
        }
    }

    #[test]
    fn a_header_that_was_skimmed_is_in_force() {
        let mut reader = open(&LogOptions::default()).unwrap();
        reader.skim(b"#separator \\x09\n#fields\tts\tuid\n1.0\tA\n#fields\tuid\n");
        let mut fork = reader.fork();
        let mut sink = crate::log::tests::Nothing;
        assert_eq!(fork.read(b"A", &mut sink), Outcome::Event);
        assert!(matches!(fork.read(b"1.0\tA", &mut sink), Outcome::Reject(_)));
    }
}
