//! `[[evidence]]` and the tables in it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use comity_model::{Class, Jurisdiction, Pap, Tlp};
use comity_parse::log::{LogOptions, Mapping};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shapes::{OneOrMany, jurisdiction, one_or_many, one_or_many_schema, token, token_schema};
use super::tables::declared;
use super::times::{ClockSpan, Date, Retention, Time, Zone};
use super::values::{Column, Delimiter, Digest, EventColumn, PersonCategory, SecondDigest};

/// Logs as they were received, and the facts of their acquisition, which are expensive to ask for later.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// File, pattern, or a list of them, such as "de/*.log.gz".
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema::<String>")]
    pub path: Vec<String>,
    /// Format, one of `comity formats`; "detect" or nothing: recognised from the beginning of each file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Jurisdiction that the evidence comes from: an ISO 3166-1 alpha-2 code such as "JP".
    #[serde(with = "jurisdiction")]
    #[schemars(schema_with = "jurisdiction::schema")]
    pub jurisdiction: Jurisdiction,
    /// Authority that seized it or took it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Legal bases that it was obtained and may be used under; one table or a list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "one_or_many_schema::<LegalBasis>")]
    pub legal_basis: Vec<LegalBasis>,
    /// What it may be processed for, where that is narrower than the purpose of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Traffic Light Protocol 2.0: who may see it.
    #[serde(default, deserialize_with = "token", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "token_schema::<Tlp>")]
    pub tlp: Option<Tlp>,
    /// Permissible Actions Protocol: what may be done with it.
    #[serde(default, deserialize_with = "token", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "token_schema::<Pap>")]
    pub pap: Option<Pap>,
    /// How long it may be kept: a last day such as 2028-12-31, or a period from the intake on such as "P2Y".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// IANA time zone of times that state none, such as "Asia/Tokyo"; nothing: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// Which column is what; for the formats "csv" and "ndjson" only, which need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<EvidenceMapping>,
    /// Exhibit number, such as "A-17".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhibit: Option<String>,
    /// Who collected it, when, where and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected: Option<Collected>,
    /// SHA-256 that the holder gave for the file, 64 hexadecimal digits; checked at intake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest<32>>,
    /// SHA-512 that the holder gave for the file, 128 hexadecimal digits; checked at intake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha512: Option<Digest<64>>,
    /// SHA-1 that the holder gave for the file, 40 hexadecimal digits; checked at intake, no proof of identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<Digest<20>>,
    /// MD5 that the holder gave for the file, 32 hexadecimal digits; checked at intake, no proof of identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<Digest<16>>,
    /// What the recorder's clock showed minus the true time, such as "+2.5s" for a clock that was fast; seconds, or an
    /// ISO 8601 duration, to microseconds. It is taken off the times of the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<ClockSpan>,
    /// How far the true offset may be from `clock_offset`, to either side, such as "0.5s"; not negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_uncertainty: Option<ClockSpan>,
    /// What the export covers; without it, "not seen" says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// System that wrote the records, such as "Zeek 6.2 at the campus border".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_system: Option<String>,
    /// Hands that it went through before this intake, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<Transfer>,
    /// A second digest to take at intake: true or "sha512".
    #[serde(default, skip_serializing_if = "SecondDigest::is_none")]
    pub second_digest: SecondDigest,
    /// Ranges of records under a restriction, such as privileged communication.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restricted: Vec<RecordRange>,
    /// Categories of persons whose data it holds; one or a list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "one_or_many_schema::<PersonCategory>")]
    pub persons: Vec<PersonCategory>,
    /// Languages of its free text, BCP 47 tags such as "ja"; one or a list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "one_or_many_schema::<String>")]
    pub language: Vec<String>,
}

/// A legal basis: what allows the evidence to be held and used, how far and how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// Law or treaty, such as "Directive 2014/41/EU (European Investigation Order)".
    pub instrument: String,
    /// The order or request under it, such as "EIO-2026-0042".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What it covers, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// First day that it holds, such as 2026-03-01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Limits of use, such as "no onward transfer without consent"; one or a list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "one_or_many_schema::<String>")]
    pub use_limits: Vec<String>,
}

impl OneOrMany for LegalBasis {
    const EXPECTED: &'static str = "a table or a list of tables";
    const TABLE: bool = true;
}

/// Who collected the evidence, when, where and how (ISO/IEC 27037, 5.4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    /// Person or unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, such as 2026-04-20T11:30:00+02:00.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// How: export, image, copy handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// With what, version included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// What an export covers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Start, inclusive, such as 2026-02-01T00:00:00+01:00. Times without a year are put into this period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// End, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Times within the period for which nothing was recorded or kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// One record out of so many was kept: 1 is all, 1000 is one in a thousand; nothing: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<NonZeroU32>,
    /// The query or filter of the export, as it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// A time for which nothing was recorded or kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Start, inclusive.
    pub from: Time,
    /// End, exclusive.
    pub until: Time,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A transfer of evidence from one hand to another before this intake.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Who gave it.
    pub from: String,
    /// Who took it.
    pub to: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// How it travelled, such as "sealed USB drive".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Number of the receipt or of the seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A range of records under a restriction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRange {
    /// First record, 1-based.
    pub first: u64,
    /// Last record, 1-based, inclusive.
    pub last: u64,
    /// Why.
    pub reason: String,
}

/// Which column of a CSV or NDJSON file is what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceMapping {
    /// Class of every event; nothing: "other".
    #[serde(default, deserialize_with = "token", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "token_schema::<Class>")]
    pub class: Option<Class>,
    /// Column of the time; nothing: events have no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Column>,
    /// "rfc3339" (also for nothing; a blank for `T` and a missing zone allowed), "epoch", "epoch_ms", "epoch_us", or a
    /// strftime format such as "%Y/%m/%d %H:%M:%S".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_format: Option<String>,
    /// Delimiter of CSV; nothing: a comma.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<Delimiter>,
    /// Whether the first row of CSV names the columns; nothing: it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// From column of the file (name in the header, 1-based number, JSON key, or JSON keys joined by dots) to column of the events
    /// table, such as `"client" = "src_ip"`. "hashes" takes a text that packs several, such as `SHA1=…,MD5=…`.
    pub columns: BTreeMap<String, EventColumn>,
}

impl Evidence {
    /// The declared format; `None`: to be detected.
    pub fn declared_format(&self) -> Option<&str> {
        declared(self.format.as_ref())
    }

    /// What the parser is told.
    pub fn log_options(&self) -> LogOptions {
        let bounds = self.coverage.as_ref().and_then(|coverage| coverage.from.zip(coverage.until));
        LogOptions {
            zone: self.time_zone.as_ref().map(|zone| zone.name().to_owned()),
            period: bounds.map(|(from, until)| (from.at_us(), until.at_us())),
            mapping: self.mapping.as_ref().map(EvidenceMapping::to_parser),
        }
    }
}

impl EvidenceMapping {
    fn to_parser(&self) -> Mapping {
        let columns = self.columns.iter();
        Mapping {
            class: self.class,
            time: self.time.as_ref().map(|column| column.as_str().to_owned()),
            time_format: self.time_format.clone(),
            columns: columns.map(|(from, to)| (from.clone(), to.as_str().to_owned())).collect(),
            delimiter: self.delimiter.map(Delimiter::byte),
            header: self.header,
        }
    }
}
