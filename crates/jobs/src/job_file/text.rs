//! Values with one text form: read from a string (or, where TOML has a type for it, a date or time), written as a string.

use std::fmt;

use serde::de::{self, Deserializer, Unexpected, Visitor};

/// Why a text is no such value: what to do about it, where more can be said than what was expected.
pub(super) type Refusal = Option<String>;

/// Reads a text, or a TOML date or time as text, by a function.
pub(super) struct Text<F> {
    pub(super) expected: &'static str,
    pub(super) parse: F,
}

impl<'de, T, F: FnOnce(&str) -> Result<T, Refusal>> Visitor<'de> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(|refusal| {
            let hint = refusal.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            E::invalid_value(Unexpected::Str(text), &format!("{}{hint}", self.expected).as_str())
        })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// Writes the three impls of a type with one text form: from text, to text, and its schema.
macro_rules! text_value {
    ($name:ty, $schema_name:literal, $how:ident, $expected:literal, $parse:expr, $schema:tt) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text_value!(@ $how, deserializer, Text { expected: $expected, parse: $parse })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema_name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
    (@ string, $deserializer:ident, $visitor:expr) => { $deserializer.deserialize_str($visitor) };
    (@ date_time, $deserializer:ident, $visitor:expr) => {
        $deserializer.deserialize_newtype_struct(DATE_TIME, $visitor)
    };
}
pub(super) use text_value;
