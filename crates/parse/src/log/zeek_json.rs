//! Zeek's JSON logs, one object a line (Zeek 7 documentation, "Log Formats: Zeek JSON").
//!
//! ```text
//! {"ts":1521911720.629574,"uid":"CmC9kY1X0u9nP78KZc","id.orig_h":"192.0.2.120","id.orig_p":39611,"id.resp_h":"198.51.100.200","id.resp_p":443,"proto":"tcp"}
//! ```
//!
//! Keys are flat (`id.orig_h`) or nested (`{"id":{"orig_h":…}}`). Times are numbers or ISO 8601 texts.
//! Where `_path` is missing, the fields that a record has tell which log it is of. Rejects: what is no
//! JSON object, a `ts` that is no time, a count that is no number.

use comity_model::{Reason, Reject};

use super::detect::{self, Sample};
use super::json;
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
        spans: vec![None; names.count()],
        touched: Vec::new(),
        keys: detect::Keys::default(),
        plans: Vec::new(),
        scratch: String::new(),
        names,
    }))
}

#[derive(Debug, Clone)]
struct Reader {
    names: Names,
    /// Start and end of each slot's value in the record at hand.
    spans: Vec<Option<(usize, usize)>>,
    /// Slots that are set.
    touched: Vec<usize>,
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
        for slot in self.touched.drain(..) {
            if let Some(span) = self.spans.get_mut(slot) {
                *span = None;
            }
        }
        self.find_values(text)?;
        if self.touched.is_empty() {
            return Err(Reject::new(Reason::NotThisFormat, "an object without any field of Zeek"));
        }
        self.choose_plan(text);
        let Some(plan) = self.plans.first() else { return Ok(()) };
        let row = Row { text, spans: &self.spans, touched: &self.touched };
        put_record(&self.names, plan, &row, &mut self.scratch, sink)
    }

    /// Notes where the value of each slot stands.
    fn find_values(&mut self, text: &str) -> Result<(), Reject> {
        let Self { names, spans, touched, keys, .. } = self;
        let base = text.as_ptr().addr();
        let mut note = |slot: Option<usize>, value: &str| {
            let Some((slot, span)) = slot.and_then(|slot| Some((slot, spans.get_mut(slot)?))) else { return };
            let start = value.as_ptr().addr() - base;
            *span = Some((start, start + value.len()));
            touched.push(slot);
        };
        let mut nested = Vec::new();
        keys.restart();
        json::members(text, |key, value| {
            if value.starts_with('{') {
                nested.push((key.to_owned(), value));
            } else if !matches!(value, "null" | "\"\"" | "[]") {
                note(keys.slot(key, |key| names.slot(key)), value);
            }
        })?;
        for (outer, value) in nested {
            json::members(value, |inner, value| {
                if !matches!(value, "null" | "\"\"" | "[]") {
                    note(names.slot(&format!("{outer}.{inner}")), value);
                }
            })?;
        }
        Ok(())
    }

    /// Puts the plan of the record's path first.
    fn choose_plan(&mut self, text: &str) {
        let row = Row { text, spans: &self.spans, touched: &self.touched };
        let path = match row.raw(self.names.path).and_then(|path| json::scalar(path, &mut self.scratch)) {
            Some(path) => path,
            None => self.names.guess(|slot| self.spans.get(slot).is_some_and(Option::is_some)),
        };
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

struct Row<'a> {
    text: &'a str,
    spans: &'a [Option<(usize, usize)>],
    touched: &'a [usize],
}

impl Record for Row<'_> {
    fn slots(&self) -> impl Iterator<Item = usize> {
        self.touched.iter().copied()
    }

    fn raw(&self, slot: usize) -> Option<&str> {
        let &(start, end) = self.spans.get(slot)?.as_ref()?;
        self.text.get(start..end)
    }

    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.raw(slot).map(Value::Json)
    }
}
