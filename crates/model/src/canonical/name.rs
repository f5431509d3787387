//! Domain names: UTS 46 (non-transitional, revision 33) to A-labels, lower case.
//!
//! Samples: `WWW.Example.COM.` → `www.example.com`, `faß.example` → `xn--fa-hia.example`,
//! `_sip._tcp.example.com`, `r3---sn-x.example.com`.
//!
//! Of ASCII, letters, digits, hyphen and underscore stand in a label, in any order (CheckHyphens=false;
//! real names have `r3---sn-x`, and DNS carries `_dmarc`). Labels have 1 to 63 bytes, names at most 253
//! (RFC 1035 §2.3.4), after one trailing dot is cut. A name whose last label is a number (`1.2.3`,
//! `999.1.1.1`, `a.0x7f`) is none: the URL standard reads it as an address.
//!
//! A certificate's `*.example.com` is an observable as it stands, so that a claim of `example.com` meets
//! it as a name under it; it is no indicator and no host of a URL. Names with blanks (DNS service
//! discovery has `HP Color LaserJet._ipp._tcp.local`) are none.
//!
//! An observed name in ASCII whose `xn--` label UTS 46 refuses stays as it was seen, in lower case: DNS
//! carried it, and the names above it are meaningful. As an indicator it is refused.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Canonical, Flaw};
use crate::{Kind, Reason};

/// All of ASCII but letters, digits, hyphen, dot and underscore.
const DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// Whether a byte may stand anywhere in a label of a canonical name. A table, since every name is read so.
const IS_PLAIN: [bool; 256] = {
    let (mut is_plain, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        is_plain[byte as usize] = byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        byte += 1;
    }
    is_plain
};

const NO_NAME: Flaw = Flaw::malformed("is no domain name");
const BAD_LENGTH: Flaw =
    Flaw::malformed("has a label that is empty or above 63 bytes, or is above 253 bytes");
const NUMERIC: Flaw = Flaw::malformed("ends in a number, as no name does");
const BAD_IDN: Flaw = Flaw::malformed("is no valid internationalised name (UTS 46)");
const ONE_LABEL: Flaw = Flaw::new(Reason::PublicSuffix, "is a single label");
const SUFFIX: Flaw = Flaw::new(Reason::PublicSuffix, "is a public suffix, under which anybody registers");

/// Canonical name of an indicator: not a single label, not a suffix of a registry.
pub(super) fn claimed(text: &str) -> Result<Canonical, Flaw> {
    let value = strict(text)?;
    if value.contains('.') { registered(value) } else { Err(ONE_LABEL) }
}

/// Refuses a suffix of a registry among canonical names of two labels or more.
pub(super) fn registered(value: String) -> Result<Canonical, Flaw> {
    let suffix = psl::suffix(value.as_bytes()).filter(|suffix| suffix.as_bytes() == value.as_bytes());
    let exact_only = match suffix.and_then(|suffix| suffix.typ()) {
        Some(psl::Type::Icann) => return Err(SUFFIX),
        Some(psl::Type::Private) => true,
        None => false,
    };
    Ok(Canonical { exact_only, ..Canonical::new(Kind::DomainName, value) })
}

/// Canonical name as it is seen in a log, perhaps with a wildcard for its first label.
pub(super) fn seen(text: &str) -> Result<String, Flaw> {
    let Some(parent) = text.strip_prefix("*.") else { return observed(text) };
    let name = format!("*.{}", observed(parent)?);
    if name.len() > 253 { Err(BAD_LENGTH) } else { Ok(name) }
}

/// Canonical name of the host of a URL or the domain of a mail address.
pub(super) fn observed(text: &str) -> Result<String, Flaw> {
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    match shape(text)? {
        Shape::Plain => Ok(finish(text.into())?.into_owned()),
        Shape::Upper => finish(text.to_ascii_lowercase().into()).map(Cow::into_owned),
        Shape::Encoded => {
            mapped(text).or_else(|_| Ok(finish(text.to_ascii_lowercase().into())?.into_owned()))
        }
        Shape::Unicode => mapped(text),
    }
}

/// Canonical name, every A-label verified.
fn strict(text: &str) -> Result<String, Flaw> {
    match shape(text)? {
        Shape::Encoded | Shape::Unicode => mapped(text),
        Shape::Plain | Shape::Upper => observed(text),
    }
}

/// Whether a text is a canonical name of two labels or more, without `--` and with a letter at the
/// beginning of the last label: most names, seen in one pass.
pub(super) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut label = 0; // where it begins
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if IS_PLAIN[usize::from(*byte)] => {}
            b'-' if bytes.get(at + 1) != Some(&b'-') => {}
            b'.' if (1..=63).contains(&(at - label)) => label = at + 1,
            _ => return false,
        }
    }
    let is_last = bytes.get(label).is_some_and(u8::is_ascii_lowercase) && bytes.len() - label <= 63;
    label > 0 && is_last && bytes.len() <= 253
}

/// How much work a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// Its own canonical form, but for a trailing dot.
    Plain,
    /// Lower-casing does.
    Upper,
    /// ASCII with an A-label.
    Encoded,
    /// Not ASCII.
    Unicode,
}

fn shape(text: &str) -> Result<Shape, Flaw> {
    // No name of 253 bytes is longer than this as text; UTS 46 costs time by the square of a label.
    const LONGEST: usize = 2048;
    if text.len() > LONGEST {
        return Err(BAD_LENGTH);
    }
    let mut shape = Shape::Plain;
    for byte in text.bytes() {
        shape = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => shape,
            b'A'..=b'Z' => shape.max(Shape::Upper),
            0x80.. => return Ok(Shape::Unicode),
            _ => return Err(NO_NAME),
        };
    }
    let encoded =
        text.contains("--") && text.as_bytes().windows(4).any(|window| window.eq_ignore_ascii_case(b"xn--"));
    Ok(if encoded { Shape::Encoded } else { shape })
}

fn mapped(text: &str) -> Result<String, Flaw> {
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), DENIED, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| BAD_IDN)?;
    finish(ascii).map(Cow::into_owned)
}

/// Cuts one trailing dot and checks the lengths and the last label.
fn finish(name: Cow<'_, str>) -> Result<Cow<'_, str>, Flaw> {
    let name = match name {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix('.').unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.ends_with('.') {
                text.pop();
            }
            Cow::Owned(text)
        }
    };
    if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(BAD_LENGTH);
    }
    if name.rsplit('.').next().is_some_and(is_number) { Err(NUMERIC) } else { Ok(name) }
}

/// Whether the URL standard reads a last label as a number ("ends in a number checker").
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x");
    hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        || label.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_name_is_its_own_canonical_form(
            text in r"([a-z0-9_.-]{0,6}|[a-z]{61,64}|xn--[a-z]{2}|[A-Z/é]){0,5}[.](com|0x1f|0xg|7|a7|[a-z]{62,64})?[.]?",
        ) {
            if is_plain(&text) {
                prop_assert_eq!(shape(&text), Ok(Shape::Plain));
                prop_assert_eq!(finish(text.as_str().into()), Ok(text.as_str().into()));
                prop_assert!(text.contains('.'));
            }
        }
    }

    #[test]
    fn plain_names() {
        let longest = "a".repeat(63);
        for name in ["a.b", "_dmarc.x-1.example.com", "1.co", &format!("{longest}.{longest}")] {
            assert!(is_plain(name), "{name}");
        }
        let long = format!("{longest}a.com");
        for text in
            ["", "com", ".com", "a..b", "a.b.", "A.b", "xn--a.b", "a.7", "a.0xa", "a.é", "a b.c", &long]
        {
            assert!(!is_plain(text), "{text}");
        }
        assert!(
            !is_plain(&format!("{longest}.").repeat(4))
                && !is_plain(&"a.".repeat(127).replace("a.a", "a.aa"))
        );
    }
}
