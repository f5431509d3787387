//! Every log format of the table, by its samples: `tests/samples/logs/<format>/<name>.log` is read to
//! `<name>.golden`. `UPDATE_GOLDEN=1` rewrites the goldens.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod logs_common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comity_model::{Class, Reason};
use comity_parse::log::{self, LOG_FORMATS, LogFormat, LogOptions, Mapping, Outcome, Sample};
use logs_common::{Event, counts, read_all, render};
use proptest::prelude::*;

fn samples_of(format: &LogFormat) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/logs").join(format.name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("no samples in {}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending != "golden"));
    files.sort();
    assert!(!files.is_empty(), "no samples in {}", folder.display());
    files
}

fn columns(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(column, target)| (column.to_owned(), target.to_owned())).collect()
}

/// What a job would declare about the samples.
fn options(format: &LogFormat) -> LogOptions {
    let mapping = format.needs_mapping.then(|| Mapping {
        class: Some(Class::Process),
        time: Some("when".to_owned()),
        columns: columns(&[
            ("src", "src_ip"),
            ("port", "src_port"),
            ("dst", "dst_ip"),
            ("name", "host"),
            ("info.image", "process_path"),
            ("Hashes", "hashes"),
            ("note", "message"),
        ]),
        ..Mapping::default()
    });
    // 2024-04-19 to 2024-04-20
    LogOptions {
        zone: Some("Europe/Amsterdam".to_owned()),
        period: Some((1_713_484_800_000_000, 1_713_571_200_000_000)),
        mapping,
    }
}

#[test]
fn samples_are_read_as_their_goldens_say() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for format in LOG_FORMATS {
        for path in samples_of(format) {
            let bytes = std::fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            let reads = read_all(format, name, &bytes, &options(format), 1 << 20);
            let found: String = reads.iter().map(render).collect();
            let golden = path.with_extension("golden");
            if update {
                std::fs::write(&golden, &found).unwrap();
            }
            let expected = std::fs::read_to_string(&golden).unwrap_or_default();
            assert_eq!(found, expected, "{}", path.display());
            for target in [1, 300] {
                assert_eq!(
                    read_all(format, name, &bytes, &options(format), target),
                    reads,
                    "chunks of {target}"
                );
            }
        }
    }
}

#[test]
fn samples_are_detected_as_themselves() {
    for format in LOG_FORMATS {
        for path in samples_of(format) {
            let head = std::fs::read(&path).unwrap();
            let scores =
                log::detect(&Sample { name: path.file_name().unwrap().to_str().unwrap(), head: &head });
            let names: Vec<_> = scores.iter().map(|(format, score)| (format.name, *score)).collect();
            assert_eq!(
                names.first().map(|first| first.0),
                Some(format.name),
                "{}: {names:?}",
                path.display()
            );
        }
    }
}

#[test]
fn what_is_binary_or_nothing_is_detected_as_nothing() {
    let zeros = [b"#separator \\x09\n".as_slice(), &[0; 4096]].concat();
    for head in [b"".as_slice(), b"\n\n", &zeros, b"MZ\x90\0\x03\0\0\0"] {
        assert!(log::detect(&Sample { name: "x.log", head }).is_empty());
    }
    let error_log = b"[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok\n";
    assert!(
        log::detect(&Sample { name: "error.log", head: error_log }).iter().all(|&(_, score)| score <= 50)
    );
}

fn refusal(format: &str, mapping: Option<Mapping>) -> String {
    let options = LogOptions { mapping, ..LogOptions::default() };
    let opened = (log::by_name(format).unwrap().open)(&options);
    opened.err().map(|error| error.message).unwrap_or_default()
}

#[test]
fn mappings_that_make_no_sense_are_refused() {
    let with = |pairs: &[(&str, &str)]| Mapping { columns: columns(pairs), ..Mapping::default() };
    for format in ["csv", "ndjson"] {
        assert!(refusal(format, None).contains("needs a column mapping"));
        assert!(refusal(format, Some(Mapping::default())).contains("needs a column mapping"));
        let message = refusal(format, Some(with(&[("a", "scr_ip")])));
        assert_eq!(
            message,
            r#"column "a" is mapped to "scr_ip", which is no event column; nearest: src_ip, dst_ip, service"#
        );
        let time = Mapping {
            time: Some("t".to_owned()),
            time_format: Some("iso".to_owned()),
            ..with(&[("a", "src_ip")])
        };
        assert!(refusal(format, Some(time)).starts_with("time_format \"iso\" is none of"));
    }
    let headless = Mapping { header: Some(false), ..with(&[("src", "src_ip")]) };
    assert_eq!(
        refusal("csv", Some(headless)),
        r#"column "src" is no number; without a header, columns go by numbers from 1"#
    );
    let delimiter = Mapping { delimiter: Some(b'x'), ..with(&[("1", "src_ip")]) };
    assert_eq!(refusal("csv", Some(delimiter)), r#"delimiter 'x' is none of "," ";" tab "|""#);
}

#[test]
fn csv_goes_by_numbers_without_a_header() {
    let mapping = Mapping {
        columns: columns(&[("2", "src_ip"), ("9", "host")]),
        time: Some("1".to_owned()),
        time_format: Some("%d.%m.%Y %H:%M".to_owned()),
        delimiter: Some(b';'),
        header: Some(false),
        ..Mapping::default()
    };
    let options = LogOptions { mapping: Some(mapping), ..LogOptions::default() };
    let reads = read_all(log::by_name("csv").unwrap(), "x.csv", b"19.04.2024 00:10;192.0.2.7\n", &options, 1);
    assert_eq!(reads[0].event.at_us, Some(1_713_485_400_000_000));
    assert_eq!(reads[0].event.get(comity_model::Field::SrcIp), Some("192.0.2.7"));
}

#[test]
fn a_column_that_the_header_lacks_is_told() {
    let reads = read_all(
        log::by_name("csv").unwrap(),
        "x.csv",
        b"when,scr\n,192.0.2.7\n",
        &options(log::by_name("csv").unwrap()),
        1,
    );
    let Outcome::Reject(reject) = &reads[0].outcome else { panic!("{reads:?}") };
    assert_eq!(reject.reason, Reason::BadHeader);
    assert!(
        reject.message.contains(r#"column "src" is not in the header; nearest: scr, when"#),
        "{}",
        reject.message
    );
    assert_eq!(reads[1].outcome, Outcome::Event);
}

#[test]
fn times_without_a_year_are_null_without_a_period() {
    let format = log::by_name("syslog-rfc3164").unwrap();
    let line = b"Dec 10 06:55:46 web01 x: y\nFeb 30 06:55:46 web01 x: y\n";
    let reads = read_all(format, "x", line, &LogOptions::default(), 1);
    assert_eq!((reads[0].outcome.clone(), reads[0].event.at_us), (Outcome::Event, None));
    assert!(matches!(&reads[1].outcome, Outcome::Reject(reject) if reject.reason == Reason::BadTime));
}

/// Text near to what a format reads: its samples with bytes changed.
fn mutated() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..8);
    (0..LOG_FORMATS.len(), 0..LOG_FORMATS.len(), edits).prop_map(|(reader, writer, edits)| {
        let path = &samples_of(&LOG_FORMATS[writer])[0];
        let mut bytes = std::fs::read(path).unwrap();
        for (index, byte, what) in edits {
            let at = index.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at + 1),
            }
        }
        (reader, bytes)
    })
}

fn accounts(format: &LogFormat, bytes: &[u8]) {
    let reads = read_all(format, "x", bytes, &options(format), 200);
    assert_eq!(
        read_all(format, "x", bytes, &options(format), 1 << 20),
        reads,
        "chunks have changed a record"
    );
    let (events, headers, rejects) = counts(&reads);
    assert_eq!(events + headers + rejects, reads.len());
    let mut end = 0;
    for (number, read) in (1..).zip(&reads) {
        assert_eq!(read.record, number);
        assert!(read.offset >= end);
        end = read.offset + read.length;
    }
    assert!(end <= bytes.len() as u64);
    let _: Vec<(&LogFormat, u8)> = log::detect(&Sample { name: "x", head: bytes });
    let _: Option<&Event> = reads.first().map(|read| &read.event);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in LOG_FORMATS {
            accounts(format, &bytes);
        }
    }

    #[test]
    fn near_misses_are_accounted_for((reader, bytes) in mutated()) {
        accounts(&LOG_FORMATS[reader], &bytes);
    }
}

/// `serde_json` has a key with a meaning of its own; here it is one as any other.
#[test]
fn no_key_is_read_as_more_than_a_key() {
    let whole = [
        (
            "zeek-json",
            r#"{"ts":1713484800.5,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"198.51.100.7","id.resp_p":443,"proto":"tcp"}"#,
        ),
        (
            "suricata-eve",
            r#"{"timestamp":"2024-04-19T00:00:00.000000+0000","event_type":"flow","src_ip":"10.0.0.1","src_port":1,"dest_ip":"198.51.100.7","dest_port":443,"proto":"TCP","flow":{"bytes_toserver":1}}"#,
        ),
        (
            "ndjson",
            r#"{"when":"2024-04-19T00:00:00Z","src":"10.0.0.1","dst":"198.51.100.7","info":{"image":"x"}}"#,
        ),
    ];
    for (name, line) in whole {
        let format = log::by_name(name).unwrap();
        let options = options(format);
        let read = |line: String| read_all(format, "x", line.as_bytes(), &options, 1 << 20).remove(0);
        let plain = read(line.to_owned());
        assert_eq!(plain.outcome, Outcome::Event, "{name}");
        for key in ["$serde_json::private::RawValue", r"\u0024serde_json::private::RawValue"] {
            let text = line.replace('"', "\\\"");
            // instead of a record, beside its members, and instead of a value
            let hidden = read(format!(r#"{{"{key}":"{text}"}}"#));
            assert!(
                hidden.event.values.values().flatten().all(|v| v != "198.51.100.7"),
                "{name}: {hidden:?}"
            );
            let beside = read(line.replacen('{', &format!(r#"{{"{key}":"{text}","#), 1));
            assert_eq!(
                (beside.outcome, beside.event),
                (plain.outcome.clone(), plain.event.clone()),
                "{name}"
            );
            let value = format!(r#"{{"{key}":"\"198.51.100.7\""}}"#);
            let inside = read(line.replace("\"198.51.100.7\"", &value));
            assert!(
                inside.event.values.values().flatten().all(|v| v != "198.51.100.7"),
                "{name}: {inside:?}"
            );
        }
    }
}
