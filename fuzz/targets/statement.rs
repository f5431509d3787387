//! The payload of an envelope.

#![no_main]

use comity_fuzz::{bounded, samples, seeds};
use comity_provenance::statement::Statement;
use serde_json::Value;

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |payload: &[u8]| check(payload));

fn inputs() -> impl Iterator<Item = Vec<u8>> {
    let null = samples::provenance().replace("\"file:x\"", "null");
    samples::statements().into_iter().chain([null]).map(String::into_bytes)
}

fn check(payload: &[u8]) {
    let read = bounded((64 << 10) + 256 * payload.len(), || Statement::parse(payload));
    let Ok(statement) = read else { return };
    let written = statement.to_bytes().unwrap();
    assert_eq!(Statement::parse(&written).unwrap(), statement);
    // all that was there was read, and nothing else is said
    assert_eq!(meaning(payload), meaning(&written));
}

/// The value, without what says the same where it is absent.
fn meaning(bytes: &[u8]) -> Value {
    let mut value = serde_json::from_slice(bytes).unwrap();
    drop_empty(&mut value);
    value
}

fn drop_empty(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        Value::Object(members) => {
            members.values_mut().for_each(drop_empty);
            members.retain(|_, member| {
                !member.as_array().is_some_and(Vec::is_empty)
                    && !member.as_object().is_some_and(|o| o.is_empty())
            });
        }
        _ => {}
    }
}
