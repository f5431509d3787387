//! Columns of the events table that formats fill, and which observables each gives.

use crate::Kind;
use crate::tokens::tokens;

/// Type of an event column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// One text.
    Text,
    /// Any number of texts, order kept.
    TextList,
    /// One 64-bit integer.
    Integer,
}

/// Which observables a text in a field gives (MATCHING.md, "Which fields are observables").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observe {
    /// None.
    Nothing,
    /// An address; other text gives nothing.
    Address,
    /// A name or an address.
    Host,
    /// A URL, and derived from it the host.
    Url,
    /// A mail address, and derived from it the domain.
    Email,
    /// A path, and derived from it its last component.
    Path,
    /// A value of one kind.
    One(Kind),
    /// Free text; the format hands over what its extractor finds in it.
    Extracted,
}

/// What is fixed about a field.
#[derive(Debug, Clone, Copy)]
pub struct FieldInfo {
    /// The field.
    pub field: Field,
    /// Type of its column.
    pub column: Column,
    /// Observables that its texts give.
    pub observe: Observe,
    /// Whether a party to the exchange asserts the value (`From`, `Referer`, `X-Forwarded-For`)
    /// rather than the recorder observing it.
    pub asserted: bool,
    /// OCSF 1.8 attribute; empty where OCSF has none.
    pub ocsf: &'static str,
    /// One phrase for people, unit included.
    pub about: &'static str,
}

macro_rules! fields {
    ($($variant:ident = $text:literal, $column:ident, $observe:expr, $asserted:ident, $ocsf:literal, $about:literal;)+) => {
        tokens! {
            /// An event column. Declaration order is column order.
            Field, "field", { $(#[doc = $about] $variant = $text),+ }
        }

        /// Every field with what is fixed about it, in column order.
        pub const FIELDS: &[FieldInfo] = &[$(FieldInfo {
            field: Field::$variant,
            column: Column::$column,
            observe: $observe,
            asserted: fields!(@ $asserted),
            ocsf: $ocsf,
            about: $about,
        }),+];
    };
    (@ asserted) => { true };
    (@ observed) => { false };
}

use Kind as K;
use Observe::{Address, Email, Extracted, Host, Nothing, One, Path, Url};

fields! {
    // endpoints
    SrcIp = "src_ip", Text, Address, observed, "src_endpoint.ip", "address that opened the exchange";
    SrcPort = "src_port", Integer, Nothing, observed, "src_endpoint.port", "port of `src_ip`";
    DstIp = "dst_ip", Text, Address, observed, "dst_endpoint.ip", "address that answered";
    DstPort = "dst_port", Integer, Nothing, observed, "dst_endpoint.port", "port of `dst_ip`";
    SrcNatIp = "src_nat_ip", Text, Address, observed, "", "source address after translation";
    DstNatIp = "dst_nat_ip", Text, Address, observed, "", "destination address after translation";
    SrcHost = "src_host", Text, Host, observed, "src_endpoint.hostname", "name of the opening side as the recorder gives it";
    DstHost = "dst_host", Text, Host, observed, "dst_endpoint.hostname", "name of the answering side as the recorder gives it";
    Device = "device", Text, Host, observed, "device.hostname", "host that recorded or produced the event";
    Protocol = "protocol", Text, Nothing, observed, "connection_info.protocol_name", "transport or application protocol";
    Service = "service", Text, Nothing, observed, "service.name", "service or program";
    SessionId = "session_id", Text, Nothing, observed, "connection_info.uid", "identifier that the recorder gave the exchange";
    State = "state", Text, Nothing, observed, "", "state in which the exchange ended, in the recorder's words";
    DurationUs = "duration_us", Integer, Nothing, observed, "", "duration, microseconds";
    BytesOut = "bytes_out", Integer, Nothing, observed, "traffic.bytes_out", "payload bytes from source to destination";
    BytesIn = "bytes_in", Integer, Nothing, observed, "traffic.bytes_in", "payload bytes from destination to source";
    // names
    Query = "query", Text, One(K::DomainName), observed, "query.hostname", "name that was looked up";
    QueryType = "query_type", Text, Nothing, observed, "query.type", "type of the look-up";
    ResponseCode = "response_code", Text, Nothing, observed, "rcode", "code of the answer";
    Answers = "answers", TextList, Host, observed, "answers.rdata", "data of the answers";
    // web
    Method = "method", Text, Nothing, observed, "http_request.http_method", "request method";
    Host = "host", Text, Host, asserted, "http_request.url.hostname", "host that the request names, without a port";
    Url = "url", Text, Url, observed, "http_request.url.url_string", "requested URL";
    StatusCode = "status_code", Integer, Nothing, observed, "http_response.code", "status of the answer";
    UserAgent = "user_agent", Text, One(K::UserAgent), asserted, "http_request.user_agent", "user agent";
    Referrer = "referrer", Text, Url, asserted, "http_request.referrer", "page that the request came from";
    ForwardedFor = "forwarded_for", TextList, Host, asserted, "http_request.x_forwarded_for", "members of X-Forwarded-For and Forwarded";
    Location = "location", Text, Url, observed, "", "URL that the answer points to";
    // TLS
    TlsSni = "tls_sni", Text, Host, asserted, "tls.sni", "server name of the handshake";
    TlsVersion = "tls_version", Text, Nothing, observed, "tls.version", "version of TLS";
    Ja3 = "ja3", Text, One(K::Ja3), observed, "tls.ja3_hash.value", "client fingerprint";
    Ja3s = "ja3s", Text, One(K::Ja3s), observed, "tls.ja3s_hash.value", "server fingerprint";
    Ja4 = "ja4", Text, One(K::Ja4), observed, "", "client fingerprint, fourth version";
    CertSubject = "cert_subject", Text, Nothing, asserted, "tls.certificate.subject", "distinguished name of the certificate's subject";
    CertIssuer = "cert_issuer", Text, Nothing, asserted, "tls.certificate.issuer", "distinguished name of the certificate's issuer";
    CertNames = "cert_names", TextList, Host, asserted, "tls.certificate.sans", "common name and alternative names of the certificate";
    CertSerial = "cert_serial", Text, One(K::CertSerial), observed, "tls.certificate.serial_number", "serial number of the certificate";
    CertSha1 = "cert_sha1", Text, One(K::CertSha1), observed, "", "SHA-1 of the certificate";
    CertSha256 = "cert_sha256", Text, One(K::CertSha256), observed, "", "SHA-256 of the certificate";
    // files and processes
    FileName = "file_name", TextList, Path, observed, "file.name", "names or paths of files";
    MimeType = "mime_type", Text, Nothing, observed, "file.mime_type", "media type of the file";
    FileSize = "file_size", Integer, Nothing, observed, "file.size", "size of the file, bytes";
    Md5 = "md5", TextList, One(K::FileMd5), observed, "file.hashes", "MD5 of files";
    Sha1 = "sha1", TextList, One(K::FileSha1), observed, "file.hashes", "SHA-1 of files";
    Sha256 = "sha256", TextList, One(K::FileSha256), observed, "file.hashes", "SHA-256 of files";
    Sha512 = "sha512", TextList, One(K::FileSha512), observed, "file.hashes", "SHA-512 of files";
    Imphash = "imphash", TextList, One(K::FileImphash), observed, "file.hashes", "import hashes of files";
    Ssdeep = "ssdeep", TextList, One(K::FileSsdeep), observed, "file.hashes", "fuzzy hashes of files";
    ProcessPath = "process_path", Text, Path, observed, "process.file.path", "path of the process's image";
    ParentPath = "parent_path", Text, Path, observed, "process.parent_process.file.path", "path of the parent process's image";
    CommandLine = "command_line", Text, Nothing, observed, "process.cmd_line", "command line";
    RegistryKey = "registry_key", Text, One(K::RegistryKey), observed, "", "registry key";
    Mutex = "mutex", Text, One(K::Mutex), observed, "", "name of a mutex";
    // mail
    EmailFrom = "email_from", TextList, Email, asserted, "email.from", "From and Sender addresses";
    EmailTo = "email_to", TextList, Email, asserted, "email.to", "To and Cc addresses";
    EmailReplyTo = "email_reply_to", TextList, Email, asserted, "email.reply_to", "Reply-To addresses";
    MailFrom = "mail_from", TextList, Email, asserted, "email.smtp_from", "envelope sender";
    RcptTo = "rcpt_to", TextList, Email, observed, "email.smtp_to", "envelope recipients";
    Subject = "subject", Text, Extracted, asserted, "email.subject", "subject of the mail";
    MessageId = "message_id", Text, Nothing, asserted, "email.message_uid", "Message-ID";
    OriginatingIp = "originating_ip", Text, Address, asserted, "email.x_originating_ip", "X-Originating-IP";
    ReceivedPath = "received_path", TextList, Host, asserted, "", "hosts of the Received headers";
    // who, and what was said
    User = "user", Text, Nothing, observed, "user.name", "account";
    Outcome = "outcome", Text, Nothing, observed, "status", "outcome in the recorder's words";
    Signature = "signature", Text, Nothing, observed, "finding_info.title", "signature, rule or note of the recorder";
    Severity = "severity", Text, Nothing, observed, "severity", "severity in the recorder's words";
    Message = "message", Text, Extracted, observed, "message", "free text of the record";
    LogPath = "log_path", Text, Nothing, observed, "metadata.log_name", "name of the log within its source, such as Zeek's `_path`";
}

impl Field {
    /// What is fixed about this field.
    pub fn info(self) -> &'static FieldInfo {
        &FIELDS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_declaration_order() {
        for (at, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field as usize, at);
        }
        assert_eq!(FIELDS.len(), Field::ALL.len());
    }
}
