//! Keys and spans: which observables each kind of claim meets, by example.

use comity_model::canonical::ip_port_parts;
use comity_model::key::{address_bytes, of_claim, of_observable, url_scheme_agrees, write_value};
use comity_model::{Claim, Kind};

use Kind as K;

/// Whether a claim meets an observable, by spans and, for a prefix, scheme.
fn meets(claim: &Claim, kind: Kind, value: &str) -> bool {
    let key = of_observable(kind, value);
    let inside = of_claim(claim).iter().any(|span| span.kind == kind && span.contains(&key));
    inside && (claim.kind != K::Url || url_scheme_agrees(&claim.value, value))
}

#[track_caller]
fn check(claim: &Claim, kind: Kind, met: &[&str], not_met: &[&str]) {
    for value in met {
        assert!(meets(claim, kind, value), "{} meets {value}", claim.value);
    }
    for value in not_met {
        assert!(!meets(claim, kind, value), "{} does not meet {value}", claim.value);
    }
}

/// The value that a key gives back.
fn value_of(kind: K, key: &[u8]) -> Option<String> {
    let mut value = Vec::new();
    write_value(kind, key, &mut value).and_then(|()| String::from_utf8(value).ok())
}

#[test]
fn keys_give_their_values_back() {
    for (kind, value) in [
        (K::Ipv4Addr, "0.9.10.255"),
        (K::Ipv4Addr, "99.100.199.200"),
        (K::Ipv6Addr, "2001:db8::1"),
        (K::Ipv6Addr, "::"),
        (K::DomainName, "www.example.com"),
        (K::DomainName, "*.example.com"),
        (K::DomainName, "localhost"),
        (K::Url, "http://example.com:8080/a?b"),
        (K::Url, "example.com/a"),
        (K::UserAgent, "curl/8\tü"),
    ] {
        assert_eq!(value_of(kind, &of_observable(kind, value)).as_deref(), Some(value));
    }
    assert_eq!(value_of(K::Ipv4Addr, b"short"), None);
    assert_eq!(value_of(K::Url, b"no end"), None);
    assert_eq!(value_of(K::DomainName, b"no end"), None);
}

#[test]
fn keys_as_specified() {
    assert_eq!(of_observable(K::DomainName, "www.example.com"), b"com\0example\0www\0");
    assert_eq!(of_observable(K::Url, "http://example.com:8080/a?b"), b"example.com:8080/a?b\0http");
    assert_eq!(of_observable(K::Url, "example.com/a"), b"example.com/a\0");
    assert_eq!(of_observable(K::FileMd5, "00ff"), b"00ff");
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
    assert_eq!(of_observable(K::Ipv4Addr, "192.0.2.7"), mapped);
    assert_eq!(address_bytes("192.0.2.7"), Some(mapped));
    assert_eq!(address_bytes("::1").map(|key| key[15]), Some(1));
    assert_eq!(address_bytes("example.com"), None);
    assert_eq!(ip_port_parts("192.0.2.7:443"), Some(("192.0.2.7", 443)));
    assert_eq!(ip_port_parts("[2001:db8::1]:443"), Some(("2001:db8::1", 443)));
}

#[test]
fn addresses_and_networks() {
    let claim = |kind, value: &str| Claim::new(kind, value, value);
    check(&claim(K::Ipv4Addr, "192.0.2.7"), K::Ipv4Addr, &["192.0.2.7"], &["192.0.2.6", "192.0.2.8"]);
    check(&claim(K::IpPort, "192.0.2.7:443"), K::Ipv4Addr, &["192.0.2.7"], &["192.0.2.8"]);
    check(&claim(K::IpPort, "[2001:db8::1]:443"), K::Ipv6Addr, &["2001:db8::1"], &["2001:db8::2"]);
    check(
        &claim(K::Ipv4Net, "192.0.2.0/25"),
        K::Ipv4Addr,
        &["192.0.2.0", "192.0.2.127"],
        &["192.0.2.128", "192.0.1.255"],
    );
    let last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    check(&claim(K::Ipv6Net, "ffff::/16"), K::Ipv6Addr, &["ffff::", last], &["fffe::1"]);
    check(&claim(K::Ipv6Net, "::/0"), K::Ipv6Addr, &["::", last], &[]);
    check(&claim(K::Ipv4Net, "0.0.0.0/0"), K::Ipv4Addr, &["0.0.0.0", "255.255.255.255"], &[]);
    // ::/64 holds every mapped address as a number, but is of the other family
    check(&claim(K::Ipv6Net, "::/64"), K::Ipv4Addr, &[], &["192.0.2.7", "0.0.0.0"]);
    check(
        &claim(K::IpRange, "192.0.2.5-192.0.2.9"),
        K::Ipv4Addr,
        &["192.0.2.5", "192.0.2.6", "192.0.2.8", "192.0.2.9"],
        &["192.0.2.4", "192.0.2.10"],
    );
    // 5, 6-7, 8-9
    assert_eq!(of_claim(&claim(K::IpRange, "192.0.2.5-192.0.2.9")).len(), 3);
    assert_eq!(of_claim(&claim(K::IpRange, &format!("::-{last}"))).len(), 1);
    assert_eq!(
        of_claim(&claim(K::IpRange, "192.0.2.0-192.0.2.255")),
        of_claim(&claim(K::Ipv4Net, "192.0.2.0/24"))
    );
}

#[test]
fn names() {
    let mut claim = Claim::new(K::DomainName, "evil.example", "evil.example");
    let apart =
        ["notevil.example", "evil.example.com", "evil-a.example", "example", "evi.example", "_evil.example"];
    check(
        &claim,
        K::DomainName,
        &["evil.example", "a.evil.example", "a.b.evil.example", "-.evil.example", "*.evil.example"],
        &apart,
    );
    claim.exact_only = true;
    check(&claim, K::DomainName, &["evil.example"], &["a.evil.example", "evil.example.com"]);
}

#[test]
fn urls() {
    let claim = |value: &str| Claim::new(K::Url, value, value);
    check(
        &claim("http://evil.example/a"),
        K::Url,
        &["http://evil.example/a", "evil.example/a"],
        &[
            "https://evil.example/a",
            "http://evil.example/a/",
            "http://evil.example/a?",
            "http://evil.example:8080/a",
            "http://evil.example/ab",
            "http://a.evil.example/a",
        ],
    );
    check(
        &claim("evil.example/a"),
        K::Url,
        &["http://evil.example/a", "https://evil.example/a", "evil.example/a"],
        &["ftp://evil.example/a", "http://evil.example:8080/a", "evil.example/a/b"],
    );
    check(
        &claim("evil.example:80/a"),
        K::Url,
        &["http://evil.example/a", "https://evil.example:80/a", "evil.example:80/a"],
        &["https://evil.example/a", "http://evil.example:8080/a"],
    );
    check(
        &claim("[2001:db8::1]:443/"),
        K::Url,
        &["https://[2001:db8::1]/", "http://[2001:db8::1]:443/"],
        &["http://[2001:db8::1]/"],
    );
    check(
        &claim("tcp://evil.example:4444/"),
        K::Url,
        &["tcp://evil.example:4444/", "evil.example:4444/"],
        &["http://evil.example:4444/"],
    );
    check(&claim("file:///etc/passwd"), K::Url, &["file:///etc/passwd"], &["file:///etc/passwd2"]);
}

#[test]
fn url_prefixes_end_at_boundaries() {
    let prefix = |value: &str| {
        let mut claim = Claim::new(K::Url, value, value);
        claim.prefix = true;
        claim
    };
    check(
        &prefix("http://evil.example/a"),
        K::Url,
        &["http://evil.example/a", "http://evil.example/a/b", "http://evil.example/a?b", "evil.example/a/b"],
        &[
            "https://evil.example/a/b",
            "http://evil.example/ab",
            "http://evil.example/",
            "http://evil.example/a%2Fb",
        ],
    );
    check(
        &prefix("evil.example/"),
        K::Url,
        &["http://evil.example/", "https://evil.example/x?y", "evil.example/x"],
        &["ftp://evil.example/x", "http://evil.example:81/x", "http://evil.example.com/"],
    );
    check(
        &prefix("evil.example:80/a/"),
        K::Url,
        &["http://evil.example/a/b", "https://evil.example:80/a/b"],
        &["http://evil.example/a", "https://evil.example/a/b"],
    );
    check(
        &prefix("http://evil.example/a?x=1"),
        K::Url,
        &["http://evil.example/a?x=1", "http://evil.example/a?x=1&y"],
        &["http://evil.example/a?x=12", "http://evil.example/a?x=1/b"],
    );
}

#[test]
fn the_rest_is_equality_and_patterns_have_no_span() {
    let claim = |kind, value: &str| Claim::new(kind, value, value);
    check(&claim(K::FileName, "a.exe"), K::FileName, &["a.exe"], &["a.exe.b", "b.exe"]);
    check(&claim(K::FileName, "a.exe"), K::FilePath, &[], &["a.exe"]);
    check(&claim(K::EmailAddr, "eve@a.example"), K::EmailAddr, &["eve@a.example"], &["eve@b.a.example"]);
    for kind in [K::Substring, K::Regex, K::StixPattern] {
        assert_eq!(of_claim(&claim(kind, "a")), []);
    }
}
