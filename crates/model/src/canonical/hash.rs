//! Digests, fuzzy hashes, TLS fingerprints and certificate serial numbers.
//!
//! | kind | canonical | also read |
//! |---|---|---|
//! | digests | lower-case hexadecimal of the kind's length | upper case; base64 (RFC 4648 §4) of the exact length; colons between the bytes of a certificate's |
//! | `file-ssdeep` | `3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C` | a quoted file name behind a comma is cut |
//! | `ja4` | `t13d1516h2_8daaf6152771_e5627efa2ab1`, lower case | |
//! | `cert-serial` | lower-case hexadecimal without leading zeros | colons, blanks, `0x`; a minus is kept |
//!
//! A kind is never guessed here: an import hash is no MD5, though both have 32 digits.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Flaw;
use crate::Kind;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const NO_DIGEST: Flaw = Flaw::malformed("is no digest of this kind: wrong length or characters");
const NO_SSDEEP: Flaw = Flaw::malformed("is no ssdeep hash: \"size:hash:hash\" expected");
const NO_JA4: Flaw = Flaw::malformed("is no JA4 fingerprint");
const NO_SERIAL: Flaw = Flaw::malformed("is no hexadecimal serial number of at most 64 digits");

/// A digest of the kind's length.
pub(super) fn digest(kind: Kind, text: &str) -> Result<String, Flaw> {
    let bytes = match kind {
        Kind::FileSha1 | Kind::CertSha1 => 20,
        Kind::FileSha256 | Kind::CertSha256 => 32,
        Kind::FileSha512 => 64,
        _ => 16,
    };
    if is_hex(text, bytes * 2) {
        return Ok(text.to_ascii_lowercase());
    }
    let certificate = matches!(kind, Kind::CertSha1 | Kind::CertSha256);
    if certificate && text.len() == bytes * 3 - 1 && text.split(':').all(|pair| is_hex(pair, 2)) {
        return Ok(text.replace(':', "").to_ascii_lowercase());
    }
    // Tools write JA3 and import hashes in hexadecimal only.
    let base64_known = !matches!(kind, Kind::FileImphash | Kind::Ja3 | Kind::Ja3s);
    let fits = base64_known && text.len() <= bytes.div_ceil(3) * 4;
    match BASE64.decode(if fits { text } else { "" }) {
        Ok(decoded) if decoded.len() == bytes => Ok(hex::encode(decoded)),
        _ => Err(NO_DIGEST),
    }
}

/// `blocksize:hash:hash` (J. Kornblum, 2006), with the file name that the tool appends cut.
pub(super) fn ssdeep(text: &str) -> Result<String, Flaw> {
    let value = text.split_once(',').map_or(text, |(value, _)| value).trim_end();
    let mut parts = value.split(':');
    let (Some(size), Some(first), Some(second), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NO_SSDEEP);
    };
    let size_fits = (1..=20).contains(&size.len()) && size.bytes().all(|byte| byte.is_ascii_digit());
    let is_part = |part: &str| {
        part.len() <= 64
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    if size_fits && is_part(first) && is_part(second) { Ok(value.to_owned()) } else { Err(NO_SSDEEP) }
}

/// `a_b_c` of FoxIO's JA4: protocol, version, SNI, counts, ALPN; 12 hexadecimal digits twice.
pub(super) fn ja4(text: &str) -> Result<String, Flaw> {
    let value = text.to_ascii_lowercase();
    let mut parts = value.split('_');
    let (Some(head), Some(ciphers), Some(extensions), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NO_JA4);
    };
    let head_fits = match head.as_bytes() {
        [b't' | b'q' | b'd', version @ .., b'd' | b'i', c1, c2, e1, e2, a1, a2] => {
            matches!(version, b"00" | b"10" | b"11" | b"12" | b"13" | b"s2" | b"s3" | b"d1" | b"d2" | b"d3")
                && [c1, c2, e1, e2].iter().all(|byte| byte.is_ascii_digit())
                && a1.is_ascii_alphanumeric()
                && a2.is_ascii_alphanumeric()
        }
        _ => false,
    };
    if head_fits && is_hex(ciphers, 12) && is_hex(extensions, 12) { Ok(value) } else { Err(NO_JA4) }
}

/// A serial number, read as hexadecimal: decimal ones can't be told apart. RFC 5280 wants it positive;
/// real certificates with the top bit set are logged with a minus.
pub(super) fn serial(text: &str) -> Result<String, Flaw> {
    let (minus, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(NO_SERIAL);
    }
    let significant = digits.trim_start_matches('0');
    Ok(if significant.is_empty() {
        "0".to_owned()
    } else {
        format!("{minus}{}", significant.to_ascii_lowercase())
    })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
