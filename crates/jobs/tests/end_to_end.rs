//! The main job on the shipped sample: what must be found, and the same bytes whatever the threads,
//! the order of inputs or the directory.

#![expect(clippy::unwrap_used, reason = "a test ends where it can't go on")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use comity_jobs::job_file::{self, Job};
use comity_jobs::progress::Silent;
use comity_jobs::run::{self, Report};
use comity_jobs::{reproduce, show};
use comity_provenance::Sha256Digest;
use comity_store::case::{Case, Shelf};
use comity_store::tables;
use serde_json::{Value, json};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-data/operation-lantern")
}

fn job_in(dir: &Path, name: &str) -> Job {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    job_file::read(name, &text, dir).unwrap_or_else(|e| panic!("{e}"))
}

fn run_with(threads: usize, job: &Job, case: &Path) -> Report {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| run::run(job, case, &Silent)).unwrap()
}

/// What must be equal: the run id and each table's name, rows and digest.
fn essence(report: &Report) -> (Sha256Digest, Vec<(String, u64, Sha256Digest)>) {
    (report.run_id, report.outputs.iter().map(|o| (o.name.clone(), o.rows, o.logical_sha256)).collect())
}

fn files(case: &Path, report: &Report) -> BTreeMap<String, Vec<u8>> {
    let dir = case.join("runs").join(report.run_id.to_string());
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name != "details.json" {
            all.insert(name, fs::read(path).unwrap());
        }
    }
    all
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &place)
        } else {
            fs::copy(entry.path(), place).map(|_| ()).unwrap()
        }
    }
}

fn read(report: &Report, name: &str) -> Vec<RecordBatch> {
    tables::read(&report.outputs.iter().find(|o| o.name == name).unwrap().path).unwrap().1
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let column =
        arrow::compute::cast(batch.column_by_name(column).unwrap(), &arrow::datatypes::DataType::Utf8)
            .unwrap();
    let column = column.as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn rows(batches: &[RecordBatch], columns: &[&str]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            all.push(columns.iter().map(|c| text(batch, c, row).unwrap_or_default()).collect());
        }
    }
    all.sort();
    all
}

fn str_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[test]
fn the_sample_gives_what_its_story_holds() {
    let scratch = tempfile::tempdir().unwrap();
    let report = run_with(2, &job_in(&sample(), "job.toml"), &scratch.path().join("case"));
    let expected: Value = serde_json::from_slice(&fs::read(sample().join("expected.json")).unwrap()).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!(report.sightings, expected["sightings_total"].as_u64().unwrap());

    let paths: BTreeMap<String, String> =
        report.evidence.iter().map(|e| (e.id.to_string(), e.path.clone())).collect();
    for item in expected["evidence"].as_array().unwrap() {
        let found = report.evidence.iter().find(|e| e.path == str_of(item, "path")).unwrap();
        assert_eq!(found.jurisdiction, str_of(item, "jurisdiction"));
        assert_eq!(
            json!([found.records + found.headers, found.headers, found.events]),
            json!([item["records"], item["headers"], item["events"]]),
            "{}",
            found.path
        );
        let dir = scratch.path().join("case/evidence").join(found.id.to_string());
        let rejects = rows(&tables::read(&dir.join("rejects.parquet")).unwrap().1, &["record", "reason"]);
        let mut wanted: Vec<Vec<String>> = item["rejects"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| vec![r["record"].to_string(), str_of(r, "reason").to_owned()])
            .collect();
        wanted.sort();
        assert_eq!(rejects, wanted, "{}", found.path);
    }
    for feed in expected["feeds"].as_array().unwrap() {
        let found = report.feeds.iter().find(|f| f.path == str_of(feed, "path")).unwrap();
        assert_eq!(found.seen, found.accepted + found.rejected);
        assert_eq!(
            json!([found.seen, found.accepted, found.rejected, found.indicators]),
            json!([feed["seen"], feed["accepted"], feed["rejected"], feed["indicators"]]),
            "{}",
            found.path
        );
    }

    let mut found: BTreeMap<Vec<String>, [u64; 3]> = BTreeMap::new();
    for batch in read(&report, "sightings") {
        for row in 0..batch.num_rows() {
            let cell = |column: &str| text(&batch, column, row).unwrap_or_default();
            let group = vec![
                cell("provider"),
                cell("indicator_kind"),
                cell("indicator_value"),
                cell("jurisdiction"),
                paths[&cell("evidence")].clone(),
                cell("field"),
                cell("match_kind"),
            ];
            let counts = found.entry(group).or_default();
            counts[0] += 1;
            counts[1] += u64::from(cell("valid_at_time") == "false");
            counts[2] += u64::from(!cell("allow_list").is_empty());
        }
    }
    let wanted: BTreeMap<Vec<String>, [u64; 3]> = expected["sightings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let group = ["provider", "kind", "value", "jurisdiction", "path", "field", "match_kind"]
                .map(|k| str_of(s, k).to_owned());
            (group.to_vec(), ["count", "outside_validity", "allow_listed"].map(|k| s[k].as_u64().unwrap()))
        })
        .collect();
    assert_eq!(found, wanted);

    let pairs = |key: &str| {
        let mut all: Vec<Vec<String>> = expected[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| ["provider", "kind", "value"].map(|k| str_of(v, k).to_owned()).to_vec())
            .collect();
        all.sort();
        all
    };
    assert_eq!(rows(&read(&report, "not-seen"), &["provider", "kind", "value"]), pairs("not_seen"));
    check_corroboration(&report, &expected);
    check_borders(&report, &expected);
}

fn check_corroboration(report: &Report, expected: &Value) {
    let found: Vec<Vec<String>> = rows(
        &read(report, "corroboration"),
        &["indicator_kind", "indicator_value", "providers", "provider_names"],
    );
    let found: Vec<&Vec<String>> = found.iter().filter(|r| r[2] != "1").collect();
    let mut wanted: Vec<Vec<String>> = expected["corroborated"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            let names: Vec<&str> =
                c["providers"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
            vec![
                str_of(c, "kind").to_owned(),
                str_of(c, "value").to_owned(),
                names.len().to_string(),
                names.join(", "),
            ]
        })
        .collect();
    wanted.sort();
    assert_eq!(found, wanted.iter().collect::<Vec<_>>());
}

fn check_borders(report: &Report, expected: &Value) {
    let micros = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond().to_string();
    let mut wanted = Vec::new();
    for value in expected["cross_border"].as_array().unwrap() {
        for place in value["jurisdictions"].as_array().unwrap() {
            wanted.push(vec![
                str_of(value, "kind").to_owned(),
                str_of(value, "value").to_owned(),
                str_of(place, "jurisdiction").to_owned(),
                micros(str_of(place, "first")),
                micros(str_of(place, "last")),
            ]);
        }
    }
    wanted.sort();
    let mut found = Vec::new();
    for batch in read(report, "cross-border") {
        let time = |column: &str, row: usize| {
            batch
                .column_by_name(column)
                .unwrap()
                .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
                .value(row)
                .to_string()
        };
        for row in
            (0..batch.num_rows()).filter(|&row| text(&batch, "basis", row).as_deref() == Some("indicator"))
        {
            let cell = |column: &str| text(&batch, column, row).unwrap();
            found.push(vec![
                cell("kind"),
                cell("value"),
                cell("jurisdiction"),
                time("first_seen", row),
                time("last_seen", row),
            ]);
        }
    }
    found.sort();
    assert_eq!(found, wanted);
}

#[test]
fn the_job_file_knows_the_built_in_correlations() {
    let mut built_in: Vec<&str> = comity_correlate::named::CORRELATIONS.iter().map(|c| c.name).collect();
    built_in.push("sightings");
    built_in.sort_unstable();
    assert_eq!(job_file::BUILT_IN_CORRELATIONS, built_in);
}

#[test]
fn threads_order_and_directory_change_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let job = job_in(&sample(), "job.toml");
    let first_case = scratch.path().join("1");
    let first = run_with(1, &job, &first_case);
    for threads in [2, 8] {
        let case = scratch.path().join(threads.to_string());
        let again = run_with(threads, &job, &case);
        assert_eq!(essence(&again), essence(&first), "{threads} threads");
        assert_eq!(files(&case, &again), files(&first_case, &first), "{threads} threads");
    }
    let mut shuffled = job.clone();
    shuffled.evidence.reverse();
    shuffled.feed.rotate_left(1);
    shuffled.correlation.reverse();
    let case = scratch.path().join("shuffled");
    let again = run_with(2, &shuffled, &case);
    assert_eq!(essence(&again), essence(&first), "inputs in another order");
    assert_eq!(files(&case, &again), files(&first_case, &first), "inputs in another order");
    let elsewhere = scratch.path().join("another directory");
    copy_dir(&sample(), &elsewhere);
    let again = run_with(2, &job_in(&elsewhere, "job.toml"), &scratch.path().join("elsewhere"));
    assert_eq!(essence(&again), essence(&first), "another directory");
}

/// Zeek JSON long enough for several chunks; names and addresses repeat as in real logs.
fn long_log(place: &Path) {
    let mut out = std::io::BufWriter::new(fs::File::create(place).unwrap());
    for i in 0_u64..180_000 {
        let rare = i * 7_919 % 65_536;
        writeln!(
            out,
            r#"{{"ts":{}.{:06},"uid":"C{i}","id.orig_h":"10.0.{}.{}","id.orig_p":{},"id.resp_h":"198.18.{}.{}","id.resp_p":443,"proto":"tcp","query":"h{}.example.{}"}}"#,
            1_770_000_000 + i / 7, i % 1_000_000, i % 3, i % 200, 1024 + i % 60_000, rare / 256, rare % 256, rare % 997, ["com", "net", "org"][(i % 3) as usize]
        )
        .unwrap();
    }
}

#[test]
fn several_chunks_give_the_same_bytes_and_what_brute_force_finds() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    long_log(&dir.join("conn.log"));
    let feed = "198.18.0.0/20\n198.18.200.7\nh7.example.com\nexample.net\n198.18.255.1:443\n203.0.113.9\n";
    fs::write(dir.join("feed.txt"), feed).unwrap();
    let declared = "[case]\nid = \"long\"\njurisdiction = \"NL\"\npurpose = \"test\"\n[[evidence]]\npath = \"conn.log\"\nformat = \"zeek-json\"\njurisdiction = \"NL\"\n[[feed]]\npath = \"feed.txt\"\nprovider = \"p\"\n";
    fs::write(dir.join("job.toml"), declared).unwrap();
    let job = job_in(dir, "job.toml");
    let first = run_with(1, &job, &dir.join("1"));
    for threads in [2, 8] {
        let again = run_with(threads, &job, &dir.join(threads.to_string()));
        assert_eq!(essence(&again), essence(&first), "{threads} threads");
        for name in ["events-0.parquet", "observables.parquet", "rejects.parquet"] {
            let file = |case: String| {
                fs::read(dir.join(case).join("evidence").join(first.evidence[0].id.to_string()).join(name))
                    .unwrap()
            };
            assert!(file("1".into()) == file(threads.to_string()), "{name} at {threads} threads");
        }
    }
    let mut expected = BTreeMap::new();
    for line in fs::read_to_string(dir.join("conn.log")).unwrap().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let (ip, name) = (str_of(&record, "id.resp_h"), str_of(&record, "query"));
        let number = u32::from(ip.parse::<std::net::Ipv4Addr>().unwrap());
        let met = [
            ("198.18.0.0/20", number >> 12 == (198 << 24 | 18 << 16) >> 12),
            ("198.18.200.7", ip == "198.18.200.7"),
            ("198.18.255.1:443", ip == "198.18.255.1"),
            ("h7.example.com", name == "h7.example.com"),
            ("example.net", name.ends_with(".example.net")),
        ];
        for (value, _) in met.iter().filter(|m| m.1) {
            *expected.entry((*value).to_owned()).or_insert(0_u64) += 1;
        }
    }
    let mut found = BTreeMap::new();
    for batch in read(&first, "sightings") {
        for row in 0..batch.num_rows() {
            *found.entry(text(&batch, "indicator_value", row).unwrap()).or_insert(0_u64) += 1;
        }
    }
    assert_eq!(found, expected);
    assert!(first.evidence[0].events == 180_000 && found.len() == 5);
}

#[test]
fn a_run_is_recognised_reproduced_and_a_changed_table_is_found_out() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("case");
    let job = job_in(&sample(), "job.toml");
    let first = run_with(2, &job, &place);
    let again = run_with(2, &job, &place);
    assert!(!first.repeated && again.repeated);
    assert_eq!(essence(&again), essence(&first));
    assert_eq!(again.summary, first.summary);

    let case = Case::open(&place).unwrap();
    let id = reproduce::find_run(&case, &first.run_id.short()).unwrap();
    let verdict = reproduce::reproduce(&case, &id, &scratch.path().join("a"), &Silent).unwrap();
    assert!(verdict.is_equal(), "{verdict:?}");

    // one sighting less
    let file = case.item(Shelf::Runs, &id).join("sightings.parquet");
    let (schema, batches) = tables::read(&file).unwrap();
    let all = arrow::compute::concat_batches(&schema, &batches).unwrap();
    fs::remove_file(&file).unwrap();
    tables::write(fs::File::create(&file).unwrap(), &file, &schema, &[all.slice(1, all.num_rows() - 1)])
        .unwrap();
    let verdict = reproduce::reproduce(&case, &id, &scratch.path().join("b"), &Silent).unwrap();
    assert!(!verdict.is_equal());
    let sightings = verdict.tables.iter().find(|t| t.name == "sightings").unwrap();
    assert!(sightings.difference.as_ref().unwrap().starts_with("only in the new table: "), "{sightings:?}");
    assert!(verdict.tables.iter().filter(|t| t.name != "sightings").all(|t| t.is_equal()));
}

#[test]
fn equal_bytes_are_one_item_and_never_a_finding_across_borders() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let log = r#"{"ts":1770000000.5,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"198.51.100.7","id.resp_p":443,"proto":"tcp"}"#;
    for name in ["a.log", "b.log"] {
        fs::write(dir.join(name), format!("{log}\n")).unwrap();
    }
    for name in ["x.txt", "y.txt"] {
        fs::write(dir.join(name), "198.51.100.7\n").unwrap();
    }
    let table = |path: &str, jurisdiction: &str| {
        format!(
            "[[evidence]]\npath = \"{path}\"\nformat = \"zeek-json\"\njurisdiction = \"{jurisdiction}\"\n"
        )
    };
    let feed =
        |path: &str, provider: &str| format!("[[feed]]\npath = \"{path}\"\nprovider = \"{provider}\"\n");
    let head = "[case]\nid = \"twice\"\njurisdiction = \"NL\"\npurpose = \"test\"\n";
    let one = format!(
        "{head}{}{}{}{}",
        table("a.log", "NL"),
        table("b.log", "DE"),
        feed("x.txt", "x"),
        feed("y.txt", "y")
    );
    let other = format!(
        "{head}{}{}{}{}",
        table("b.log", "DE"),
        table("a.log", "NL"),
        feed("y.txt", "y"),
        feed("x.txt", "x")
    );
    let run = |text: &str, case: &str| {
        let job = job_file::read("job.toml", text, dir).unwrap();
        run_with(2, &job, &dir.join(case))
    };
    let (first, second) = (run(&one, "1"), run(&other, "2"));
    assert_eq!(essence(&first), essence(&second));
    assert_eq!((first.evidence.len(), first.feeds.len(), first.sightings), (1, 1, 1));
    assert_eq!(first.evidence[0].jurisdiction, "DE");
    assert_eq!(first.outputs.iter().find(|o| o.name == "cross-border").unwrap().rows, 0);
    let case = Case::open(&dir.join("1")).unwrap();
    let held = show::holdings(&case).unwrap();
    assert_eq!((held.items.evidence[0].intakes.len(), held.items.feeds[0].intakes.len()), (2, 2));
    assert_eq!(
        rows(&read(&first, "corroboration"), &["providers", "feeds", "provider_names"]),
        [["1", "1", "x + y"]]
    );
}

#[test]
fn the_same_bytes_read_in_another_way_replace_the_events_and_change_the_run() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    fs::write(dir.join("a.log"), "Mar  1 10:00:00 host sshd[1]: from 198.51.100.7\n").unwrap();
    let text = |zone: &str| {
        format!(
            "[case]\nid = \"z\"\njurisdiction = \"NL\"\npurpose = \"t\"\n[[evidence]]\npath = \"a.log\"\nformat = \"syslog-rfc3164\"\njurisdiction = \"NL\"\ntime_zone = \"{zone}\"\n[evidence.coverage]\nfrom = \"2026-01-01T00:00:00Z\"\nuntil = \"2026-12-31T00:00:00Z\"\n"
        )
    };
    let first_event = |report: &Report| {
        let queries = show::queries(&Case::open(&report.case).unwrap(), None, 1).unwrap();
        let batches = queries.ask("select cast(time as varchar) as t from events").unwrap();
        text_of(&batches)
    };
    let run =
        |zone: &str| run_with(1, &job_file::read("job.toml", &text(zone), dir).unwrap(), &dir.join("case"));
    let utc = run("UTC");
    assert_eq!(first_event(&utc), "2026-03-01T10:00:00Z");
    let tokyo = run("Asia/Tokyo");
    assert_eq!(first_event(&tokyo), "2026-03-01T01:00:00Z");
    assert_ne!(utc.run_id, tokyo.run_id);
}

fn text_of(batches: &[RecordBatch]) -> String {
    rows(batches, &["t"]).concat().concat()
}

#[test]
fn what_an_extractor_found_in_another_spelling_is_not_as_written() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let line = |name: &str| format!("<13>1 2026-03-01T10:00:00Z host app - - - saw {name} today\n");
    fs::write(dir.join("a.log"), line("WWW.Evil-Site.COM") + &line("www.evil-site.com")).unwrap();
    fs::write(dir.join("f.txt"), "www.evil-site.com\n").unwrap();
    let text = "[case]\nid = \"w\"\njurisdiction = \"NL\"\npurpose = \"t\"\n[[evidence]]\npath = \"a.log\"\nformat = \"syslog-rfc5424\"\njurisdiction = \"NL\"\n[[feed]]\npath = \"f.txt\"\nprovider = \"x\"\n";
    let report = run_with(1, &job_file::read("job.toml", text, dir).unwrap(), &dir.join("case"));
    assert_eq!(
        rows(&read(&report, "sightings"), &["record", "field", "as_written"]),
        [["1", "message", "false"], ["2", "message", "true"]]
    );
}
