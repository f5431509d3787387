//! Times, days, periods, clocks and zones.

use std::fmt;

use jiff::tz::TimeZoneDatabase;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use super::error::nearest;
use super::reader::DATE_TIME;
use super::text::{Refusal, Text, text_value};

/// A point in time, microseconds since 1970 UTC; written with its offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// Microseconds since 1970 UTC, floored.
    pub fn at_us(self) -> i64 {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let time: jiff::Timestamp = text.parse().map_err(|_| None)?;
        i64::try_from(time.as_nanosecond().div_euclid(1000)).map(Self).map_err(|_| None)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} us", self.0),
        }
    }
}

text_value! {
    Time, "Time", date_time, "a time with its offset from UTC, such as 2026-03-01T09:00:00+09:00", Time::parse,
    { "type": "string", "format": "date-time" }
}

/// A day of the calendar, in the place that the key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// The day.
    pub fn civil(self) -> jiff::civil::Date {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.parse() {
            Ok(date) if text.len() == 10 => Ok(Self(date)),
            _ => Err(None),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_value! {
    Date, "Date", date_time, "a day, such as 2026-03-01", Date::parse,
    { "type": "string", "format": "date" }
}

/// How long a thing may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retention {
    /// To the end of this day.
    Until(Date),
    /// For this ISO 8601 period from the intake on, such as `P2Y`.
    For(String),
}

impl Retention {
    fn parse(text: &str) -> Result<Self, Refusal> {
        if let Ok(date) = Date::parse(text) {
            return Ok(Self::Until(date));
        }
        match text.parse::<jiff::Span>() {
            Ok(span) if text.starts_with('P') && span.is_positive() => Ok(Self::For(text.to_owned())),
            _ => Err(None),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Until(date) => date.fmt(f),
            Self::For(period) => f.write_str(period),
        }
    }
}

text_value! {
    Retention, "Retention", date_time, "a last day, such as 2028-12-31, or an ISO 8601 period, such as P2Y",
    Retention::parse, { "type": "string" }
}

/// A span of time of a clock, microseconds, with a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockSpan(i64);

impl ClockSpan {
    const EXPECTED: &str = "a span of time to microseconds, such as \"+2.5s\", \"-PT1H\" or 3 (seconds)";

    /// Microseconds.
    pub fn as_us(self) -> i64 {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let bare =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        let span: jiff::SignedDuration = match bare {
            true => format!("{text}s").parse(),
            false => text.parse(),
        }
        .map_err(|_| None)?;
        if span.subsec_nanos() % 1000 != 0 {
            return Err(Some("a clock is recorded to whole microseconds".into()));
        }
        i64::try_from(span.as_micros()).map(Self).map_err(|_| None)
    }
}

impl fmt::Display for ClockSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, us) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let fraction = format!(".{:06}", us % 1_000_000);
        write!(f, "{sign}{}{}s", us / 1_000_000, fraction.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl<'de> Deserialize<'de> for ClockSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = ClockSpan;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ClockSpan::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ClockSpan, E> {
                Text { expected: ClockSpan::EXPECTED, parse: ClockSpan::parse }.visit_str(text)
            }

            // JSON readers hand over what is not negative as unsigned
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ClockSpan, E> {
                match i64::try_from(number) {
                    Ok(number) => self.visit_i64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<ClockSpan, E> {
                self.visit_str(&seconds.to_string())
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<ClockSpan, E> {
                self.visit_str(&seconds.to_string())
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl Serialize for ClockSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ClockSpan {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClockSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

/// An IANA time zone, by the name that the database gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(String);

impl Zone {
    /// The IANA name, such as `Asia/Tokyo`.
    pub fn name(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let zones = TimeZoneDatabase::bundled();
        if let Ok(zone) = zones.get(text) {
            return Ok(Self(zone.iana_name().unwrap_or(text).to_owned()));
        }
        let names: Vec<String> = zones.available().map(|name| name.as_str().to_owned()).collect();
        let places: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.contains('/')).collect();
        let near = nearest(text, &places).filter(|_| text.len() > 4);
        Err(near.map(|name| format!("did you mean {name:?}?")))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value! {
    Zone, "Zone", string, "an IANA time zone, such as \"Asia/Tokyo\"", Zone::parse,
    { "type": "string", "examples": ["Asia/Tokyo", "Europe/Berlin", "UTC"] }
}
