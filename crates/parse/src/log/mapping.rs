//! The column mapping of the generic formats: from names in a job to places in a record.

use std::str::FromStr;

use comity_model::{Class, Field, Reason, Reject};

use super::put::{To, clipped};
use super::{LogOptions, Mapping, OptionsError};
use crate::time::{self, Unit, Zone};

/// The target that stands for all hash columns.
const HASHES: &str = "hashes";

/// A mapping that was checked.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) class: Class,
    /// Name of the column of the time, and how it is read.
    pub(super) time: Option<(String, TimeFormat)>,
    /// Names of columns, sorted, and where their values go.
    pub(super) columns: Vec<(String, To)>,
}

#[derive(Debug, Clone)]
pub(super) enum TimeFormat {
    Rfc3339(Zone),
    Epoch(Unit),
    Pattern(String, Zone),
}

impl Plan {
    pub(super) fn new(format: &str, options: &LogOptions) -> Result<Self, OptionsError> {
        let missing = || OptionsError {
            message: format!(
                "format {format:?} needs a column mapping: at least one of `columns`, such as src = \"src_ip\""
            ),
        };
        let mapping = options.mapping.as_ref().ok_or_else(missing)?;
        if mapping.columns.is_empty() {
            return Err(missing());
        }
        let columns =
            mapping.columns.iter().map(|(column, target)| Ok((column.clone(), target_of(column, target)?)));
        Ok(Self {
            class: mapping.class.unwrap_or(Class::Other),
            time: match &mapping.time {
                Some(column) => Some((column.clone(), TimeFormat::new(mapping, super::zone(options)?)?)),
                None => None,
            },
            columns: columns.collect::<Result<_, _>>()?,
        })
    }
}

fn target_of(column: &str, target: &str) -> Result<To, OptionsError> {
    if target == HASHES {
        return Ok(To::Hashes);
    }
    Field::from_str(target).map(To::Field).map_err(|_| {
        let names = Field::ALL.iter().map(|field| field.as_str()).chain([HASHES]);
        let near = nearest(target, names).join(", ");
        OptionsError {
            message: format!(
                "column {column:?} is mapped to {target:?}, which is no event column; nearest: {near}"
            ),
        }
    })
}

impl TimeFormat {
    fn new(mapping: &Mapping, zone: Zone) -> Result<Self, OptionsError> {
        Ok(match mapping.time_format.as_deref() {
            None | Some("rfc3339") => Self::Rfc3339(zone),
            Some("epoch") => Self::Epoch(Unit::Seconds),
            Some("epoch_ms") => Self::Epoch(Unit::Milliseconds),
            Some("epoch_us") => Self::Epoch(Unit::Microseconds),
            Some(pattern) if pattern.contains('%') => Self::Pattern(pattern.to_owned(), zone),
            Some(other) => {
                let message = format!(
                    "time_format {other:?} is none of rfc3339, epoch, epoch_ms, epoch_us, and no strftime pattern such as \"%d.%m.%Y %H:%M:%S\""
                );
                return Err(OptionsError { message });
            }
        })
    }

    /// Reads a time.
    pub(super) fn read(&self, text: &str) -> Result<i64, Reject> {
        let text = text.trim();
        let at_us = match self {
            Self::Rfc3339(zone) => time::rfc3339(text, zone),
            Self::Epoch(unit) => time::epoch(text, *unit),
            Self::Pattern(pattern, zone) => time::by_pattern(text, pattern, zone),
        };
        at_us.ok_or_else(|| Reject::new(Reason::BadTime, format!("time {:?} is not a time", clipped(text))))
    }
}

/// The three names that are nearest to `text`, by the number of changed letters.
pub(super) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.into_iter().map(|name| (distance(text, name), name)).collect();
    names.sort_unstable();
    names.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Letters to insert, delete or replace (Levenshtein), without case.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for letter in one.chars().take(100) {
        let mut diagonal = row.first().copied().unwrap_or(0);
        let mut left = diagonal + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, theirs) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(!letter.eq_ignore_ascii_case(theirs));
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (one, other, expected) in
            [("", "abc", 3), ("kitten", "sitting", 3), ("src_ip", "SRC_IP", 0), ("a", "", 1), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
        assert_eq!(nearest("scr_ip", ["dst_ip", "src_ip", "url"]), ["src_ip", "dst_ip", "url"]);
    }
}
