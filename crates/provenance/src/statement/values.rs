//! Values that statements write as text: ids, nonces, times, ranges, integers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::decimal;

/// A random UUID (RFC 9562, version 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

/// Text that is no such UUID.
#[derive(Debug, Error)]
#[error("event id {0:?} is not a random UUID in lower case")]
pub struct BadEventId(String);

impl EventId {
    /// Makes the id of random bytes; six bits of them give way to version and variant.
    pub const fn new(mut random: [u8; 16]) -> Self {
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        Self(random)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, BadEventId> {
        let mut bytes = [0; 16];
        match hex::decode_to_slice(text.replace('-', ""), &mut bytes) {
            Ok(()) if Self::new(bytes).to_string() == text => Ok(Self(bytes)),
            _ => Err(BadEventId(text.to_owned())),
        }
    }
}

/// 16 random bytes, so that the digest of a statement can't be guessed from what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 16]);

/// Text that is not 32 lower-case hexadecimal digits.
#[derive(Debug, Error)]
#[error("nonce {0:?} is not 32 lower-case hexadecimal digits")]
pub struct BadNonce(String);

impl Nonce {
    /// Takes random bytes.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Nonce {
    type Err = BadNonce;

    fn from_str(text: &str) -> Result<Self, BadNonce> {
        let mut bytes = [0; 16];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if !text.bytes().any(|b| b.is_ascii_uppercase()) => Ok(Self(bytes)),
            _ => Err(BadNonce(text.to_owned())),
        }
    }
}

/// A time in RFC 3339, in UTC with `Z`, no more digits than it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(jiff::Timestamp);

/// Text that is not such a time.
#[derive(Debug, Error)]
#[error("time {0:?} is not RFC 3339 in UTC, such as 2026-03-01T09:00:00Z")]
pub struct BadTime(String);

impl Time {
    /// Takes seconds since 1970 UTC; none beyond the years -9999 to 9999.
    pub fn from_second(seconds: i64) -> Option<Self> {
        jiff::Timestamp::from_second(seconds).ok().map(Self)
    }

    /// Seconds since 1970 UTC, floored.
    pub fn as_second(self) -> i64 {
        self.0.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Time {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        match text.parse() {
            Ok(time) if Self(time).to_string() == text => Ok(Self(time)),
            _ => Err(BadTime(text.to_owned())),
        }
    }
}

/// Serde as the text of `Display` and `FromStr`.
macro_rules! as_text {
    ($($ty:ty),+) => {$(
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_text!(Nonce, Time, EventId, crate::trust::Role);

/// Log indexes as ranges, first and last included, ascending and apart: `["4-17","20-20"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Ranges(#[serde(serialize_with = "range_texts")] Vec<(u64, u64)>);

/// Text that is no list of ranges.
#[derive(Debug, Error)]
#[error("range {0:?} of log indexes is not first-last, above the range before it")]
pub struct BadRange(String);

impl Ranges {
    /// Gathers indexes given in any order.
    pub fn of(indexes: impl IntoIterator<Item = u64>) -> Self {
        let mut indexes: Vec<u64> = indexes.into_iter().collect();
        indexes.sort_unstable();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for index in indexes {
            match ranges.last_mut() {
                Some((_, last)) if index <= last.saturating_add(1) => *last = index,
                _ => ranges.push((index, index)),
            }
        }
        Self(ranges)
    }

    /// Whether an index is in one of them.
    pub fn contains(&self, index: u64) -> bool {
        let at = self.0.partition_point(|&(_, last)| last < index);
        self.0.get(at).is_some_and(|&(first, _)| first <= index)
    }

    /// First and last of each range, ascending. A range that came from outside may be as long as numbers go.
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<String>> for Ranges {
    type Error = BadRange;

    fn try_from(texts: Vec<String>) -> Result<Self, BadRange> {
        let mut ranges: Vec<(u64, u64)> = Vec::with_capacity(texts.len());
        for text in texts {
            let range =
                text.split_once('-').and_then(|(first, last)| Some((decimal(first)?, decimal(last)?)));
            // ranges that touch would be one, written in two ways
            let apart = |first: u64| ranges.last().is_none_or(|&(_, last)| first > last.saturating_add(1));
            match range {
                Some((first, last)) if first <= last && apart(first) => ranges.push((first, last)),
                _ => return Err(BadRange(text)),
            }
        }
        Ok(Self(ranges))
    }
}

fn range_texts<S: Serializer>(ranges: &[(u64, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ranges.iter().map(|(first, last)| format!("{first}-{last}")))
}

/// Integers as decimal text, which every reader keeps exactly.
pub(super) mod in_decimal {
    use super::{Deserialize, Deserializer, Serializer, decimal};

    pub(in super::super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        decimal(&text).ok_or_else(|| {
            let expected = "an integer as decimal text";
            serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &expected)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_written_one_way() {
        for text in ["2026-03-01T09:00:00Z", "2026-03-01T09:00:00.5Z", "1969-12-31T23:59:59Z"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-03-01",
            "2026-03-01T09:00:00",
            "2026-03-01T09:00:00+00:00",
            "2026-03-01T18:00:00+09:00",
            "2026-03-01t09:00:00z",
            "2026-03-01T09:00:00.50Z",
            "2026-02-30T09:00:00Z",
            "2026-03-01T09:00:60Z",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        assert_eq!("1969-12-31T23:59:59.5Z".parse::<Time>().unwrap().as_second(), -1);
        assert!(Time::from_second(i64::MAX).is_none());
    }

    #[test]
    fn event_ids_are_random_uuids() {
        let id = EventId::new([0; 16]);
        assert_eq!(id.to_string(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        for text in [
            "",
            "00000000000040008000000000000000",
            "00000000-0000-1000-8000-000000000000",
            "00000000-0000-4000-0000-000000000000",
            "0000000-00000-4000-8000-000000000000",
            "00000000-0000-4000-8000-00000000000A",
        ] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }

    #[test]
    fn nonces_are_lower_case() {
        let text = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(text.parse::<Nonce>().unwrap().to_string(), text);
        for text in ["", "00", &text.to_uppercase(), &format!("{text}00")] {
            assert!(text.parse::<Nonce>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_gathered_and_asked() {
        let ranges = Ranges::of([9, 4, 5, 5, 6, u64::MAX]);
        assert_eq!(
            serde_json::to_string(&ranges).unwrap(),
            r#"["4-6","9-9","18446744073709551615-18446744073709551615"]"#
        );
        let inside: Vec<u64> = (0..12).filter(|&index| ranges.contains(index)).collect();
        assert_eq!(inside, [4, 5, 6, 9]);
        assert!(Ranges::of([]).is_empty());
    }

    #[test]
    fn ranges_read_one_way() {
        let read = |text: &str| serde_json::from_str::<Ranges>(text);
        assert_eq!(read(r#"["0-18446744073709551615"]"#).unwrap().as_slice(), [(0, u64::MAX)]);
        for text in [
            r#"["4"]"#,
            r#"["5-4"]"#,
            r#"["4-06"]"#,
            r#"["4-6","6-7"]"#,
            r#"["4-6","7-7"]"#,
            r#"["9-9","4-6"]"#,
            r#"["0-18446744073709551615","1-1"]"#,
            r#"["4-18446744073709551616"]"#,
            r#"["-4-6"]"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
