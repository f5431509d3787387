//! Unicode's conformance tests of UTS 46, `to_ascii` and its status.
//!
//! The rows are of an older Unicode; comity's tables are of Unicode 18 (`icu_properties_data` 2.4), and
//! UTS 46 changed between them. The settings differ in what DNS carries in fact: hyphens anywhere
//! (CheckHyphens=false), and one trailing dot is cut. No row is accepted against a rule on
//! bidirectional text, joiners, combining marks, punycode or lengths.

use std::collections::BTreeMap;

use comity_model::canonical::indicator;
use comity_model::{Kind, Reason};

use super::{name, suite};

/// Why comity and the row differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Because {
    /// One trailing dot is cut from the result.
    TrailingDot,
    /// The last label is a number: no name, since URL parsers read it as an address.
    EndsInNumber,
    /// V2, V3: a hyphen at a label's edge, or in its third and fourth place. Real names have them.
    HyphensAllowed,
    /// ≠, ≮ and ≯ were disallowed and are valid now.
    NowValid,
    /// A capital without a lower-case mapping (Georgian, Ↄ, Ⅎ, palochka) was disallowed and is mapped
    /// now.
    CapitalNowMapped,
    /// A Hangul filler was disallowed and is ignored now.
    FillerNowIgnored,
    /// A code point assigned after the suite's Unicode.
    NowAssigned,
}

#[test]
fn to_ascii() {
    let Some(rows) = suite("idna-uts46.jsonl") else { return };
    let mut agreed = 0;
    let mut differ: BTreeMap<Because, usize> = BTreeMap::new();
    for row in &rows {
        let domain = row["input"]["domain"].as_str().unwrap();
        let status = row["expected"]["to_ascii_status"].as_str().unwrap();
        let ascii = row["expected"]["to_ascii"].as_str().unwrap();
        let expected = (status == "[]").then_some(ascii);
        let found = strict(domain);
        if found.as_deref() == expected {
            agreed += 1;
            continue;
        }
        let unicode = format!("{domain}{}", row["expected"]["to_unicode"].as_str().unwrap());
        let because = reason(found.as_deref(), expected, status, &unicode);
        let because = because.unwrap_or_else(|| panic!("{domain:?}: {found:?}, not {expected:?} {status}"));
        *differ.entry(because).or_default() += 1;
    }
    let argued = [
        (Because::TrailingDot, 35),
        (Because::EndsInNumber, 23),
        (Because::HyphensAllowed, 61),
        (Because::NowValid, 60),
        (Because::CapitalNowMapped, 41),
        (Because::FillerNowIgnored, 4),
        (Because::NowAssigned, 7),
    ];
    assert_eq!(differ, BTreeMap::from(argued));
    assert_eq!((rows.len(), agreed), (6235, 6004));
}

/// The name that an indicator's rules make of a text; single labels and suffixes, which they refuse
/// for other reasons, as they are observed.
fn strict(text: &str) -> Option<String> {
    match indicator(Kind::DomainName, text) {
        Ok(claim) => Some(claim.value),
        Err(reject) if reject.reason == Reason::PublicSuffix => name(text),
        Err(_) => None,
    }
}

fn reason(found: Option<&str>, expected: Option<&str>, status: &str, unicode: &str) -> Option<Because> {
    let (found, expected) = match (found, expected) {
        (None, Some(expected)) => {
            let last = expected.trim_end_matches('.').rsplit('.').next()?;
            return last.bytes().all(|byte| byte.is_ascii_digit()).then_some(Because::EndsInNumber);
        }
        (found, expected) => (found?, expected),
    };
    if let Some(expected) = expected {
        return (expected.strip_suffix('.') == Some(found)).then_some(Because::TrailingDot);
    }
    let mut faults = status.trim_matches(['[', ']']).split(", ");
    if faults.clone().all(|fault| matches!(fault, "V2" | "V3")) {
        return Some(Because::HyphensAllowed);
    }
    if !faults.all(|fault| matches!(fault, "P1" | "V6" | "V2" | "V3")) {
        return None;
    }
    let holds = |within: fn(char) -> bool| unicode.contains(within);
    if holds(|c| matches!(c, '≠' | '≮' | '≯' | '\u{338}')) {
        Some(Because::NowValid)
    } else if holds(|c| matches!(c, '\u{10a0}'..='\u{10c5}' | '\u{2132}' | '\u{2183}' | '\u{4c0}')) {
        Some(Because::CapitalNowMapped)
    } else if holds(|c| matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')) {
        Some(Because::FillerNowIgnored)
    } else {
        holds(|c| c >= '\u{30000}').then_some(Because::NowAssigned)
    }
}
