//! Readers and schemas of keys whose types are not this module's: one value or a list of them, and the
//! enumerations of `comity-model`, whose wrong names are answered with the right ones.

use std::fmt;
use std::marker::PhantomData;

use comity_model::{Class, Jurisdiction, Kind, Pap, Tlp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serializer;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use super::text::Text;
use super::values::PersonCategory;

/// What may stand alone or in a list.
pub(super) trait OneOrMany {
    /// What is expected, for messages.
    const EXPECTED: &'static str;
    /// Whether one is a table; else a string.
    const TABLE: bool = false;
}

impl OneOrMany for String {
    const EXPECTED: &'static str = "a string or a list of strings";
}

impl OneOrMany for PersonCategory {
    const EXPECTED: &'static str = "a string or a list of strings";
}

/// Reads one value or a list of them.
pub(super) fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de> + OneOrMany>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Visit<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de> + OneOrMany> Visitor<'de> for Visit<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::EXPECTED)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            match T::TABLE {
                true => Err(E::invalid_type(Unexpected::Str(text), &self)),
                false => Ok(vec![T::deserialize(StrDeserializer::new(text))?]),
            }
        }

        fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Vec<T>, A::Error> {
            match T::TABLE {
                true => Ok(vec![T::deserialize(MapAccessDeserializer::new(table))?]),
                false => Err(de::Error::invalid_type(Unexpected::Map, &self)),
            }
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                all.push(item);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Visit(PhantomData))
}

/// Schema of one value or a list of them.
pub(super) fn one_or_many_schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}

/// An enumeration of `comity-model`, so that a wrong name is answered with the right ones.
pub(super) trait Token: Copy + Sized {
    /// The written forms.
    const NAMES: &'static [&'static str];
    /// Reads a written form.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! token {
    ($($name:ident: $read:expr;)+) => {$(
        impl Token for $name {
            const NAMES: &'static [&'static str] = &{
                let mut names = [""; $name::ALL.len()];
                let mut at = 0;
                while at < names.len() {
                    names[at] = $name::ALL[at].as_str();
                    at += 1;
                }
                names
            };

            fn read(text: &str) -> Option<Self> {
                $read(text).ok()
            }
        }
    )+};
}

token! {
    Tlp: Tlp::read;
    Pap: str::parse;
    Kind: str::parse;
    Class: str::parse;
}

/// Reads an enumeration of `comity-model`.
pub(super) fn token<'de, D: Deserializer<'de>, T: Token>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::read(&text).map(Some).ok_or_else(|| de::Error::unknown_variant(&text, T::NAMES))
}

/// Schema of an enumeration of `comity-model`.
pub(super) fn token_schema<T: Token>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": T::NAMES })
}

/// Reads and writes a jurisdiction.
pub(super) mod jurisdiction {
    use super::{Deserializer, Jurisdiction, Schema, SchemaGenerator, Serializer, Text, json_schema};

    const EXPECTED: &str = "an ISO 3166-1 alpha-2 code in upper case, such as DE, JP or NL";

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Jurisdiction, D::Error> {
        deserializer.deserialize_str(Text { expected: EXPECTED, parse })
    }

    fn parse(text: &str) -> Result<Jurisdiction, Option<String>> {
        text.parse().map_err(|_| {
            let upper = text.to_ascii_uppercase();
            let meant = match upper.as_str() {
                "UK" => "GB",
                "EL" => "GR",
                other => other,
            };
            meant.parse::<Jurisdiction>().ok().map(|code| format!("did you mean \"{code}\"?"))
        })
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(in super::super) fn serialize<S: Serializer>(
        code: &Jurisdiction,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(code.as_str())
    }

    pub(in super::super) fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z]{2}$" })
    }
}
