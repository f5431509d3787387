//! Each feed format over the samples in `samples/feeds/<format>/`: it is detected, everything seen
//! is accepted or refused once, and what comes out equals the golden beside the sample
//! (`COMITY_BLESS=1` writes it anew).

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use comity_model::{Claim, Kind, Reject};
use comity_parse::feed::{self, ClaimSink, FEED_FORMATS, FeedMapping, FeedOptions, Place};
use comity_parse::log::Sample;
use proptest::prelude::*;

/// Claims and rejects as text, one a line.
#[derive(Default)]
struct Lines(String);

impl ClaimSink for Lines {
    fn accept(&mut self, place: Place, claim: Claim) {
        let _ = write!(self.0, "{} {} {:?}", place.record, claim.kind, claim.value);
        if claim.original != claim.value {
            let _ = write!(self.0, " of {:?}", claim.original);
        }
        for (name, bound) in [("from", claim.valid_from), ("until", claim.valid_until)] {
            if let Some(at_us) = bound {
                let _ = write!(self.0, " {name} {at_us}");
            }
        }
        if let Some(confidence) = claim.confidence {
            let _ = write!(self.0, " confidence {confidence}");
        }
        if let Some(tlp) = claim.tlp {
            let _ = write!(self.0, " tlp {tlp}");
        }
        for (flag, name) in
            [(claim.exact_only, "exact"), (claim.prefix, "prefix"), (claim.inferred_kind, "inferred")]
        {
            self.0.push_str(if flag { " " } else { "" });
            self.0.push_str(if flag { name } else { "" });
        }
        if !claim.fields.is_empty() {
            let fields: Vec<&str> = claim.fields.iter().map(|field| field.as_str()).collect();
            let _ = write!(self.0, " in {}", fields.join(","));
        }
        if !claim.parts.is_empty() {
            let _ = write!(self.0, " parts {}", claim.parts.len());
        }
        self.0.push('\n');
    }

    fn reject(&mut self, place: Place, reject: Reject, _: &str) {
        let _ = writeln!(self.0, "{} ! {}: {}", place.record, reject.reason, reject.message);
    }
}

fn read(format: &str, bytes: &[u8], options: &FeedOptions) -> String {
    let mut lines = Lines::default();
    (feed::by_name(format).unwrap().read)(bytes, options, &mut lines).unwrap();
    lines.0
}

#[test]
fn samples_come_out_as_their_goldens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/feeds");
    for format in FEED_FORMATS {
        let mut samples = 0;
        let mut entries: Vec<_> =
            std::fs::read_dir(root.join(format.name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries.iter().filter(|path| path.extension().is_none_or(|ending| ending != "golden")) {
            samples += 1;
            let bytes = std::fs::read(path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            let detected = feed::detect(&Sample { name, head: &bytes }).map(|format| format.name);
            assert_eq!(detected, Some(format.name), "{name}");
            let found = read(format.name, &bytes, &FeedOptions::default());
            let golden = path.with_extension("golden");
            if std::env::var_os("COMITY_BLESS").is_some() {
                std::fs::write(&golden, &found).unwrap();
            }
            assert_eq!(found, std::fs::read_to_string(golden).unwrap(), "{name}");
        }
        assert!(samples > 0, "format {} has no sample", format.name);
    }
}

#[test]
fn a_mapping_names_the_columns() {
    let mapping = |columns: &[(&str, &str)]| FeedOptions {
        mapping: Some(FeedMapping {
            columns: columns
                .iter()
                .map(|(role, column)| ((*role).to_owned(), (*column).to_owned()))
                .collect(),
            delimiter: Some(b';'),
        }),
        ..FeedOptions::default()
    };
    let named = mapping(&[("value", "Wert"), ("port", "Tor")]);
    assert_eq!(read("csv", b"Nr;Wert;Tor\n1;203.0.113.7;443\n", &named), "2 ip-port \"203.0.113.7:443\"\n");
    let numbered = mapping(&[("value", "2"), ("kind", "1")]);
    assert_eq!(read("csv", b"domain;evil.example\n", &numbered), "1 domain-name \"evil.example\"\n");
    let error = |options: &FeedOptions| {
        let csv = feed::by_name("csv").unwrap();
        (csv.read)(b"a;b\n1;2\n", options, &mut Lines::default()).unwrap_err().message
    };
    assert_eq!(error(&mapping(&[("value", "c")])), "column \"c\" is not in the feed's header: a, b");
    assert_eq!(error(&mapping(&[("kind", "a")])), "mapping names no column for role \"value\"");
    assert!(error(&mapping(&[("wert", "a")])).starts_with("role \"wert\" is not known; one of: value, kind"));
}

#[test]
fn options_change_what_is_claimed() {
    let broad = FeedOptions { allow_broad: true, ..FeedOptions::default() };
    assert_eq!(read("plain", b"10.0.0.0/7\n", &broad), "1 ipv4-net \"10.0.0.0/7\"\n");
    let names = FeedOptions { kind: Some(Kind::DomainName), ..FeedOptions::default() };
    assert_eq!(read("plain", b"readme.md\n", &names), "1 domain-name \"readme.md\"\n");
    assert!(read("plain", b"readme.md\n", &FeedOptions::default()).starts_with("1 ! ambiguous"));
    let widen = FeedOptions { widen_names: true, ..FeedOptions::default() };
    let hostname = br#"{"Event": {"Attribute": [{"type": "hostname", "value": "a.example"}]}}"#;
    assert_eq!(read("misp", hostname, &widen), "1 domain-name \"a.example\"\n");
    assert_eq!(read("misp", hostname, &FeedOptions::default()), "1 domain-name \"a.example\" exact\n");
}

#[test]
fn files_beside_misp_events_are_no_feeds() {
    let manifest =
        br#"{"5a3c9f22-5b7c-4b6a-8a58-0d5402de0b81": {"info": "x", "Orgc": {"name": "y"}, "timestamp": 1}}"#;
    let hashes = b"d41d8cd98f00b204e9800998ecf8427e,5a3c9f22-5b7c-4b6a-8a58-0d5402de0b81\n";
    for (name, bytes, what) in
        [("manifest.json", &manifest[..], "manifest.json"), ("hashes.csv", &hashes[..], "hashes.csv")]
    {
        assert!(feed::detect(&Sample { name, head: bytes }).is_none(), "{name}");
        let misp = feed::by_name("misp").unwrap();
        let error = (misp.read)(bytes, &FeedOptions::default(), &mut Lines::default()).unwrap_err();
        let expected = format!(
            "file is the {what} of a MISP feed directory and makes no claims; give the event files beside it"
        );
        assert_eq!(error.message, expected);
    }
}

/// Records that were seen, in order.
#[derive(Default)]
struct Seen(Vec<u64>);

impl ClaimSink for Seen {
    fn accept(&mut self, place: Place, _: Claim) {
        self.0.push(place.record);
    }

    fn reject(&mut self, place: Place, _: Reject, _: &str) {
        self.0.push(place.record);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in FEED_FORMATS {
            let _ = (format.detect)(&Sample { name: "x", head: &bytes });
            let _ = (format.read)(&bytes, &FeedOptions::default(), &mut Seen::default());
        }
    }

    #[test]
    fn each_line_is_a_comment_or_one_claim(lines in proptest::collection::vec("[a-z0-9.:/#;\\[\\] \t-]{0,20}", 0..20)) {
        let mut seen = Seen::default();
        let plain = feed::by_name("plain").unwrap();
        (plain.read)(lines.join("\n").as_bytes(), &FeedOptions::default(), &mut seen).unwrap();
        seen.0.sort_unstable();
        let is_claim = |line: &&String| {
            let text = line.trim();
            !text.is_empty() && !text.starts_with(['#', ';']) && !text.starts_with("//")
        };
        let expected: Vec<u64> =
            (1u64..).zip(&lines).filter(|(_, line)| is_claim(line)).map(|(number, _)| number).collect();
        prop_assert_eq!(seen.0, expected);
    }

    #[test]
    fn each_csv_row_is_one_claim(rows in proptest::collection::vec("[a-z0-9.,:/#\" -]{0,20}", 0..20)) {
        let feed = format!("value,type\n{}", rows.join("\n"));
        let mut seen = Seen::default();
        (feed::by_name("csv").unwrap().read)(feed.as_bytes(), &FeedOptions::default(), &mut seen).unwrap();
        let mut distinct = seen.0.clone();
        distinct.dedup();
        prop_assert_eq!(&distinct, &seen.0);
        prop_assert!(seen.0.is_sorted());
    }
}

/// `serde_json` reads `{"$serde_json::private::RawValue": "…"}` as the JSON inside the string, which no other reader does.
#[test]
fn no_key_is_read_as_more_than_a_key() {
    let hidden = |inner: &str| {
        let text = inner.replace('\\', r"\\").replace('"', "\\\"");
        [
            format!(r#"{{"$serde_json::private::RawValue":"{text}"}}"#),
            format!(r#"{{"\u0024serde_json::private::RawValue":"{text}"}}"#),
        ]
    };
    let event = r#"{"Event":{"Attribute":[{"type":"ip-dst","value":"198.51.100.7","to_ids":true}]}}"#;
    let indicator = r#"{"type":"indicator","id":"indicator--5f1c22d0-0000-4000-8000-000000000000","pattern_type":"stix",
        "pattern":"[ipv4-addr:value = '198.51.100.7']","valid_from":"2026-01-01T00:00:00Z"}"#;
    let bundle = format!(r#"{{"type":"bundle","objects":[{indicator}]}}"#);
    for (format, whole) in [("misp", event.to_owned()), ("stix", bundle)] {
        let options = FeedOptions::default();
        assert!(read(format, whole.as_bytes(), &options).contains("198.51.100.7"), "{format}");
        for text in hidden(&whole) {
            let found = read(format, text.as_bytes(), &options);
            assert!(found.starts_with("1 ! ") && !found.contains("198.51.100.7"), "{text}: {found}");
        }
        for text in hidden(r#""198.51.100.7""#) {
            let inside = whole.replace("\"198.51.100.7\"", &text);
            let inside = inside.replace("\"[ipv4-addr:value = '198.51.100.7']\"", &text);
            assert_ne!(inside, whole);
            let found = read(format, inside.as_bytes(), &options);
            assert!(!found.contains("ipv4-addr \"198.51.100.7\""), "{inside}: {found}");
        }
        for text in [r#"{"$serde_json::private::RawValue":"{"}"#, r#"{"$serde_json::private::RawValue":1}"#] {
            assert!(read(format, text.as_bytes(), &options).starts_with("1 ! "), "{text}");
        }
    }
}
