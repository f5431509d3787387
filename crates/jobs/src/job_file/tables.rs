//! The tables of a job file; those of `[[evidence]]` are in the file beside. Doc comments are the specification: they become the schema's descriptions.

use std::collections::BTreeMap;
use std::fmt;

use comity_model::{Jurisdiction, Kind, Tlp};
use comity_parse::feed::{FeedMapping, FeedOptions};
use schemars::JsonSchema;
use serde::de::{self, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

use super::Origin;
use super::evidence::Evidence;
use super::shapes::{jurisdiction, one_or_many, one_or_many_schema, token, token_schema};
use super::times::Time;
use super::values::{Column, Confidence, Delimiter};

/// A job of comity: what is taken in, from whom, under which law, what is run over it and where the case lies.
///
/// Relative paths are relative to the job file. A path may be a pattern: `*` stands for any characters but `/`, `**` for any
/// directories, `?` for one character, `[a-z]` for one of a set; a file whose own name is that text comes first.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What the case is, and whose: an id, a jurisdiction and a purpose.
    pub case: Case,
    /// Logs as they were received, one table for each set of files with the same facts of acquisition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Indicators as they were submitted, one table for each provider and set of files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feed: Vec<Feed>,
    /// Values known to be benign or too common; sightings of them are marked, never dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_list: Vec<AllowList>,
    /// Queries to run. None: every built-in one with its default parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlation: Vec<Correlation>,
    /// Where results go.
    #[serde(default)]
    pub output: Output,
    /// Where the job came from.
    #[serde(skip)]
    pub origin: Origin,
}

/// What the case is, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Identifier of the case as the authority writes it, such as "2026-014".
    pub id: String,
    /// Name for people, such as "Operation Lantern".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Jurisdiction that runs the case: an ISO 3166-1 alpha-2 code such as "DE".
    #[serde(with = "jurisdiction")]
    #[schemars(schema_with = "jurisdiction::schema")]
    pub jurisdiction: Jurisdiction,
    /// What the processing is for, in a sentence; the limit of what may be done.
    pub purpose: String,
    /// Authority that runs the case, such as "Staatsanwaltschaft Musterstadt".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Identifier of the request that this case answers, such as the number of a European Investigation Order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Other identifiers of the same matter, at home or with partners; one or a list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "one_or_many_schema::<String>")]
    pub references: Vec<String>,
}

/// Indicators as they were submitted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// File, pattern, or a list of them; for MISP also a feed directory.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema::<String>")]
    pub path: Vec<String>,
    /// Format, one of `comity formats`; "detect" or nothing: recognised from the beginning of each file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Who claims it; one name for all feeds of one provider, since corroboration counts providers.
    pub provider: String,
    /// Traffic Light Protocol 2.0: who may see claims that state no marking of their own.
    #[serde(default, deserialize_with = "token", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "token_schema::<Tlp>")]
    pub tlp: Option<Tlp>,
    /// Terms or licence that it was given under, such as "CC0-1.0".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// When the snapshot was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Time>,
    /// Kind of every value, where lines do not tell; nothing: inferred from each value.
    #[serde(default, deserialize_with = "token", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "token_schema::<Kind>")]
    pub kind: Option<Kind>,
    /// Which column is what; for the format "csv" only. Nothing: by the names in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<FeedColumns>,
    /// Whether STIX equalities on names and MISP `hostname` also meet names under them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub widen_names: bool,
    /// Whether networks shorter than /8 (/19 for IPv6) are taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_broad: bool,
    /// Confidence of claims that state none, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
}

/// Which column of a CSV feed is what; each a name in the header or a 1-based number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedColumns {
    /// The value claimed.
    pub value: Column,
    /// Its kind, in the provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Column>,
    /// The port, where the value is an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Column>,
    /// Start of validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Column>,
    /// End of validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Column>,
    /// Confidence, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Column>,
    /// Marking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tlp: Option<Column>,
    /// Delimiter; nothing: a comma.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<Delimiter>,
}

/// Values known to be benign or too common.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    /// File, pattern, or a list of them: MISP warninglists (JSON), or one value a line.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema::<String>")]
    pub path: Vec<String>,
    /// Name that marked sightings carry; nothing: the list's own, or the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A query to run over the case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// Name of a built-in one (`comity correlations`), or with `sql` a new name of lower-case letters, digits and "-".
    pub name: String,
    /// File with one SELECT statement whose ORDER BY leaves no ties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Values for the query's parameters: strings, integers and booleans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
}

/// Value of a correlation's parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Parameter {
    /// A string.
    Text(String),
    /// An integer of 64 bits.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Parameter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an integer, true or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Parameter, E> {
                Ok(Parameter::Text(text.to_owned()))
            }

            // JSON readers hand over what is not negative as unsigned
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Parameter, E> {
                match i64::try_from(number) {
                    Ok(number) => self.visit_i64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Parameter, E> {
                Ok(Parameter::Integer(number))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Parameter, E> {
                Ok(Parameter::Boolean(value))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Parameter, E> {
                let expected =
                    "a string, an integer, true or false (a fraction can't be reproduced to the byte)";
                Err(E::invalid_type(Unexpected::Float(number), &expected))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The case directory; nothing: the job file's name with ".case" for ".toml", beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Whether the case keeps a copy of every original; nothing: only what was read from them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_originals: bool,
}

/// The declared format, where one is.
pub(super) fn declared(format: Option<&String>) -> Option<&str> {
    format.map(String::as_str).filter(|name| *name != "detect")
}

impl Feed {
    /// The declared format; `None`: to be detected.
    pub fn declared_format(&self) -> Option<&str> {
        declared(self.format.as_ref())
    }

    /// What the parser is told.
    pub fn feed_options(&self) -> FeedOptions {
        FeedOptions {
            mapping: self.mapping.as_ref().map(FeedColumns::to_parser),
            kind: self.kind,
            widen_names: self.widen_names,
            allow_broad: self.allow_broad,
        }
    }
}

impl FeedColumns {
    fn to_parser(&self) -> FeedMapping {
        let roles = [
            ("value", Some(&self.value)),
            ("kind", self.kind.as_ref()),
            ("port", self.port.as_ref()),
            ("valid_from", self.valid_from.as_ref()),
            ("valid_until", self.valid_until.as_ref()),
            ("confidence", self.confidence.as_ref()),
            ("tlp", self.tlp.as_ref()),
        ];
        let named = roles.into_iter().filter_map(|(role, column)| Some((role, column?)));
        FeedMapping {
            columns: named.map(|(role, column)| (role.to_owned(), column.as_str().to_owned())).collect(),
            delimiter: self.delimiter.map(Delimiter::byte),
        }
    }
}
