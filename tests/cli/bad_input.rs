//! Bad input: a clear error or counted rejects, and the rest of the job is done.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::Value;

use crate::common::{ACCESS, Scratch};

/// Runs a small job over `broken.log` beside a good log, and gives the report and the broken log's line.
fn beside_a_good_log(scratch: &Scratch, more: &str) -> (Value, Option<Value>) {
    scratch.write("good.log", ACCESS.replace("/a", "/good"));
    let job = scratch.small_job("good.log", "");
    let text = fs::read_to_string(&job).unwrap();
    let second = format!("[[evidence]]\npath = \"broken.log\"\njurisdiction = \"JP\"\n{more}\n\n[[feed]]");
    fs::write(&job, text.replace("[[feed]]", &second)).unwrap();
    let report = scratch.comity(&["run", "job.toml", "--json"]).exits(3).json();
    assert!(report["sightings"].as_u64().unwrap() >= 1, "the good log is searched: {report}");
    let again = scratch.comity(&["run", "job.toml", "--json"]).exits(3).json();
    assert_eq!(report["run_id"], again["run_id"], "and repeating changes nothing");
    let lines = report["evidence"].as_array().unwrap();
    let line = lines.iter().find(|e| e["path"] == "broken.log").cloned();
    (report, line)
}

fn problem(report: &Value) -> String {
    report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["message"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every free text that ends up in a bag, on the command line.
#[test]
fn texts_that_hide_something() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    let init = |purpose: &str, title: &str| {
        scratch.comity(&[
            "init",
            "--case",
            "hand",
            "--id",
            "1",
            "--jurisdiction",
            "DE",
            "--purpose",
            purpose,
            "--title",
            title,
        ])
    };
    init("prosecution\nComity-TLP: clear", "x").exits(2).says(&["purpose has the character '\\n'", "hint: "]);
    init("prosecution", "x\u{202e}").exits(2).says(&["title has the character '\\u{202e}'"]);
    init("prosecution ", "x").exits(2).says(&["purpose begins or ends with white space"]);
    assert!(!scratch.path("hand").exists(), "no case is made");
    init("prosecution", "x").exits(0);
    let hand = |words: &[&str]| scratch.comity(&[words, &["--case", "hand"]].concat());
    let ingest = ["ingest", "--jurisdiction", "DE", "access.log"];
    hand(&[&ingest[..], &["--authority", "LKA \u{1b}[31m"]].concat())
        .exits(2)
        .says(&["authority has the character '\\u{1b}'"]);
    hand(&[&ingest[..], &["--legal-basis", "StPO\t94"]].concat())
        .exits(2)
        .says(&["legal_basis[0].instrument has the character '\\t'"]);
    hand(&["feed", "add", "--provider", "a\u{feff}b", "access.log"])
        .exits(2)
        .says(&["provider has the character '\\u{feff}'"]);
    let key = scratch.member("hand", "releaser");
    let public = scratch.path("releaser.pub");
    let member = [
        "member",
        "add",
        "--role",
        "analyst",
        "--jurisdiction",
        "DE",
        "--public-key",
        public.to_str().unwrap(),
    ];
    hand(&[&member[..], &["--name", "a@example.org", "--organisation", "LKA\nx"]].concat())
        .exits(2)
        .says(&["organisation has the character '\\n'"]);
    hand(&[
        "bag",
        "create",
        "--kind",
        "feed",
        "--recipient-name",
        "NPA\u{2028}",
        "--key",
        key.to_str().unwrap(),
        "bag",
    ])
    .exits(2)
    .says(&["recipient has the character '\\u{2028}'"]);
}

#[test]
fn a_missing_file() {
    let scratch = Scratch::new();
    let (report, line) = beside_a_good_log(&scratch, "");
    assert!(line.is_none());
    let message = problem(&report);
    assert!(message.contains("job.toml:") && message.contains("broken.log"), "{message}");
}

#[test]
fn an_empty_file() {
    let scratch = Scratch::new();
    scratch.write("broken.log", "");
    let (report, _) = beside_a_good_log(&scratch, "");
    assert!(problem(&report).contains("broken.log: file is empty"), "{report}");
}

#[test]
fn a_truncated_gzip() {
    let scratch = Scratch::new();
    let plain = scratch
        .write("plain", (0..20_000).map(|n| ACCESS.replace("/a", &format!("/{n}"))).collect::<String>());
    let gzip = std::process::Command::new("gzip").arg("-c").arg(&plain).output();
    let Ok(gzip) = gzip else { return println!("skipped: no gzip here") };
    scratch.write("broken.log", &gzip.stdout[..gzip.stdout.len() / 2]);
    let (report, line) = beside_a_good_log(&scratch, "");
    let line = line.unwrap();
    assert!(line["events"].as_u64().unwrap() > 1000, "what came before is read: {line}");
    assert!(line["rejects"].as_u64().unwrap() >= 1, "{line}");
    assert!(problem(&report).contains("broken.log: "), "{report}");
}

#[test]
fn a_wrong_format_declared() {
    let scratch = Scratch::new();
    scratch.write("broken.log", ACCESS.repeat(5));
    let (_, line) = beside_a_good_log(&scratch, "format = \"suricata-eve\"");
    let line = line.unwrap();
    assert_eq!((&line["events"], &line["rejects"]), (&0.into(), &5.into()), "the job's word wins");
}

#[test]
fn a_format_that_can_not_be_told() {
    let scratch = Scratch::new();
    scratch.write("broken.log", "one two three\nfour five six\n");
    let (report, _) = beside_a_good_log(&scratch, "");
    assert!(problem(&report).contains("broken.log: format can't be told"), "{report}");
}

#[test]
fn nul_bytes_and_invalid_utf8() {
    let scratch = Scratch::new();
    let mut bytes = ACCESS.as_bytes().to_vec();
    bytes.extend(b"\0\0\0\0\n\xff\xfe\xfa\n");
    bytes.extend(ACCESS.replace("/a", "/\u{0}b").as_bytes());
    bytes
        .extend(b"198.51.100.7 - - [03/Feb/2026:04:05:06 +0000] \"GET /\xff HTTP/1.1\" 200 12 \"-\" \"x\"\n");
    bytes.extend(ACCESS.as_bytes());
    scratch.write("broken.log", bytes);
    let (_, line) = beside_a_good_log(&scratch, "format = \"apache-combined\"");
    let line = line.unwrap();
    let n = |key: &str| line[key].as_u64().unwrap();
    assert_eq!(n("records"), n("events") + n("rejects"), "{line}");
    assert!(n("events") >= 2 && n("rejects") >= 2, "{line}");
}

#[test]
fn a_broken_line_in_the_middle() {
    let scratch = Scratch::new();
    scratch.write("broken.log", [ACCESS, "198.51.100.7 - - [31/Feb/2026\n", ACCESS].concat());
    let (_, line) = beside_a_good_log(&scratch, "format = \"apache-combined\"");
    assert_eq!(line.unwrap()["rejects"], 1);
    let query = "select record, \"offset\", reason from rejects";
    let place = scratch.comity(&["sql", "--case", "case", "--format", "json", query]).exits(0).out;
    let place: Value = serde_json::from_str(&place).unwrap();
    assert_eq!((&place[0]["record"], &place[0]["offset"]), (&2.into(), &(ACCESS.len() as u64).into()));
}

#[test]
fn a_line_of_100_mb() {
    let scratch = Scratch::new();
    let path = scratch.write("broken.log", ACCESS);
    let mut file = File::options().write(true).open(&path).unwrap();
    file.set_len(100_000_000).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(ACCESS.as_bytes()).unwrap();
    let (_, line) = beside_a_good_log(&scratch, "format = \"apache-combined\"");
    let line = line.unwrap();
    assert_eq!(line["events"], 2, "{line}");
    assert!(line["rejects"].as_u64().unwrap() >= 1, "{line}");
}

#[test]
fn a_feed_of_garbage() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    scratch.small_job("access.log", "");
    let garbage: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    scratch.write("feed.txt", &garbage);
    let ran = scratch.comity(&["run", "job.toml", "--json"]).exits(3).json();
    for feed in ran["feeds"].as_array().unwrap() {
        let n = |key: &str| feed[key].as_u64().unwrap();
        assert_eq!(n("seen"), n("accepted") + n("rejected"));
    }
    let check = scratch.comity(&["feed", "check", "--format", "stix", "--json", "feed.txt"]).exits(3).json();
    assert!(check["rejected"].as_u64().unwrap() >= 1, "{check}");
    scratch.comity(&["feed", "check", "missing.txt"]).exits(1).says(&["missing.txt: no such file"]);
}

#[test]
fn feed_check_tells_a_submitter() {
    let scratch = Scratch::new();
    scratch.write("feed.txt", "198.51.100.7\nhxxps://evil[.]example/x\n999.1.1.1\nco.uk\n");
    let ran = scratch.comity(&["feed", "check", "feed.txt"]).exits(3);
    for word in ["4 claims seen: 2 accepted, 2 rejected", "ipv4-addr", "record 4: public-suffix", "co.uk"] {
        assert!(ran.out.contains(word), "{word:?} in:\n{}", ran.out);
    }
    let check = scratch.comity(&["feed", "check", "--json", "feed.txt"]).exits(3).json();
    assert_eq!(
        (&check["seen"], &check["kinds"]["url"], &check["rejects"][1]["record"]),
        (&4.into(), &1.into(), &4.into())
    );
    scratch.write("good.txt", "198.51.100.7\n");
    scratch.comity(&["feed", "check", "good.txt"]).exits(0);
}

#[test]
fn a_correlation_that_could_not_be_reproduced() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    let job = scratch.small_job("access.log", "");
    scratch.write("when.sql", "select now() as n order by n");
    let text = fs::read_to_string(&job).unwrap();
    fs::write(
        &job,
        text.replace("[output]", "[[correlation]]\nname = \"when\"\nsql = \"when.sql\"\n\n[output]"),
    )
    .unwrap();
    for _ in 0..2 {
        let report = scratch.comity(&["run", "job.toml", "--json"]).exits(3).json();
        assert!(problem(&report).contains("when: refused: now()"), "{report}");
    }
}

#[test]
fn a_case_that_can_not_be_written() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    scratch.small_job("access.log", "");
    scratch.write("occupied", "a file, not a directory");
    scratch.comity(&["run", "job.toml", "--case", "occupied/case"]).exits(1).says(&["error: occupied"]);
    let dir = scratch.path("locked");
    fs::create_dir(&dir).unwrap();
    if fs::metadata(&dir).unwrap().uid() == 0 {
        return println!("skipped: root may write anywhere");
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).unwrap();
    scratch
        .comity(&["run", "job.toml", "--case", "locked/case"])
        .exits(1)
        .says(&["permission denied", "hint:"]);
}

#[test]
fn another_case_is_not_written_into() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    scratch.small_job("access.log", "");
    scratch.comity(&["run", "job.toml", "-q"]).exits(0);
    scratch
        .comity(&["init", "--case", "case", "--id", "other", "--jurisdiction", "DE", "--purpose", "x"])
        .exits(1)
        .says(&["a case is here already, \"t\", not \"other\""]);
}
