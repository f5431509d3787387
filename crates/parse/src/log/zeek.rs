//! What Zeek's fields mean, whether they came as TSV or JSON: one table for both.
//!
//! After the log reference of Zeek 7 (`docs.zeek.org`, "Log Files") and Bro 2.x as far as names differ.
//! A field that the table does not name stays in the evidence and gives no column. Left out on purpose:
//! passwords, SNMP communities, hardware addresses, the sensor's own files (`loaded_scripts`, `extracted`).

use std::borrow::Cow;
use std::ops::BitOr;

use comity_model::{Class, Field, Reason, Reject};

use super::RecordSink;
use super::put::{To, Value, Way, clipped, put, put_by, put_value, without_port};
use crate::time::{self, Unit, Zone};

/// Rows for every path; a path's own rows go before them and replace those of the same name.
const ANY: &str = "";

const fn f(field: Field) -> To {
    To::Field(field)
}

/// Path, field name, where it goes. Where several fields of one path go to one column, the first that
/// has a value has the column; the others give observables.
#[rustfmt::skip]
const TABLE: &[(&str, &str, To)] = &[
    (ANY, "_path", To::Nowhere),
    (ANY, "ts", To::Nowhere),
    (ANY, "uid", f(Field::SessionId)),
    (ANY, "id.orig_h", f(Field::SrcIp)),
    (ANY, "id.orig_p", f(Field::SrcPort)),
    (ANY, "id.resp_h", f(Field::DstIp)),
    (ANY, "id.resp_p", f(Field::DstPort)),
    (ANY, "orig_h", f(Field::SrcIp)),
    (ANY, "resp_h", f(Field::DstIp)),
    (ANY, "proto", f(Field::Protocol)),
    (ANY, "service", f(Field::Service)),
    (ANY, "duration", To::Seconds(Field::DurationUs)),
    (ANY, "_node_name", f(Field::Device)),
    (ANY, "_system_name", f(Field::Device)),
    (ANY, "peer", f(Field::Device)),
    (ANY, "peer_descr", f(Field::Device)),
    (ANY, "host", f(Field::Host)),
    (ANY, "query", f(Field::Query)),
    (ANY, "answers", f(Field::Answers)),
    (ANY, "server_name", f(Field::TlsSni)),
    (ANY, "user", f(Field::User)),
    (ANY, "username", f(Field::User)),
    (ANY, "user_agent", f(Field::UserAgent)),
    (ANY, "referrer", f(Field::Referrer)),
    (ANY, "status_code", f(Field::StatusCode)),
    (ANY, "filename", f(Field::FileName)),
    (ANY, "mime_type", f(Field::MimeType)),
    (ANY, "md5", f(Field::Md5)),
    (ANY, "sha1", f(Field::Sha1)),
    (ANY, "sha256", f(Field::Sha256)),
    (ANY, "sha512", f(Field::Sha512)),
    (ANY, "imphash", f(Field::Imphash)),
    (ANY, "ja3", f(Field::Ja3)),
    (ANY, "ja3s", f(Field::Ja3s)),
    (ANY, "ja4", f(Field::Ja4)),
    (ANY, "msg", f(Field::Message)),
    (ANY, "message", f(Field::Message)),
    (ANY, "subject", f(Field::Subject)),

    ("analyzer", "analyzer_name", f(Field::Service)),
    ("analyzer", "failure_reason", f(Field::Message)),
    ("arp", "operation", f(Field::Method)),
    ("conn", "conn_state", f(Field::State)),
    ("conn", "orig_bytes", f(Field::BytesOut)),
    ("conn", "resp_bytes", f(Field::BytesIn)),
    ("dce_rpc", "endpoint", f(Field::Service)),
    ("dce_rpc", "operation", f(Field::Method)),
    ("dhcp", "client_addr", f(Field::SrcIp)),
    ("dhcp", "assigned_addr", f(Field::SrcIp)),
    ("dhcp", "assigned_ip", f(Field::SrcIp)),
    ("dhcp", "requested_addr", f(Field::SrcIp)),
    ("dhcp", "id.orig_h", f(Field::SrcIp)),
    ("dhcp", "server_addr", f(Field::DstIp)),
    ("dhcp", "uids", f(Field::SessionId)),
    ("dhcp", "client_fqdn", f(Field::SrcHost)),
    ("dhcp", "host_name", f(Field::SrcHost)),
    ("dhcp", "domain", f(Field::SrcHost)),
    ("dhcp", "msg_types", f(Field::Method)),
    ("dns", "qtype_name", f(Field::QueryType)),
    ("dns", "rcode_name", f(Field::ResponseCode)),
    ("dpd", "analyzer", f(Field::Service)),
    ("dpd", "failure_reason", f(Field::Message)),
    ("files", "fuid", f(Field::SessionId)),
    ("files", "tx_hosts", f(Field::SrcIp)),
    ("files", "rx_hosts", f(Field::DstIp)),
    ("files", "source", f(Field::Service)),
    ("files", "total_bytes", f(Field::FileSize)),
    ("ftp", "command", f(Field::Method)),
    ("ftp", "arg", To::Scanned(Field::Message)),
    ("ftp", "reply_code", f(Field::StatusCode)),
    ("ftp", "reply_msg", To::Nowhere),
    ("ftp", "file_size", f(Field::FileSize)),
    ("ftp", "data_channel.orig_h", f(Field::SrcHost)),
    ("ftp", "data_channel.resp_h", f(Field::DstHost)),
    ("http", "method", f(Field::Method)),
    ("http", "uri", To::Nowhere),
    ("http", "proxied", To::Nowhere),
    ("http", "request_body_len", f(Field::BytesOut)),
    ("http", "response_body_len", f(Field::BytesIn)),
    ("http", "orig_filenames", f(Field::FileName)),
    ("http", "resp_filenames", f(Field::FileName)),
    ("http", "resp_mime_types", f(Field::MimeType)),
    ("intel", "seen.indicator", f(Field::Message)),
    ("intel", "sources", f(Field::Signature)),
    ("irc", "nick", f(Field::User)),
    ("irc", "command", f(Field::Method)),
    ("irc", "value", f(Field::Message)),
    ("irc", "dcc_file_name", f(Field::FileName)),
    ("kerberos", "request_type", f(Field::Method)),
    ("kerberos", "client", f(Field::User)),
    ("kerberos", "service", f(Field::Service)),
    ("kerberos", "success", f(Field::Outcome)),
    ("kerberos", "error_msg", f(Field::ResponseCode)),
    ("kerberos", "client_cert_subject", f(Field::CertSubject)),
    ("kerberos", "server_cert_subject", f(Field::CertSubject)),
    ("known_certs", "host", f(Field::DstIp)),
    ("known_certs", "port_num", f(Field::DstPort)),
    ("known_certs", "subject", f(Field::CertSubject)),
    ("known_certs", "issuer_subject", f(Field::CertIssuer)),
    ("known_certs", "serial", f(Field::CertSerial)),
    ("known_hosts", "host", f(Field::SrcIp)),
    ("known_services", "host", f(Field::DstIp)),
    ("known_services", "port_num", f(Field::DstPort)),
    ("known_services", "port_proto", f(Field::Protocol)),
    ("ldap_search", "filter", f(Field::Message)),
    ("ldap_search", "result", f(Field::Outcome)),
    ("modbus", "func", f(Field::Method)),
    ("notice", "note", f(Field::Signature)),
    ("notice", "msg", To::Nowhere),
    ("notice", "sub", To::Nowhere),
    ("notice", "file_desc", f(Field::FileName)),
    ("notice", "file_mime_type", f(Field::MimeType)),
    ("notice", "id.orig_h", f(Field::SrcIp)),
    ("notice", "src", f(Field::SrcIp)),
    ("notice", "id.resp_h", f(Field::DstIp)),
    ("notice", "dst", f(Field::DstIp)),
    ("notice", "id.resp_p", f(Field::DstPort)),
    ("notice", "p", f(Field::DstPort)),
    ("ntlm", "hostname", f(Field::SrcHost)),
    ("ntlm", "server_dns_computer_name", f(Field::DstHost)),
    ("ntlm", "server_tree_name", f(Field::DstHost)),
    ("ntlm", "domainname", f(Field::SrcHost)),
    ("ntlm", "success", f(Field::Outcome)),
    ("ocsp", "id", f(Field::SessionId)),
    ("ocsp", "serialNumber", f(Field::CertSerial)),
    ("ocsp", "certStatus", f(Field::Outcome)),
    ("pe", "id", f(Field::SessionId)),
    ("quic", "version", f(Field::TlsVersion)),
    ("radius", "framed_addr", f(Field::SrcNatIp)),
    ("radius", "tunnel_client", f(Field::SrcHost)),
    ("radius", "connect_info", f(Field::Message)),
    ("radius", "reply_msg", f(Field::Message)),
    ("radius", "result", f(Field::Outcome)),
    ("rdp", "cookie", f(Field::User)),
    ("rdp", "client_name", f(Field::SrcHost)),
    ("rdp", "result", f(Field::Outcome)),
    ("reporter", "level", f(Field::Severity)),
    ("rfb", "desktop_name", f(Field::DstHost)),
    ("sip", "method", f(Field::Method)),
    ("sip", "uri", f(Field::Url)),
    ("sip", "request_from", To::Scanned(Field::ReceivedPath)),
    ("sip", "request_to", To::Scanned(Field::ReceivedPath)),
    ("sip", "response_from", To::Scanned(Field::ReceivedPath)),
    ("sip", "response_to", To::Scanned(Field::ReceivedPath)),
    ("sip", "reply_to", To::Scanned(Field::ReceivedPath)),
    ("sip", "request_path", To::Scanned(Field::ReceivedPath)),
    ("sip", "response_path", To::Scanned(Field::ReceivedPath)),
    ("smb_files", "action", f(Field::Method)),
    ("smb_files", "path", f(Field::FileName)),
    ("smb_files", "name", f(Field::FileName)),
    ("smb_files", "prev_name", f(Field::FileName)),
    ("smb_files", "size", f(Field::FileSize)),
    ("smb_mapping", "path", f(Field::FileName)),
    ("smtp", "helo", f(Field::ReceivedPath)),
    ("smtp", "mailfrom", f(Field::MailFrom)),
    ("smtp", "rcptto", f(Field::RcptTo)),
    ("smtp", "from", f(Field::EmailFrom)),
    ("smtp", "to", f(Field::EmailTo)),
    ("smtp", "cc", f(Field::EmailTo)),
    ("smtp", "reply_to", f(Field::EmailReplyTo)),
    ("smtp", "msg_id", f(Field::MessageId)),
    ("smtp", "x_originating_ip", f(Field::OriginatingIp)),
    ("smtp", "path", f(Field::ReceivedPath)),
    ("smtp", "first_received", To::Scanned(Field::ReceivedPath)),
    ("smtp", "second_received", To::Scanned(Field::ReceivedPath)),
    ("smtp", "last_reply", f(Field::Outcome)),
    ("smtp_links", "link", f(Field::Url)),
    ("snmp", "display_string", f(Field::Message)),
    ("socks", "request.host", f(Field::DstHost)),
    ("socks", "request.name", f(Field::DstHost)),
    ("socks", "bound.host", f(Field::SrcNatIp)),
    ("socks", "bound.name", f(Field::SrcHost)),
    ("software", "host", f(Field::SrcIp)),
    ("software", "name", f(Field::Service)),
    ("software", "unparsed_version", f(Field::Message)),
    ("ssh", "auth_success", f(Field::Outcome)),
    ("ssh", "direction", f(Field::State)),
    ("ssl", "version", f(Field::TlsVersion)),
    ("ssl", "subject", f(Field::CertSubject)),
    ("ssl", "client_subject", To::Nowhere),
    ("ssl", "issuer", f(Field::CertIssuer)),
    ("ssl", "issuer_subject", f(Field::CertIssuer)),
    ("ssl", "cert_chain_fps", f(Field::CertSha256)),
    ("ssl", "client_cert_chain_fps", f(Field::CertSha256)),
    ("ssl", "validation_status", f(Field::Outcome)),
    ("syslog", "facility", f(Field::Service)),
    ("syslog", "severity", f(Field::Severity)),
    ("traceroute", "src", f(Field::SrcIp)),
    ("traceroute", "dst", f(Field::DstIp)),
    ("tunnel", "tunnel_type", f(Field::Protocol)),
    ("tunnel", "action", f(Field::State)),
    ("weird", "name", f(Field::Signature)),
    ("weird", "addl", f(Field::Message)),
    ("weird", "source", f(Field::Service)),
    ("x509", "id", f(Field::SessionId)),
    ("x509", "fingerprint", f(Field::CertSha256)),
    ("x509", "certificate.serial", f(Field::CertSerial)),
    ("x509", "certificate.subject", f(Field::CertSubject)),
    ("x509", "certificate.issuer", f(Field::CertIssuer)),
    ("x509", "san.dns", f(Field::CertNames)),
    ("x509", "san.ip", f(Field::CertNames)),
    ("x509", "san.email", To::Scanned(Field::CertNames)),
    ("x509", "san.uri", To::Scanned(Field::CertNames)),
];

/// Classes of paths; `other` where none.
#[rustfmt::skip]
const CLASSES: &[(&str, Class)] = &[
    ("conn", Class::Network), ("dce_rpc", Class::Network), ("dhcp", Class::Network), ("ntp", Class::Network),
    ("sip", Class::Network), ("snmp", Class::Network), ("socks", Class::Network), ("tunnel", Class::Network),
    ("traceroute", Class::Network), ("arp", Class::Network), ("irc", Class::Network),
    ("known_hosts", Class::Network), ("known_services", Class::Network),
    ("dns", Class::Dns),
    ("http", Class::Http),
    ("ssl", Class::Tls), ("x509", Class::Tls), ("quic", Class::Tls), ("ocsp", Class::Tls), ("known_certs", Class::Tls),
    ("files", Class::File), ("ftp", Class::File), ("smb_files", Class::File), ("smb_mapping", Class::File), ("pe", Class::File),
    ("kerberos", Class::Auth), ("ntlm", Class::Auth), ("radius", Class::Auth), ("rdp", Class::Auth), ("rfb", Class::Auth),
    ("ssh", Class::Auth), ("ldap", Class::Auth), ("ldap_search", Class::Auth),
    ("smtp", Class::Email), ("smtp_links", Class::Email), ("pop3", Class::Email),
];

/// Fields that tell the path of a record that does not name it: the first that occurs decides.
#[rustfmt::skip]
const TELLTALES: &[(&str, &str)] = &[
    ("conn_state", "conn"), ("orig_bytes", "conn"), ("qtype_name", "dns"), ("rcode_name", "dns"), ("query", "dns"),
    ("helo", "smtp"), ("mailfrom", "smtp"), ("rcptto", "smtp"), ("call_id", "sip"),
    ("uri", "http"), ("request_body_len", "http"), ("method", "http"),
    ("request_type", "kerberos"), ("client_initial_dcid", "quic"), ("server_scid", "quic"),
    ("cert_chain_fuids", "ssl"), ("cert_chain_fps", "ssl"), ("cipher", "ssl"), ("server_name", "ssl"),
    ("certificate.subject", "x509"), ("note", "notice"), ("conn_uids", "files"), ("seen_bytes", "files"),
    ("auth_success", "ssh"), ("host_key", "ssh"), ("software_type", "software"), ("named_pipe", "dce_rpc"),
    ("share_type", "smb_mapping"), ("action", "smb_files"), ("port_proto", "known_services"), ("issuer_subject", "known_certs"),
    ("server_nb_computer_name", "ntlm"), ("domainname", "ntlm"), ("security_protocol", "rdp"), ("tunnel_type", "tunnel"),
    ("certStatus", "ocsp"), ("stratum", "ntp"), ("msg_types", "dhcp"), ("assigned_addr", "dhcp"), ("assigned_ip", "dhcp"),
    ("machine", "pe"), ("operation", "arp"), ("reply_code", "ftp"), ("addl", "weird"), ("notice", "weird"),
    ("display_string", "snmp"), ("framed_addr", "radius"), ("failure_reason", "dpd"),
];

/// Every field name of the tables, sorted. A field's place here is its *slot*.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    sorted: Vec<&'static str>,
    /// Slots of [`TELLTALES`].
    telltales: Vec<(usize, &'static str)>,
    pub(crate) path: usize,
    ts: usize,
    uri: usize,
    host: usize,
    method: usize,
    port: usize,
    proxied: usize,
    msg: usize,
    sub: usize,
    service: usize,
    client: usize,
    client_subject: usize,
}

impl Names {
    pub(crate) fn new() -> Self {
        let telltales = TELLTALES.iter().map(|&(name, _)| name);
        let mut sorted: Vec<_> = TABLE.iter().map(|&(_, name, _)| name).chain(telltales).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let slot = |name: &str| sorted.binary_search(&name).unwrap_or(usize::MAX);
        Self {
            telltales: TELLTALES.iter().map(|&(name, path)| (slot(name), path)).collect(),
            path: slot("_path"),
            ts: slot("ts"),
            uri: slot("uri"),
            host: slot("host"),
            method: slot("method"),
            port: slot("id.resp_p"),
            proxied: slot("proxied"),
            msg: slot("msg"),
            sub: slot("sub"),
            service: slot("service"),
            client: slot("client"),
            client_subject: slot("client_subject"),
            sorted,
        }
    }

    /// Slot of a field.
    pub(crate) fn slot(&self, name: &str) -> Option<usize> {
        self.sorted.binary_search(&name).ok()
    }

    /// Number of slots.
    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    /// Path of a record that does not name it, by the fields that it has.
    pub(crate) fn guess(&self, has: impl Fn(usize) -> bool) -> &'static str {
        self.telltales.iter().find(|&&(slot, _)| has(slot)).map_or("", |&(_, path)| path)
    }
}

/// What is to be done with a record of one path.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Path as the log gives it.
    pub(crate) path: String,
    known: &'static str,
    class: Class,
    /// At most as many as a [`Wanted`] has bits.
    rows: Vec<Row>,
    /// The row of each slot; none where a slot has no row.
    row_of: Vec<Wanted>,
}

/// Some of a plan's rows.
type Wanted = u64;

#[derive(Debug, Clone)]
struct Row {
    slot: usize,
    to: To,
    way: Way,
    /// Rows before this one that go to the same column of one text.
    rivals: Wanted,
}

impl Plan {
    pub(crate) fn new(names: &Names, path: &str) -> Self {
        let base = base_path(path);
        let own = || TABLE.iter().filter(|row| !base.is_empty() && row.0 == base);
        let common = TABLE.iter().filter(|row| row.0 == ANY && own().all(|mine| mine.1 != row.1));
        let mut rows: Vec<Row> = Vec::new();
        let mut row_of = vec![0; names.count()];
        for &(_, name, to) in own().chain(common) {
            let Some(slot) = names.slot(name) else { continue };
            if to == To::Nowhere {
                continue;
            }
            let rivals = rows.iter().filter(|row| one_text(row.to, to)).map(|row| row_of[row.slot]);
            let rivals = rivals.fold(0, BitOr::bitor);
            row_of[slot] = 1 << rows.len();
            rows.push(Row { slot, to, way: to.way(), rivals });
        }
        let known = own().next().map_or("", |row| row.0);
        let class = CLASSES.iter().find(|row| row.0 == base).map_or(Class::Other, |row| row.1);
        Self { path: path.to_owned(), known, class, rows, row_of }
    }
}

/// `open_conn`, `conn_long`, `http_red` and their like are variants of a log.
fn base_path(path: &str) -> &str {
    let path = path.strip_prefix("open_").unwrap_or(path);
    ["_long", "_red", "_agg"].iter().find_map(|suffix| path.strip_suffix(suffix)).unwrap_or(path)
}

fn one_text(one: To, other: To) -> bool {
    use comity_model::Column;
    match (one, other) {
        (To::Field(one), To::Field(other)) => one == other && one.info().column != Column::TextList,
        _ => false,
    }
}

/// Values of a record by slot, as they stand in it.
pub(crate) trait Record {
    /// Slots that may have a value.
    fn slots(&self) -> impl Iterator<Item = usize>;
    /// The value of a slot; `None` where unset.
    fn value(&self, slot: usize) -> Option<Value<'_>>;
    /// The same as it stands in the record, to compare.
    fn raw(&self, slot: usize) -> Option<&str>;
    /// The value of a slot where it is set and plain text: [`Self::value`] for what nearly all are.
    fn plain(&self, slot: usize) -> Option<&str>;
}

/// Puts a record's values into the sink.
pub(crate) fn put_record(
    names: &Names,
    plan: &Plan,
    record: &impl Record,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    if let Some(text) = record.plain(names.ts) {
        sink.time(time_of(text)?);
    } else if let Some(ts) = record.value(names.ts) {
        sink.time(timestamp(ts, scratch)?);
    }
    sink.class(plan.class);
    if !plan.path.is_empty() {
        sink.text(Field::LogPath, &plan.path);
    }
    let rows = record.slots().filter_map(|slot| plan.row_of.get(slot));
    let present = rows.fold(0, |present, row| present | row);
    // in the order of the rows, whatever that of the record is
    let mut wanted = present;
    while let Some(row) = plan.rows.get(wanted.trailing_zeros() as usize) {
        wanted &= wanted - 1;
        match record.plain(row.slot) {
            Some(text) if row.rivals & present == 0 => put_by(row.way, text, sink)?,
            _ => put_other(plan, row, row.rivals & present, record, scratch, sink)?,
        }
    }
    match plan.known {
        "http" => put_http(names, record, scratch, sink),
        "notice" => put_notice(names, record, scratch, sink),
        "kerberos" => put_kerberos(names, record, scratch, sink),
        "ssl" => put_client_subject(names, record, scratch, sink),
        _ => Ok(()),
    }
}

/// Puts the value of a row that is no plain text or whose column `rivals` may have: beside these it gives
/// observables only, and nothing where it says the same as one of them.
#[inline(never)]
fn put_other(
    plan: &Plan,
    row: &Row,
    mut rivals: Wanted,
    record: &impl Record,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    let Some(value) = record.value(row.slot) else { return Ok(()) };
    let (raw, mut to) = (record.raw(row.slot), row.to);
    while let Some(rival) = plan.rows.get(rivals.trailing_zeros() as usize) {
        rivals &= rivals - 1;
        let rival = record.raw(rival.slot);
        if rival == raw {
            return Ok(());
        }
        if let (Some(_), To::Field(field)) = (rival, to) {
            to = To::Also(field);
        }
    }
    put_value(to, value, scratch, sink)
}

/// Reads `ts`: epoch seconds, RFC 3339, or the milliseconds of `JSON::TS_MILLIS`, which as seconds
/// would lie beyond the year 9999.
fn timestamp(value: Value<'_>, scratch: &mut String) -> Result<i64, Reject> {
    let mut result = None;
    value.each(scratch, &mut |text| result = Some(time_of(text)));
    result.unwrap_or_else(|| Err(Reject::new(Reason::BadTime, "ts is not a number or a text")))
}

fn time_of(text: &str) -> Result<i64, Reject> {
    time::epoch(text, Unit::Seconds)
        .or_else(|| time::rfc3339(text, &Zone::Utc))
        .or_else(|| time::epoch(text, Unit::Milliseconds))
        .ok_or_else(|| Reject::new(Reason::BadTime, format!("ts {:?} is not a time", clipped(text))))
}

/// Text of a slot, the last where it has several; `None` where that is empty.
fn text_of<'a>(record: &'a impl Record, slot: usize, scratch: &mut String) -> Option<Cow<'a, str>> {
    let mut text = None;
    match record.value(slot)? {
        Value::Text(found) => text = Some(Cow::Borrowed(found)),
        value => value.each(scratch, &mut |found| text = Some(Cow::Owned(found.to_owned()))),
    }
    text.filter(|text| !text.is_empty())
}

/// `url` is the absolute target, or `http://` host, port if not 80, target. CONNECT names a host only.
fn put_http(
    names: &Names,
    record: &impl Record,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    if let Some(proxied) = record.value(names.proxied) {
        // "X-FORWARDED-FOR -> 192.0.2.1"
        let mut members = Vec::new();
        proxied.each(scratch, &mut |text| {
            members.push(text.split_once(" -> ").map_or(text, |(_, members)| members).to_owned());
        });
        for member in members {
            put(To::Field(Field::ForwardedFor), &member, sink)?;
        }
    }
    let Some(uri) = text_of(record, names.uri, scratch) else { return Ok(()) };
    let method = text_of(record, names.method, scratch);
    let host = text_of(record, names.host, scratch);
    if method.is_some_and(|method| method.eq_ignore_ascii_case("CONNECT")) {
        if host.is_none() {
            put(To::Field(Field::Host), &uri, sink)?;
        }
        return Ok(());
    }
    if uri.contains("://") && !uri.starts_with('/') {
        return put(To::Field(Field::Url), &uri, sink);
    }
    let (Some(host), true) = (host, uri.starts_with('/')) else { return Ok(()) };
    let port = text_of(record, names.port, scratch);
    http_url(&host, port.as_deref(), &uri, scratch);
    put(To::Field(Field::Url), scratch, sink)
}

/// `http://host[:port]target`; a port in the host counts before `port`, and 80 is not written.
pub(crate) fn http_url(host: &str, port: Option<&str>, target: &str, url: &mut String) {
    let name = without_port(host);
    let in_host = host.trim().rsplit_once(':').map(|(_, port)| port).filter(|_| !host.trim().ends_with(name));
    let port = in_host.or(port).filter(|port| !matches!(*port, "" | "80"));
    url.clear();
    url.push_str("http://");
    if name.contains(':') {
        url.extend(["[", name, "]"]);
    } else {
        url.push_str(name);
    }
    if let Some(port) = port {
        url.extend([":", port]);
    }
    url.push_str(target);
}

/// The message is `msg`, and `sub` behind a semicolon.
fn put_notice(
    names: &Names,
    record: &impl Record,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    let parts = [names.msg, names.sub].map(|slot| text_of(record, slot, scratch));
    let message = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    put(To::Field(Field::Message), &message, sink)
}

/// `client` is `name/REALM`, `service` is `class/host` or `class/host@REALM`.
fn put_kerberos(
    names: &Names,
    record: &impl Record,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    for (slot, field) in [(names.client, Field::SrcHost), (names.service, Field::DstHost)] {
        let text = text_of(record, slot, scratch).unwrap_or_default();
        let Some((_, host)) = text.split_once('/') else { continue };
        put(To::Field(field), host.split(['@', ':', '/']).next().unwrap_or_default(), sink)?;
    }
    Ok(())
}

/// The subject of a client's certificate is no column of its own: its names only.
fn put_client_subject(
    names: &Names,
    record: &impl Record,
    scratch: &mut String,
    sink: &mut dyn RecordSink,
) -> Result<(), Reject> {
    let Some(subject) = text_of(record, names.client_subject, scratch) else { return Ok(()) };
    match super::put::common_name(&subject) {
        Some(name) => put(To::Field(Field::CertNames), name, sink),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_every_path_fit_their_bits() {
        let names = Names::new();
        for &(path, ..) in TABLE {
            let plan = Plan::new(&names, path);
            assert!(plan.rows.len() <= Wanted::BITS as usize, "{path}");
            assert_eq!(plan.row_of.iter().filter(|&&row| row != 0).count(), plan.rows.len(), "{path}");
        }
    }
}
