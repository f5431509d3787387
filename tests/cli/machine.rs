//! What scripts rely on: exit statuses, JSON, CSV, and that repeating is safe.

use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{ACCESS, Scratch, answer, lantern_job};

#[test]
fn a_second_run_is_recognised() {
    let scratch = Scratch::new();
    let first = scratch.lantern("case").exits(3).json();
    let second = scratch.lantern("case").exits(3).json();
    assert_eq!((&first["repeated"], &second["repeated"]), (&json!(false), &json!(true)));
    assert_eq!(answer(&first), answer(&second));
    let elsewhere = scratch.lantern("other").exits(3).json();
    assert_eq!(answer(&first), answer(&elsewhere));
}

#[test]
fn threads_do_not_change_the_answer() {
    let scratch = Scratch::new();
    let answers: Vec<_> = ["1", "2", "8"]
        .iter()
        .map(|n| {
            answer(
                &scratch
                    .comity(&["run", &lantern_job(), "--case", n, "--json", "--threads", n])
                    .exits(3)
                    .json(),
            )
        })
        .collect();
    assert!(answers.windows(2).all(|w| w[0] == w[1]));
}

#[test]
fn the_report_has_its_stable_keys() {
    let scratch = Scratch::new();
    let ran = scratch.lantern("case").exits(3);
    assert_eq!(ran.err, "", "--json is silent");
    let report = ran.json();
    let has = |value: &Value, keys: &[&str]| {
        for key in keys {
            assert!(!value[key].is_null(), "{key:?} in {value}");
        }
    };
    has(&report, &["case", "run_id", "evidence", "feeds", "sightings", "outputs", "problems"]);
    has(&report["evidence"][0], &["id", "path", "format", "jurisdiction", "records", "events", "rejects"]);
    has(&report["feeds"][0], &["id", "path", "format", "seen", "accepted", "rejected"]);
    has(&report["outputs"][0], &["name", "path", "rows", "logical_sha256"]);
    for feed in report["feeds"].as_array().unwrap() {
        let n = |key: &str| feed[key].as_u64().unwrap();
        assert_eq!(n("seen"), n("accepted") + n("rejected"));
    }
    let formats = scratch.comity(&["formats", "--json"]).exits(0).json();
    has(&formats["logs"][0], &["name"]);
    has(&formats["feeds"][0], &["name"]);
}

#[test]
fn steps_by_hand_come_to_the_same_kind_of_report() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    scratch.write("feed.txt", "198.51.100.7\n");
    scratch
        .comity(&["init", "--case", "c", "--id", "t", "--jurisdiction", "DE", "--purpose", "test"])
        .exits(0);
    let ingest = ["ingest", "--case", "c", "--jurisdiction", "DE", "--tlp", "AMBER", "--json", "access.log"];
    assert_eq!(scratch.comity(&ingest).exits(0).json()["evidence"][0]["events"], 1);
    let add = ["feed", "add", "--case", "c", "--provider", "p", "--confidence", "60", "--json", "feed.txt"];
    assert_eq!(scratch.comity(&add).exits(0).json()["feeds"][0]["accepted"], 1);
    let report = scratch.comity(&["correlate", "--case", "c", "--json"]).exits(0).json();
    assert_eq!(report["sightings"], 1);
    let run = report["run_id"].as_str().unwrap();
    let again = scratch.comity(&["reproduce", "--case", "c", "--json", &run[..8]]).exits(0).json();
    assert_eq!(again["equal"], true);
    assert_eq!(
        scratch.comity(&["findings", "--case", "c", "--json"]).exits(0).json()["run_id"],
        report["run_id"]
    );
    assert_eq!(scratch.comity(&["doctor", "--case", "c", "--json"]).exits(0).json()["sound"], true);
}

#[test]
fn exit_statuses() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    scratch.small_job("access.log", "");
    scratch.comity(&["run", "job.toml"]).exits(0);
    scratch
        .comity(&["sql", "select 1"])
        .exits(1)
        .says(&["no case is here", "hint: name the case with --case DIR"]);
    scratch.comity(&["frobnicate"]).exits(2);
    scratch.comity(&["run", "no.toml"]).exits(2).says(&["no.toml: no such job file"]);
    scratch.comity(&["correlate", "--case", "case", "cross-boarder"]).exits(2).says(&["cross-border"]);
    scratch
        .comity(&["ingest", "--case", "case", "--jurisdiction", "DE", "--format", "zeek", "access.log"])
        .exits(2);
    scratch
        .comity(&["ingest", "--case", "case", "--jurisdiction", "DE", "--time-zone", "Mars", "access.log"])
        .exits(2)
        .says(&["--time-zone"]);
    scratch.write("access.log", [&ACCESS.repeat(9), "broken\n"].concat());
    scratch.comity(&["run", "job.toml"]).exits(3);
    scratch.small_job("access.log", &format!("sha256 = \"{}\"", "0".repeat(64)));
    scratch.comity(&["run", "job.toml", "--json"]).exits(4);
}

#[test]
fn a_wrong_job_names_file_line_and_key() {
    let scratch = Scratch::new();
    scratch.small_job("access.log", "tlp = \"yellow\"");
    let ran = scratch.comity(&["run", "job.toml"]).exits(2);
    assert_eq!(
        ran.err,
        "error: job.toml:9:7: evidence[0].tlp \"yellow\" is not known\n  hint: one of: clear, green, amber, amber+strict, red\n"
    );
    scratch.small_job("access.log", "jurisdicton = \"DE\"");
    scratch
        .comity(&["run", "job.toml"])
        .exits(2)
        .says(&["job.toml:9:1: evidence[0].jurisdicton", "jurisdiction"]);
    let failed = scratch.comity(&["run", "job.toml", "--json"]).exits(2).json();
    assert!(failed["error"].as_str().unwrap().contains("jurisdicton"));
}

#[test]
fn reproduction_finds_what_was_altered() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    scratch.small_job("access.log", "");
    scratch.comity(&["run", "job.toml", "-q"]).exits(0);
    let equal = scratch.comity(&["reproduce", "--case", "case", "-q"]).exits(0);
    assert!(equal.out.starts_with("Equal: run "), "{}", equal.out);
    scratch.write("access.log", ACCESS.replace("/a", "/b"));
    let differs = scratch.comity(&["reproduce", "--case", "case", "-q"]).exits(4);
    assert!(differs.out.contains("not the same; differ first in: recorded \"id\""), "{}", differs.out);
    scratch
        .comity(&["reproduce", "--case", "case", "ffff0000"])
        .exits(1)
        .says(&["no run of this case begins so"]);
}

#[test]
fn doctor_finds_what_was_altered() {
    let scratch = Scratch::new();
    let report = scratch.lantern("case").exits(3).json();
    let run = scratch.path("case/runs").join(report["run_id"].as_str().unwrap());
    std::fs::copy(run.join("first-seen.parquet"), run.join("not-seen.parquet")).unwrap();
    let ran = scratch.comity(&["doctor", "--case", "case"]).exits(4);
    assert!(ran.out.contains("ALTERED") && ran.out.contains("not-seen.parquet"), "{}", ran.out);
    let events = std::fs::read_dir(scratch.path("case/evidence")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(events.join("observables.parquet"), "PAR1").unwrap();
    let ran = scratch.comity(&["doctor", "--case", "case"]);
    assert!(ran.out.contains("broken  evidence item"), "{}", ran.out);
}

#[test]
fn doctor_tells_erased_from_broken() {
    let scratch = Scratch::new();
    let report = scratch.lantern("case").exits(3).json();
    let key = scratch.member("case", "custodian");
    let item = |at: usize| report["evidence"][at]["id"].as_str().unwrap().to_owned();
    let erase = ["erase", "--case", "case", &item(0), "--reason", "retention ended", "--key"];
    let erase: Vec<&str> = erase.into_iter().chain([key.to_str().unwrap()]).collect();
    scratch.comity(&erase).exits(0);
    let ran = scratch.comity(&["doctor", "--case", "case"]).exits(0);
    assert!(ran.out.contains("1 of them erased") && !ran.out.contains("broken"), "{}", ran.out);
    // a tombstone that nobody signed for hides nothing
    let other = scratch.path("case/evidence").join(item(1));
    let left =
        std::fs::read_to_string(scratch.path("case/evidence").join(item(0)).join("tombstone.json")).unwrap();
    std::fs::remove_dir_all(&other).unwrap();
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("tombstone.json"), left.replace(&item(0), &item(1))).unwrap();
    let ran = scratch.comity(&["doctor", "--case", "case"]).exits(4);
    assert!(ran.out.contains("no statement tells of this erasure"), "{}", ran.out);
}

#[test]
fn sql_is_read_only_and_streams() {
    let scratch = Scratch::new();
    scratch.lantern("case").exits(3);
    let ask =
        |format: &str, query: &str| scratch.comity(&["sql", "--case", "case", "--format", format, query]);
    ask("csv", "select record, offset, reason from rejects").exits(1).says(&["hint: ", "\"offset\""]);
    ask("csv", "select frob from rejects").exits(1).says(&["frob", "hint: "]);
    for query in
        ["drop table events", "create table x as select 1", "copy events to 'x.csv'", "delete from events"]
    {
        ask("json", query).exits(1);
    }
    let rows: Value =
        serde_json::from_str(&ask("json", "select id, records from evidence order by id").exits(0).out)
            .unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 9);
    assert!(rows[0]["records"].is_u64());
    let none: Value =
        serde_json::from_str(&ask("json", "select id from evidence where false").exits(0).out).unwrap();
    assert_eq!(none, json!([]));
    let times: Value =
        serde_json::from_str(&ask("json", "select min(time) as t from events").exits(0).out).unwrap();
    assert!(
        times[0]["t"].as_str().unwrap().ends_with(".000000Z") || times[0]["t"].as_str().unwrap().len() == 27
    );
    let csv = ask("csv", "select '=1+1' as a, 'x,\"y\"' as b, -1 as c").exits(0).out;
    assert_eq!(csv, "a,b,c\r\n'=1+1,\"x,\"\"y\"\"\",-1\r\n");
    assert_eq!(ask("table", "select 1 as one where false").exits(0).out, "(no rows)\n");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let scratch = Scratch::new();
    scratch.lantern("case").exits(3);
    let many = "select e.record, f.record as r from events e cross join events f";
    for arguments in [vec!["sql", "--case", "case", "--format", "csv", many], vec!["help", "job", "evidence"]]
    {
        let mut child =
            scratch.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 8]).unwrap();
        drop(out);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    }
}
