//! Suricata's EVE (Suricata 8 user guide, "EVE JSON Format"): one object a line, or one array of them.
//!
//! ```text
//! {"timestamp":"2019-01-02T03:50:11.315110+0000","flow_id":52710912,"event_type":"alert","src_ip":"192.0.2.171","src_port":49678,"dest_ip":"198.51.100.71","dest_port":22,"proto":"TCP","alert":{"action":"allowed","signature":"ET SCAN Potential SSH Scan","severity":2}}
//! ```
//!
//! A stamp without an offset lies in the job's zone. Answers of `dns` are read in their three forms
//! (one record an answer, `answers` and `grouped`, `queries` and `answers`). Payloads and packets are
//! passed over. Rejects: what is no JSON object, an object without `event_type`, a stamp that is no
//! time, a number that is none.

use comity_model::{Class, Field, Reason, Reject};

use super::detect::{self, Sample};
use super::json;
use super::put::{To, Value, clipped, put, put_value};
use super::zeek::http_url;
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};
use crate::time::{self, Zone};

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "suricata-eve",
    title: "Suricata EVE",
    needs_mapping: false,
    has_context: false,
    detect,
    framing: detect::json_framing,
    open,
};

const fn f(field: Field) -> To {
    To::Field(field)
}

/// Object (empty: the record itself), key, where the value goes; sorted.
#[rustfmt::skip]
const TABLE: &[(&str, &str, To)] = &[
    ("", "app_proto", f(Field::Service)),
    ("", "dest_ip", f(Field::DstIp)),
    ("", "dest_port", f(Field::DstPort)),
    ("", "event_type", f(Field::LogPath)),
    ("", "flow_id", f(Field::SessionId)),
    ("", "host", f(Field::Device)),
    ("", "proto", f(Field::Protocol)),
    ("", "src_ip", f(Field::SrcIp)),
    ("", "src_port", f(Field::SrcPort)),
    ("", "xff", f(Field::ForwardedFor)),
    ("alert", "action", f(Field::Outcome)),
    ("alert", "severity", f(Field::Severity)),
    ("alert", "signature", f(Field::Signature)),
    ("alert", "xff", f(Field::ForwardedFor)),
    ("anomaly", "event", f(Field::Signature)),
    ("dhcp", "assigned_ip", f(Field::Answers)),
    ("dhcp", "client_ip", f(Field::Answers)),
    ("dhcp", "dns_servers", f(Field::Answers)),
    ("dhcp", "hostname", f(Field::SrcHost)),
    ("dhcp", "next_server_ip", f(Field::Answers)),
    ("dhcp", "relay_ip", f(Field::Answers)),
    ("dhcp", "requested_ip", f(Field::Answers)),
    ("dhcp", "routers", f(Field::Answers)),
    ("dhcp", "type", f(Field::Method)),
    ("dns", "rcode", f(Field::ResponseCode)),
    ("dns", "rdata", f(Field::Answers)),
    ("dns", "rrname", f(Field::Query)),
    ("dns", "rrtype", f(Field::QueryType)),
    ("email", "attachment", f(Field::FileName)),
    ("email", "body_md5", To::Nowhere),
    ("email", "cc", f(Field::EmailTo)),
    ("email", "from", f(Field::EmailFrom)),
    ("email", "message_id", f(Field::MessageId)),
    ("email", "received", To::Scanned(Field::ReceivedPath)),
    ("email", "reply_to", f(Field::EmailReplyTo)),
    ("email", "subject", f(Field::Subject)),
    ("email", "to", f(Field::EmailTo)),
    ("email", "url", f(Field::Url)),
    ("email", "x_originating_ip", f(Field::OriginatingIp)),
    ("fileinfo", "filename", f(Field::FileName)),
    ("fileinfo", "magic", f(Field::MimeType)),
    ("fileinfo", "md5", f(Field::Md5)),
    ("fileinfo", "sha1", f(Field::Sha1)),
    ("fileinfo", "sha256", f(Field::Sha256)),
    ("fileinfo", "size", f(Field::FileSize)),
    ("fileinfo", "state", f(Field::State)),
    ("flow", "age", To::Seconds(Field::DurationUs)),
    ("flow", "bytes_toclient", f(Field::BytesIn)),
    ("flow", "bytes_toserver", f(Field::BytesOut)),
    ("flow", "state", f(Field::State)),
    ("ftp", "command", f(Field::Method)),
    ("ftp", "command_data", f(Field::Message)),
    ("ftp_data", "command", f(Field::Method)),
    ("ftp_data", "filename", f(Field::FileName)),
    ("http", "hostname", f(Field::Host)),
    ("http", "http_content_type", f(Field::MimeType)),
    ("http", "http_method", f(Field::Method)),
    ("http", "http_refer", f(Field::Referrer)),
    ("http", "http_user_agent", f(Field::UserAgent)),
    ("http", "length", f(Field::BytesIn)),
    ("http", "redirect", f(Field::Location)),
    ("http", "status", f(Field::StatusCode)),
    ("http", "xff", f(Field::ForwardedFor)),
    ("krb5", "cname", f(Field::User)),
    ("krb5", "msg_type", f(Field::Method)),
    ("krb5", "realm", f(Field::DstHost)),
    ("krb5", "sname", f(Field::Service)),
    ("netflow", "age", To::Seconds(Field::DurationUs)),
    ("netflow", "bytes", f(Field::BytesOut)),
    ("nfs", "filename", f(Field::FileName)),
    ("quic", "ja4", f(Field::Ja4)),
    ("quic", "sni", f(Field::TlsSni)),
    ("quic", "ua", f(Field::UserAgent)),
    ("quic", "version", f(Field::TlsVersion)),
    ("rdp", "cookie", f(Field::User)),
    ("sip", "method", f(Field::Method)),
    ("sip", "uri", f(Field::Url)),
    ("smb", "command", f(Field::Method)),
    ("smb", "filename", f(Field::FileName)),
    ("smb", "share", f(Field::FileName)),
    ("smb", "status", f(Field::Outcome)),
    ("smtp", "helo", f(Field::ReceivedPath)),
    ("smtp", "mail_from", f(Field::MailFrom)),
    ("smtp", "rcpt_to", f(Field::RcptTo)),
    ("tftp", "file", f(Field::FileName)),
    ("tls", "fingerprint", f(Field::CertSha1)),
    ("tls", "issuerdn", f(Field::CertIssuer)),
    ("tls", "ja4", f(Field::Ja4)),
    ("tls", "serial", f(Field::CertSerial)),
    ("tls", "sni", f(Field::TlsSni)),
    ("tls", "subject", f(Field::CertSubject)),
    ("tls", "subjectaltname", f(Field::CertNames)),
    ("tls", "version", f(Field::TlsVersion)),
];

/// Class of each `event_type`, or of the protocol object that an alert carries; `network` elsewhere.
#[rustfmt::skip]
const CLASSES: &[(&str, Class)] = &[
    ("dns", Class::Dns), ("email", Class::Email), ("fileinfo", Class::File), ("ftp_data", Class::File),
    ("http", Class::Http), ("krb5", Class::Auth), ("mdns", Class::Dns), ("nfs", Class::File), ("quic", Class::Tls), ("rdp", Class::Auth),
    ("smb", Class::File), ("smtp", Class::Email), ("ssh", Class::Auth), ("stats", Class::Other), ("tls", Class::Tls),
];

fn detect(sample: &Sample<'_>) -> u8 {
    detect::objects(sample, |keys| match (keys.contains("event_type"), keys.contains("timestamp")) {
        (true, true) => 98,
        _ => 0,
    })
}

fn open(options: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    Ok(Box::new(Reader { zone: super::zone(options)?, scratch: String::new() }))
}

#[derive(Debug, Clone)]
struct Reader {
    zone: Zone,
    scratch: String,
}

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        json::outcome(record, |text| self.object(text, sink))
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

impl Reader {
    fn object(&mut self, text: &str, sink: &mut dyn RecordSink) -> Result<(), Reject> {
        let Self { zone, scratch } = self;
        let (mut has_type, mut class, mut result) = (false, None, Ok(()));
        json::members(text, |key, value| {
            if result.is_err() {
                return;
            }
            result = if value.starts_with('{') {
                class = class.or_else(|| class_of(key));
                object(key, value, scratch, sink)
            } else if key == "timestamp" {
                timestamp(value, zone, scratch).map(|at_us| sink.time(at_us))
            } else if key == "event_type" {
                has_type = true;
                let kind = json::scalar(value, scratch).unwrap_or_default();
                class = class_of(kind).or(class);
                put(To::Field(Field::LogPath), kind, sink)
            } else {
                member("", key, value, scratch, sink)
            };
        })?;
        result?;
        if !has_type {
            return Err(Reject::new(Reason::NotThisFormat, "an object without event_type"));
        }
        sink.class(class.unwrap_or(Class::Network));
        Ok(())
    }
}

fn class_of(name: &str) -> Option<Class> {
    CLASSES.iter().find(|row| row.0 == name).map(|row| row.1)
}

fn timestamp(value: &str, zone: &Zone, scratch: &mut String) -> Result<i64, Reject> {
    let text = json::scalar(value, scratch).unwrap_or_default();
    time::rfc3339(text, zone)
        .ok_or_else(|| Reject::new(Reason::BadTime, format!("timestamp {:?} is not a time", clipped(text))))
}

/// Puts one value where the table says.
fn member(
    object: &str,
    key: &str,
    value: &str,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    match TABLE.binary_search_by(|row| (row.0, row.1).cmp(&(object, key))) {
        Ok(at) => TABLE.get(at).map_or(Ok(()), |row| put_value(row.2, Value::Json(value), scratch, sink)),
        Err(_) => Ok(()),
    }
}

/// Puts the values of a nested object.
fn object(name: &str, text: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    match name {
        "http" => put_http(text, scratch, sink)?,
        "dns" | "mdns" => return put_dns(text, scratch, sink),
        _ => {}
    }
    each_member(text, &mut |key, value| match (name, key) {
        ("tls" | "quic", "ja3" | "ja3s") => ja3(key, value, scratch, sink),
        ("ssh", "client" | "server") => software(key, value, scratch, sink),
        ("smb", "ntlmssp") => each_member(value, &mut |key, value| match key {
            "user" => put_value(To::Field(Field::User), Value::Json(value), scratch, sink),
            "host" => put_value(To::Field(Field::SrcHost), Value::Json(value), scratch, sink),
            "domain" => put_value(To::Also(Field::SrcHost), Value::Json(value), scratch, sink),
            _ => Ok(()),
        }),
        _ => member(name, key, value, scratch, sink),
    })
}

/// Hands the members of a value that is an object to `each`, up to the first that rejects the record.
fn each_member(text: &str, each: &mut dyn FnMut(&str, &str) -> Result<(), Reject>) -> Result<(), Reject> {
    if !text.starts_with('{') {
        return Ok(());
    }
    let mut result = Ok(());
    json::members(text, |key, value| {
        if result.is_ok() {
            result = each(key, value);
        }
    })?;
    result
}

/// `{"hash": …, "string": …}`; the hash is what identifies.
fn ja3(key: &str, value: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    let to = To::Field(if key == "ja3" { Field::Ja3 } else { Field::Ja3s });
    each_member(value, &mut |key, value| match key {
        "hash" => put_value(to, Value::Json(value), scratch, sink),
        _ => Ok(()),
    })
}

/// The client's software of an SSH session, as `service`.
fn software(key: &str, value: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    each_member(value, &mut |inner, value| match (key, inner) {
        ("client", "software_version") => {
            put_value(To::Field(Field::Service), Value::Json(value), scratch, sink)
        }
        _ => Ok(()),
    })
}

/// `url` as with Zeek: an absolute target as it is, or `http://` host, port if not 80, target.
fn put_http(text: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    let (mut host, mut port, mut target, mut connect) = (None, None, None, false);
    each_member(text, &mut |key, value| {
        let slot = match key {
            "hostname" => &mut host,
            "http_port" => &mut port,
            "url" => &mut target,
            "http_method" => {
                connect = value.eq_ignore_ascii_case("\"CONNECT\"");
                return Ok(());
            }
            "request_headers" | "response_headers" => return headers(value, scratch, sink),
            _ => return Ok(()),
        };
        *slot = json::scalar(value, scratch).map(str::to_owned);
        Ok(())
    })?;
    let Some(target) = target.filter(|_| !connect) else { return Ok(()) };
    if !target.starts_with('/') {
        return match target.contains("://") {
            true => put(To::Field(Field::Url), &target, sink),
            false => Ok(()),
        };
    }
    let Some(host) = host else { return Ok(()) };
    http_url(&host, port.as_deref(), &target, scratch);
    put(To::Field(Field::Url), scratch, sink)
}

/// `[{"name": …, "value": …}]`: the headers that name hosts.
fn headers(value: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    each_object(value, &mut |header| {
        let (mut name, mut content) = (String::new(), None);
        each_member(header, &mut |key, value| {
            match key {
                "name" => name = json::scalar(value, scratch).unwrap_or_default().to_ascii_lowercase(),
                "value" => content = json::scalar(value, scratch).map(str::to_owned),
                _ => {}
            }
            Ok(())
        })?;
        let field = match name.as_str() {
            "x-forwarded-for" | "forwarded" => Field::ForwardedFor,
            "location" => Field::Location,
            _ => return Ok(()),
        };
        put(To::Field(field), content.as_deref().unwrap_or_default(), sink)
    })
}

/// Hands each object of a value to `each`: itself, or the elements of an array.
fn each_object(value: &str, each: &mut dyn FnMut(&str) -> Result<(), Reject>) -> Result<(), Reject> {
    if value.starts_with('{') {
        return each(value);
    }
    if !value.starts_with('[') {
        return Ok(());
    }
    let mut result = Ok(());
    json::elements(value, |element| {
        if result.is_ok() && element.starts_with('{') {
            result = each(element);
        }
    })?;
    result
}

/// The look-up and its answers in every form that EVE has had. `grouped` says again what `answers` says.
fn put_dns(text: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    let (mut asked, mut answered) = (false, false);
    each_member(text, &mut |key, _| {
        answered |= key == "answers";
        Ok(())
    })?;
    each_member(text, &mut |key, value| match key {
        "query" | "queries" => each_object(value, &mut |query| {
            let again = std::mem::replace(&mut asked, true);
            put_query(query, again, scratch, sink)
        }),
        "answer" | "answers" | "authorities" | "additionals" => {
            each_object(value, &mut |answer| put_answer(answer, scratch, sink))
        }
        "grouped" if answered => Ok(()),
        "grouped" => each_member(value, &mut |_, answers| {
            put_value(To::Field(Field::Answers), Value::Json(answers), scratch, sink)?;
            each_object(answers, &mut |answer| put_rdata(answer, scratch, sink))
        }),
        _ => member("dns", key, value, scratch, sink),
    })
}

/// One question. The column holds one name: that of a further question is an observable only.
fn put_query(
    query: &str,
    again: bool,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    let (name, kind) = match again {
        false => (To::Field(Field::Query), To::Field(Field::QueryType)),
        true => (To::Also(Field::Query), To::Nowhere),
    };
    each_member(query, &mut |key, value| match key {
        "rrname" => put_value(name, Value::Json(value), scratch, sink),
        "rrtype" => put_value(kind, Value::Json(value), scratch, sink),
        _ => Ok(()),
    })
}

/// One answer; inside an alert it holds the answers in turn.
fn put_answer(answer: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    each_member(answer, &mut |key, value| match key {
        "rdata" => put_value(To::Field(Field::Answers), Value::Json(value), scratch, sink),
        "soa" | "srv" | "mx" => put_rdata(value, scratch, sink),
        "answers" => each_object(value, &mut |answer| {
            each_member(answer, &mut |key, value| match key {
                "rdata" => put_value(To::Field(Field::Answers), Value::Json(value), scratch, sink),
                _ => Ok(()),
            })
        }),
        _ => Ok(()),
    })
}

/// Names in structured data of an answer: `{"mname": …, "rname": …}`, `{"name": …, "target": …}`.
fn put_rdata(rdata: &str, scratch: &mut String, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    each_member(rdata, &mut |key, value| match key {
        "mname" | "name" | "target" | "exchange" => {
            put_value(To::Field(Field::Answers), Value::Json(value), scratch, sink)
        }
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
    }
}
