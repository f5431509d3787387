//! URLs, by the WHATWG URL standard where its rules are safe for evidence.
//!
//! | text | canonical |
//! |---|---|
//! | `HTTP://u:p@Example.COM:80` | `http://example.com/` |
//! | `https://example.com/a/%2E%2e/%7eb%2fc?y=1&x=2` | `https://example.com/~b%2Fc?y=1&x=2` |
//! | `tcp://Example.com:4444` | `tcp://example.com:4444/` |
//! | `example.com/gate.php` | `example.com/gate.php`: a scheme is never invented |
//! | `http://[::ffff:192.0.2.7]/` | `http://192.0.2.7/` |
//!
//! Scheme, path and query follow the standard's parser; a `%` that begins no escape is `%25`. The host
//! is an address or a name by *our* rules, so the forms that only the standard reads as an address
//! (`0x7f.1`, `017700000001`, `2130706433`) are hosts of nothing: the text is refused, observed or
//! claimed. User info, default port and fragment are cut; an indicator with a fragment is refused, since
//! `https://mega.example/#!x` would become the home page. A text needs `scheme://`, or a host with a dot
//! (or an address) where it has no scheme; `mailto:`, `data:`, `javascript:` are no URLs here.

use std::borrow::Cow;

use ::url::Url;

use super::{Canonical, Flaw, Note, Part, address, name};
use crate::{Kind, Reason};

const NO_URL: Flaw = Flaw::malformed("is no URL with a host");
const NO_HOST: Flaw = Flaw::malformed("has a host that is neither a name nor an address");
const NO_PORT: Flaw = Flaw::malformed("has a port that is no number up to 65535");
const FRAGMENT: Flaw = Flaw::new(Reason::UrlFragment, "has a fragment, which no log shows");

/// A URL found in a log.
pub(super) struct Seen {
    /// Canonical URL; `None` where the text names a host only (`example.com:443` of a CONNECT).
    pub(super) value: Option<String>,
    /// Its host; `None` for `file:///…`.
    pub(super) host: Option<Part>,
}

/// Canonical URL of an indicator.
pub(super) fn claimed(text: &str) -> Result<Canonical, Flaw> {
    let pieces = Pieces::read(&cleaned(text))?;
    if pieces.has_fragment {
        return Err(FRAGMENT);
    }
    let note = pieces.has_user.then_some(Note::UserInfoRemoved);
    Ok(Canonical { note, ..Canonical::new(Kind::Url, pieces.value) })
}

/// URL of a log, with its host.
pub(super) fn observed(text: &str) -> Result<Seen, Flaw> {
    let pieces = Pieces::read(&cleaned(text))?;
    let value = (pieces.has_scheme || pieces.has_path).then_some(pieces.value);
    Ok(Seen { value, host: pieces.host })
}

struct Pieces {
    value: String,
    host: Option<Part>,
    has_scheme: bool,
    has_path: bool,
    has_user: bool,
    has_fragment: bool,
}

impl Pieces {
    fn read(text: &str) -> Result<Self, Flaw> {
        let (scheme, rest) = split_scheme(text);
        let special = scheme.as_deref().is_none_or(is_special);
        let (authority, tail) = split_authority(rest, special);
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host_port)) => (Some(user), host_port),
            None => (None, authority),
        };
        if scheme.is_none() && user.is_some() {
            return Err(NO_URL); // more likely a mail address
        }
        let (host_text, port) = split_port(host_port)?;
        let host = match (host_text, scheme.as_deref()) {
            ("", Some("file")) => None,
            ("", _) => return Err(NO_URL),
            _ => Some(read_host(host_text)?),
        };
        if scheme.is_none() && host.as_ref().is_some_and(is_single_label) {
            return Err(NO_URL);
        }
        let (path, has_fragment) = read_tail(scheme.as_deref(), host.is_some(), tail)?;
        let value = written(scheme.as_deref(), host.as_ref(), port, &path);
        let has_path = tail.starts_with(['/', '\\']);
        Ok(Self {
            value,
            host,
            has_scheme: scheme.is_some(),
            has_path,
            has_user: user.is_some(),
            has_fragment,
        })
    }
}

/// The text as the standard's parser takes it: no control characters around it, no tabs or line ends.
fn cleaned(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let dropped = ['\t', '\n', '\r'];
    if text.contains(dropped) { text.replace(dropped, "").into() } else { text.into() }
}

/// Scheme in lower case, and what follows `://` (or a leading `//`).
fn split_scheme(text: &str) -> (Option<String>, &str) {
    if let Some((scheme, rest)) = text.split_once("://")
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    {
        return (Some(scheme.to_ascii_lowercase()), rest);
    }
    (None, text.strip_prefix("//").unwrap_or(text))
}

/// Authority, and path with query and fragment.
fn split_authority(rest: &str, special: bool) -> (&str, &str) {
    let is_end = |c: char| matches!(c, '/' | '?' | '#') || (special && c == '\\');
    rest.find(is_end).and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""))
}

fn split_port(host_port: &str) -> Result<(&str, Option<u16>), Flaw> {
    match host_port.rsplit_once(':') {
        Some((_, port)) if port.ends_with(']') => Ok((host_port, None)),
        Some((host, "")) => Ok((host, None)),
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().map(|port| (host, Some(port))).map_err(|_| NO_PORT)
        }
        Some(_) => Err(NO_PORT),
        None => Ok((host_port, None)),
    }
}

/// An address (IPv6 in brackets) or a name, its escapes decoded.
fn read_host(text: &str) -> Result<Part, Flaw> {
    if text.contains('%') && !text.starts_with('[') {
        let decoded = unescaped(text).ok_or(NO_HOST)?;
        return if decoded.contains('%') { Err(NO_HOST) } else { read_host(&decoded) };
    }
    if let Some(address) = address::observed(text) {
        let bare_six = text.contains(':') && !text.starts_with('[');
        return if bare_six { Err(NO_HOST) } else { Ok(address) };
    }
    let value = name::observed(text).map_err(|_| NO_HOST)?;
    Ok(Part { kind: Kind::DomainName, value })
}

fn is_single_label(host: &Part) -> bool {
    host.kind == Kind::DomainName && !host.value.contains('.')
}

/// Canonical path and query, and whether there is a fragment that says something.
fn read_tail(scheme: Option<&str>, has_host: bool, tail: &str) -> Result<(String, bool), Flaw> {
    let scheme = scheme.unwrap_or("http");
    if scheme != "file" && (tail.is_empty() || is_canonical_tail(tail)) {
        return Ok((if tail.is_empty() { "/" } else { tail }.to_owned(), false));
    }
    let host = if has_host { "h" } else { "" };
    let parsed = Url::parse(&format!("{scheme}://{host}{}", escapes_normalised(tail))).map_err(|_| NO_URL)?;
    let mut path = parsed.path().to_owned();
    if path.is_empty() {
        path.push('/');
    }
    if let Some(query) = parsed.query() {
        path.push('?');
        path.push_str(query);
    }
    Ok((path, parsed.fragment().is_some_and(|fragment| !fragment.is_empty())))
}

/// Whether a path and query are their own canonical form at a glance; most are.
fn is_canonical_tail(tail: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?-_~.!$&()*+,;=:@".contains(&byte);
    tail.starts_with('/') && tail.bytes().all(plain) && !tail.contains("/.")
}

fn written(scheme: Option<&str>, host: Option<&Part>, port: Option<u16>, path: &str) -> String {
    let mut value = String::with_capacity(path.len() + 40);
    if let Some(scheme) = scheme {
        value.push_str(scheme);
        value.push_str("://");
    }
    match host {
        Some(host) if host.kind == Kind::Ipv6Addr => value.extend(["[", &host.value, "]"]),
        Some(host) => value.push_str(&host.value),
        None => {}
    }
    if let Some(port) = port.filter(|port| scheme.and_then(default_port) != Some(*port)) {
        value.push(':');
        value.push_str(&port.to_string());
    }
    value.push_str(path);
    value
}

/// Escapes with upper-case digits, those of unreserved characters (RFC 3986 §2.3) decoded, and a `%`
/// that begins none written `%25`.
fn escapes_normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('%');
    out.push_str(pieces.next().unwrap_or(""));
    for piece in pieces {
        let Some((byte, rest)) = escaped_byte(piece) else {
            out.push_str("%25");
            out.push_str(piece);
            continue;
        };
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out.push_str(rest);
    }
    out
}

/// The text with every escape decoded; `None` where that is no UTF-8 or an escape is broken.
fn unescaped(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (byte, rest) = escaped_byte(piece)?;
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// The byte that the two digits after a `%` stand for, and what follows them.
fn escaped_byte(piece: &str) -> Option<(u8, &str)> {
    let (digits, rest) = piece.split_at_checked(2)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match digits.as_bytes() {
        [high, low] => Some((digit(*high)? << 4 | digit(*low)?, rest)),
        _ => None,
    }
}

fn is_special(scheme: &str) -> bool {
    scheme == "file" || default_port(scheme).is_some()
}

/// Default port of the standard's special schemes.
pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_canonical_tail_is_what_the_parser_makes_of_it(tail in "/[a-c/?._~!$&()*+,;=:@-]{0,12}") {
            prop_assume!(is_canonical_tail(&tail));
            for scheme in ["http", "ftp", "tcp"] {
                let parsed = Url::parse(&format!("{scheme}://h{tail}")).unwrap();
                let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
                prop_assert_eq!(format!("{}{query}", parsed.path()), tail.as_str());
            }
        }
    }
}
