//! One value of a feed: from the text of a cell to a claim. Refangs, tells the kind from a type's
//! name or from the value's shape, and makes the canonical form.
//!
//! | shape | kind |
//! |---|---|
//! | `scheme://…`, `name/path`, `address/path` | `url` |
//! | `1.2.3.4`, `2001:db8::1`, `1.2.3.0/24`, `1.2.3.4-1.2.3.9`, `1.2.3.4:80` | address, network, range, `ip-port` |
//! | 32, 40, 64, 128 hex digits | `file-md5` … `file-sha512`, kind marked as inferred |
//! | `a@b.c`, `CVE-2021-44228`, `AS64496` | `email-addr`, `cve`, `asn` |
//! | dotted labels, `.evil.com`, `*.evil.com` | `domain-name` |
//!
//! Refused: paths without a host, names with a port, regular expressions, file names (`setup.exe`),
//! anything with blanks.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use comity_model::canonical::{self, Breadth, Canonical, trimmed};
use comity_model::{Claim, Kind, Reason, Reject};
use jiff::civil;

use super::FeedOptions;
use crate::extract::{is_cve, is_file_like};
use crate::refang;
use crate::time::{Zone, rfc3339};

/// What a feed says that a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum What {
    /// Nothing: the shape tells.
    #[default]
    Unsaid,
    /// A value of one kind.
    One(Kind),
    /// An address, network or range of either family.
    Address,
    /// A name or an address.
    Host,
    /// A digest, its algorithm told by its length.
    Hash,
    /// An address with a port.
    IpPort,
}

/// Makes a claim of the text of a cell.
pub(super) fn claim(original: &str, what: What, options: &FeedOptions) -> Result<Claim, Reject> {
    let plain = if let What::One(kind) = what { canonical::plain(kind, original) } else { None };
    let (canonical, inferred_kind) = match plain {
        Some(canonical) => (canonical, false),
        None => read(original, what, options)?,
    };
    let mut claim = Claim::new(canonical.kind, canonical.value, original);
    claim.exact_only = canonical.exact_only;
    claim.inferred_kind = inferred_kind;
    Ok(claim)
}

/// The canonical form of the text of a cell, and whether a hash's kind was inferred.
fn read(original: &str, what: What, options: &FeedOptions) -> Result<(Canonical, bool), Reject> {
    let text = if is_defanged_kind(what) { refang::value(original) } else { original.into() };
    let (kind, text, inferred_kind) = kind_and_text(what, &text)?;
    let breadth = if options.allow_broad { Breadth::Any } else { Breadth::Limited };
    Ok((canonical::indicator_within(kind, &text, breadth)?, inferred_kind))
}

/// Whether values are defanged by custom; in paths, keys and agents a `\\.` is meant as it stands.
fn is_defanged_kind(what: What) -> bool {
    use Kind::{FileName, FilePath, Mutex, Regex, RegistryKey, Substring, UserAgent};
    !matches!(what, What::One(FileName | FilePath | Mutex | Regex | RegistryKey | Substring | UserAgent))
}

/// The kind to read a refanged text as, the text to read, and whether a hash's kind was inferred.
fn kind_and_text(what: What, text: &str) -> Result<(Kind, Cow<'_, str>, bool), Reject> {
    let text = if matches!(what, What::One(_)) { text } else { text.trim_matches(['"', '\'']).trim() };
    Ok(match what {
        What::Unsaid => return shape(text),
        What::One(Kind::Ipv4Addr | Kind::Ipv6Addr | Kind::Ipv4Net | Kind::Ipv6Net) | What::Address => {
            (address_kind(text), text.into(), false)
        }
        What::One(kind) => (kind, text.into(), false),
        What::Host if is_address(text) => (address_kind(text), text.into(), false),
        What::Host => (Kind::DomainName, text.into(), false),
        What::IpPort => (Kind::IpPort, text.into(), false),
        What::Hash => match hash_by_length(text) {
            Some(kind) => (kind, text.into(), true),
            None => return Err(refuse(Reason::Malformed, text, "is no digest of a known length")),
        },
    })
}

/// A text for a message, cut after 120 characters.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(120).and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{start}…").into(),
        None => text.into(),
    }
}

fn refuse(reason: Reason, text: &str, why: &str) -> Reject {
    Reject::new(reason, format!("{:?} {why}", shown(text)))
}

/// Tells the kind of a value by its shape.
fn shape(text: &str) -> Result<(Kind, Cow<'_, str>, bool), Reject> {
    let is = |kind: Kind| Ok((kind, Cow::Borrowed(text), false));
    if text.is_empty() || text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return Err(refuse(Reason::NotAnIndicator, text, "is not one value"));
    }
    if text.contains("://") {
        return is(Kind::Url);
    }
    if let Some(kind) = hash_by_length(text) {
        return Ok((kind, text.into(), true));
    }
    if is_address(text) || is_range(text) {
        return is(address_kind(text));
    }
    if is_ip_port(text) {
        return is(Kind::IpPort);
    }
    if is_cve(text) {
        return is(Kind::Cve);
    }
    if text.starts_with('/') {
        return Err(refuse(Reason::UnsupportedType, text, "is a path without a host"));
    }
    if text.bytes().any(|byte| matches!(byte, b'[' | b'{' | b'(' | b'\\' | b'^' | b'$' | b'|')) {
        return Err(refuse(
            Reason::NoDeclaredField,
            text,
            "is a pattern, and nothing says where to search for it",
        ));
    }
    match text.split_once('/') {
        Some((host, _)) if is_host_with_port(host) => return is(Kind::Url),
        Some(_) => return Err(refuse(Reason::NotAnIndicator, text, "is neither a URL nor a network")),
        None => {}
    }
    if text.contains('@') {
        return is(Kind::EmailAddr);
    }
    let name = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
    if name.contains('*') {
        return Err(refuse(
            Reason::NoDeclaredField,
            text,
            "is a pattern, and nothing says where to search for it",
        ));
    }
    if let Some((host, port)) = name.rsplit_once(':')
        && host.contains('.')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(refuse(Reason::UnsupportedType, text, "is a name with a port"));
    }
    if is_asn(text) {
        return is(Kind::Asn);
    }
    if !name.contains('.') {
        return Err(refuse(Reason::NotAnIndicator, text, "has the shape of no indicator"));
    }
    if is_file_name(name) {
        return Err(refuse(
            Reason::Ambiguous,
            text,
            "looks like a file name, and nothing says that it is a name",
        ));
    }
    if refang::hides_scheme(name) {
        return Err(refuse(Reason::Ambiguous, text, "may be a URL or a name with underscores"));
    }
    Ok((Kind::DomainName, name.into(), false))
}

/// Kind of a digest by its number of hex digits.
pub(super) fn hash_by_length(text: &str) -> Option<Kind> {
    let kind = match text.len() {
        32 => Kind::FileMd5,
        40 => Kind::FileSha1,
        64 => Kind::FileSha256,
        128 => Kind::FileSha512,
        _ => return None,
    };
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(kind)
}

/// Whether a text is meant as an address or network; one that is not valid is to be refused as such.
fn is_address(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, "0"));
    let length_ok = (1..=3).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_digit());
    length_ok && (is_quad(address) || address.parse::<Ipv6Addr>().is_ok() || has_zone(address))
}

/// Four numbers, whatever their size.
fn is_quad(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() >= 3
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

fn has_zone(text: &str) -> bool {
    text.split_once('%').is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

fn is_range(text: &str) -> bool {
    text.split_once('-').is_some_and(|(first, last)| is_address(first) && is_address(last))
}

fn is_ip_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_ok = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|six| six.parse::<Ipv6Addr>().is_ok()),
        None => is_quad(host),
    };
    host_ok && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Kind that a text which is meant as an address, network or range is to be read as.
fn address_kind(text: &str) -> Kind {
    let holds = |byte| memchr::memchr(byte, text.as_bytes()).is_some();
    match (holds(b':'), holds(b'/')) {
        _ if holds(b'-') => Kind::IpRange,
        (false, false) => Kind::Ipv4Addr,
        (false, true) => Kind::Ipv4Net,
        (true, false) => Kind::Ipv6Addr,
        (true, true) => Kind::Ipv6Net,
    }
}

fn is_host_with_port(text: &str) -> bool {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => text,
    };
    is_quad(host) || (host.contains('.') && !host.contains(['*', ':', '?', '=', '&']))
}

fn is_asn(text: &str) -> bool {
    let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as"));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether the last label ends the names of files and is no top-level domain of any kind.
pub(crate) fn is_file_name(name: &str) -> bool {
    const ENDINGS: [&str; 40] = [
        "7z", "apk", "asp", "aspx", "bat", "bin", "cfg", "cmd", "conf", "cpl", "dat", "dll", "doc", "docm",
        "docx", "elf", "exe", "hta", "htm", "html", "img", "iso", "jar", "jpg", "js", "json", "jsp", "lnk",
        "log", "msi", "pdf", "php", "png", "ps1", "rar", "scr", "sys", "txt", "vbs", "xls",
    ];
    name.rsplit_once('.')
        .is_some_and(|(_, last)| ENDINGS.iter().any(|ending| last.eq_ignore_ascii_case(ending)))
}

/// Whether a claim made from a shape may as well be a file's name.
pub(super) fn may_be_file(claim: &Claim) -> bool {
    claim.kind == Kind::DomainName
        && is_file_like(&claim.value)
        && claim.value == claim.original.to_ascii_lowercase()
}

/// The type that a name stands for, in the words of MISP, STIX, ThreatFox, Zeek or comity.
/// Case, blanks, dashes and underscores do not count. `None`: a type that comity does not match on.
pub(crate) fn named_type(name: &str) -> Option<What> {
    if let Some(kind) = Kind::named(name) {
        return Some(What::One(kind));
    }
    let stem = name.trim().strip_prefix("Intel::").unwrap_or(name);
    let key: String = stem
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '_' | '.'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Some(match key.as_str() {
        "" => What::Unsaid,
        "ip" | "addr" | "address" | "ipaddr" | "ipaddress" | "ipv4" | "ipv4addr" | "ipv4address" | "ipv6"
        | "ipv6addr" | "ipv6address" | "ipv4addr:value" | "ipv6addr:value" | "ipsrc" | "ipdst" | "subnet"
        | "cidr" | "network" | "netblock" | "ipv4cidr" | "ipv6cidr" => What::Address,
        "ip:port" | "ipport" | "ipdst|port" | "ipsrc|port" => What::IpPort,
        "host" => What::Host,
        "domain" | "fqdn" | "hostname" | "dns" | "domainname:value" | "domainname" => {
            What::One(Kind::DomainName)
        }
        "url" | "uri" | "link" | "url:value" => What::One(Kind::Url),
        "email" | "emailaddr" | "emailaddress" | "emailsrc" | "emaildst" | "emailreplyto" | "mail"
        | "emailaddr:value" => What::One(Kind::EmailAddr),
        "hash" | "filehash" => What::Hash,
        "md5" | "md5hash" | "filehashmd5" | "file:hashesmd5" => What::One(Kind::FileMd5),
        "sha1" | "sha1hash" | "filehashsha1" => What::One(Kind::FileSha1),
        "sha256" | "sha256hash" | "filehashsha256" => What::One(Kind::FileSha256),
        "sha512" | "sha512hash" | "filehashsha512" => What::One(Kind::FileSha512),
        "imphash" => What::One(Kind::FileImphash),
        "ssdeep" => What::One(Kind::FileSsdeep),
        "ja3" | "ja3fingerprintmd5" | "ja3hash" => What::One(Kind::Ja3),
        "ja3s" => What::One(Kind::Ja3s),
        "ja4" => What::One(Kind::Ja4),
        "certhash" | "x509fingerprintsha1" | "certsha1" => What::One(Kind::CertSha1),
        "x509fingerprintsha256" | "certsha256" => What::One(Kind::CertSha256),
        "useragent" | "httpuseragent" => What::One(Kind::UserAgent),
        "filename" | "emailattachment" => What::One(Kind::FileName),
        "filepath" => What::One(Kind::FilePath),
        "regkey" | "registrykey" | "registry" => What::One(Kind::RegistryKey),
        "mutex" => What::One(Kind::Mutex),
        "as" | "asn" | "autonomoussystem" => What::One(Kind::Asn),
        "btc" | "xmr" | "cryptoaddress" | "bitcoin" => What::One(Kind::CryptoAddress),
        "cve" | "vulnerability" => What::One(Kind::Cve),
        _ => return None,
    })
}

/// Reads a time as feeds write it: RFC 3339, `2024-04-04 07:03:03` with or without ` UTC`, a date,
/// or seconds since 1970. Times without a zone are UTC. `Ok(None)` where the cell says none.
pub(super) fn instant(text: &str) -> Result<Option<i64>, Reject> {
    let text = trimmed(text);
    if matches!(text, "" | "-" | "None" | "none" | "null" | "NULL" | "N/A" | "n/a") {
        return Ok(None);
    }
    plain_instant(text)
        .or_else(|| any_instant(text))
        .map(Some)
        .ok_or_else(|| refuse(Reason::BadTime, text, "is no time"))
}

/// A date and a clock of whole seconds, alone or with `Z`: what most feeds have. Leap seconds and what
/// comes after the year 9998 are left to jiff.
fn plain_instant(text: &str) -> Option<i64> {
    let zoneless = text.strip_suffix('Z').unwrap_or(text);
    let plain = zoneless.len() == 19 && zoneless.as_bytes().get(17) != Some(&b'6') && text < "9999";
    if plain { rfc3339(zoneless, &Zone::Utc) } else { None }
}

fn any_instant(text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_microsecond());
    }
    let bare = text.strip_suffix("UTC").or_else(|| text.strip_suffix('Z')).map_or(text, str::trim_end);
    let civil = bare
        .parse::<civil::DateTime>()
        .ok()
        .or_else(|| Some(bare.parse::<civil::Date>().ok()?.at(0, 0, 0, 0)));
    if let Some(civil) = civil.filter(|_| bare.contains('-')) {
        return Some(jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?.as_microsecond());
    }
    let (whole, part) = bare.split_once('.').unwrap_or((bare, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(9..=11).contains(&whole.len()) || !digits(whole) || part.len() > 9 || !digits(part) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let micros: i64 = format!("{part:0<6}").get(..6)?.parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

/// Reads a confidence: a number from 0 to 100, or the words of STIX 2.1 appendix A ("None / Low /
/// Med / High") at their middle values.
pub(super) fn confidence(text: &str) -> Result<Option<u8>, Reject> {
    if let Ok(value @ 0..=100) = text.parse::<u8>() {
        return Ok(Some(value)); // most are bare numbers
    }
    let text = text.trim().trim_end_matches('%');
    Ok(Some(match text.to_ascii_lowercase().as_str() {
        "" | "-" => return Ok(None),
        "none" => 0,
        "low" => 15,
        "med" | "medium" => 50,
        "high" => 85,
        number => match number.parse::<u8>() {
            Ok(value @ 0..=100) => value,
            _ => return Err(refuse(Reason::BadValue, text, "is no confidence from 0 to 100")),
        },
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_time_is_what_jiff_reads(
            text in "(0000|0001|19[67][0-9]|20[0-3][0-9]|999[89])-[0-3][0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z{0,2}",
            at in -62_000_000_000..253_000_000_000_i64,
        ) {
            let day = jiff::Timestamp::from_second(at).unwrap().to_string();
            prop_assert!(plain_instant(&day).is_some());
            for text in [&text, &day, &day.replace(['T', 'Z'], " ").trim().to_owned()] {
                if let Some(plain) = plain_instant(text) {
                    prop_assert_eq!(any_instant(text), Some(plain), "{:?}", text);
                }
            }
        }

        #[test]
        fn a_plain_value_is_what_is_read(
            kind in select(Kind::ALL),
            text in r"([a-z0-9_]{0,3}[-.A-Z\[ ]?){0,5}[.](com|co[.]uk|github[.]io|ck|0x1f|7)|([0-9]{1,3}[.]){3}[0-9]{1,3}(/32)?|.{0,9}",
        ) {
            if let Some(plain) = canonical::plain(kind, &text) {
                prop_assert_eq!(read(&text, What::One(kind), &FeedOptions::default()), Ok((plain, false)));
            }
        }
    }

    #[test]
    fn times_that_are_left_to_jiff() {
        for text in ["9999-12-31T23:59:59Z", "2016-12-31T23:59:60Z", "2024-04-04", "1712214183"] {
            assert_eq!(plain_instant(text), None, "{text}");
        }
        assert_eq!(instant(" 2024-04-04 07:03:03 "), Ok(Some(1_712_214_183_000_000)));
        assert!(instant("9999-12-31T23:59:59Z").is_err());
    }
}
