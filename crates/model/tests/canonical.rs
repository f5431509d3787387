//! The canonical forms of MATCHING.md as a table, for indicators and observables.

use comity_model::canonical::{Breadth, Found, Note, TABLE_VERSIONS, indicator, indicator_within, observe};
use comity_model::{Kind, Observe, Reason};

use Kind as K;

/// Canonical form of an indicator, written `kind value`, `!` after it where exact-only; or the reason.
fn claimed(kind: Kind, text: &str) -> String {
    match indicator(kind, text) {
        Ok(canonical) => {
            let exact = if canonical.exact_only { " !" } else { "" };
            format!("{} {}{exact}", canonical.kind, canonical.value)
        }
        Err(reject) => reject.reason.to_string(),
    }
}

/// Observables of a text, written `kind value`, `+` before derived ones, joined by `, `.
fn observed(rule: Observe, text: &str) -> String {
    let mut all = Vec::new();
    observe(rule, text, &mut |found: Found| {
        let mark = if found.derived { "+" } else { "" };
        all.push(format!("{mark}{} {}", found.kind, found.value));
    });
    all.join(", ")
}

#[track_caller]
fn check_claims(rows: &[(Kind, &str, &str)]) {
    for (kind, text, expected) in rows {
        assert_eq!(claimed(*kind, text), *expected, "{kind} {text:?}");
    }
}

#[track_caller]
fn check_observed(rule: Observe, rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(observed(rule, text), *expected, "{rule:?} {text:?}");
    }
}

#[test]
fn addresses() {
    check_claims(&[
        (K::Ipv4Addr, "192.0.2.7", "ipv4-addr 192.0.2.7"),
        (K::Ipv4Addr, " 192.0.2.7\n", "ipv4-addr 192.0.2.7"),
        (K::Ipv4Addr, "192.0.02.7", "malformed"),
        (K::Ipv4Addr, "01.2.3.4", "malformed"),
        (K::Ipv4Addr, "999.1.1.1", "malformed"),
        (K::Ipv4Addr, "256.1.1.1", "malformed"),
        (K::Ipv4Addr, "1.2.3.4.5", "malformed"),
        (K::Ipv4Addr, "1.2.3", "malformed"),
        (K::Ipv4Addr, "1.2.3.", "malformed"),
        (K::Ipv4Addr, "1.2.3.4.", "malformed"),
        (K::Ipv4Addr, "1..3.4", "malformed"),
        (K::Ipv4Addr, "1.2.3.+4", "malformed"),
        (K::Ipv4Addr, "0x7f.0.0.1", "malformed"),
        (K::Ipv4Addr, "", "malformed"),
        (K::Ipv4Addr, "192.0.2.\u{fffd}", "malformed"),
        (K::Ipv4Addr, "0.0.0.0", "too-broad"),
        (K::Ipv6Addr, "::", "too-broad"),
        (K::Ipv4Addr, "2001:db8::1", "ipv6-addr 2001:db8::1"),
        (K::Ipv6Addr, "192.0.2.7", "ipv4-addr 192.0.2.7"),
        (K::Ipv6Addr, "2001:0DB8:0:0:1:0:0:1", "ipv6-addr 2001:db8::1:0:0:1"),
        (K::Ipv6Addr, "2001:db8:0:1:1:1:1:1", "ipv6-addr 2001:db8:0:1:1:1:1:1"),
        (K::Ipv6Addr, "fe80::1%eth0", "ipv6-addr fe80::1"),
        (K::Ipv6Addr, "fe80::1%", "malformed"),
        (K::Ipv6Addr, "::ffff:192.0.2.7", "ipv4-addr 192.0.2.7"),
        (K::Ipv6Addr, "::FFFF:c000:207", "ipv4-addr 192.0.2.7"),
        (K::Ipv6Addr, "64:ff9b::192.0.2.7", "ipv4-addr 192.0.2.7"),
        (K::Ipv6Addr, "64:ff9b:1::1", "ipv6-addr 64:ff9b:1::1"),
        (K::Ipv6Addr, "::ffff:0:192.0.2.7", "ipv6-addr ::ffff:0:c000:207"),
        (K::Ipv6Addr, "::192.0.2.7", "ipv6-addr ::c000:207"),
        (K::Ipv6Addr, "::ffff:192.0.2.07", "malformed"),
        (K::Ipv6Addr, "[2001:db8::1]", "malformed"),
        (K::Ipv4Addr, "192.0.2.7/24", "ipv4-net 192.0.2.0/24"),
    ]);
    let seen = [
        ("192.0.2.7", "ipv4-addr 192.0.2.7"),
        ("0.0.0.0", "ipv4-addr 0.0.0.0"),
        ("[2001:DB8::1]", "ipv6-addr 2001:db8::1"),
        ("[192.0.2.7]", ""),
        ("[2001:db8::1", ""),
        ("::ffff:192.0.2.7", "ipv4-addr 192.0.2.7"),
        ("fe80::1%25eth0", "ipv6-addr fe80::1"),
        ("fe80::1%\u{fffd}", ""),
        ("01.2.3.4", ""),
        ("192.0.2.7/32", ""),
        ("-", ""),
        ("", ""),
    ];
    check_observed(Observe::Address, &seen);
    check_observed(Observe::One(K::Ipv4Addr), &seen);
    check_observed(Observe::One(K::Ipv6Addr), &seen);
}

#[test]
fn networks_ranges_and_ports() {
    check_claims(&[
        (K::Ipv4Net, "192.0.2.0/24", "ipv4-net 192.0.2.0/24"),
        (K::Ipv6Net, "192.0.2.0/24", "ipv4-net 192.0.2.0/24"),
        (K::Ipv4Net, "192.0.2.7/32", "ipv4-addr 192.0.2.7"),
        (K::Ipv4Net, "192.0.2.7", "ipv4-addr 192.0.2.7"),
        (K::Ipv4Net, "10.0.0.0/8", "ipv4-net 10.0.0.0/8"),
        (K::Ipv4Net, "10.0.0.0/7", "too-broad"),
        (K::Ipv4Net, "0.0.0.0/0", "too-broad"),
        (K::Ipv4Net, "0.0.0.0", "too-broad"),
        (K::Ipv4Net, "192.0.2.0/33", "malformed"),
        (K::Ipv4Net, "192.0.2.0/024", "malformed"),
        (K::Ipv4Net, "192.0.2.0/+24", "malformed"),
        (K::Ipv4Net, "192.0.2.0/", "malformed"),
        (K::Ipv4Net, "192.0.2.0/24/24", "malformed"),
        (K::Ipv4Net, "192.0.2/24", "malformed"),
        (K::Ipv6Net, "2001:DB8::1/32", "ipv6-net 2001:db8::/32"),
        (K::Ipv6Net, "2001:db8::1/128", "ipv6-addr 2001:db8::1"),
        (K::Ipv6Net, "2001::/19", "ipv6-net 2001::/19"),
        (K::Ipv6Net, "2001::/18", "too-broad"),
        (K::Ipv6Net, "::ffff:192.0.2.7/120", "ipv4-net 192.0.2.0/24"),
        (K::Ipv6Net, "64:ff9b::c000:200/120", "ipv4-net 192.0.2.0/24"),
        (K::Ipv6Net, "::ffff:0:0/96", "too-broad"),
        (K::Ipv6Net, "::ffff:1.2.3.4/64", "ipv6-net ::/64"),
        (K::IpRange, "192.0.2.1-192.0.2.9", "ip-range 192.0.2.1-192.0.2.9"),
        (K::IpRange, "192.0.2.1 - 192.0.2.9", "ip-range 192.0.2.1-192.0.2.9"),
        (K::IpRange, "::ffff:192.0.2.1-192.0.2.9", "ip-range 192.0.2.1-192.0.2.9"),
        (K::IpRange, "2001:DB8::1-2001:db8::ff", "ip-range 2001:db8::1-2001:db8::ff"),
        (K::IpRange, "192.0.2.1-192.0.2.1", "ipv4-addr 192.0.2.1"),
        (K::IpRange, "192.0.2.0/24", "ipv4-net 192.0.2.0/24"),
        (K::IpRange, "192.0.2.9-192.0.2.1", "malformed"),
        (K::IpRange, "192.0.2.9-2001:db8::1", "malformed"),
        (K::IpRange, "192.0.2.9-", "malformed"),
        (K::IpRange, "10.0.0.0-10.255.255.255", "ip-range 10.0.0.0-10.255.255.255"),
        (K::IpRange, "10.0.0.0-11.0.0.0", "too-broad"),
        (K::IpRange, "2001::-2001:2000::", "too-broad"),
        (K::IpPort, "192.0.2.7:443", "ip-port 192.0.2.7:443"),
        (K::IpPort, "[2001:DB8::1]:443", "ip-port [2001:db8::1]:443"),
        (K::IpPort, "[::ffff:192.0.2.7]:443", "ip-port 192.0.2.7:443"),
        (K::IpPort, "2001:db8::1:443", "malformed"),
        (K::IpPort, "192.0.2.7:0", "malformed"),
        (K::IpPort, "192.0.2.7:65536", "malformed"),
        (K::IpPort, "192.0.2.7:0443", "malformed"),
        (K::IpPort, "192.0.2.7:", "malformed"),
        (K::IpPort, "192.0.2.7", "malformed"),
        (K::IpPort, "0.0.0.0:80", "too-broad"),
    ]);
    let wide = |kind, text| indicator_within(kind, text, Breadth::Any).unwrap().value;
    assert_eq!(wide(K::Ipv4Net, "10.0.0.0/7"), "10.0.0.0/7");
    assert_eq!(wide(K::Ipv4Net, "1.2.3.4/0"), "0.0.0.0/0");
    assert_eq!(wide(K::Ipv6Net, "2001::/0"), "::/0");
    assert_eq!(wide(K::IpRange, "0.0.0.0-255.255.255.255"), "0.0.0.0-255.255.255.255");
    assert!(indicator_within(K::Ipv4Net, "0.0.0.0/32", Breadth::Any).is_err());
    let note = |text| indicator(K::Ipv4Net, text).unwrap().note;
    assert_eq!(note("192.0.2.7/24"), Some(Note::HostBitsCleared));
    assert_eq!(note("192.0.2.0/24"), None);
}

#[test]
fn names() {
    check_claims(&[
        (K::DomainName, "WWW.Example.COM.", "domain-name www.example.com"),
        (K::DomainName, "www.example.com..", "malformed"),
        (K::DomainName, ".example.com", "malformed"),
        (K::DomainName, "a..example.com", "malformed"),
        (K::DomainName, "faß.example", "domain-name xn--fa-hia.example"),
        (K::DomainName, "BÜCHER.example", "domain-name xn--bcher-kva.example"),
        (K::DomainName, "evil．example。", "domain-name evil.example"),
        (K::DomainName, "XN--BCHER-KVA.example", "domain-name xn--bcher-kva.example"),
        (K::DomainName, "xn--a.example", "malformed"),
        (K::DomainName, "_dmarc.example.com", "domain-name _dmarc.example.com"),
        (K::DomainName, "r3---sn-x.example.com", "domain-name r3---sn-x.example.com"),
        (K::DomainName, "-a-.example.com", "domain-name -a-.example.com"),
        (K::DomainName, "*.example.com", "malformed"),
        (K::DomainName, "a b.example.com", "malformed"),
        (K::DomainName, "a/b.example.com", "malformed"),
        (K::DomainName, "a\0b.example.com", "malformed"),
        (K::DomainName, "a:b.example.com", "malformed"),
        (K::DomainName, "ａ／b.example.com", "malformed"),
        (K::DomainName, "1.2.3", "malformed"),
        (K::DomainName, "999.1.1.1", "malformed"),
        (K::DomainName, "a.0x7f", "malformed"),
        (K::DomainName, "192.0.2.7", "malformed"),
        (K::DomainName, "localhost", "public-suffix"),
        (K::DomainName, "com", "public-suffix"),
        (K::DomainName, "co.uk", "public-suffix"),
        (K::DomainName, "Co.UK.", "public-suffix"),
        (K::DomainName, "www.ck", "domain-name www.ck"),
        (K::DomainName, "foo.ck", "public-suffix"),
        (K::DomainName, "github.io", "domain-name github.io !"),
        (K::DomainName, "x.github.io", "domain-name x.github.io"),
        (K::DomainName, "example.local", "domain-name example.local"),
        (K::DomainName, "readme.md", "domain-name readme.md"),
    ]);
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(claimed(K::DomainName, &longest), format!("domain-name {longest}"));
    assert_eq!(claimed(K::DomainName, &format!("{longest}a")), "malformed");
    assert_eq!(claimed(K::DomainName, &format!("a{label}.example")), "malformed");
    assert_eq!(claimed(K::DomainName, &"é".repeat(100_000)), "malformed");
    check_observed(
        Observe::Host,
        &[
            ("localhost", "domain-name localhost"),
            ("co.uk", "domain-name co.uk"),
            ("WWW.Example.com.", "domain-name www.example.com"),
            ("xn--a.Example", "domain-name xn--a.example"),
            ("192.0.2.7", "ipv4-addr 192.0.2.7"),
            ("[2001:db8::1]", "ipv6-addr 2001:db8::1"),
            ("1.2.3.4.5", ""),
            ("999.1.1.1", ""),
            ("ex\u{fffd}.com", ""),
            ("*.Example.com", "domain-name *.example.com"),
            ("*.*.example.com", ""),
            ("*", ""),
            ("HP LaserJet._ipp._tcp.local", ""),
            ("(empty)", ""),
            (".", ""),
            ("", ""),
        ],
    );
    check_observed(
        Observe::One(K::DomainName),
        &[("a.example", "domain-name a.example"), ("192.0.2.7", ""), ("*", "")],
    );
}

#[test]
fn urls() {
    check_claims(&[
        (K::Url, "HTTP://Example.COM:80", "url http://example.com/"),
        (K::Url, "https://example.com:443/a", "url https://example.com/a"),
        (K::Url, "https://example.com:80/a", "url https://example.com:80/a"),
        (K::Url, "http://example.com./a", "url http://example.com/a"),
        (K::Url, "http://u:p@example.com/a@b", "url http://example.com/a@b"),
        (K::Url, "http://example.com/?b=2&a=1", "url http://example.com/?b=2&a=1"),
        (K::Url, "http://example.com/?", "url http://example.com/?"),
        (K::Url, "http://example.com/#", "url http://example.com/"),
        (K::Url, "http://example.com/#top", "url-fragment"),
        (K::Url, "https://mega.example/#!x", "url-fragment"),
        (K::Url, "http://example.com/%7eeve/%2f", "url http://example.com/~eve/%2F"),
        (K::Url, "http://example.com/a/../b/./c", "url http://example.com/b/c"),
        (K::Url, "http://example.com/a/%2E%2e/b", "url http://example.com/b"),
        (K::Url, "http://example.com/a/.%2e", "url http://example.com/"),
        (K::Url, "http://example.com/100%", "url http://example.com/100%25"),
        (K::Url, "http://example.com/%%32e/", "url http://example.com/%252e/"),
        (K::Url, "http://example.com/é b", "url http://example.com/%C3%A9%20b"),
        (K::Url, "http://example.com\\a\\b", "url http://example.com/a/b"),
        (K::Url, "http://bücher.example/", "url http://xn--bcher-kva.example/"),
        (K::Url, "http://ex%61mple.com/", "url http://example.com/"),
        (K::Url, "http://[2001:DB8::1]:8080/", "url http://[2001:db8::1]:8080/"),
        (K::Url, "http://[::ffff:192.0.2.7]/", "url http://192.0.2.7/"),
        (K::Url, "http://192.0.2.7:8080/x", "url http://192.0.2.7:8080/x"),
        (K::Url, "http://0x7f.1/", "malformed"),
        (K::Url, "http://0300.0.2.7/", "malformed"),
        (K::Url, "http://3221225991/", "malformed"),
        (K::Url, "http://１９２.0.2.7/", "malformed"),
        (K::Url, "http://%31%39%32.0.2.7/", "url http://192.0.2.7/"),
        (K::Url, "http://192.0.2/", "malformed"),
        (K::Url, "http://localhost/x", "url http://localhost/x"),
        (K::Url, "http:///x", "malformed"),
        (K::Url, "http://exa mple.com/", "malformed"),
        (K::Url, "http://example.com:99999/", "malformed"),
        (K::Url, "http://example.com:x/", "malformed"),
        (K::Url, "http://example.com:/x", "url http://example.com/x"),
        (K::Url, "TCP://Example.com:4444", "url tcp://example.com:4444/"),
        (K::Url, "tcp://192.0.2.7:80", "url tcp://192.0.2.7:80/"),
        (K::Url, "ftp://example.com:21/a", "url ftp://example.com/a"),
        (K::Url, "file:///C:/Temp/a.exe", "url file:///C:/Temp/a.exe"),
        (K::Url, "example.com/path", "url example.com/path"),
        (K::Url, "//example.com/path", "url example.com/path"),
        (K::Url, "Example.com:80/path?x=http://y/", "url example.com:80/path?x=http://y/"),
        (K::Url, "example.com", "url example.com/"),
        (K::Url, "192.0.2.7/gate.php", "url 192.0.2.7/gate.php"),
        (K::Url, "localhost/x", "malformed"),
        (K::Url, "/x/y", "malformed"),
        (K::Url, "eve@example.com", "malformed"),
        (K::Url, "mailto:eve@example.com", "malformed"),
        (K::Url, "javascript:alert(1)", "malformed"),
        (K::Url, "data:text/html,x", "malformed"),
        (K::Url, "about:blank", "malformed"),
    ]);
    assert_eq!(indicator(K::Url, "http://u@example.com/").unwrap().note, Some(Note::UserInfoRemoved));
    check_observed(
        Observe::Url,
        &[
            ("http://A.example/x#y", "url http://a.example/x, +domain-name a.example"),
            ("http://192.0.2.7/", "url http://192.0.2.7/, +ipv4-addr 192.0.2.7"),
            ("http://[2001:db8::1]/", "url http://[2001:db8::1]/, +ipv6-addr 2001:db8::1"),
            ("http://xn--a.example/", "url http://xn--a.example/, +domain-name xn--a.example"),
            ("http://localhost/", "url http://localhost/, +domain-name localhost"),
            ("example.com/a", "url example.com/a, +domain-name example.com"),
            ("example.com:443", "+domain-name example.com"),
            ("file:///etc/passwd", "url file:///etc/passwd"),
            ("http://*.example.com/", ""),
            ("http://0x7f.1/", ""),
            ("/index.html", ""),
            ("http://a.example/\u{fffd}", ""),
            ("-", ""),
        ],
    );
}

#[test]
fn mail_addresses() {
    check_claims(&[
        (K::EmailAddr, "Eve@Example.COM", "email-addr eve@example.com"),
        (K::EmailAddr, "\"Eve, E.\" <eve@example.com>", "email-addr eve@example.com"),
        (K::EmailAddr, "<eve@example.com>", "email-addr eve@example.com"),
        (K::EmailAddr, "MailTo:eve@example.com?subject=x@y", "email-addr eve@example.com"),
        (K::EmailAddr, "<mailto:eve@example.com>", "email-addr eve@example.com"),
        (K::EmailAddr, "eve@bücher.example.", "email-addr eve@xn--bcher-kva.example"),
        (K::EmailAddr, "eve@[192.0.2.7]", "email-addr eve@[192.0.2.7]"),
        (K::EmailAddr, "eve@[IPv6:2001:DB8::1]", "email-addr eve@[ipv6:2001:db8::1]"),
        (K::EmailAddr, "\"eve x\"@example.com", "email-addr \"eve x\"@example.com"),
        (K::EmailAddr, "eve x@example.com", "malformed"),
        (K::EmailAddr, "eve@a@example.com", "malformed"),
        (K::EmailAddr, "a@example.com, b@example.com", "malformed"),
        (K::EmailAddr, "@example.com", "malformed"),
        (K::EmailAddr, "eve@", "malformed"),
        (K::EmailAddr, "eve@192.0.2.7", "malformed"),
        (K::EmailAddr, "eve", "malformed"),
        (K::EmailAddr, "<>", "malformed"),
    ]);
    check_observed(
        Observe::Email,
        &[
            ("Eve <Eve@A.example>", "email-addr eve@a.example, +domain-name a.example"),
            ("eve@[192.0.2.7]", "email-addr eve@[192.0.2.7], +ipv4-addr 192.0.2.7"),
            ("root@localhost", "email-addr root@localhost, +domain-name localhost"),
            ("<>", ""),
        ],
    );
}

#[test]
fn hashes_and_fingerprints() {
    let md5 = "d41d8cd98f00b204e9800998ecf8427e";
    let sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let colons = "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09";
    check_claims(&[
        (K::FileMd5, "D41D8CD98F00B204E9800998ECF8427E", &format!("file-md5 {md5}")),
        (K::FileMd5, "1B2M2Y8AsgTpgAmY7PhCfg==", &format!("file-md5 {md5}")),
        (K::FileMd5, "1B2M2Y8AsgTpgAmY7PhCfg", &format!("file-md5 {md5}")),
        (K::FileMd5, sha1, "malformed"),
        (K::FileMd5, "d41d8cd98f00b204e9800998ecf8427g", "malformed"),
        (K::FileMd5, "d41d8cd98f00b204e9800998ecf8427", "malformed"),
        (K::FileSha1, sha1, &format!("file-sha1 {sha1}")),
        (K::FileSha1, "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", &format!("file-sha1 {sha1}")),
        (K::FileSha1, colons, "malformed"),
        (K::CertSha1, colons, &format!("cert-sha1 {sha1}")),
        (K::FileSha256, sha256, &format!("file-sha256 {sha256}")),
        (K::FileSha256, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", &format!("file-sha256 {sha256}")),
        (K::FileSha512, sha256, "malformed"),
        (K::FileImphash, "F34D5F2D4577ED6D9CEEC516C1F5A744", "file-imphash f34d5f2d4577ed6d9ceec516c1f5a744"),
        (K::FileImphash, "1B2M2Y8AsgTpgAmY7PhCfg==", "malformed"),
        (K::Ja3, "E7D705A3286E19EA42F587B344EE6865", "ja3 e7d705a3286e19ea42f587b344ee6865"),
        (K::Ja4, "t13d1516h2_8DAAF6152771_e5627efa2ab1", "ja4 t13d1516h2_8daaf6152771_e5627efa2ab1"),
        (K::Ja4, "x13d1516h2_8daaf6152771_e5627efa2ab1", "malformed"),
        (K::Ja4, "t13d1516h2_8daaf6152771", "malformed"),
        (
            K::FileSsdeep,
            "3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C,\"a.exe\"",
            "file-ssdeep 3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C",
        ),
        (K::FileSsdeep, "3:AXG", "malformed"),
        (K::CertSerial, "0x00:0A:Bc", "cert-serial abc"),
        (K::CertSerial, "00", "cert-serial 0"),
        (K::CertSerial, "-0569F8", "cert-serial -569f8"),
        (K::CertSerial, "-", "malformed"),
        (K::CertSerial, "12345x", "malformed"),
    ]);
    check_observed(Observe::One(K::FileMd5), &[("-", ""), (md5, &format!("file-md5 {md5}"))]);
}

#[test]
fn paths_and_registry_keys() {
    check_claims(&[
        (K::FilePath, r"\\?\C:/Users//Eve\a.EXE", r"file-path c:\users\eve\a.exe"),
        (K::FilePath, r"\??\C:\Windows", r"file-path c:\windows"),
        (K::FilePath, r"\\?\UNC\Server\share\a", r"file-path \\server\share\a"),
        (K::FilePath, r"\\Server\\share\a", r"file-path \\server\share\a"),
        (K::FilePath, r"\Device\HarddiskVolume1\A", r"file-path \device\harddiskvolume1\a"),
        (K::FilePath, r"%TEMP%\A.exe", r"file-path %temp%\a.exe"),
        (K::FilePath, r"\\\?\ \\?\unc\?\C:\A", r"file-path \?\unc\?\c:\a"),
        (K::FilePath, r"\\?\UNC\?\C:\A", r"file-path c:\a"),
        (K::FilePath, "\0\\??\\", "file-path \0\\??\\"),
        (K::RegistryKey, "http:// \\", "registry-key http://"),
        (K::FilePath, "/home/Eve//a.sh", "file-path /home/Eve/a.sh"),
        (K::FilePath, "/home/a\\b", "file-path /home/a\\b"),
        (K::FilePath, "a.exe", "malformed"),
        (K::FileName, "Evil.EXE", "file-name evil.exe"),
        (K::FileName, r"C:\Evil.EXE", r"file-path c:\evil.exe"),
        (K::FileName, "..", "malformed"),
        (K::RegistryKey, r"HKLM\Software\Run", r"registry-key hkey_local_machine\software\run"),
        (K::RegistryKey, r"HKLM:\Software\\Run\", r"registry-key hkey_local_machine\software\run"),
        (K::RegistryKey, r"HKEY_Local_Machine\Software", r"registry-key hkey_local_machine\software"),
        (K::RegistryKey, r"\REGISTRY\MACHINE\Software", r"registry-key hkey_local_machine\software"),
        (K::RegistryKey, r"Computer\HKCU\A", r"registry-key hkey_current_user\a"),
        (K::RegistryKey, r"HKU\S-1-5-18\A", r"registry-key hkey_users\s-1-5-18\a"),
        (K::RegistryKey, r"HKLMX\A", r"registry-key hklmx\a"),
        (K::RegistryKey, r"Software\Run", r"registry-key software\run"),
        (K::RegistryKey, r"\", "malformed"),
    ]);
    check_observed(
        Observe::Path,
        &[
            (r"C:\Windows\CMD.exe", r"file-path c:\windows\cmd.exe, +file-name cmd.exe"),
            ("/usr/bin/Perl", "file-path /usr/bin/Perl, +file-name perl"),
            ("/usr/bin/", "file-path /usr/bin/"),
            ("Invoice.PDF", "file-name invoice.pdf"),
            ("", ""),
        ],
    );
}

#[test]
fn tokens_and_patterns() {
    check_claims(&[
        (K::Asn, "AS64496", "asn AS64496"),
        (K::Asn, "64496", "asn AS64496"),
        (K::Asn, "asn 64496", "asn AS64496"),
        (K::Asn, "1.1", "asn AS65537"),
        (K::Asn, "AS1.10", "asn AS65546"),
        (K::Asn, "4294967296", "malformed"),
        (K::Asn, "1.65536", "malformed"),
        (K::Asn, "AS", "malformed"),
        (K::Asn, "AS-1", "malformed"),
        (K::Cve, "cve-2021-44228", "cve CVE-2021-44228"),
        (K::Cve, "2021-44228", "malformed"),
        (K::Cve, "CVE-2021-442", "malformed"),
        (K::UserAgent, " Evil/1.0 ", "user-agent Evil/1.0"),
        (K::Mutex, r"Global\Evil", r"mutex Global\Evil"),
        (K::Substring, "Gate.php", "substring Gate.php"),
        (K::Regex, r"^a+\d{3}$", r"regex ^a+\d{3}$"),
        (K::Regex, r"(?=a)", "bad-pattern"),
        (K::Regex, r"(a)\1", "bad-pattern"),
        (K::Regex, r"(", "bad-pattern"),
        (K::Regex, r"((a{1000}){1000}){1000}", "bad-pattern"),
        (K::UserAgent, "", "malformed"),
    ]);
    check_observed(Observe::One(K::UserAgent), &[("Evil/1.0", "user-agent Evil/1.0"), (" ", "")]);
    check_observed(Observe::One(K::Regex), &[("a", "")]);
    check_observed(Observe::Nothing, &[("192.0.2.7", "")]);
    check_observed(Observe::Extracted, &[("192.0.2.7", "")]);
}

#[test]
fn crypto_addresses() {
    check_claims(&[
        (
            K::CryptoAddress,
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "crypto-address 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        ),
        (K::CryptoAddress, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "malformed"),
        (K::CryptoAddress, "1111111111111111111114oLvT2", "crypto-address 1111111111111111111114oLvT2"),
        (
            K::CryptoAddress,
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "crypto-address 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        ),
        (
            K::CryptoAddress,
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "crypto-address bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        (K::CryptoAddress, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "malformed"),
        (K::CryptoAddress, "bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "malformed"),
        (
            K::CryptoAddress,
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "crypto-address bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ),
        // BIP-350: version 1 with the checksum of Bech32
        (K::CryptoAddress, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "malformed"),
        (
            K::CryptoAddress,
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "crypto-address 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        ),
        (K::CryptoAddress, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", "malformed"),
        (
            K::CryptoAddress,
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "crypto-address 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        ),
        (K::CryptoAddress, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae", "malformed"),
        (K::CryptoAddress, "hello", "malformed"),
    ]);
}

#[test]
fn messages_name_kind_value_and_fault() {
    let message = indicator(K::Ipv4Net, "10.0.0.0/7").unwrap_err().message;
    assert_eq!(message, "ipv4-net \"10.0.0.0/7\" is wider than /8 (/19 for IPv6)");
    let long = indicator(K::DomainName, &"x y".repeat(1000)).unwrap_err();
    assert_eq!(long.reason, Reason::Malformed);
    assert!(long.message.len() < 300);
}

#[test]
fn table_versions_are_those_of_the_lock_file() {
    let lock = include_str!("../../../Cargo.lock");
    for (name, version) in TABLE_VERSIONS {
        let (name, version) =
            if *name == "unicode" { ("icu_properties_data", "2.4.0") } else { (*name, *version) };
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")), "{name} {version}");
    }
}
