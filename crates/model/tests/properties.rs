//! Properties of canonical forms and keys, on generated values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use comity_model::canonical::{Breadth, Found, indicator_within, observe, quad, write_quad};
use comity_model::key::{Span, of_claim, of_observable, url_scheme_agrees, write_value};
use comity_model::{Claim, Kind, Observe};
use proptest::prelude::*;
use proptest::sample::select;

/// Texts that are near to values of some kind, and some that are not.
fn text() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "*.",
        "http://",
        "HTTPS://",
        "tcp://",
        "file://",
        "//",
        "/",
        "\\",
        "\\\\?\\",
        "\\??\\",
        "unc\\",
        "C:",
        "c|",
        ":",
        ":80",
        ":443",
        "?",
        "#",
        "@",
        "%",
        "%2e",
        "%2F",
        "%7e",
        "%%32e",
        "%4",
        "..",
        ".",
        "-",
        "_",
        "[",
        "]",
        "::",
        "::ffff:",
        "64:ff9b::",
        "2001:db8::1",
        "192.0.2.7",
        "01",
        "0x7f",
        "/24",
        "/120",
        "example",
        "Evil",
        "com",
        "co.uk",
        "github.io",
        "xn--",
        "xn--fa-hia",
        "ß",
        "É",
        "。",
        "\u{ad}",
        "\u{200d}",
        "\u{fffd}",
        " ",
        "\t",
        "\0",
        "<",
        ">",
        "\"",
        "mailto:",
        "HKLM",
        "hku",
        "Computer\\",
        "\\registry\\machine",
        "AS",
        "1.1",
        "CVE-2021-",
        "44228",
        "=",
        "&",
        "+",
        ",",
        "a",
        "A",
        "D41D8CD98F00B204E9800998ECF8427E",
        "1B2M2Y8AsgTpgAmY7PhCfg==",
        "ipv6:",
    ]);
    prop_oneof![
        4 => prop::collection::vec(piece.prop_map(str::to_owned), 0..7).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL.to_vec())
}

fn rule() -> impl Strategy<Value = Observe> {
    let fixed = vec![Observe::Address, Observe::Host, Observe::Url, Observe::Email, Observe::Path];
    prop_oneof![select(fixed), kind().prop_map(Observe::One)]
}

fn observed(rule: Observe, text: &str) -> Vec<Found> {
    let mut all = Vec::new();
    observe(rule, text, &mut |found| all.push(found));
    all
}

/// The rule under which a found value is read again.
fn rule_of(kind: Kind) -> Observe {
    Observe::One(kind)
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    // few distinct numbers, so that values meet
    prop_oneof![any::<u32>(), 0xc000_0200..0xc000_0240_u32].prop_map(Ipv4Addr::from_bits)
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    let base = u128::from_be_bytes([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    prop_oneof![any::<u128>(), base..base + 64, Just(u128::MAX)].prop_map(Ipv6Addr::from_bits)
}

fn label() -> impl Strategy<Value = String> {
    select(vec!["*", "a", "b", "ab", "ba", "a-", "-a", "_", "example", "com"]).prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(label(), 1..5).prop_map(|labels| labels.join("."))
}

fn url_rest() -> impl Strategy<Value = String> {
    let host = select(vec!["a.example", "a.example:80", "a.example:443", "a.example:81"]);
    let path = select(vec!["/", "/a", "/a/", "/a/b", "/ab", "/a?", "/a?b", "/a?b&c", "/a?bc", "/a%2Fb"]);
    (host, path).prop_map(|(host, path)| format!("{host}{path}"))
}

/// A canonical URL, with or without a scheme.
fn url() -> impl Strategy<Value = String> {
    (select(vec!["", "http://", "https://", "ftp://"]), url_rest()).prop_map(|(scheme, rest)| {
        let rest = match scheme {
            "http://" => rest.replace(":80/", "/"),
            "https://" => rest.replace(":443/", "/"),
            _ => rest,
        };
        format!("{scheme}{rest}")
    })
}

fn claim(kind: Kind, value: &str, exact_only: bool, prefix: bool) -> Claim {
    Claim { exact_only, prefix, ..Claim::new(kind, value, value) }
}

fn inside(spans: &[Span], kind: Kind, value: &str) -> bool {
    let key = of_observable(kind, value);
    spans.iter().any(|span| span.kind == kind && span.contains(&key))
}

fn nested_or_apart(a: &Span, b: &Span) -> bool {
    let apart = a.hi <= b.lo || b.hi <= a.lo;
    let nested = (a.lo <= b.lo && b.hi <= a.hi) || (b.lo <= a.lo && a.hi <= b.hi);
    a.kind != b.kind || apart || nested
}

fn any_claim() -> impl Strategy<Value = Claim> {
    let range = (v4(), v4())
        .prop_map(|(a, b)| claim(Kind::IpRange, &format!("{}-{}", a.min(b), a.max(b)), false, false));
    let net = (v4(), 0..=32_u8).prop_filter_map("a network", |(address, length)| {
        let canonical = indicator_within(Kind::Ipv4Net, &format!("{address}/{length}"), Breadth::Any).ok()?;
        Some(claim(canonical.kind, &canonical.value, false, false))
    });
    let names =
        (name(), any::<bool>()).prop_map(|(name, exact)| claim(Kind::DomainName, &name, exact, false));
    let urls = (url(), any::<bool>()).prop_map(|(url, prefix)| claim(Kind::Url, &url, false, prefix));
    prop_oneof![range, net, names, urls]
}

/// Whether a URL claim meets a URL, said without keys.
fn url_oracle(claim: &str, prefix: bool, seen: &str) -> bool {
    let split = |url: &str| match url.split_once("://") {
        Some((scheme, rest)) => (scheme.to_owned(), rest.to_owned()),
        None => (String::new(), url.to_owned()),
    };
    let ((claim_scheme, claim_rest), (seen_scheme, seen_rest)) = (split(claim), split(seen));
    let scheme_agrees = match (claim_scheme.as_str(), seen_scheme.as_str()) {
        (_, "") | ("", "http" | "https") => true,
        (claimed, seen) => claimed == seen,
    };
    let claim_rest = match (claim_scheme.as_str(), seen_scheme.as_str()) {
        ("", "http") => claim_rest.replace(":80/", "/"),
        ("", "https") => claim_rest.replace(":443/", "/"),
        _ => claim_rest,
    };
    let rest_agrees = match seen_rest.strip_prefix(&claim_rest) {
        None => false,
        Some("") => true,
        Some(more) if claim_rest.contains('?') => more.starts_with('&') || claim_rest.ends_with(['?', '&']),
        Some(more) => more.starts_with(['/', '?']) || claim_rest.ends_with('/'),
    };
    scheme_agrees && if prefix { rest_agrees } else { seen_rest == claim_rest }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quads_are_read_and_written_as_the_library_does(
        text in "[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9]{0,4}(\\.[0-9]{0,4}){2,4}|[0-9.x]{1,16}",
        address: u32,
    ) {
        prop_assert_eq!(quad(&text), text.parse().ok());
        let four = Ipv4Addr::from(address);
        let mut written = b"before ".to_vec();
        write_quad(four.octets(), &mut written);
        prop_assert_eq!(written, format!("before {four}").into_bytes());
        prop_assert_eq!(quad(four.to_string()), Some(four));
    }

    #[test]
    fn every_key_gives_its_value_back(rule in rule(), text in text()) {
        for found in observed(rule, &text) {
            let mut value = Vec::new();
            let key = of_observable(found.kind, &found.value);
            prop_assert_eq!(write_value(found.kind, &key, &mut value), Some(()));
            prop_assert_eq!(value, found.value.as_bytes());
        }
    }

    #[test]
    fn a_canonical_claim_is_its_own_canonical_form(kind in kind(), text in text()) {
        if let Ok(first) = indicator_within(kind, &text, Breadth::Any) {
            let again = indicator_within(first.kind, &first.value, Breadth::Any).unwrap();
            prop_assert_eq!((again.kind, again.value, again.exact_only), (first.kind, first.value, first.exact_only));
        }
    }

    #[test]
    fn a_canonical_observable_is_its_own_canonical_form(rule in rule(), text in text()) {
        for first in observed(rule, &text) {
            prop_assert!(first.kind.is_observable());
            prop_assert!(!first.value.is_empty() && !first.value.contains(char::REPLACEMENT_CHARACTER));
            let again = observed(rule_of(first.kind), &first.value);
            prop_assert_eq!((again[0].kind, &again[0].value), (first.kind, &first.value));
        }
    }

    #[test]
    fn what_is_claimed_can_be_seen(kind in kind(), text in text()) {
        if let Ok(claimed) = indicator_within(kind, &text, Breadth::Any)
            && claimed.kind.is_observable()
        {
            let seen = observed(rule_of(claimed.kind), &claimed.value);
            prop_assert_eq!((seen[0].kind, &seen[0].value), (claimed.kind, &claimed.value));
            let claim = claim(claimed.kind, &claimed.value, false, false);
            prop_assert!(inside(&of_claim(&claim), seen[0].kind, &seen[0].value));
        }
    }

    #[test]
    fn a_damaged_text_gives_nothing(rule in rule(), text in text(), at in any::<prop::sample::Index>()) {
        let mut chars: Vec<char> = text.chars().collect();
        chars.insert(at.index(chars.len() + 1), '\u{fffd}');
        let text: String = chars.into_iter().collect();
        prop_assert_eq!(observed(rule, &text), []);
    }

    #[test]
    fn a_name_and_those_under_it_are_its_span(claimed in name(), seen in name(), exact in any::<bool>()) {
        let under = seen.strip_suffix(&claimed).is_some_and(|left| left.ends_with('.'));
        let expected = seen == claimed || (under && !exact);
        prop_assert_eq!(inside(&of_claim(&claim(Kind::DomainName, &claimed, exact, false)), Kind::DomainName, &seen), expected);
    }

    #[test]
    fn a_network_of_ipv4_is_its_span(base in v4(), length in 0..=32_u32, seen in v4()) {
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        let value = format!("{}/{length}", Ipv4Addr::from_bits(base.to_bits() & mask));
        let spans = of_claim(&claim(Kind::Ipv4Net, &value, false, false));
        prop_assert_eq!(inside(&spans, Kind::Ipv4Addr, &seen.to_string()), base.to_bits() & mask == seen.to_bits() & mask);
    }

    #[test]
    fn a_network_of_ipv6_is_its_span(base in v6(), length in 0..=128_u32, seen in v6()) {
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        let value = format!("{}/{length}", Ipv6Addr::from_bits(base.to_bits() & mask));
        let spans = of_claim(&claim(Kind::Ipv6Net, &value, false, false));
        prop_assert_eq!(inside(&spans, Kind::Ipv6Addr, &seen.to_string()), base.to_bits() & mask == seen.to_bits() & mask);
    }

    #[test]
    fn a_range_is_its_spans(a in v4(), b in v4(), seen in v4(), c in v6(), d in v6(), seen_6 in v6()) {
        let spans = of_claim(&claim(Kind::IpRange, &format!("{}-{}", a.min(b), a.max(b)), false, false));
        prop_assert_eq!(inside(&spans, Kind::Ipv4Addr, &seen.to_string()), a.min(b) <= seen && seen <= a.max(b));
        let spans = of_claim(&claim(Kind::IpRange, &format!("{}-{}", c.min(d), c.max(d)), false, false));
        prop_assert_eq!(inside(&spans, Kind::Ipv6Addr, &seen_6.to_string()), c.min(d) <= seen_6 && seen_6 <= c.max(d));
    }

    #[test]
    fn a_url_claim_is_its_spans(claimed in url(), seen in url(), prefix in any::<bool>()) {
        let spans = of_claim(&claim(Kind::Url, &claimed, false, prefix));
        let agrees = url_scheme_agrees(&claimed, &seen);
        let met = inside(&spans, Kind::Url, &seen);
        prop_assert!(prefix || !met || agrees);
        prop_assert_eq!(met && agrees, url_oracle(&claimed, prefix, &seen));
    }

    #[test]
    fn spans_are_nested_or_apart(a in any_claim(), b in any_claim()) {
        let (a, b) = (of_claim(&a), of_claim(&b));
        for (at, one) in a.iter().enumerate() {
            prop_assert!(b.iter().all(|other| nested_or_apart(one, other)));
            prop_assert!(a.iter().skip(at + 1).all(|other| one.hi <= other.lo || other.hi <= one.lo));
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_one(four in v4(), six in v6()) {
        for text in [format!("{four}"), format!("::ffff:{four}"), format!("64:ff9b::{four}"), format!("[::ffff:{four}%9]")] {
            let found = observed(Observe::Host, &text);
            prop_assert_eq!(&found[0].value, &four.to_string(), "{}", text);
        }
        let long: Vec<String> = six.segments().iter().map(|segment| format!("{segment:04X}")).collect();
        let found = observed(Observe::Address, &long.join(":"));
        prop_assert_eq!(found[0].value.parse::<IpAddr>().unwrap().to_canonical(), IpAddr::V6(six).to_canonical());
    }
}
