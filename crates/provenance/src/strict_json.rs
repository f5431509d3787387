//! JSON (RFC 8259) that every reader understands alike.
//!
//! Of a repeated key Python and jq take the last value, others the first; of a large number they take
//! different roundings. What is signed must not mean two things, so such text is refused before it is read
//! into a type. Also refused: more than 64 levels, more than [`MAX_VALUES`] values (a value of one byte
//! takes hundreds in memory), and the keys that `serde_json` gives a meaning of its own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use thiserror::Error;

/// Arrays and objects inside each other, the outermost counted.
pub const MAX_DEPTH: usize = 64;

/// Values of one text: members and elements, and the text itself.
pub const MAX_VALUES: usize = 1 << 20;

/// `{"$serde_json::private::RawValue":"…"}` would be read as the JSON inside the string.
const RESERVED: &str = "$serde_json::private::";

/// Integers from here on are rounded by readers that keep all numbers as binary64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Why a text is not read.
#[derive(Debug, Error)]
pub enum JsonError {
    /// An object that has a key twice.
    #[error("JSON: key {0:?} is repeated")]
    RepeatedKey(String),
    /// A key that the library would not read as a key.
    #[error("JSON: key {0:?} is reserved")]
    ReservedKey(String),
    /// Too many levels.
    #[error("JSON: more than {MAX_DEPTH} levels")]
    Depth,
    /// Too many values.
    #[error("JSON: more than {MAX_VALUES} values")]
    Size,
    /// A number that readers round differently.
    #[error("JSON: number {0:e} is not exact; large numbers are written as text")]
    Number(f64),
    /// No JSON, bytes after its end, or not of the shape wanted.
    #[error("JSON: {0}")]
    Syntax(#[from] serde_json::Error),
}

/// Reads one JSON text, with nothing but white space around it.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    from_slice(bytes)
}

/// Reads one JSON text into a type.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    check(bytes)?;
    Ok(serde_json::from_slice(bytes)?)
}

fn check(bytes: &[u8]) -> Result<(), JsonError> {
    let state = State { values: Cell::new(0), refusal: RefCell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Check { state: &state, depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| match state.refusal.take() {
            Some(refusal) => refusal,
            None => JsonError::Syntax(error),
        })
}

/// What the walk has seen. A refusal goes past serde's errors, which are only texts.
struct State {
    values: Cell<usize>,
    refusal: RefCell<Option<JsonError>>,
}

impl State {
    fn refuse<E: serde::de::Error>(&self, refusal: JsonError) -> E {
        let error = E::custom(&refusal);
        self.refusal.replace(Some(refusal));
        error
    }
}

/// Walks a value without keeping it.
#[derive(Clone, Copy)]
struct Check<'a> {
    state: &'a State,
    depth: usize,
}

impl Check<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.state.refuse(JsonError::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.state.values.set(self.state.values.get() + 1);
        if self.state.values.get() > MAX_VALUES {
            return Err(self.state.refuse(JsonError::Size));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        if number.abs() < EXACT { Ok(()) } else { Err(self.state.refuse(JsonError::Number(number))) }
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while seq.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.starts_with(RESERVED) {
                return Err(self.state.refuse(JsonError::ReservedKey(key)));
            }
            if keys.contains(&key) {
                return Err(self.state.refuse(JsonError::RepeatedKey(key)));
            }
            keys.insert(key);
            map.next_value_seed(inside)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read() {
        let value =
            parse(br#" {"a":[1,-2,18446744073709551615,0.5,null,true,"\u00e9"],"b":{"a":{}}} "#).unwrap();
        assert_eq!(value["a"][2], 18_446_744_073_709_551_615_u64);
        assert_eq!(value["a"][6], "é");
        assert_eq!(from_slice::<Vec<u8>>(b"[1,2]").unwrap(), [1, 2]);
    }

    #[test]
    fn a_repeated_key_is_named_however_it_is_written() {
        for text in [r#"{"a":1,"b":2,"a":1}"#, r#"[{"x":{"a":1,"\u0061":1}}]"#] {
            assert!(
                matches!(parse(text.as_bytes()), Err(JsonError::RepeatedKey(key)) if key == "a"),
                "{text}"
            );
        }
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(parse(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::Depth)));
        assert!(matches!(parse("{\"a\":".repeat(1_000_000).as_bytes()), Err(JsonError::Depth)));
    }

    #[test]
    fn the_number_of_values_has_an_end() {
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES - 2));
        assert!(parse(many.as_bytes()).is_ok());
        let more = format!("[{}0]", "0,".repeat(MAX_VALUES - 1));
        assert!(matches!(parse(more.as_bytes()), Err(JsonError::Size)));
    }

    #[test]
    fn numbers_that_readers_round_are_refused() {
        for text in ["18446744073709551616", "-9223372036854775809", "1e300", "[9007199254740993.0]"] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonError::Number(_))), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let texts: [&[u8]; 11] = [
            b"",
            b"{} x",
            b"{}{}",
            b"{'a':1}",
            b"[1,]",
            b"NaN",
            b"1e999",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            b"{\"\xc3\x28\":1}",
            br#""\ud800""#,
        ];
        for text in texts {
            assert!(matches!(parse(text), Err(JsonError::Syntax(_))), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn no_key_is_read_as_something_else() {
        let text = br#"{"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}"#;
        assert!(matches!(parse(text), Err(JsonError::ReservedKey(_))));
    }
}
