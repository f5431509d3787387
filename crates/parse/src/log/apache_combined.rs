//! Access logs of Apache and nginx: common, combined, with a virtual host in front, and nginx's `main`
//! with `X-Forwarded-For` behind (Apache 2.4 `mod_log_config`, nginx `ngx_http_log_module`).
//!
//! ```text
//! www.example.com:80 203.0.113.9 - alice [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 2326 "http://example.org/" "Mozilla/5.0" "192.0.2.1"
//! ```
//!
//! A target becomes a `url` only where it is absolute, or where the virtual host is logged: then without
//! a scheme, since the log has none (`www.example.com/a?b=c`). Any other target is the `message`, and is
//! searched for observables, as is a request that is no HTTP request line.
//!
//! Rejected is what lacks a whole client, time, request or status. A quote behind these that is not
//! closed, as in a line that was cut off, loses its own text only: what is whole stays an event.

use comity_model::{Class, Field, Reason, Reject};

use super::detect::{self, Sample};
use super::put::{To, clipped, hex_digit, put};
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};
use crate::framing::Framing;
use crate::time;

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "apache-combined",
    title: "Access logs of Apache and nginx",
    needs_mapping: false,
    has_context: false,
    detect: |sample| detect::share(sample, 95, |line| Line::of(line).is_ok()),
    framing: |_: &Sample<'_>| Framing::Lines,
    open,
};

fn open(_: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    Ok(Box::new(Reader))
}

#[derive(Debug, Clone)]
struct Reader;

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        if record.trim_ascii().is_empty() {
            return Outcome::Header;
        }
        let text = detect::as_text(record);
        match Line::of(&text).and_then(|line| line.put(sink)) {
            Ok(()) => Outcome::Event,
            Err(reject) => Outcome::Reject(reject),
        }
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

/// The parts of a line as they stand.
struct Line<'a> {
    virtual_host: Option<&'a str>,
    client: &'a str,
    user: &'a str,
    at_us: i64,
    request: &'a str,
    status: &'a str,
    bytes: &'a str,
    /// Referrer, agent, forwarded-for.
    quoted: [Option<&'a str>; 3],
}

impl<'a> Line<'a> {
    fn of(text: &'a str) -> Result<Self, Reject> {
        let broken = |what: &str| Reject::new(Reason::NotThisFormat, format!("no {what}"));
        let (front, rest) = split_time(text).ok_or_else(|| broken("time in brackets"))?;
        let (stamp, rest) = rest.split_once(']').ok_or_else(|| broken("end of the time"))?;
        let at_us = time::clf(stamp).ok_or_else(|| {
            Reject::new(Reason::BadTime, format!("time {:?} is not a time", clipped(stamp)))
        })?;
        let (virtual_host, client, user) = front_of(front).ok_or_else(|| broken("client"))?;
        let (request, rest) = quoted(rest.trim_start()).ok_or_else(|| broken("whole request in quotes"))?;
        let mut words = rest.trim_start().splitn(3, ' ');
        let status = words.next().unwrap_or_default();
        if !(status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())) && status != "-" {
            return Err(broken("status"));
        }
        let bytes = words.next().unwrap_or_default();
        let mut rest = words.next().unwrap_or_default();
        let quoted = [(); 3].map(|()| {
            let (text, after) = quoted(rest.trim_start())?;
            rest = after;
            Some(text).filter(|&text| text != "-")
        });
        Ok(Self { virtual_host, client, user, at_us, request, status, bytes, quoted })
    }

    fn put(&self, sink: &mut dyn RecordSink) -> Result<(), Reject> {
        sink.class(Class::Http);
        sink.time(self.at_us);
        let is_address = self.client.parse::<std::net::IpAddr>().is_ok();
        let client = if is_address { Field::SrcIp } else { Field::SrcHost };
        put(To::Field(client), self.client, sink)?;
        put_unless_dash(Field::User, self.user, sink)?;
        put_unless_dash(Field::StatusCode, self.status, sink)?;
        if self.bytes.bytes().all(|byte| byte.is_ascii_digit()) {
            put(To::Field(Field::BytesIn), self.bytes, sink)?;
        }
        let columns = [Field::Referrer, Field::UserAgent, Field::ForwardedFor];
        for (field, text) in columns.into_iter().zip(self.quoted) {
            put_unless_dash(field, &unescaped(text.unwrap_or_default()), sink)?;
        }
        self.put_request(sink)
    }

    fn put_request(&self, sink: &mut dyn RecordSink) -> Result<(), Reject> {
        let request = unescaped(self.request);
        if let Some(host) = self.virtual_host {
            put(To::Field(Field::Host), host, sink)?;
        }
        let Some((method, target)) = request_line(&request) else {
            return put_unless_dash(Field::Message, &request, sink);
        };
        put(To::Field(Field::Method), method, sink)?;
        match self.virtual_host {
            _ if method.eq_ignore_ascii_case("CONNECT") => put(To::Field(Field::Host), target, sink),
            _ if target.contains("://") && !target.starts_with('/') => {
                put(To::Field(Field::Url), target, sink)
            }
            Some(host) if target.starts_with('/') => {
                let host = host.strip_suffix(":80").or(host.strip_suffix(":443")).unwrap_or(host);
                put(To::Field(Field::Url), &format!("{host}{target}"), sink)
            }
            _ => put(To::Field(Field::Message), target, sink),
        }
    }
}

fn put_unless_dash(field: Field, text: &str, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    if text == "-" { Ok(()) } else { put(To::Field(field), text, sink) }
}

/// What stands before ` [17/May/…`, and what follows the bracket.
fn split_time(text: &str) -> Option<(&str, &str)> {
    text.match_indices(" [").find_map(|(at, bracket)| {
        let rest = text.get(at + bracket.len()..)?;
        let is_day = matches!(rest.as_bytes(), [b'0'..=b'3', b'0'..=b'9', b'/', ..]);
        is_day.then(|| Some((text.get(..at)?, rest)))?
    })
}

/// Virtual host, client and user of `[host] client ident user`; a user may hold blanks.
fn front_of(front: &str) -> Option<(Option<&str>, &str, &str)> {
    let (first, rest) = front.split_once(' ')?;
    let (second, others) = rest.split_once(' ')?;
    let is_host = second != "-"
        && !first.is_empty()
        && others.contains(' ')
        && (second.parse::<std::net::IpAddr>().is_ok() || others.starts_with("- "));
    if is_host {
        let (_ident, user) = others.split_once(' ')?;
        return Some((Some(first), second, user));
    }
    Some((None, first, others)).filter(|_| !first.is_empty())
}

/// A quoted text at the beginning, quotes cut, escapes as they are; and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut from = 0;
    loop {
        let at = from + inner.get(from..)?.find(['"', '\\'])?;
        if inner.as_bytes().get(at) == Some(&b'"') {
            return Some((inner.get(..at)?, inner.get(at + 1..)?));
        }
        // the escaped character may be of several bytes
        from = at + 1 + inner.get(at + 1..)?.chars().next().map_or(0, char::len_utf8);
    }
}

/// Undoes `\"`, `\\`, `\xHH` and the escapes of C.
fn unescaped(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let (undone, after) = match *after {
            _ if byte != b'\\' => (byte, after),
            [b'x', high, low, ref after @ ..] => match (hex_digit(high), hex_digit(low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (byte, rest),
            },
            [b'n', ref after @ ..] => (b'\n', after),
            [b't', ref after @ ..] => (b'\t', after),
            [b'r', ref after @ ..] => (b'\r', after),
            [quoted @ (b'"' | b'\\'), ref after @ ..] => (quoted, after),
            _ => (byte, after),
        };
        bytes.push(undone);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Method and target of `GET /a HTTP/1.1` or of HTTP/0.9's `GET /a`.
fn request_line(request: &str) -> Option<(&str, &str)> {
    let (method, rest) = request.split_once(' ')?;
    let target = rest.rsplit_once(" HTTP/").map_or(rest, |(target, _)| target).trim();
    let is_method = (1..=20).contains(&method.len())
        && method.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
    (is_method && !target.is_empty()).then_some((method, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_tell_virtual_hosts_from_clients() {
        assert_eq!(front_of("192.0.2.1 - -"), Some((None, "192.0.2.1", "-")));
        assert_eq!(front_of("192.0.2.1 - john doe"), Some((None, "192.0.2.1", "john doe")));
        assert_eq!(front_of("a.example:80 192.0.2.1 - -"), Some((Some("a.example:80"), "192.0.2.1", "-")));
        assert_eq!(front_of("a.example 2001:db8::1 - bob"), Some((Some("a.example"), "2001:db8::1", "bob")));
        assert_eq!(front_of("192.0.2.1"), None);
    }

    #[test]
    fn quotes_may_be_escaped() {
        assert_eq!(quoted(r#""a\"b\\" c"#), Some((r#"a\"b\\"#, " c")));
        assert_eq!(quoted(r#""a\"#), None);
        assert_eq!(quoted("\"\\é\""), Some(("\\é", "")));
        assert_eq!(unescaped(r#"\x41\"\\\n\q\xZZ"#), "A\"\\\n\\q\\xZZ");
    }

    #[test]
    fn a_line_that_was_cut_keeps_what_is_whole() {
        let line =
            Line::of(r#"192.0.2.1 - - [20/May/2015:12:05:17 +0000] "GET /a HTTP/1.1" 200 235 "-" "Mozil"#)
                .unwrap();
        assert_eq!((line.client, line.status, line.quoted), ("192.0.2.1", "200", [None; 3]));
        assert!(Line::of(r#"192.0.2.1 - - [20/May/2015:12:05:17 +0000] "GET /a HTT"#).is_err());
        assert!(Line::of(r#"192.0.2.1 - - [20/May/2015:12:05:17 +0000] "GET /a HTTP/1.1""#).is_err());
    }
}
