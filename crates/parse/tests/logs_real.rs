//! Counts over real logs, against the ground truth in `../shared/data/ground_truth`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod logs_common;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use comity_model::{Field, Reason};
use comity_parse::log::{self, LogOptions, Mapping, Outcome, Sample};
use logs_common::{Read, counts, read_all, shared};

/// Bytes of a file, decompressed as far as it goes.
fn bytes_of(path: &Path) -> Vec<u8> {
    let stored = std::fs::read(path).unwrap();
    if path.extension().is_none_or(|ending| ending != "gz") {
        return stored;
    }
    let mut bytes = Vec::new();
    // a truncated stream gives what came before
    let _ = flate2::read::MultiGzDecoder::new(stored.as_slice()).read_to_end(&mut bytes);
    bytes
}

/// Reads a file by the format that detection puts first.
fn read(path: &Path) -> (&'static str, Vec<Read>) {
    let bytes = bytes_of(path);
    let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".gz");
    let head = &bytes[..bytes.len().min(64 << 10)];
    let scores = log::detect(&Sample { name, head });
    let Some(&(format, score)) = scores.first() else { panic!("{} is of no format", path.display()) };
    assert!(score >= 80, "{}: {} {score}", path.display(), format.name);
    (format.name, read_all(format, name, &bytes, &LogOptions::default(), 1 << 16))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn events(reads: &[Read]) -> usize {
    counts(reads).0
}

fn rejects(reads: &[Read]) -> Vec<(u64, Reason)> {
    let reject = |read: &Read| match &read.outcome {
        Outcome::Reject(reject) => Some((read.record, reject.reason)),
        _ => None,
    };
    reads.iter().filter_map(reject).collect()
}

fn truth(shared: &Path, id: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(shared.join("data/ground_truth/ground_truth.json")).unwrap();
    let all: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    all.into_iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id}"))["result"].clone()
}

#[test]
fn d07_tsv_and_json_of_one_capture_give_as_many_events() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/logs/zeek-brimdata");
    let truth = truth(&shared, "D07-tsv-json-parity");
    let rows = truth.as_object().unwrap();
    assert!(rows.len() > 20);
    let mut differ = BTreeMap::new();
    for (log, expected) in rows {
        let tsv = folder.join("zeek-default").join(format!("{log}.log.gz"));
        let json = folder.join("zeek-json").join(format!("{log}.json.gz"));
        if !tsv.exists() || !json.exists() {
            continue;
        }
        let ((tsv_format, tsv), (json_format, json)) = (read(&tsv), read(&json));
        assert_eq!((tsv_format, json_format), ("zeek-tsv", "zeek-json"), "{log}");
        assert_eq!(events(&tsv) as u64, expected["tsv_rows"].as_u64().unwrap(), "{log}");
        assert_eq!(events(&json) as u64, expected["json_rows"].as_u64().unwrap(), "{log}");
        assert!(rejects(&tsv).is_empty() && rejects(&json).is_empty(), "{log}");
        let tsv = tsv.iter().filter(|read| read.outcome == Outcome::Event);
        let pairs = tsv.zip(json.iter().filter(|read| read.outcome == Outcome::Event));
        differ.insert(log.as_str(), pairs.filter(|(tsv, json)| tsv.event != json.event).count());
    }
    differ.retain(|_, count| *count > 0);
    // Zeek itself writes these otherwise: control characters of a reason, the last digit of a duration
    assert_eq!(differ, BTreeMap::from([("analyzer", 4088), ("dpd", 2), ("snmp", 33)]));
}

#[test]
fn d01_rita_has_6309_connections() {
    let Some(shared) = shared() else { return };
    let mut rows = 0;
    for path in files(&shared.join("data/logs/zeek-rita-4h")) {
        let (format, reads) = read(&path);
        assert_eq!(format, "zeek-tsv");
        assert_eq!(rejects(&reads), [], "{}", path.display());
        if path.file_name().unwrap().to_str().unwrap().starts_with("conn.") {
            rows += events(&reads);
            assert!(
                reads
                    .iter()
                    .all(|read| read.outcome == Outcome::Header || read.event.get(Field::SrcIp).is_some())
            );
        }
    }
    assert_eq!(rows, 6309);
}

#[test]
fn d04_suricata_arrays_have_their_alerts() {
    let Some(shared) = shared() else { return };
    for set in ["first-org-conf-2015", "honeypot-2018", "wrccdc-2017", "wrccdc-2018"] {
        let expected = truth(&shared, &format!("D04-ipsum-x-suricata-{set}"))["log_rows"].as_u64().unwrap();
        let (format, reads) =
            read(&shared.join("data/logs/suricata-hassanabad").join(set).join("alerts-only.json"));
        assert_eq!(format, "suricata-eve");
        assert_eq!((events(&reads) as u64, rejects(&reads)), (expected, vec![]), "{set}");
        assert!(
            reads.iter().all(|read| read.event.at_us.is_some() && read.event.get(Field::SrcIp).is_some())
        );
    }
}

#[test]
fn d03_every_line_of_the_access_log_is_an_event() {
    let Some(shared) = shared() else { return };
    let (format, reads) = read(&shared.join("data/logs/apache-elastic/apache_logs.gz"));
    assert_eq!((format, events(&reads)), ("apache-combined", 10_000));
    assert!(reads.iter().all(|read| read.event.get(Field::SrcIp).is_some()));
    assert_eq!(reads.iter().filter(|read| read.event.get(Field::Referrer) == Some("-")).count(), 0);
}

#[test]
fn loghub_is_syslog_but_for_the_error_log() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/logs/syslog-loghub");
    for name in ["OpenSSH/OpenSSH_2k.log", "Linux/Linux_2k.log"] {
        let (format, reads) = read(&folder.join(name));
        assert_eq!((format, events(&reads), rejects(&reads)), ("syslog-rfc3164", 2000, vec![]), "{name}");
    }
    let bytes = bytes_of(&folder.join("Apache/Apache_2k.log"));
    assert!(
        log::detect(&Sample { name: "Apache_2k.log", head: &bytes }).iter().all(|&(_, score)| score <= 50)
    );

    let (_, ssh) = read(&folder.join("OpenSSH/OpenSSH_2k.log"));
    let meets = |read: &&Read| read.event.observables.iter().any(|(_, _, value)| value == "1.237.174.253");
    assert_eq!(ssh.iter().filter(meets).count(), 3, "D05");
}

#[test]
fn zat_and_slips_are_read_and_their_rejects_are_known() {
    let Some(shared) = shared() else { return };
    let logs = shared.join("data/logs");
    let mut found = Vec::new();
    for path in files(&logs.join("zeek-zat")).into_iter().chain(files(&logs.join("zeek-slips"))) {
        let (format, reads) = read(&path);
        assert!(matches!(format, "zeek-tsv" | "zeek-json"), "{}: {format}", path.display());
        let name = path.strip_prefix(&logs).unwrap().display().to_string();
        found.extend(rejects(&reads).into_iter().map(|(record, reason)| (name.clone(), record, reason)));
    }
    let found: Vec<_> =
        found.iter().map(|(name, record, reason)| (name.as_str(), *record, *reason)).collect();
    assert_eq!(
        found,
        [
            // a tab before `#separator`
            ("zeek-slips/test10-mixed-zeek-dir/conn.log", 1, Reason::NoHeader),
            // a row that was edited by hand
            ("zeek-slips/test10-mixed-zeek-dir/notice.log", 21, Reason::WrongFieldCount),
        ]
    );
}

#[test]
fn windows_events_are_read_by_a_mapping() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/logs/windows-json-otrf");
    let columns =
        [("SourceIp", "src_ip"), ("Image", "process_path"), ("Hashes", "hashes"), ("Hostname", "device")];
    let mapping = Mapping {
        time: Some("@timestamp".to_owned()),
        columns: columns.map(|(key, field)| (key.to_owned(), field.to_owned())).into(),
        ..Mapping::default()
    };
    let options = LogOptions { mapping: Some(mapping), ..LogOptions::default() };
    let (mut packed, mut imphashes) = (0, 0);
    for path in files(&folder).into_iter().step_by(14) {
        let bytes = bytes_of(&path);
        let scores = log::detect(&Sample { name: "x.json", head: &bytes[..bytes.len().min(64 << 10)] });
        assert_eq!(
            scores.iter().map(|score| score.0.name).collect::<Vec<_>>(),
            ["ndjson"],
            "{}",
            path.display()
        );
        let reads = read_all(scores[0].0, "x.json", &bytes, &options, 1 << 16);
        assert_eq!(rejects(&reads), [], "{}", path.display());
        packed += memchr::memmem::find_iter(&bytes, b"IMPHASH=").count();
        let hashes = |field| reads.iter().filter_map(move |read| read.event.values.get(&field)).flatten();
        imphashes += hashes(Field::Imphash).count();
    }
    assert!(imphashes > 0 && packed >= imphashes);
}
