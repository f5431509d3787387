//! JSON objects of any kind, one a line or in one array, by the column mapping of the job (RFC 8259).
//!
//! ```text
//! {"@timestamp":"2020-10-18T22:56:19.123Z","Hostname":"ws5.example.com","Hashes":"SHA1=…,MD5=…,IMPHASH=…"}
//! ```
//!
//! A mapping names keys; `a.b` is the key `a.b`, or the key `b` of the object `a`. A key that an object
//! lacks is null; of a list each member is taken. Rejects: what is no JSON object, a time that is none, a
//! number that is none, an object where the mapping wants a value.

use comity_model::{Reason, Reject};

use super::detect;
use super::json;
use super::mapping::Plan;
use super::put::{To, Value, put_value};
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "ndjson",
    title: "JSON objects by a column mapping",
    needs_mapping: true,
    has_context: false,
    detect: |sample| detect::objects(sample, |_| 40),
    framing: detect::json_framing,
    open,
};

fn open(options: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    Ok(Box::new(Reader { plan: Plan::new(FORMAT.name, options)?, scratch: String::new() }))
}

#[derive(Debug, Clone)]
struct Reader {
    plan: Plan,
    scratch: String,
}

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        json::outcome(record, |text| {
            sink.class(self.plan.class);
            object(&self.plan, "", text, &mut self.scratch, sink)
        })
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

/// Puts the members of an object whose keys stand behind `prefix`.
fn object(
    plan: &Plan,
    prefix: &str,
    text: &str,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    let mut result = Ok(());
    json::members(text, |key, value| {
        if result.is_ok() {
            result = if prefix.is_empty() {
                member(plan, key, value, scratch, sink)
            } else {
                member(plan, &format!("{prefix}.{key}"), value, scratch, sink)
            };
        }
    })?;
    result
}

fn member(
    plan: &Plan,
    key: &str,
    value: &str,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    if let Some((_, format)) = plan.time.as_ref().filter(|(column, _)| column == key) {
        match json::scalar(value, scratch) {
            Some(text) => sink.time(format.read(text)?),
            None if value == "null" => {}
            None => return Err(not_a_value(key)),
        }
    }
    let at = plan.columns.partition_point(|(column, _)| column.as_str() < key);
    match plan.columns.get(at) {
        Some((column, to)) if column == key => put_scalars(*to, key, value, scratch, sink),
        _ if value.starts_with('{') && has_inner(plan, key) => object(plan, key, value, scratch, sink),
        _ => Ok(()),
    }
}

fn put_scalars(
    to: To,
    key: &str,
    value: &str,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    if value.starts_with('{') {
        return Err(not_a_value(key));
    }
    put_value(to, Value::Json(value), scratch, sink)
}

fn not_a_value(key: &str) -> Reject {
    Reject::new(Reason::BadValue, format!("key {key:?} is not a text or a number; map a key inside it"))
}

/// Whether the mapping names keys inside `key`.
fn has_inner(plan: &Plan, key: &str) -> bool {
    let inner = |column: &str| column.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    plan.columns.iter().any(|(column, _)| inner(column))
        || plan.time.as_ref().is_some_and(|(column, _)| inner(column))
}
