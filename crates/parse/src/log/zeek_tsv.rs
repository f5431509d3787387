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
        starts: Vec::new(),
        scratch: String::new(),
    }))
}

#[derive(Debug, Clone)]
struct Reader {
    names: Names,
    header: Header,
    /// `None` before `#fields`.
    plan: Option<Plan>,
    /// Start of each column of the record at hand, and of one after the last.
    starts: Vec<usize>,
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
    /// Column of each slot, and its type.
    column: Vec<Option<(usize, Type)>>,
    /// Slots that have a column.
    slots: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Type {
    /// Also where the header says nothing.
    #[default]
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
            ("#types", _) => {
                let types: Vec<_> = parts.map(type_of).collect();
                for (column, kind) in self.header.column.iter_mut().flatten() {
                    *kind = types.get(*column).copied().unwrap_or_default();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn fields<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        self.header.column = vec![None; self.names.count()];
        self.header.slots.clear();
        self.header.width = 0;
        for field in fields {
            if let Some(slot) = self.names.slot(field) {
                self.header.column[slot] = Some((self.header.width, Type::default()));
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
        // no part that is replaced holds a separator, which is ASCII
        let text = &detect::as_text(record);
        find_starts(text, self.header.separator, &mut self.starts);
        let (found, expected) = (self.starts.len() - 1, self.header.width);
        if found != expected {
            let message = format!("{found} columns, where #fields names {expected}");
            return Err(Reject::new(Reason::WrongFieldCount, message));
        }
        let plain = memchr::memchr(b'\\', record).is_none();
        let row = Row { header: &self.header, text, starts: &self.starts, plain };
        put_record(&self.names, plan, &row, &mut self.scratch, sink)
    }
}

/// Finds the starts of columns, as if a separator stood at the end too, eight bytes at a time.
fn find_starts(text: &str, separator: u8, starts: &mut Vec<usize>) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = ONES * 0x7F;
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut at = 0;
    starts.clear();
    starts.push(0);
    for word in words {
        let differs = u64::from_le_bytes(*word) ^ (ONES * u64::from(separator));
        // the high bit of each byte that is the separator
        let mut found = !(((differs & LOW) + LOW) | differs | LOW);
        while found != 0 {
            starts.push(at + (found.trailing_zeros() / 8) as usize + 1);
            found &= found - 1;
        }
        at += 8;
    }
    starts.extend((at..).zip(rest).filter(|(_, byte)| **byte == separator).map(|(at, _)| at + 1));
    starts.push(text.len() + 1);
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
    /// Start of each column, and of one after the last.
    starts: &'a [usize],
    /// Whether the record has no escapes.
    plain: bool,
}

impl Row<'_> {
    /// The text of a slot and the type of its column; `None` where unset.
    #[inline(always)]
    fn typed(&self, slot: usize) -> Option<(&str, Type)> {
        let (column, kind) = (*self.header.column.get(slot)?)?;
        let &[start, next] = self.starts.get(column..)?.first_chunk()?;
        let text = self.text.get(start..next - 1)?;
        let is_set = text != self.header.unset && text != self.header.empty && !text.is_empty();
        is_set.then_some((text, kind))
    }
}

impl Record for Row<'_> {
    #[inline]
    fn slots(&self) -> impl Iterator<Item = usize> {
        self.header.slots.iter().copied()
    }

    fn value(&self, slot: usize) -> Option<Value<'_>> {
        Some(match self.typed(slot)? {
            ("T", Type::Bool) => Value::Text("true"),
            ("F", Type::Bool) => Value::Text("false"),
            (text, Type::List) => Value::Escaped(text, Some(self.header.set_separator)),
            (text, _) if self.plain => Value::Text(text),
            (text, _) => Value::Escaped(text, None),
        })
    }

    fn raw(&self, slot: usize) -> Option<&str> {
        self.typed(slot).map(|(text, _)| text)
    }

    #[inline(always)]
    fn plain(&self, slot: usize) -> Option<&str> {
        match self.typed(slot)? {
            (text, Type::Scalar) if self.plain => Some(text),
            _ => None,
        }
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

    struct Uids(Vec<String>);

    impl RecordSink for Uids {
        fn class(&mut self, _: comity_model::Class) {}
        fn time(&mut self, _: i64) {}
        fn text(&mut self, _: comity_model::Field, text: &str) {
            self.0.push(text.to_owned());
        }
        fn integer(&mut self, _: comity_model::Field, _: i64) {}
        fn observable(&mut self, _: comity_model::Field, _: comity_model::Kind, _: &str, _: &str) {}
    }

    #[test]
    fn of_two_columns_of_one_name_the_last_counts() {
        let mut reader = open(&LogOptions::default()).unwrap();
        reader.skim(b"#fields\tuid\tuid\n#types\tstring\tstring\n");
        let mut event = Uids(Vec::new());
        assert_eq!(reader.read(b"A\tB", &mut event), Outcome::Event);
        assert_eq!(reader.read(b"A\t-", &mut event), Outcome::Event);
        assert_eq!(event.0, ["B"]);
    }

    proptest::proptest! {
        #[test]
        fn starts_are_those_of_columns(text in "[a\t\u{8}\u{a}ü\u{89}]{0,40}") {
            let mut starts = Vec::new();
            find_starts(&text, b'\t', &mut starts);
            let columns = starts.windows(2).filter_map(|pair| text.get(pair[0]..pair[1] - 1));
            proptest::prop_assert_eq!(starts.len() - 1, columns.clone().count());
            proptest::prop_assert!(columns.eq(text.split('\t')));
        }
    }
}
