//! Puts values into event columns: what a column wants done with a text, the same for every format.
//!
//! | column | what is done |
//! |---|---|
//! | integers | decimal text, floored; anything else rejects the record as `bad-value`: a half-read record is worse than a counted one |
//! | `host` | the port and the brackets of an IPv6 address are cut |
//! | `forwarded_for` | members of a list, of `X-Forwarded-For` or of `Forwarded` (RFC 7239), ports cut |
//! | `message`, `subject` | observables in the text are handed over too |
//! | `cert_subject` | the common name also goes to `cert_names` |
//! | `cert_sha1`, `cert_sha256` | colons are cut; the length tells which |
//! | `cert_serial` | colons are cut |
//!
//! An empty text is no value. A list in a column for one text: where the column gives observables the
//! first member is kept and the others are observables only; elsewhere they are joined by commas.

use comity_model::{Column, Field, Kind, Observe, Reason, Reject};

use super::RecordSink;
use super::json;
use crate::time;

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// To a column, as the column wants it.
    Field(Field),
    /// To the observables of a column that another value has: not to the column.
    Also(Field),
    /// To a column of microseconds; the text is seconds.
    Seconds(Field),
    /// To a column, after observables were looked for in the text.
    Scanned(Field),
    /// To the hash columns: a packed text like `SHA1=…,MD5=…,IMPHASH=…`.
    Hashes,
    /// Nowhere.
    Nowhere,
}

/// A value as it stands in a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// Plain text.
    Text(&'a str),
    /// JSON.
    Json(&'a str),
    /// Text of Zeek TSV: `\xNN` and `\\` are escapes; members of a list where a separator is given.
    Escaped(&'a str, Option<char>),
}

impl Value<'_> {
    /// Hands over each text of the value; empty ones too.
    pub(crate) fn each(self, scratch: &mut String, each: &mut dyn FnMut(&str)) {
        match self {
            Self::Text(text) => each(text),
            Self::Json(value) => json::scalars(value, scratch, each),
            Self::Escaped(text, None) => each(zeek_unescaped(text, scratch)),
            Self::Escaped(list, Some(separator)) => {
                for member in list.split(separator) {
                    each(zeek_unescaped(member, scratch));
                }
            }
        }
    }

    fn is_list(self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Json(value) => value.starts_with('['),
            Self::Escaped(_, separator) => separator.is_some(),
        }
    }
}

/// Undoes `\xNN` and `\\`; other backslashes are content.
fn zeek_unescaped<'a>(text: &'a str, scratch: &'a mut String) -> &'a str {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return text;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match *after {
            [b'\\', ref after @ ..] if byte == b'\\' => {
                bytes.push(b'\\');
                rest = after;
            }
            [b'x', high, low, ref after @ ..] if byte == b'\\' => match (hex_digit(high), hex_digit(low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
    }
    scratch.clear();
    scratch.push_str(&String::from_utf8_lossy(&bytes));
    scratch
}

/// Value of a hexadecimal digit.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Puts a value where it goes; the first text that does not fit rejects the record.
pub(crate) fn put_value(
    to: To,
    value: Value<'_>,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    // the common case, without a list
    match value {
        Value::Text(text) => return put(to, text, sink),
        Value::Json(value) if !value.starts_with('[') => {
            return json::scalar(value, scratch).map_or(Ok(()), |text| put(to, text, sink));
        }
        _ => {}
    }
    let mut result = Ok(());
    match to {
        To::Field(field) if value.is_list() && field.info().column == Column::Text => {
            if field.info().observe == Observe::Nothing {
                let mut joined = String::new();
                value.each(scratch, &mut |text| {
                    let comma = if joined.is_empty() { "" } else { "," };
                    joined.extend([comma, text]);
                });
                return put(to, &joined, sink);
            }
            let mut to = to;
            value.each(scratch, &mut |text| {
                if result.is_ok() && !text.is_empty() {
                    result = put(to, text, sink);
                    to = To::Also(field);
                }
            });
        }
        _ => value.each(scratch, &mut |text| {
            if result.is_ok() {
                result = put(to, text, sink);
            }
        }),
    }
    result
}

/// What is done with one text, as far as it can be told beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is the column's as it stands.
    Text(Field),
    /// It is a decimal, times ten to the power of the number given.
    Integer(Field, u32),
    /// All else.
    Special(To),
}

impl To {
    pub(crate) fn way(self) -> Way {
        match self {
            Self::Seconds(field) => Way::Integer(field, 6),
            Self::Field(
                Field::Host
                | Field::ForwardedFor
                | Field::Message
                | Field::Subject
                | Field::CertSubject
                | Field::CertSha1
                | Field::CertSha256
                | Field::CertSerial,
            )
            | Self::Also(_)
            | Self::Scanned(_)
            | Self::Hashes
            | Self::Nowhere => Way::Special(self),
            Self::Field(field) if field.info().column == Column::Integer => Way::Integer(field, 0),
            Self::Field(field) => Way::Text(field),
        }
    }
}

/// Puts one text where it goes.
pub(crate) fn put(to: To, text: &str, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    put_by(to.way(), text, sink)
}

/// The same where the way is known.
#[inline]
pub(crate) fn put_by(way: Way, text: &str, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    if text.is_empty() {
        return Ok(());
    }
    match way {
        Way::Text(field) => sink.text(field, text),
        Way::Integer(field, scale) => match time::decimal(text, scale) {
            Some(value) => sink.integer(field, value),
            None => return Err(no_number(field, text)),
        },
        Way::Special(to) => special(to, text, sink),
    }
    Ok(())
}

fn special(to: To, text: &str, sink: &mut dyn RecordSink) {
    match to {
        To::Field(Field::Host) => sink.text(Field::Host, without_port(text)),
        To::Field(field @ Field::ForwardedFor) => forwarded(text, &mut |member| sink.text(field, member)),
        To::Field(field @ (Field::Message | Field::Subject)) | To::Scanned(field) => {
            scanned(field, text, sink);
        }
        To::Field(field @ Field::CertSubject) => {
            sink.text(field, text);
            if let Some(name) = common_name(text) {
                sink.text(Field::CertNames, name);
            }
        }
        To::Field(field @ (Field::CertSha1 | Field::CertSha256)) => fingerprint(field, text, sink),
        To::Field(field @ Field::CertSerial) => {
            without_colons(text, &mut |serial| sink.text(field, serial));
        }
        To::Field(field) => sink.text(field, text),
        To::Also(field) => also(field, text, sink),
        To::Hashes => packed_hashes(text, sink),
        To::Seconds(_) | To::Nowhere => {}
    }
}

#[cold]
fn no_number(field: Field, text: &str) -> Reject {
    Reject::new(Reason::BadValue, format!("{field} {:?} is not a number that fits", clipped(text)))
}

/// The beginning of a text, for messages.
pub(crate) fn clipped(text: &str) -> &str {
    let end = text.char_indices().nth(80).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

/// Hands over the observables that a text in a field gives, without setting the column.
fn also(field: Field, text: &str, sink: &mut dyn RecordSink) {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return;
    }
    match field {
        Field::CertSha1 | Field::CertSha256 => without_colons(text, &mut |hex| {
            let kind = if hex.len() == 40 { Kind::CertSha1 } else { Kind::CertSha256 };
            let field = if hex.len() == 40 { Field::CertSha1 } else { Field::CertSha256 };
            observe(Observe::One(kind), field, hex, sink);
        }),
        _ => observe(field.info().observe, field, text, sink),
    }
}

fn observe(rule: Observe, field: Field, text: &str, sink: &mut dyn RecordSink) {
    comity_model::canonical::observe(rule, text, &mut |found| {
        let as_found = if found.derived { &found.value } else { text };
        sink.observable(field, found.kind, &found.value, as_found);
    });
}

/// Sets a text column and hands over the observables that are found in the text. Words that were not
/// UTF-8 are left out of the search.
fn scanned(field: Field, text: &str, sink: &mut dyn RecordSink) {
    sink.text(field, text);
    let mut found = |kind: Kind, value: &str, as_found: &str| sink.observable(field, kind, value, as_found);
    if text.contains(char::REPLACEMENT_CHARACTER) {
        for word in text.split_whitespace().filter(|word| !word.contains(char::REPLACEMENT_CHARACTER)) {
            crate::extract::observables(word, &mut found);
        }
    } else {
        crate::extract::observables(text, &mut found);
    }
}

/// A host without its port and without the brackets of an IPv6 address.
pub(crate) fn without_port(host: &str) -> &str {
    let host = host.trim();
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or(host, |(address, _)| address);
    }
    match host.split_once(':') {
        // more than one colon: an IPv6 address without brackets
        Some((name, port)) if !port.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Members of `X-Forwarded-For` (`a, b`) or `Forwarded` (`for=a;by=b, for="[c]:80"`).
fn forwarded(text: &str, each: &mut dyn FnMut(&str)) {
    for part in text.split([',', ';']) {
        let part = part.trim();
        let member = match part.split_once('=') {
            Some((key, value)) if key.eq_ignore_ascii_case("for") || key.eq_ignore_ascii_case("by") => value,
            Some((key, value)) if key.eq_ignore_ascii_case("host") => value,
            Some(_) => continue,
            None => part,
        };
        let member = without_port(member.trim_matches('"'));
        if !matches!(member, "" | "-" | "unknown") {
            each(member);
        }
    }
}

/// The common name of a distinguished name, `CN=www.example.com,O=Example` or `/O=Example/CN=…`.
pub(crate) fn common_name(subject: &str) -> Option<&str> {
    let start = subject
        .match_indices("CN=")
        .map(|(at, _)| at)
        .find(|&at| at == 0 || matches!(subject.as_bytes().get(at - 1), Some(b',' | b'/' | b' ' | b'+')))?;
    let name = subject.get(start + 3..)?;
    let end = name.find([',', '/', '+', '\\']).unwrap_or(name.len());
    name.get(..end).map(str::trim).filter(|name| !name.is_empty())
}

fn fingerprint(field: Field, text: &str, sink: &mut dyn RecordSink) {
    without_colons(text, &mut |hex| {
        let field = match hex.len() {
            40 => Field::CertSha1,
            64 => Field::CertSha256,
            _ => field,
        };
        sink.text(field, hex);
    });
}

fn without_colons(text: &str, each: &mut dyn FnMut(&str)) {
    if text.contains(':') {
        each(&text.replace(':', ""));
    } else {
        each(text);
    }
}

/// `SHA1=…,MD5=…,SHA256=…,IMPHASH=…` as Sysmon packs them; parts of other names give nothing.
fn packed_hashes(text: &str, sink: &mut dyn RecordSink) {
    const COLUMNS: &[(&str, Field)] = &[
        ("IMPHASH", Field::Imphash),
        ("MD5", Field::Md5),
        ("SHA1", Field::Sha1),
        ("SHA256", Field::Sha256),
        ("SHA512", Field::Sha512),
        ("SSDEEP", Field::Ssdeep),
    ];
    for part in text.split([',', ';']) {
        let Some((name, hash)) = part.split_once(['=', ':']) else { continue };
        let column = COLUMNS.iter().find(|(column, _)| name.trim().eq_ignore_ascii_case(column));
        if let Some(&(_, field)) = column
            && !hash.trim().is_empty()
        {
            sink.text(field, hash.trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        forwarded(text, &mut |member| found.push(member.to_owned()));
        found
    }

    #[test]
    fn hosts_lose_their_ports() {
        for (host, expected) in [
            ("example.com:8080", "example.com"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            (" 192.0.2.1:80 ", "192.0.2.1"),
            ("example.com:", "example.com"),
            ("a:b", "a:b"),
        ] {
            assert_eq!(without_port(host), expected);
        }
    }

    #[test]
    fn forwarded_gives_every_member() {
        assert_eq!(members("192.0.2.1, 198.51.100.2:4711, unknown"), ["192.0.2.1", "198.51.100.2"]);
        assert_eq!(
            members("for=192.0.2.43;proto=http;by=203.0.113.60, For=\"[2001:db8::17]:4711\""),
            ["192.0.2.43", "203.0.113.60", "2001:db8::17"]
        );
    }

    #[test]
    fn common_names_are_found() {
        assert_eq!(common_name("CN=www.example.com,O=X"), Some("www.example.com"));
        assert_eq!(common_name("emailAddress=a@example.com,CN=x.example,O=X\\, Inc"), Some("x.example"));
        assert_eq!(common_name("/C=US/O=X/CN=x.example"), Some("x.example"));
        assert_eq!(common_name("C=US, O=X, CN=x.example"), Some("x.example"));
        assert_eq!(common_name("ICN=x"), None);
    }
}
