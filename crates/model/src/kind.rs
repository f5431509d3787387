//! Kinds of observables and indicators.

use crate::tokens::tokens;

tokens! {
    /// What a value is. Declaration order is the sort order of the index; observables never have
    /// the kinds marked *indicator only*.
    Kind, "kind", {
        /// An IPv4 address; IPv4-mapped and NAT64 well-known IPv6 addresses fold to it.
        Ipv4Addr = "ipv4-addr",
        /// An IPv6 address.
        Ipv6Addr = "ipv6-addr",
        /// An IPv4 network (indicator only).
        Ipv4Net = "ipv4-net",
        /// An IPv6 network (indicator only).
        Ipv6Net = "ipv6-net",
        /// A range of addresses of one family, `first-last` (indicator only).
        IpRange = "ip-range",
        /// An address and a port, `1.2.3.4:443` or `[2001:db8::1]:443` (indicator only).
        IpPort = "ip-port",
        /// A domain name in A-labels, lower case, without a trailing dot.
        DomainName = "domain-name",
        /// A URL.
        Url = "url",
        /// A mail address.
        EmailAddr = "email-addr",
        /// MD5 of a file.
        FileMd5 = "file-md5",
        /// SHA-1 of a file.
        FileSha1 = "file-sha1",
        /// SHA-256 of a file.
        FileSha256 = "file-sha256",
        /// SHA-512 of a file.
        FileSha512 = "file-sha512",
        /// Import hash of a PE file: 32 hex digits, never an MD5 of the file.
        FileImphash = "file-imphash",
        /// Fuzzy hash of a file; met by equality only.
        FileSsdeep = "file-ssdeep",
        /// TLS client fingerprint.
        Ja3 = "ja3",
        /// TLS server fingerprint.
        Ja3s = "ja3s",
        /// TLS client fingerprint, fourth version.
        Ja4 = "ja4",
        /// SHA-1 of a certificate.
        CertSha1 = "cert-sha1",
        /// SHA-256 of a certificate.
        CertSha256 = "cert-sha256",
        /// Serial number of a certificate, hexadecimal.
        CertSerial = "cert-serial",
        /// HTTP user agent.
        UserAgent = "user-agent",
        /// Last component of a path.
        FileName = "file-name",
        /// Whole path of a file.
        FilePath = "file-path",
        /// Windows registry key.
        RegistryKey = "registry-key",
        /// Name of a mutex.
        Mutex = "mutex",
        /// Autonomous system number.
        Asn = "asn",
        /// Address of a crypto currency.
        CryptoAddress = "crypto-address",
        /// CVE identifier.
        Cve = "cve",
        /// Text to be found inside values of declared fields (indicator only).
        Substring = "substring",
        /// Regular expression over values of declared fields (indicator only).
        Regex = "regex",
        /// A STIX pattern of several comparisons (indicator only).
        StixPattern = "stix-pattern",
    }
}

impl Kind {
    /// Whether a value of this kind can be seen in an event.
    pub const fn is_observable(self) -> bool {
        !matches!(
            self,
            Self::Ipv4Net
                | Self::Ipv6Net
                | Self::IpRange
                | Self::IpPort
                | Self::Substring
                | Self::Regex
                | Self::StixPattern
        )
    }

    /// Whether a meeting says what class a thing belongs to rather than which thing it is:
    /// many unrelated programs share an import hash, a TLS fingerprint or a user agent.
    pub const fn is_class_characteristic(self) -> bool {
        matches!(self, Self::FileImphash | Self::Ja3 | Self::Ja3s | Self::Ja4 | Self::UserAgent)
    }
}
