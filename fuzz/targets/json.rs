//! Strict JSON, as such.

#![no_main]

use comity_fuzz::{bounded, samples, seeds};
use comity_provenance::strict_json::{self, MAX_DEPTH, MAX_VALUES};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |text: &[u8]| check(text));

fn inputs() -> Vec<Vec<u8>> {
    let texts = [
        r#" {"a":[1,-2,18446744073709551615,0.5,null,true,"\u00e9\ud83d\ude00"],"b":{"a":{}}} "#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"$serde_json::private::RawValue":"{\"a\":1}"}"#,
        r#"{"$serde_json::private::Number":"1e400"}"#,
        "9007199254740991.0",
        "[[[[[[[[[[]]]]]]]]]]",
    ];
    let texts = texts.map(str::to_owned).into_iter().chain(samples::statements());
    texts.map(String::into_bytes).collect()
}

fn check(text: &[u8]) {
    let Ok(value) = bounded((16 << 10) + 256 * text.len(), || strict_json::parse(text)) else { return };
    assert_eq!(serde_json::from_slice::<Value>(text).unwrap(), value, "checked as one, read as another");
    let mut found = Found::default();
    count(&value, 1, &mut found);
    assert!(found.values <= MAX_VALUES && found.depth <= MAX_DEPTH);
    // a key that is repeated leaves more colons than members
    assert_eq!(found.members, colons(text), "a member was lost");
    let written = serde_json::to_vec(&value).unwrap();
    assert!(same(&strict_json::parse(&written).unwrap(), &value), "{value}");
}

/// Whether two values are one, but for the last digit of fractions: `serde_json` without `float_roundtrip`
/// reads 924794970492790.1 as the number before it. What is signed has no numbers.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= f64::MIN_POSITIVE + a.abs() * 4.0 * f64::EPSILON
        }
        _ => a == b,
    }
}

#[derive(Default)]
struct Found {
    values: usize,
    members: usize,
    depth: usize,
}

fn count(value: &Value, depth: usize, found: &mut Found) {
    found.values += 1;
    match value {
        Value::Array(items) => {
            found.depth = found.depth.max(depth);
            items.iter().for_each(|item| count(item, depth + 1, found));
        }
        Value::Object(members) => {
            found.depth = found.depth.max(depth);
            found.members += members.len();
            members.values().for_each(|member| count(member, depth + 1, found));
        }
        _ => {}
    }
}

/// Colons outside strings.
fn colons(text: &[u8]) -> usize {
    let (mut colons, mut inside, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => colons += 1,
            _ => {}
        }
    }
    colons
}
