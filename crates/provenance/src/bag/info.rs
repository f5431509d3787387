//! `bag-info.txt`: thirteen labels in a fixed order, each with a value of one line; empty ones are left out.
//!
//! ```text
//! Bag-Software-Agent: comity 0.1.0
//! BagIt-Profile-Identifier: urn:comity:bag-profile:v1
//! Bagging-Date: 2026-11-25
//! Payload-Oxum: 20480.17
//! External-Identifier: 2026-014
//! Comity-Bag-Kind: findings
//! ```
//!
//! Stricter than RFC 8493 §2.2.2: no folded lines, no repeated or further labels, one space after the colon.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::manifest::text;
use super::{BAG_INFO, BagError};
use crate::Sha256Digest;

/// Identifier of the profile that our bags keep, `schemas/bag-profile.json`.
pub const PROFILE: &str = "urn:comity:bag-profile:v1";
/// Length of the longest value, in bytes.
const MAX_VALUE_BYTES: usize = 4096;

/// The labels, in order.
const LABELS: [&str; 13] = [
    "Bag-Software-Agent",
    "BagIt-Profile-Identifier",
    "Bagging-Date",
    "Payload-Oxum",
    "External-Identifier",
    "Source-Organization",
    "Comity-Bag-Kind",
    "Comity-Case",
    "Comity-Run",
    "Comity-Jurisdiction",
    "Comity-Purpose",
    "Comity-TLP",
    "Comity-Recipient",
];
/// The first six labels but `Source-Organization`, and the kind: every bag has these.
const REQUIRED: [usize; 6] = [0, 1, 2, 3, 4, 6];
/// Names of TLP 2.0, as in the profile.
const TLP: [&str; 5] = ["clear", "green", "amber", "amber+strict", "red"];

/// What a bag brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BagKind {
    /// All, evidence included.
    Full,
    /// The records that findings rest on, proven.
    Findings,
    /// A feed that is submitted.
    Feed,
}

impl BagKind {
    const ALL: [Self; 3] = [Self::Full, Self::Findings, Self::Feed];

    /// The name, as in `Comity-Bag-Kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Findings => "findings",
            Self::Feed => "feed",
        }
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ValueFault {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It begins or ends with white space, which readers drop.
    #[error("begins or ends with white space")]
    Padded,
    /// A control character, a line separator, or a character that changes the direction of writing:
    /// it would be read otherwise than it is.
    #[error("has the character {0:?}")]
    Character(char),
    /// It is longer than 4096 bytes.
    #[error("is longer than {MAX_VALUE_BYTES} bytes")]
    TooLong,
    /// It is none of the values that the label takes.
    #[error("is not one of its values")]
    Unknown,
}

/// The values of `bag-info.txt` but `BagIt-Profile-Identifier` and `Payload-Oxum`, which follow.
/// An empty text means that the line is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagInfo {
    /// `Bag-Software-Agent`: who packed, name and version.
    pub software_agent: String,
    /// `Bagging-Date`: `YYYY-MM-DD`, UTC.
    pub bagging_date: String,
    /// `External-Identifier`: the case's id.
    pub external_identifier: String,
    /// `Source-Organization`; may be empty.
    pub source_organization: String,
    /// `Comity-Bag-Kind`.
    pub kind: BagKind,
    /// `Comity-Case`; may be empty.
    pub case: String,
    /// `Comity-Run`: the run's id; a feed has none.
    pub run: Option<Sha256Digest>,
    /// `Comity-Jurisdiction`; may be empty.
    pub jurisdiction: String,
    /// `Comity-Purpose`; may be empty.
    pub purpose: String,
    /// `Comity-TLP`: `clear`, `green`, `amber`, `amber+strict`, `red`; may be empty.
    pub tlp: String,
    /// `Comity-Recipient`; may be empty.
    pub recipient: String,
}

impl BagInfo {
    /// The text for a payload of so many bytes in so many files.
    ///
    /// # Errors
    /// Where a value is wrong or a required one empty.
    pub fn to_text(&self, oxum: (u64, usize)) -> Result<String, BagError> {
        let (oxum, run) = (oxum_text(oxum), self.run.map(|run| run.to_string()).unwrap_or_default());
        let values: [&str; 13] = [
            &self.software_agent,
            PROFILE,
            &self.bagging_date,
            &oxum,
            &self.external_identifier,
            &self.source_organization,
            self.kind.as_str(),
            &self.case,
            &run,
            &self.jurisdiction,
            &self.purpose,
            &self.tlp,
            &self.recipient,
        ];
        let mut text = String::new();
        for (label, value) in LABELS.into_iter().zip(values).filter(|(_, value)| !value.is_empty()) {
            check_value(label, value)?;
            text.extend([label, ": ", value, "\n"]);
        }
        require(&values)?;
        Ok(text)
    }

    /// Reads the text; gives `Payload-Oxum` as it is stated beside the rest.
    ///
    /// # Errors
    /// Where it is not what [`BagInfo::to_text`] writes.
    pub fn parse(bytes: &[u8]) -> Result<(Self, String), BagError> {
        let mut values: [&str; 13] = [""; 13];
        let mut next = 0;
        for (line, index) in text(BAG_INFO, bytes)?.lines().zip(1..) {
            let (label, value) = line.split_once(": ").ok_or(BagError::InfoLine { line: index })?;
            let place = LABELS.iter().position(|known| *known == label);
            let place = place.ok_or(BagError::InfoUnknown { line: index })?;
            let (label, slot) = (LABELS[place], &mut values[place]);
            if !slot.is_empty() {
                return Err(BagError::InfoRepeated { label });
            }
            if place < next {
                return Err(BagError::InfoOrder { label });
            }
            check_value(label, value)?;
            *slot = value;
            next = place + 1;
        }
        require(&values)?;
        Self::of_values(&values)
    }

    fn of_values(values: &[&str; 13]) -> Result<(Self, String), BagError> {
        let [agent, _, date, oxum, id, organisation, kind, case, run, jurisdiction, purpose, tlp, recipient] =
            values.map(str::to_owned);
        let kind = BagKind::ALL.into_iter().find(|k| k.as_str() == kind);
        let info = Self {
            software_agent: agent,
            bagging_date: date,
            external_identifier: id,
            source_organization: organisation,
            kind: kind.ok_or(BagError::InfoValue { label: LABELS[6], fault: ValueFault::Unknown })?,
            case,
            // checked with the line, so what does not parse is empty
            run: run.parse().ok(),
            jurisdiction,
            purpose,
            tlp,
            recipient,
        };
        Ok((info, oxum))
    }
}

/// `Payload-Oxum`: bytes, a dot, number of files.
pub(super) fn oxum_text((bytes, files): (u64, usize)) -> String {
    format!("{bytes}.{files}")
}

fn require(values: &[&str; 13]) -> Result<(), BagError> {
    match REQUIRED.into_iter().find(|&place| values[place].is_empty()) {
        Some(place) => Err(BagError::InfoMissing { label: LABELS[place] }),
        None => Ok(()),
    }
}

fn check_value(label: &'static str, value: &str) -> Result<(), BagError> {
    let known = match label {
        "BagIt-Profile-Identifier" => value == PROFILE,
        "Bagging-Date" => is_date(value),
        "Payload-Oxum" => is_oxum(value),
        "Comity-Bag-Kind" => BagKind::ALL.iter().any(|kind| kind.as_str() == value),
        "Comity-Run" => value.parse::<Sha256Digest>().is_ok(),
        "Comity-TLP" => TLP.contains(&value),
        _ => true,
    };
    match text_fault(value).or((!known).then_some(ValueFault::Unknown)) {
        Some(fault) => Err(BagError::InfoValue { label, fault }),
        None => Ok(()),
    }
}

/// What keeps a text from being a value of `bag-info.txt`.
pub fn text_fault(value: &str) -> Option<ValueFault> {
    if value.is_empty() {
        return Some(ValueFault::Empty);
    }
    if value.len() > MAX_VALUE_BYTES {
        return Some(ValueFault::TooLong);
    }
    if let Some(hidden) = hidden(value) {
        return Some(ValueFault::Character(hidden));
    }
    (value.trim() != value).then_some(ValueFault::Padded)
}

/// The first character by which a text would be read otherwise than it is.
pub fn hidden(text: &str) -> Option<char> {
    text.chars().find(|&c| c.is_control() || reorders(c))
}

/// Line separators, and the controls of the bidirectional algorithm (UAX #9 §2); U+FEFF is no text.
fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `YYYY-MM-DD`; the days of a month are not counted.
fn is_date(value: &str) -> bool {
    let pattern = value.bytes().map(|b| if b.is_ascii_digit() { b'9' } else { b });
    let mut numbers = value.split('-').skip(1).map(|part| part.parse().unwrap_or(0));
    pattern.eq(*b"9999-99-99")
        && numbers.next().is_some_and(|month: u8| (1..=12).contains(&month))
        && numbers.next().is_some_and(|day| (1..=31).contains(&day))
}

fn is_oxum(value: &str) -> bool {
    let Some((bytes, files)) = value.split_once('.') else { return false };
    let read = bytes.parse().ok().zip(files.parse().ok());
    read.is_some_and(|oxum| oxum_text(oxum) == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> BagInfo {
        BagInfo {
            software_agent: "comity 0.1.0".into(),
            bagging_date: "2026-11-25".into(),
            external_identifier: "2026-014".into(),
            source_organization: "Landeskriminalamt Musterland".into(),
            kind: BagKind::Findings,
            case: "2026-014".into(),
            run: Some(Sha256Digest::of(b"")),
            jurisdiction: "DE".into(),
            purpose: "prosecution: file 5 Js 1/26".into(),
            tlp: "amber+strict".into(),
            recipient: "警察庁".into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = info().to_text((20480, 17)).unwrap();
        assert!(
            text.starts_with("Bag-Software-Agent: comity 0.1.0\nBagIt-Profile-Identifier: urn:"),
            "{text}"
        );
        assert_eq!(BagInfo::parse(text.as_bytes()).unwrap(), (info(), "20480.17".to_owned()));
        let bare = BagInfo {
            source_organization: String::new(),
            kind: BagKind::Feed,
            case: String::new(),
            run: None,
            jurisdiction: String::new(),
            purpose: String::new(),
            tlp: String::new(),
            recipient: String::new(),
            ..info()
        };
        let text = bare.to_text((0, 1)).unwrap();
        assert_eq!(text.lines().count(), 6);
        assert_eq!(BagInfo::parse(text.as_bytes()).unwrap().0, bare);
    }

    #[test]
    fn values_that_hide_something_are_not_written() {
        for (value, want) in [
            ("a\nComity-Run: b", ValueFault::Character('\n')),
            ("a\rb", ValueFault::Character('\r')),
            ("a\u{1b}[31m", ValueFault::Character('\u{1b}')),
            ("a\u{85}b", ValueFault::Character('\u{85}')),
            ("a\u{2028}b", ValueFault::Character('\u{2028}')),
            ("a\u{202e}b", ValueFault::Character('\u{202e}')),
            ("a\u{2066}b", ValueFault::Character('\u{2066}')),
            ("\u{feff}b", ValueFault::Character('\u{feff}')),
            (" a", ValueFault::Padded),
            ("a\u{a0}", ValueFault::Padded),
            (&"a".repeat(MAX_VALUE_BYTES + 1), ValueFault::TooLong),
        ] {
            let wrong = BagInfo { purpose: value.into(), ..info() }.to_text((0, 1));
            assert!(
                matches!(wrong, Err(BagError::InfoValue { label: "Comity-Purpose", fault }) if fault == want),
                "{value:?}: {wrong:?}"
            );
        }
        let wrong = BagInfo { tlp: "TLP:RED".into(), ..info() }.to_text((0, 1));
        assert!(matches!(
            wrong,
            Err(BagError::InfoValue { label: "Comity-TLP", fault: ValueFault::Unknown })
        ));
        let wrong = BagInfo { external_identifier: String::new(), ..info() }.to_text((0, 1));
        assert!(matches!(wrong, Err(BagError::InfoMissing { label: "External-Identifier" })));
    }

    #[test]
    fn texts_that_are_not_ours_are_not_read() {
        let good = info().to_text((20480, 17)).unwrap();
        let table: &[(&str, &str, &str)] = &[
            (
                "Comity-TLP: ",
                "Comity-TLP:",
                "bag-info.txt: line 12: is not a label, a colon, a space and a value",
            ),
            ("Comity-TLP: ", "Comity-TLP:  ", "bag-info.txt: Comity-TLP begins or ends with white space"),
            ("Comity-TLP: ", "comity-tlp: ", "bag-info.txt: line 12: has an unknown label"),
            ("Comity-TLP: ", "Contact-Name: A\nComity-TLP: ", "bag-info.txt: line 12: has an unknown label"),
            ("file 5", "file\n 5", "bag-info.txt: line 12: is not a label, a colon, a space and a value"),
            ("Comity-Case: ", "Comity-Run: ", "bag-info.txt: Comity-Run is not one of its values"),
            (
                "Comity-TLP: amber+strict",
                "Comity-Jurisdiction: DE",
                "bag-info.txt: Comity-Jurisdiction comes twice",
            ),
            (
                "Source-Organization: L",
                "Comity-Recipient: L",
                "bag-info.txt: Comity-Bag-Kind is out of order",
            ),
            ("2026-11-25", "2026-13-25", "bag-info.txt: Bagging-Date is not one of its values"),
            ("2026-11-25", "2026-11-+5", "bag-info.txt: Bagging-Date is not one of its values"),
            ("20480.17", "020480.17", "bag-info.txt: Payload-Oxum is not one of its values"),
            ("20480.17", "20480", "bag-info.txt: Payload-Oxum is not one of its values"),
            ("findings", "all", "bag-info.txt: Comity-Bag-Kind is not one of its values"),
            ("profile:v1", "profile:v2", "bag-info.txt: BagIt-Profile-Identifier is not one of its values"),
            ("Bagging-Date: 2026-11-25\n", "", "bag-info.txt: Bagging-Date is not there"),
            (
                "\nComity-Case",
                "\n\nComity-Case",
                "bag-info.txt: line 8: is not a label, a colon, a space and a value",
            ),
            ("DE\n", "DE\r\n", "bag-info.txt: has a carriage return; lines end with LF alone"),
            ("警察庁\n", "警察庁", "bag-info.txt: does not end with LF"),
            ("Bag-Soft", "\u{feff}Bag-Soft", "bag-info.txt: begins with a byte order mark"),
            (
                "comity 0.1.0",
                "comity\u{7f}0.1.0",
                "bag-info.txt: Bag-Software-Agent has the character '\\u{7f}'",
            ),
        ];
        for (from, to, want) in table {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from:?}");
            assert_eq!(BagInfo::parse(text.as_bytes()).unwrap_err().to_string(), *want);
        }
        assert!(matches!(BagInfo::parse(b"\xff\n"), Err(BagError::NotUtf8 { .. })));
    }

    #[test]
    fn the_profile_says_the_same() {
        let text = include_str!("../../../../schemas/bag-profile.json");
        let profile: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(profile["BagIt-Profile-Info"]["BagIt-Profile-Identifier"], PROFILE);
        let fields = &profile["Bag-Info"];
        assert_eq!(fields.as_object().unwrap().len(), LABELS.len());
        for (place, label) in LABELS.into_iter().enumerate() {
            assert_eq!(fields[label]["required"], REQUIRED.contains(&place), "{label}");
            assert_eq!(fields[label]["repeatable"], false, "{label}");
        }
        assert_eq!(fields["Comity-TLP"]["values"], serde_json::json!(TLP));
        assert_eq!(fields["Comity-Bag-Kind"]["values"], serde_json::json!(BagKind::ALL.map(BagKind::as_str)));
        assert_eq!(fields["BagIt-Profile-Identifier"]["values"], serde_json::json!([PROFILE]));
    }
}
