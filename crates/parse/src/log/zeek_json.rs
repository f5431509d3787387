//! Zeek's JSON logs, one object a line (Zeek 7 documentation, "Log Formats: Zeek JSON").
//!
//! ```text
//! {"ts":1521911720.629574,"uid":"CmC9kY1X0u9nP78KZc","id.orig_h":"192.0.2.120","id.orig_p":39611,"id.resp_h":"198.51.100.200","id.resp_p":443,"proto":"tcp"}
//! ```
//!
//! Keys are flat (`id.orig_h`) or nested (`{"id":{"orig_h":…}}`). Times are numbers or ISO 8601 texts.
//! Where `_path` is missing, the fields that a record has tell which log it is of. Rejects: what is no
//! JSON object, a `ts` that is no time, a count that is no number.

use std::ops::Range;

use comity_model::{Reason, Reject};

use super::detect::{self, Sample};
use super::json::{self, scan};
use super::put::Value;
use super::zeek::{Names, Plan, Record, put_record};
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "zeek-json",
    title: "Zeek logs in JSON",
    needs_mapping: false,
    has_context: false,
    detect,
    framing: detect::json_framing,
    open,
};

fn detect(sample: &Sample<'_>) -> u8 {
    const KEYS: &[&str] = &[
        "uid",
        "uids",
        "id.orig_h",
        "id.resp_h",
        "fuid",
        "conn_uids",
        "peer",
        "node",
        "certificate.subject",
        "host",
        "orig_h",
        "note",
        "ts_delta",
        "subsystem",
        "certStatus",
        "fingerprint",
    ];
    detect::objects(sample, |keys| {
        let script =
            || keys.get("name").is_some_and(|name| name.contains(".zeek\"") || name.contains(".bro\""));
        match (keys.contains("_path"), keys.contains("ts"), KEYS.iter().any(|key| keys.contains(key))) {
            (true, _, _) => 98,
            (_, true, true) => 95,
            _ if keys.len() == 1 && script() => 80,
            _ => 0,
        }
    })
}

fn open(_: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    let names = Names::new();
    Ok(Box::new(Reader {
        values: Values { spans: vec![None; names.count()], slots: Vec::new() },
        keys: detect::Keys::default(),
        plans: Vec::new(),
        scratch: String::new(),
        names,
    }))
}

#[derive(Debug, Clone)]
struct Reader {
    names: Names,
    /// Values of the record at hand.
    values: Values,
    keys: detect::Keys,
    /// Plans of the paths seen, the latest first.
    plans: Vec<Plan>,
    scratch: String,
}

/// Paths whose plans are kept: more than Zeek has.
const MAX_PLANS: usize = 128;

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        json::outcome(record, |text| self.object(text, sink))
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

impl Reader {
    fn object(&mut self, text: &str, sink: &mut dyn RecordSink) -> Result<(), Reject> {
        self.find_values(text)?;
        if self.values.slots.is_empty() {
            return Err(Reject::new(Reason::NotThisFormat, "an object without any field of Zeek"));
        }
        self.choose_plan(text);
        let Some(plan) = self.plans.first() else { return Ok(()) };
        let row = Row { text, values: &self.values };
        put_record(&self.names, plan, &row, &mut self.scratch, sink)
    }

    /// Notes where the value of each slot stands.
    fn find_values(&mut self, text: &str) -> Result<(), Reject> {
        let mut nested = Vec::new();
        if self.scan_values(text, &mut nested).is_none() {
            // what the scan noted until it gave up is void
            nested.clear();
            self.values.clear();
            json::members_by_serde(text, |key, value| {
                if value.starts_with('{') {
                    nested.push((key.to_owned(), value));
                } else {
                    note(&mut self.values, self.names.slot(key), text, value);
                }
            })?;
        }
        for (outer, value) in nested {
            json::members(value, |inner, value| {
                let slot = self.names.slot(&format!("{outer}.{inner}"));
                note(&mut self.values, slot, text, value);
            })?;
        }
        Ok(())
    }

    /// The same for an object that the scan takes, but for nested objects: these go to `nested`.
    #[inline(never)]
    fn scan_values<'a>(&mut self, text: &'a str, nested: &mut Vec<(String, &'a str)>) -> Option<()> {
        let Self { names, values, keys, .. } = self;
        let bytes = text.as_bytes();
        values.clear();
        keys.restart();
        let slot_of = |at: usize| {
            if let Some((length, slot)) = keys.expected(bytes.get(at..)?) {
                return Some((at + length, slot));
            }
            let (end, key) = scan::key(bytes, at)?;
            let key = text.get(key)?;
            let slot = names.slot(key);
            keys.learn(key, slot);
            Some((end, slot))
        };
        scan::members(text, slot_of, |key_at, slot, value, form| {
            match form {
                scan::Form::Plain if value.len() > 2 => {
                    values.set(slot, value.start + 1..value.end - 1, Form::Quoted);
                }
                scan::Form::Bare => values.set(slot, value, Form::Bare),
                scan::Form::Escaped => values.set(slot, value, Form::Json),
                scan::Form::Array if value.len() > 2 => values.set(slot, value, Form::Json),
                scan::Form::Object => {
                    let (_, key) = scan::key(bytes, key_at)?;
                    nested.push((text.get(key)?.to_owned(), text.get(value)?));
                }
                scan::Form::Plain | scan::Form::Array | scan::Form::Null => {}
            }
            Some(())
        })
    }

    /// Puts the plan of the record's path first.
    fn choose_plan(&mut self, text: &str) {
        let row = Row { text, values: &self.values };
        let path = match row.value(self.names.path) {
            Some(Value::Text(path)) => Some(path),
            Some(Value::Json(path)) => json::scalar(path, &mut self.scratch),
            _ => None,
        };
        let path = path.unwrap_or_else(|| {
            self.names.guess(|slot| self.values.spans.get(slot).is_some_and(Option::is_some))
        });
        if self.plans.first().is_some_and(|plan| plan.path == path) {
            return;
        }
        match self.plans.iter().position(|plan| plan.path == path) {
            Some(at) => self.plans.swap(0, at),
            None => {
                self.plans.truncate(MAX_PLANS - 1);
                self.plans.insert(0, Plan::new(&self.names, path));
            }
        }
    }
}

/// Notes a value that is a part of `text`, unless it says nothing.
fn note(values: &mut Values, slot: Option<usize>, text: &str, value: &str) {
    if !matches!(value, "null" | "\"\"" | "[]") {
        let start = value.as_ptr().addr() - text.as_ptr().addr();
        values.set(slot, start..start + value.len(), Form::Json);
    }
}

/// Where the values of a record stand in its text.
#[derive(Debug, Clone)]
struct Values {
    /// Of each slot.
    spans: Vec<Option<(Range<usize>, Form)>>,
    /// Slots that have a value; some may occur twice.
    slots: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// A number, `true` or `false`.
    Bare,
    /// A string without escapes; the span leaves out the quotes.
    Quoted,
    /// All else.
    Json,
}

impl Values {
    #[inline]
    fn clear(&mut self) {
        for &slot in &self.slots {
            if let Some(span) = self.spans.get_mut(slot) {
                *span = None;
            }
        }
        self.slots.clear();
    }

    /// Notes the value of a slot; the last one counts.
    #[inline]
    fn set(&mut self, slot: Option<usize>, span: Range<usize>, form: Form) {
        let Some(slot) = slot else { return };
        if let Some(place) = self.spans.get_mut(slot) {
            *place = Some((span, form));
            self.slots.push(slot);
        }
    }
}

struct Row<'a> {
    text: &'a str,
    values: &'a Values,
}

impl Record for Row<'_> {
    #[inline]
    fn slots(&self) -> impl Iterator<Item = usize> {
        self.values.slots.iter().copied()
    }

    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.plain(slot).map(Value::Text).or_else(|| self.raw(slot).map(Value::Json))
    }

    fn raw(&self, slot: usize) -> Option<&str> {
        match self.values.spans.get(slot)?.as_ref()? {
            (span, Form::Quoted) => self.text.get(span.start - 1..span.end + 1),
            (span, _) => self.text.get(span.clone()),
        }
    }

    #[inline]
    fn plain(&self, slot: usize) -> Option<&str> {
        match self.values.spans.get(slot)? {
            Some((span, Form::Bare | Form::Quoted)) => self.text.get(span.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use comity_model::{Class, Field, Kind};
    use proptest::prelude::*;

    use super::*;

    /// Every call of a sink, in order.
    #[derive(Default, Debug, PartialEq)]
    struct Calls(Vec<String>);

    impl RecordSink for Calls {
        fn class(&mut self, class: Class) {
            self.0.push(format!("{class}"));
        }
        fn time(&mut self, at_us: i64) {
            self.0.push(format!("at {at_us}"));
        }
        fn text(&mut self, field: Field, text: &str) {
            self.0.push(format!("{field} {text:?}"));
        }
        fn integer(&mut self, field: Field, value: i64) {
            self.0.push(format!("{field} {value}"));
        }
        fn observable(&mut self, field: Field, kind: Kind, value: &str, as_found: &str) {
            self.0.push(format!("{field} {kind} {value} {as_found}"));
        }
    }

    fn read(reader: &mut dyn LogReader, record: &str) -> (Outcome, Calls) {
        let mut calls = Calls::default();
        (reader.read(record.as_bytes(), &mut calls), calls)
    }

    /// A member: a key that Zeek has, one that begins like it or like none; and a value.
    fn member() -> impl Strategy<Value = String> {
        let key = prop::sample::select(&[
            "ts",
            "id.orig_h",
            "id.orig_p",
            "id",
            "uid",
            "orig_h",
            "query",
            "answers",
            "conn_state",
            "host",
            "user",
            "username",
            "u",
            "server_name",
            "data_channel.orig_h",
            "a_key_that_is_longer_than_24",
            "_path",
        ]);
        let value = prop::sample::select(&[
            "1",
            "12345678.5",
            "-0",
            "1e3",
            "null",
            "true",
            "\"\"",
            "[]",
            "[ ]",
            "\"a\"",
            "\"1\"",
            "\"a.example\"",
            "\"192.0.2.1\"",
            "[\"192.0.2.1\",\"b\\\"\"]",
            "\"a\\n\"",
            "{}",
            "{\"orig_h\":\"a\",\"orig_p\":7}",
            "\"dns\"",
            "nul",
            "1.",
            "\"http\"",
        ]);
        let blanks = prop::sample::select(&["", "", "", " "]);
        (key, value, blanks).prop_map(|(key, value, blank)| format!("\"{key}\"{blank}:{blank}{value}"))
    }

    proptest! {
        #[test]
        fn what_stood_before_and_who_scans_makes_no_difference(
            records in prop::collection::vec(prop::collection::vec(member(), 0..9), 1..9)
        ) {
            let mut used = open(&LogOptions::default()).unwrap();
            for members in records {
                let record = format!("{{{}}}", members.join(","));
                let read_used = read(&mut *used, &record);
                prop_assert_eq!(&read(&mut *open(&LogOptions::default()).unwrap(), &record), &read_used, "{}", record);
                if read_used.0 == Outcome::Event {
                    // the scan leaves this to serde
                    let by_serde = record.replacen('{', "{\"x\":\"\\u0041\",", 1);
                    prop_assert_eq!(read(&mut *used, &by_serde), read_used, "{}", record);
                }
            }
        }
    }
}
