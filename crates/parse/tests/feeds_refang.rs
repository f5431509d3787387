//! The 77 inputs on which MISP, iocextract, ioc-finder and iocsearcher were compared
//! (`suites/refang-77.md`), and what comity makes of each. A finding is `kind value`; `+` marks one
//! that is part of the finding before it, `!` one that is refused.

use comity_parse::refang::{find, value};
use proptest::prelude::*;

/// Input; findings; why, where the peers disagree with us or with one another.
#[rustfmt::skip]
const CASES: &[(&str, &[&str], &str)] = &[
    ("hxxps://evil.com/a", &["url https://evil.com/a", "+domain-name evil.com"], ""),
    ("hxxp://evil[.]com/a", &["url http://evil.com/a", "+domain-name evil.com"], ""),
    ("hXXps://Evil.COM/A%2Fb?X=1#frag", &["!url url-fragment", "+domain-name evil.com"],
        "without its fragment the URL would be another claim; the host stands"),
    ("http://evil.com:80/", &["url http://evil.com/", "+domain-name evil.com"], "the default port says nothing"),
    ("https://evil.com:443/x", &["url https://evil.com/x", "+domain-name evil.com"], ""),
    ("http://evil.com", &["url http://evil.com/", "+domain-name evil.com"], "an empty path is /"),
    ("http://evil.com/", &["url http://evil.com/", "+domain-name evil.com"], ""),
    ("tcp://evil[.]com:8989/bad", &["url tcp://evil.com:8989/bad", "+domain-name evil.com"], "tcp stays tcp"),
    ("ftp://evil[.]com/x", &["url ftp://evil.com/x", "+domain-name evil.com"], ""),
    ("fxp://evil[.]com/x", &["url ftp://evil.com/x", "+domain-name evil.com"], ""),
    ("evil[.]com", &["domain-name evil.com"], "no scheme is invented"),
    ("evil(.)com", &["domain-name evil.com"], ""),
    ("evil{.}com", &["domain-name evil.com"], ""),
    ("evil[dot]com", &["domain-name evil.com"], ""),
    ("evil(dot)com", &["domain-name evil.com"], ""),
    ("evil DOT com", &["domain-name evil.com"], ""),
    ("evil [dot] com", &["domain-name evil.com"], ""),
    ("evil.com.", &["domain-name evil.com"], "the root's dot, or the sentence's"),
    ("www[.]evil[.]com[.]au", &["domain-name www.evil.com.au"], ""),
    ("evil,com", &[], "a comma is a comma"),
    ("evil\\.com", &["domain-name evil.com"], ""),
    ("evil[.com", &[], "half a mark is none"),
    ("evil.]com", &[], "half a mark is none"),
    ("1.2.3[.]4", &["ipv4-addr 1.2.3.4"], ""),
    ("1[.]2[.]3[.]4:8080", &["ip-port 1.2.3.4:8080", "+ipv4-addr 1.2.3.4"], "the port is part of the claim"),
    ("1.2.3.4/24", &["ipv4-net 1.2.3.0/24"], "host bits cleared"),
    ("01.02.03.04", &[], "octal or decimal, who knows"),
    ("10.0.0.1", &["ipv4-addr 10.0.0.1"], "private addresses are allow-listed, not hidden"),
    ("127.0.0.1", &["ipv4-addr 127.0.0.1"], ""),
    ("8.8.8.8", &["ipv4-addr 8.8.8.8"], ""),
    ("1.2.3.4.5", &[], "no part of a longer number"),
    ("999.1.1.1", &[], "no part of a longer number"),
    ("2001:db8::1", &["ipv6-addr 2001:db8::1"], ""),
    ("2001:0DB8:0:0:0:0:0:1", &["ipv6-addr 2001:db8::1"], ""),
    ("[2001:db8::1]:443", &["ip-port [2001:db8::1]:443", "+ipv6-addr 2001:db8::1"], ""),
    ("2001[:]db8[:][:]1", &["ipv6-addr 2001:db8::1"], ""),
    ("::ffff:1.2.3.4", &["ipv4-addr 1.2.3.4"], "IPv4-mapped"),
    ("user[@]evil[.]com", &["email-addr user@evil.com", "+domain-name evil.com"], ""),
    ("user[at]evil[dot]com", &["email-addr user@evil.com", "+domain-name evil.com"], ""),
    ("user(at)evil.com", &["email-addr user@evil.com", "+domain-name evil.com"], ""),
    ("user AT evil DOT com", &["domain-name evil.com"], "a spaced AT is a word of English; the name is sure"),
    ("User@Evil.COM", &["email-addr user@evil.com", "+domain-name evil.com"], ""),
    ("münchen.de", &["domain-name xn--mnchen-3ya.de"], "never nchen.de"),
    ("xn--mnchen-3ya.de", &["domain-name xn--mnchen-3ya.de"], ""),
    ("bücher[.]example", &["domain-name xn--bcher-kva.example"], "no public suffix, but nobody defangs a file"),
    ("evil.zip", &["!domain-name ambiguous"], "a name or an archive"),
    ("readme.md", &["!domain-name ambiguous"], "a name or a file"),
    ("setup.exe", &[], "exe is no top-level domain"),
    ("evil.onion", &["domain-name evil.onion"], ""),
    ("expyuzz4wqqyqhjn.onion", &["domain-name expyuzz4wqqyqhjn.onion"], ""),
    ("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        &["file-sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"], "allow-listed elsewhere"),
    ("d41d8cd98f00b204e9800998ecf8427e", &["file-md5 d41d8cd98f00b204e9800998ecf8427e"], "allow-listed elsewhere"),
    ("meow://evil.com/x", &["url http://evil.com/x", "+domain-name evil.com"], ""),
    ("h[tt]p://evil.com/x", &["url http://evil.com/x", "+domain-name evil.com"], ""),
    ("[hxxp://]evil.com/x", &["url http://evil.com/x", "+domain-name evil.com"], ""),
    ("http[:]//evil[.]com/x", &["url http://evil.com/x", "+domain-name evil.com"], ""),
    ("http[://]evil[.]com/x", &["url http://evil.com/x", "+domain-name evil.com"], ""),
    ("http:\\\\evil[.]com\\x", &["url http://evil.com/x", "+domain-name evil.com"], "the word's backslashes are slashes"),
    ("http__evil.com/x", &["!domain-name ambiguous", "!domain-name ambiguous"], "may be a name with underscores"),
    ("hxxp:evil.com", &["domain-name evil.com"], "no slashes, no URL; the name is sure"),
    ("http://evil.com/a)", &["url http://evil.com/a", "+domain-name evil.com"], "a bracket that was not opened"),
    ("(see http://evil.com/a).", &["url http://evil.com/a", "+domain-name evil.com"], ""),
    ("http://evil.com/a,", &["url http://evil.com/a", "+domain-name evil.com"], ""),
    ("http://user:pw@evil.com/", &["url http://evil.com/", "+domain-name evil.com"], "never a mail address"),
    ("http://xn--mnchen-3ya.de/ü", &["url http://xn--mnchen-3ya.de/%C3%BC", "+domain-name xn--mnchen-3ya.de"], ""),
    ("http://evil.com/a/../b", &["url http://evil.com/b", "+domain-name evil.com"], ""),
    ("http://EVIL.com/Path", &["url http://evil.com/Path", "+domain-name evil.com"], ""),
    ("a_b.evil.com", &["domain-name a_b.evil.com"], ""),
    ("evil.com/path", &["domain-name evil.com", "url evil.com/path"], "no scheme is invented"),
    ("evil[.]com/path", &["domain-name evil.com", "url evil.com/path"], ""),
    ("1.2.3.4/path", &["ipv4-addr 1.2.3.4", "url 1.2.3.4/path"], ""),
    ("687474703a2f2f6578616d706c652e636f6d2f70617468", &[], "hidden text is not decoded silently"),
    ("evil。com", &["domain-name evil.com"], ""),
    ("evil．com", &["domain-name evil.com"], ""),
    ("http://1.2.3.4:8080/x", &["url http://1.2.3.4:8080/x", "+ipv4-addr 1.2.3.4"], ""),
    ("CVE-2021-44228", &["cve CVE-2021-44228"], ""),
    ("cve–2021–44228", &[], "dashes of print are not those of the identifier"),
];

fn shown(text: &str) -> Vec<String> {
    find(text)
        .into_iter()
        .map(|finding| {
            let part = if finding.derived { "+" } else { "" };
            match finding.value {
                Ok(value) => format!("{part}{} {value}", finding.kind),
                Err(reject) => format!("{part}!{} {}", finding.kind, reject.reason),
            }
        })
        .collect()
}

#[test]
fn the_77_inputs() {
    assert_eq!(CASES.len(), 77);
    for (input, expected, why) in CASES {
        assert_eq!(shown(input), *expected, "{input}: {why}");
    }
}

#[test]
fn the_inputs_are_those_of_the_suite() {
    let roots = [
        std::env::var("COMITY_SHARED").unwrap_or_default(),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned(),
        "/work/shared".to_owned(),
    ];
    let read = |root: &String| std::fs::read_to_string(format!("{root}/data/suites/refang-77.md")).ok();
    let Some(suite) = roots.iter().find_map(read) else { return println!("skipped: no shared data") };
    let rows = suite.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let inputs: Vec<&str> = rows.map(|(input, _)| input).collect();
    assert_eq!(inputs, CASES.iter().map(|case| case.0).collect::<Vec<_>>());
}

#[test]
fn a_finding_says_where_it_stood_and_what_was_there() {
    let text = "Beacons to hxxps://evil[.]com/a (see 203.0.113[.]7), then héllo bad [.] example.org.";
    let all: Vec<_> = find(text).into_iter().filter(|finding| !finding.derived).collect();
    let found: Vec<(&str, &str, bool)> =
        all.iter().map(|f| (f.found.as_str(), f.refanged.as_str(), f.defanged)).collect();
    assert_eq!(
        found,
        [
            ("hxxps://evil[.]com/a", "https://evil.com/a", true),
            ("203.0.113[.]7", "203.0.113.7", true),
            ("bad [.] example.org", "bad.example.org", true),
        ]
    );
    for finding in &all {
        assert_eq!(text.get(finding.offset..finding.offset + finding.length), Some(finding.found.as_str()));
    }
}

#[test]
fn every_mark_of_the_table() {
    let marks = [
        "[.]", "(.)", "{.}", "<.>", "[dot]", "(dot)", "{dot}", "[ . ]", "\\.", "^.", " dot ", " DOT ", "．",
        "。", "・",
    ];
    for mark in marks {
        assert_eq!(value(&format!("evil{mark}com")), "evil.com", "{mark}");
    }
    for at in ["[@]", "(@)", "[at]", "(at)", "{at}"] {
        assert_eq!(value(&format!("a{at}evil.com")), "a@evil.com", "{at}");
    }
    for scheme in ["hxxp", "hXXp", "hxtp", "htxp", "h**p", "httx", "hpp", "meow", "http", "[http]", "h[tt]p"]
    {
        for between in ["://", "[:]//", "[://]", ":\\\\", ":__"] {
            assert_eq!(
                value(&format!("{scheme}{between}evil.com/x")),
                "http://evil.com/x",
                "{scheme}{between}"
            );
        }
    }
    for (text, expected) in [
        ("hxxps[://]evil[.]com", "https://evil.com"),
        ("fxp://evil.com", "ftp://evil.com"),
        ("ev[i]l.com", "evil.com"),
        ("evi[l].co[.]uk", "evil.co.uk"),
        ("1,2,3,4", "1.2.3.4"),
        ("1,2,3,4,5", "1,2,3,4,5"),
        ("http://a.com/?x[0]=1", "http://a.com/?x[0]=1"),
        ("  evil.com ", "evil.com"),
    ] {
        assert_eq!(value(text), expected);
    }
    assert_eq!(shown("ports 1,2,3,4 are a list, 203.0,113.7 is not"), ["ipv4-addr 203.0.113.7"]);
}

proptest! {
    #[test]
    fn any_text_is_read(text in "[a-z0-9.:/@\\[\\](){}<>\\\\^ ,hxtp．é-]{0,80}") {
        for finding in find(&text) {
            prop_assert_eq!(text.get(finding.offset..finding.offset + finding.length), Some(finding.found.as_str()));
        }
        value(&text);
    }

    #[test]
    fn what_was_never_defanged_stays(name in "[a-z]{1,9}(\\.[a-z]{1,9}){1,3}", port in 1u16..) {
        prop_assert_eq!(value(&name), name.as_str());
        let url = format!("http://{name}:{port}/");
        prop_assert_eq!(value(&url), url.as_str());
    }
}
