//! Values of a job file that are more than a string or a number: each is checked as it is read, so that a
//! [`Job`](super::Job) holds none that is wrong.

use std::fmt;

use comity_model::Field;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use super::text::{Refusal, Text, text_value};

/// A digest of so many bytes, as lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest<const BYTES: usize>(String);

impl<const BYTES: usize> Digest<BYTES> {
    /// The digits, lower case.
    pub fn hex(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(Some(match text.len() {
                length if length == 2 * BYTES => "it holds other characters than 0-9 and a-f".into(),
                32 => "32 digits are an MD5: give it as md5".into(),
                40 => "40 digits are a SHA-1: give it as sha1".into(),
                64 => "64 digits are a SHA-256: give it as sha256".into(),
                128 => "128 digits are a SHA-512: give it as sha512".into(),
                _ => format!("it has {} characters", text.chars().count()),
            })),
        }
    }
}

impl<const BYTES: usize> fmt::Display for Digest<BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value! { Digest<16>, "Md5", string, "an MD5 of 32 hexadecimal digits", Digest::parse, { "type": "string", "pattern": "^[0-9A-Fa-f]{32}$" } }
text_value! { Digest<20>, "Sha1", string, "a SHA-1 of 40 hexadecimal digits", Digest::parse, { "type": "string", "pattern": "^[0-9A-Fa-f]{40}$" } }
text_value! { Digest<32>, "Sha256", string, "a SHA-256 of 64 hexadecimal digits", Digest::parse, { "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" } }
text_value! { Digest<64>, "Sha512", string, "a SHA-512 of 128 hexadecimal digits", Digest::parse, { "type": "string", "pattern": "^[0-9A-Fa-f]{128}$" } }

/// The delimiter of a CSV file: one ASCII character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// The character's byte.
    pub fn byte(self) -> u8 {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        match *text.as_bytes() {
            [b'"' | b'\n' | b'\r'] => {
                Err(Some("quotes and line ends have a meaning of their own in CSV".into()))
            }
            [byte] if byte.is_ascii() => Ok(Self(byte)),
            _ => Err(None),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        char::from(self.0).fmt(f)
    }
}

text_value! {
    Delimiter, "Delimiter", string, "one ASCII character, such as \";\" or \"\\t\"", Delimiter::parse,
    { "type": "string", "minLength": 1, "maxLength": 1 }
}

/// A column of an input file: the name in its header (or JSON key), or a 1-based number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Column(String);

impl Column {
    /// The name or number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Column;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column: its name, or its number from 1")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Column, E> {
                match name.is_empty() {
                    true => Err(E::invalid_value(Unexpected::Str(name), &self)),
                    false => Ok(Column(name.to_owned())),
                }
            }

            // JSON readers hand over what is not negative as unsigned
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Column, E> {
                match i64::try_from(number) {
                    Ok(number) => self.visit_i64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Column, E> {
                match number >= 1 {
                    true => Ok(Column(number.to_string())),
                    false => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl JsonSchema for Column {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Column".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minLength": 1, "minimum": 1 })
    }
}

/// A column of the events table, or `hashes` for a text that packs several digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventColumn(String);

impl EventColumn {
    const NAMES: [&str; Field::ALL.len() + 1] = {
        let mut names = ["hashes"; Field::ALL.len() + 1];
        let mut at = 0;
        while at < Field::ALL.len() {
            names[at] = Field::ALL[at].as_str();
            at += 1;
        }
        names
    };

    /// The column's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for EventColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match Self::NAMES.contains(&name.as_str()) {
            true => Ok(Self(name)),
            false => Err(de::Error::unknown_variant(&name, &Self::NAMES)),
        }
    }
}

impl JsonSchema for EventColumn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EventColumn".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A column of the events table.", "type": "string", "enum": Self::NAMES.to_vec() })
    }
}

/// How sure a provider is of its claims, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Confidence(u8);

impl Confidence {
    /// The number, 0 to 100.
    pub fn percent(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Confidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Confidence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 to 100")
            }

            // JSON readers hand over what is not negative as unsigned
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Confidence, E> {
                match i64::try_from(number) {
                    Ok(number) => self.visit_i64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Confidence, E> {
                match u8::try_from(number) {
                    Ok(percent) if percent <= 100 => Ok(Confidence(percent)),
                    _ => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl JsonSchema for Confidence {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Confidence".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 100 })
    }
}

/// Whether a second digest is taken beside SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondDigest {
    /// None.
    #[default]
    None,
    /// SHA-512.
    Sha512,
}

impl SecondDigest {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl<'de> Deserialize<'de> for SecondDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = SecondDigest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or \"sha512\"")
            }

            fn visit_bool<E: de::Error>(self, wanted: bool) -> Result<SecondDigest, E> {
                Ok(if wanted { SecondDigest::Sha512 } else { SecondDigest::None })
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<SecondDigest, E> {
                match name {
                    "sha512" => Ok(SecondDigest::Sha512),
                    _ => Err(E::invalid_value(Unexpected::Str(name), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl Serialize for SecondDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_bool(false),
            Self::Sha512 => serializer.serialize_str("sha512"),
        }
    }
}

impl JsonSchema for SecondDigest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecondDigest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": [true, false, "sha512"] })
    }
}

/// Category of persons whose data an evidence item holds, after Article 6 of Directive (EU) 2016/680.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum PersonCategory {
    /// Persons suspected of the offence.
    Suspect,
    /// Persons convicted of an offence.
    Convicted,
    /// Victims, and persons who may be.
    Victim,
    /// Persons who may testify or give information.
    Witness,
    /// Contacts and associates of suspects and the convicted.
    Contact,
    /// All others, such as the customers of a provider.
    Uninvolved,
}
