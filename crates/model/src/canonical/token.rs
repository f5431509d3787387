//! Autonomous system numbers and CVE identifiers.
//!
//! Samples: `asn 64496`, `64496` and `AS64496` → `AS64496`; `1.10` (asdot, RFC 5396) → `AS65546`;
//! `cve-2021-44228` → `CVE-2021-44228`.

use super::Flaw;

const NO_ASN: Flaw = Flaw::malformed("is no autonomous system number up to 4294967295");
const NO_CVE: Flaw = Flaw::malformed("is no CVE identifier: \"CVE-year-number\" expected");

/// `AS` and the number in plain decimal.
pub(super) fn asn(text: &str) -> Result<String, Flaw> {
    let lower = text.to_ascii_lowercase();
    let number =
        lower.strip_prefix("asn").or_else(|| lower.strip_prefix("as")).unwrap_or(&lower).trim_start();
    let value = match number.split_once('.') {
        Some((high, low)) => {
            let halves = decimal::<u16>(high).zip(decimal::<u16>(low)).ok_or(NO_ASN)?;
            (u32::from(halves.0) << 16) | u32::from(halves.1)
        }
        None => decimal(number).ok_or(NO_ASN)?,
    };
    Ok(format!("AS{value}"))
}

/// `CVE-`, four digits of the year, four to nineteen digits.
pub(super) fn cve(text: &str) -> Result<String, Flaw> {
    let value = text.to_ascii_uppercase();
    let (year, number) = value.strip_prefix("CVE-").and_then(|rest| rest.split_once('-')).ok_or(NO_CVE)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = year.len() == 4 && (4..=19).contains(&number.len()) && digits(year) && digits(number);
    if fits { Ok(value) } else { Err(NO_CVE) }
}

fn decimal<N: std::str::FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
