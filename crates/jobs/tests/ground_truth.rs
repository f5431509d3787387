//! Real logs and feeds against counts that others found by other means (`ground_truth.json`).
//!
//! Skipped, with a message, where `../shared` is not there.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where it can't go on")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use comity_correlate::session::Queries;
use comity_jobs::progress::Silent;
use comity_jobs::run::Report;
use comity_jobs::{job_file, run, show};
use comity_provenance::Sha256Digest;
use comity_store::case::Case;
use serde_json::Value;

fn shared() -> Option<PathBuf> {
    let tried = [
        std::env::var_os("COMITY_SHARED").map(PathBuf::from),
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")),
        Some(PathBuf::from("/work/shared")),
    ];
    let found = tried.into_iter().flatten().find(|p| p.join("data/ground_truth/ground_truth.json").is_file());
    if found.is_none() {
        println!("skipped: ../shared/data is not here");
    }
    found
}

struct World {
    data: PathBuf,
    truth: BTreeMap<String, Value>,
    scratch: tempfile::TempDir,
}

impl World {
    fn new() -> Option<Self> {
        let data = shared()?.join("data");
        let text = std::fs::read_to_string(data.join("ground_truth/ground_truth.json")).unwrap();
        let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
        let truth =
            rows.into_iter().map(|r| (r["id"].as_str().unwrap().to_owned(), r["result"].clone())).collect();
        Some(Self { data, truth, scratch: tempfile::tempdir().unwrap() })
    }

    fn result(&self, id: &str) -> &Value {
        &self.truth[id]
    }

    /// Runs a job whose tables are given as TOML with paths below the data directory.
    fn run(&self, tables: &str) -> (Report, Queries) {
        let text = format!("[case]\nid = \"truth\"\njurisdiction = \"NL\"\npurpose = \"test\"\n{tables}");
        let job = job_file::read("truth.toml", &text, &self.data).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let place = self.scratch.path().join("case");
        let report = run::run(&job, &place, &Silent).unwrap();
        let queries = show::queries(&Case::open(&place).unwrap(), Some(&report.run_id), 2).unwrap();
        (report, queries)
    }
}

fn evidence(paths: &[&str], extra: &str) -> String {
    format!("[[evidence]]\npath = {paths:?}\njurisdiction = \"NL\"\n{extra}\n")
}

fn feed(provider: &str, path: &str) -> String {
    format!("[[feed]]\npath = {path:?}\nprovider = {provider:?}\n")
}

/// The only cell of an answer, as a number.
fn number(queries: &Queries, sql: &str) -> u64 {
    let batches = queries.ask(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    let column = batches.iter().find(|b| b.num_rows() > 0).unwrap().column(0);
    u64::try_from(column.as_primitive::<Int64Type>().value(0)).unwrap()
}

/// The first column of an answer, sorted as texts.
fn texts(queries: &Queries, sql: &str) -> Vec<String> {
    let batches = queries.ask(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    let mut all = Vec::new();
    for batch in &batches {
        let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        all.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    all.sort();
    all
}

/// Compares the indicators seen with the truth's: a list, or the digest of one.
fn same_indicators(found: &[String], expected: &Value, id: &str) {
    if let Some(list) = expected.as_array() {
        let list: Vec<&str> = list.iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(found, list, "{id}");
        return;
    }
    let lines: String = found.iter().fold(String::new(), |mut all, v| {
        let _ = writeln!(all, "{v}");
        all
    });
    let digests = [lines.as_str(), lines.trim_end()].map(|t| Sha256Digest::of(t.as_bytes()).to_string());
    let wanted = expected["sha256_of_sorted_newline_list"].as_str().unwrap().to_owned();
    assert_eq!(found.len() as u64, expected["count"].as_u64().unwrap(), "{id}");
    assert!(digests.contains(&wanted), "{id}: {digests:?} not {wanted}");
}

/// Where sightings of a provider in evidence whose path is like a pattern, in some fields.
fn sighted(provider: &str, path_like: &str, fields: &[&str]) -> String {
    let fields: Vec<String> = fields.iter().map(|f| format!("'{f}'")).collect();
    format!(
        "from sightings s join evidence e on e.id = s.evidence where s.provider = '{provider}' \
         and e.path like '{path_like}' and s.field in ({})",
        fields.join(", ")
    )
}

const ROWS: &str = "select count(*) from (select distinct s.evidence, s.record";
const ENDS: &[&str] = &["src_ip", "dst_ip"];

impl World {
    /// Compares rows, indicators and rows by field of an address feed.
    fn check_addresses(
        &self,
        queries: &Queries,
        id: &str,
        provider: &str,
        path_like: &str,
        fields: &[(&str, &str)],
    ) {
        let expected = self.result(id);
        let ours: Vec<&str> = fields.iter().map(|f| f.1).collect();
        let from = sighted(provider, path_like, &ours);
        assert_eq!(
            number(queries, &format!("{ROWS} {from})")),
            expected["matched_rows"].as_u64().unwrap(),
            "{id}"
        );
        let values = texts(queries, &format!("select distinct s.indicator_value {from}"));
        same_indicators(&values, &expected["indicators"], id);
        for (theirs, ours) in fields {
            let from = sighted(provider, path_like, &[ours]);
            let expected = expected["rows_by_field"].get(*theirs).map_or(0, |v| v.as_u64().unwrap());
            assert_eq!(number(queries, &format!("{ROWS} {from})")), expected, "{id} {theirs}");
        }
        if let Some(rows) = expected.get("log_rows") {
            let sql =
                format!("select cast(sum(events) as bigint) from evidence where path like '{path_like}'");
            assert_eq!(number(queries, &sql), rows.as_u64().unwrap(), "{id} log rows");
        }
    }
}

#[test]
fn address_feeds_over_real_logs() {
    let Some(world) = World::new() else { return };
    let mut tables = String::new();
    tables += &evidence(&["logs/zeek-rita-4h/conn.*.log.gz"], "");
    tables += &evidence(&["logs/apache-elastic/apache_logs.gz"], "");
    tables += &evidence(&["logs/suricata-hassanabad/*/alerts-only.json"], "");
    tables += &evidence(&["logs/syslog-loghub/OpenSSH/OpenSSH_2k.log"], "format = \"syslog-rfc3164\"");
    tables += &evidence(&["logs/zeek-brimdata/zeek-default/*.gz", "logs/zeek-brimdata/zeek-json/*.gz"], "");
    tables += &feed("ipsum", "feeds/ipsum/ipsum.txt.gz");
    tables += &feed("ipsum-3", "feeds/ipsum/levels/3.txt");
    tables += &feed("mass-scanner", "feeds/maltrail-a/mass_scanner.txt");
    tables += "[[correlation]]\nname = \"sightings\"\n";
    let (report, queries) = world.run(&tables);
    let ipsum = report.feeds.iter().find(|f| f.provider == "ipsum").unwrap();
    let d00 = world.result("D00-ipsum-size");
    assert_eq!((ipsum.seen, ipsum.rejected), (d00["lines"].as_u64().unwrap(), 0));
    assert_eq!(ipsum.indicators, d00["distinct_valid"].as_u64().unwrap());
    let level = report.feeds.iter().find(|f| f.provider == "ipsum-3").unwrap();
    assert_eq!(level.indicators, d00["level3_distinct"].as_u64().unwrap());

    let conn = &[("id.orig_h", "src_ip"), ("id.resp_h", "dst_ip")];
    let rita = "logs/zeek-rita-4h/conn%";
    world.check_addresses(&queries, "D01-ipsum-x-zeek-conn", "ipsum", rita, conn);
    world.check_addresses(&queries, "D02-ipsum-level3-x-zeek-conn", "ipsum-3", rita, conn);
    world.check_addresses(&queries, "D12-massscanner-x-zeek-conn", "mass-scanner", rita, conn);
    world.check_addresses(&queries, "D03-ipsum-x-apache", "ipsum", "logs/apache%", &[("ip", "src_ip")]);
    for set in ["first-org-conf-2015", "honeypot-2018", "wrccdc-2017", "wrccdc-2018"] {
        let (id, path) = (format!("D04-ipsum-x-suricata-{set}"), format!("logs/suricata-hassanabad/{set}/%"));
        world.check_addresses(&queries, &id, "ipsum", &path, &[("src_ip", "src_ip"), ("dest_ip", "dst_ip")]);
    }
    for kind in ["ssl", "ntp", "syslog", "weird", "notice", "dns"] {
        let tsv = (
            format!("D06-ipsum-x-brimdata-default-{kind}"),
            format!("logs/zeek-brimdata/zeek-default/{kind}.%"),
        );
        let json =
            (format!("D06-ipsum-x-brimdata-json-{kind}"), format!("logs/zeek-brimdata/zeek-json/{kind}.%"));
        for (id, path) in [tsv, json] {
            world.check_addresses(&queries, &id, "ipsum", &path, conn);
        }
    }
    let d05 = world.result("D05-ipsum-x-openssh");
    let from = "from sightings s join evidence e on e.id = s.evidence where s.provider = 'ipsum' and e.path like '%OpenSSH_2k%'";
    assert_eq!(number(&queries, &format!("{ROWS} {from})")), d05["matched_lines"].as_u64().unwrap());
    assert_eq!(texts(&queries, &format!("select distinct s.indicator_value {from}")), ["1.237.174.253"]);

    for (log, rows) in world.result("D07-tsv-json-parity").as_object().unwrap() {
        for (kind, like) in [("tsv_rows", "zeek-default"), ("json_rows", "zeek-json")] {
            let sql = format!(
                "select cast(sum(events) as bigint) from evidence where path like 'logs/zeek-brimdata/{like}/{log}.%'"
            );
            assert_eq!(number(&queries, &sql), rows[kind].as_u64().unwrap(), "D07 {log} {kind}");
        }
    }
    let d13 = world.result("D13-feed-x-feed");
    let distinct = |provider: &str| {
        number(
            &queries,
            &format!("select count(distinct value) from indicators where provider = '{provider}'"),
        )
    };
    assert_eq!(distinct("ipsum"), d13["ipsum"].as_u64().unwrap());
    assert_eq!(distinct("mass-scanner"), d13["mass_scanner"].as_u64().unwrap());
    let both = "select count(*) from indicators a join indicators b on a.kind = b.kind and a.value = b.value \
                where a.provider = 'ipsum' and b.provider = 'mass-scanner'";
    assert_eq!(number(&queries, both), d13["both"].as_u64().unwrap());
}

fn lists_of(data: &Path, matching: &[&str]) -> String {
    let mut tables = String::new();
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(data.join("allowlists/misp-warninglists-a"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    dirs.sort();
    for dir in dirs {
        let Some(file) = ["list.json", "list.json.gz"].iter().map(|n| dir.join(n)).find(|p| p.is_file())
        else {
            continue;
        };
        let original = comity_store::source::read_all(&file, 1 << 30).unwrap();
        let list: Value = serde_json::from_slice(&original.bytes).unwrap();
        if matching.contains(&list["type"].as_str().unwrap()) {
            let shown = file.strip_prefix(data).unwrap().to_string_lossy().into_owned();
            let _ = write!(tables, "[[allow_list]]\npath = {shown:?}\n");
        }
    }
    tables
}

#[test]
fn allow_lists_over_addresses() {
    let Some(world) = World::new() else { return };
    let mut tables = feed("ipsum", "feeds/ipsum/ipsum.txt.gz");
    tables += &lists_of(&world.data, &["cidr"]);
    tables += "[[correlation]]\nname = \"allow-listed\"\n";
    let (report, _) = world.run(&tables);
    check_lists(&report, "D16", world.result("D16-warninglists-a-over-ipsum"), &|list| list.to_owned());
}

fn check_lists(report: &Report, id: &str, expected: &Value, name: &dyn Fn(&str) -> String) {
    let output = report.outputs.iter().find(|o| o.name == "allow-listed").unwrap();
    let (_, batches) = comity_store::tables::read(&output.path).unwrap();
    let mut by_list: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    let mut covered = std::collections::BTreeSet::new();
    for batch in &batches {
        let column = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>();
        for row in 0..batch.num_rows() {
            if !["ipv4-addr", "domain-name"].contains(&column("indicator_kind").value(row)) {
                continue;
            }
            let value = column("indicator_value").value(row).to_owned();
            by_list.entry(column("allow_list").value(row).to_owned()).or_default().insert(value.clone());
            covered.insert(value);
        }
    }
    let found: BTreeMap<String, u64> =
        by_list.into_iter().map(|(list, values)| (list, values.len() as u64)).collect();
    let wanted: BTreeMap<String, u64> = expected["by_list"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(l, n)| (name(l), n.as_u64().unwrap()))
        .collect();
    assert_eq!(found, wanted, "{id}");
    assert_eq!(covered.len() as u64, expected["covered_by_any"].as_u64().unwrap(), "{id}");
}

#[test]
fn name_and_port_feeds_over_real_logs() {
    let Some(world) = World::new() else { return };
    let mut tables = String::new();
    tables += &evidence(&["logs/zeek-zat/dns.log", "logs/zeek-zat/json/dns.log"], "");
    tables += &evidence(&["logs/zeek-zat/http.log", "logs/zeek-zat/json/http.log"], "");
    tables += &evidence(&["logs/zeek-slips/**/conn.log"], "");
    tables += &evidence(&["logs/zeek-rita-4h/conn.*.log.gz"], "");
    tables += &feed("maltrail", "feeds/maltrail-a/malware/*");
    tables += &lists_of(&world.data, &["string", "hostname"]);
    tables += "[[correlation]]\nname = \"allow-listed\"\n";
    let (report, queries) = world.run(&tables);
    let without_type = |list: &str| list.split(':').next().unwrap().to_owned();
    check_lists(&report, "D17", world.result("D17-warninglists-a-over-maltrail-a-domains"), &without_type);

    for (id, like, field) in [
        ("D09-maltrail-a-dom-x-zat-dns", "logs/zeek-zat%dns.log", "query"),
        ("D10-maltrail-a-dom-x-zat-http", "logs/zeek-zat%http.log", "host"),
    ] {
        let expected = world.result(id);
        let from = sighted("maltrail", like, &[field]) + " and s.indicator_kind = 'domain-name'";
        for (class, condition) in [("exact", " and s.match_kind = 'exact'"), ("exact_or_subdomain", "")] {
            let rows = number(&queries, &format!("{ROWS} {from}{condition})"));
            assert_eq!(rows, expected[class]["matched_rows"].as_u64().unwrap(), "{id} {class}");
            let values = texts(&queries, &format!("select distinct s.indicator_value {from}{condition}"));
            same_indicators(&values, &expected[class]["indicators"], id);
        }
        let names = texts(&queries, &format!("select distinct s.observable_value {from}"));
        same_indicators(&names, &expected["exact_or_subdomain"]["log_names"], id);
        let sql = format!("select cast(sum(events) as bigint) from evidence where path like '{like}'");
        assert_eq!(number(&queries, &sql), expected["log_rows"].as_u64().unwrap(), "{id} log rows");
    }
    for (set, like, rows) in [("slips", "logs/zeek-slips%", 817), ("rita4h", "logs/zeek-rita-4h%", 6309)] {
        let sql = format!("select cast(sum(events) as bigint) from evidence where path like '{like}'");
        assert_eq!(number(&queries, &sql), rows, "{set}");
        let of_kind =
            |kind: &str| sighted("maltrail", like, ENDS) + &format!(" and s.indicator_kind = '{kind}'");
        let bare = world.result(&format!("D11-maltrail-a-ip-x-{set}-conn"));
        assert_eq!(
            number(&queries, &format!("{ROWS} {})", of_kind("ipv4-addr"))),
            bare["matched_rows"].as_u64().unwrap()
        );
        let with_port = world.result(&format!("D11b-maltrail-a-ipport-x-{set}-conn"));
        assert_eq!(
            number(&queries, &format!("{ROWS} {})", of_kind("ip-port"))),
            with_port["matched_rows"].as_u64().unwrap()
        );
        let values = texts(&queries, &format!("select distinct s.indicator_value {}", of_kind("ip-port")));
        let expected: Vec<String> = with_port["indicators"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| format!("{}:{}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .collect();
        assert_eq!(values, expected, "{set}");
    }

    // D11c: the same trails with their ports cut off claim more, and see more
    let addresses = texts(
        &queries,
        "select distinct split_part(value, ':', 1) from indicators where kind = 'ip-port' and value not like '[%'",
    );
    let list = world.scratch.path().join("addresses.txt");
    std::fs::write(&list, addresses.join("\n")).unwrap();
    let mut tables =
        evidence(&["logs/zeek-slips/**/conn.log"], "") + &evidence(&["logs/zeek-rita-4h/conn.*.log.gz"], "");
    tables += &feed("addresses", &list.to_string_lossy());
    let (_, queries) = world.run(&tables);
    let conn = &[("id.orig_h", "src_ip"), ("id.resp_h", "dst_ip")];
    world.check_addresses(
        &queries,
        "D11c-maltrail-a-ip-of-ipport-x-slips-conn",
        "addresses",
        "logs/zeek-slips%",
        conn,
    );
    world.check_addresses(
        &queries,
        "D11c-maltrail-a-ip-of-ipport-x-rita4h-conn",
        "addresses",
        "logs/zeek-rita-4h%",
        conn,
    );
}

/// Reads Windows events as NXLog and Logstash export them.
const WINDOWS: &str = "format = \"ndjson\"\n[evidence.mapping]\ntime = \"@timestamp\"\nclass = \"process\"\n\
    [evidence.mapping.columns]\nHostname = \"device\"\nHashes = \"hashes\"\nImage = \"process_path\"\n\
    ParentImage = \"parent_path\"\nSourceIp = \"src_ip\"\nDestinationIp = \"dst_ip\"\nQueryName = \"query\"\n";

#[test]
fn an_import_hash_is_no_md5_and_a_negative_control_sees_nothing() {
    let Some(world) = World::new() else { return };
    let mut tables = evidence(&["logs/windows-json-otrf/**/*.json.gz"], WINDOWS);
    tables += &evidence(
        &[
            "logs/zeek-brimdata/*/*.gz",
            "logs/zeek-rita-4h/*.gz",
            "logs/zeek-zat/**/*.log*",
            "logs/zeek-slips/**/*.log*",
        ],
        "",
    );
    tables += &evidence(&["logs/apache-elastic/*.gz", "logs/suricata-hassanabad/*/alerts-only.json"], "");
    tables += &evidence(
        &["logs/syslog-loghub/OpenSSH/*.log", "logs/syslog-loghub/Linux/*.log"],
        "format = \"syslog-rfc3164\"",
    );
    tables += &feed("eset", "feeds/eset/**/*samples.*");
    tables += &feed("eset", "feeds/eset/**/*.json*");
    tables += &feed("feodo", "feeds/feodo-csv/ipblocklist.csv");
    let (report, queries) = world.run(&tables);
    // D15: twelve lines carry the digits, as IMPHASH; none is a sighting of a file's MD5
    let trap = "f34d5f2d4577ed6d9ceec516c1f5a744";
    let carry = number(
        &queries,
        &format!(
            "select cast(sum(count) as bigint) from observables where value = '{trap}' and kind = 'file-imphash'"
        ),
    );
    assert_eq!(carry, world.result("D15-eset-hash-x-windows-json")["matched_lines"].as_u64().unwrap());
    let false_ones = "select count(*) from sightings where provider = 'eset' and indicator_kind <> 'file-imphash' \
                      and indicator_kind like 'file-%' and field in ('md5', 'sha1', 'sha256', 'imphash')";
    assert_eq!(number(&queries, false_ones), 0);
    // D14: nothing, in every log of a format that is read (CloudTrail and EVTX are not yet)
    let feodo = report.feeds.iter().find(|f| f.provider == "feodo").unwrap();
    let d14 = world.result("D14-feodo-negative-control");
    assert_eq!(
        (feodo.seen, feodo.indicators),
        (d14["feed_rows"].as_u64().unwrap(), d14["distinct_valid"].as_u64().unwrap())
    );
    assert_eq!(number(&queries, "select count(*) from sightings where provider = 'feodo'"), 0);
    assert_eq!(number(&queries, "select count(*) from evidence where events = 0 and records > 0"), 0);
}
