//! Job files: the whole message for each kind of mistake, a round trip of every key, the schema, and paths.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use comity_jobs::job_file::{self, Job};
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn read(text: &str) -> Result<Job, job_file::JobFileError> {
    job_file::read("job.toml", text, Path::new(""))
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// Compares a text with a file, or with `UPDATE_GOLDEN=1` writes it.
fn golden(path: &str, text: &str) {
    let path = Path::new(ROOT).join(path);
    if updating() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "{} is not up to date: UPDATE_GOLDEN=1 cargo test -p comity-jobs",
        path.display()
    );
}

/// Every case of `wrong.txt`: a name, a job file, and the message that it gets.
#[test]
fn wrong_job_files() {
    let path = "crates/jobs/tests/job_file/wrong.txt";
    let stored = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let mut text = String::new();
    let mut cases = 0;
    for case in stored.split("======== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (job, _) = rest.split_once("-------- ").unwrap();
        let message = match read(job) {
            Ok(job) => panic!("{name}: is accepted: {job:?}"),
            Err(error) => error.to_string(),
        };
        text += &format!("======== {name}\n{job}-------- message\n{message}\n");
        cases += 1;
    }
    assert!(cases >= 25, "{cases}");
    golden(path, &text);
}

/// `full.toml` uses every key that the schema has, and reads the same after being written.
#[test]
fn round_trip_of_every_key() {
    let text = fs::read_to_string(Path::new(ROOT).join("crates/jobs/tests/job_file/full.toml")).unwrap();
    let job = read(&text).unwrap_or_else(|error| panic!("{error}"));
    let written = toml::to_string(&job).unwrap();
    let again = read(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let json = serde_json::to_value(&job).unwrap();
    assert_eq!(json, serde_json::to_value(&again).unwrap());
    // details.json and intakes keep a job as JSON
    let from_json: job_file::Job = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(json, serde_json::to_value(&from_json).unwrap());

    let used = keys_used(&text.parse::<toml::Table>().unwrap());
    let known = keys_known(&job_file::json_schema());
    let unused: Vec<_> = known.iter().filter(|key| !used.contains(key)).collect();
    assert!(unused.is_empty(), "full.toml does not use {unused:?}");
}

/// Names of all keys in a job file.
fn keys_used(table: &toml::Table) -> Vec<String> {
    fn enter(value: &toml::Value, keys: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    keys.push(key.clone());
                    enter(value, keys);
                }
            }
            toml::Value::Array(items) => items.iter().for_each(|item| enter(item, keys)),
            _ => {}
        }
    }
    let mut keys = Vec::new();
    enter(&toml::Value::Table(table.clone()), &mut keys);
    keys
}

/// Names of all properties in a schema.
fn keys_known(schema: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    if let Some(map) = schema.as_object() {
        for (name, value) in map {
            if name == "properties" {
                keys.extend(value.as_object().unwrap().keys().cloned());
            }
            keys.extend(keys_known(value));
        }
    }
    schema.as_array().into_iter().flatten().for_each(|item| keys.extend(keys_known(item)));
    keys
}

/// Puts a value of every type in the place of every key of `full.toml`: what is refused for its type is named by its own key.
#[test]
fn a_wrong_type_is_named_by_its_own_key() {
    let full: toml::Value = toml::from_str(include_str!("job_file/full.toml")).unwrap();
    let values = ["true", "-7", "2.5", "'no such thing'", "[[1]]", "{ no = 1 }", "2026-03-01", "07:00:00"];
    let mut paths = Vec::new();
    pointers(&full, &mut String::new(), &mut paths);
    let mut refused = 0;
    for path in &paths {
        for value in values {
            let mut job = full.clone();
            let value = toml::from_str::<toml::Table>(&format!("v = {value}")).unwrap()["v"].clone();
            *at(&mut job, path) = value;
            let Err(error) = read(&toml::to_string(&job).unwrap()) else { continue };
            refused += 1;
            if error.problem.contains(", expected ") {
                let key = error.key.replace(['"', ']'], "").replace('[', ".");
                assert!(key.starts_with(path.trim_start_matches('.')), "{path}: {error}");
            }
        }
    }
    assert!(paths.len() > 90 && refused > 6 * paths.len(), "{refused} of {}", paths.len());
}

/// The paths of all values below one, such as `.evidence.0.tlp`.
fn pointers(value: &toml::Value, path: &mut String, paths: &mut Vec<String>) {
    let children: Vec<(String, &toml::Value)> = match value {
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        toml::Value::Array(items) => {
            items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (step, child) in children {
        let length = path.len();
        *path += &format!(".{step}");
        paths.push(path.clone());
        pointers(child, path, paths);
        path.truncate(length);
    }
}

fn at<'a>(value: &'a mut toml::Value, path: &str) -> &'a mut toml::Value {
    path.split('.').skip(1).fold(value, |value, step| match value {
        toml::Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        other => &mut other[step],
    })
}

#[test]
fn the_full_job_says_what_it_means() {
    let text = fs::read_to_string(Path::new(ROOT).join("crates/jobs/tests/job_file/full.toml")).unwrap();
    let job = read(&text).unwrap_or_else(|error| panic!("{error}"));
    let evidence = &job.evidence[0];
    assert_eq!(evidence.clock_offset.unwrap().as_us(), 2_500_000);
    assert_eq!(evidence.clock_uncertainty.unwrap().as_us(), 250_000);
    assert_eq!(evidence.collected.as_ref().unwrap().at.unwrap().at_us(), 1_776_677_400_000_000);
    let options = evidence.log_options();
    assert_eq!(options.zone.as_deref(), Some("Asia/Tokyo"));
    assert_eq!(options.period, Some((1_769_871_600_000_000, 1_777_561_200_000_000)));
    let mapping = options.mapping.unwrap();
    assert_eq!(mapping.columns["client"], "src_ip");
    assert_eq!(mapping.delimiter, Some(b';'));
    let feed = job.feed[0].feed_options();
    assert_eq!(feed.mapping.unwrap().columns["value"], "2");
    assert_eq!(job.case_dir(), Path::new("lantern.case"));
    assert_eq!(read("case.id = 'x'\ncase.jurisdiction = 'DE'\ncase.purpose = 'y'\nfeed = [{path = 'f', provider = 'p'}]").unwrap().case_dir(), Path::new("job.case"));
}

#[test]
fn one_clock_span_has_many_spellings() {
    let span = |text: &str| {
        let text = format!(
            "case = {{id = 'x', jurisdiction = 'DE', purpose = 'y'}}\n[[evidence]]\npath = 'f'\njurisdiction = 'DE'\nclock_offset = {text}"
        );
        read(&text)
            .map(|job| job.evidence[0].clock_offset.unwrap().as_us())
            .map_err(|error| error.to_string())
    };
    for (text, us) in [
        ("'+2.5s'", 2_500_000),
        ("'-2.5s'", -2_500_000),
        ("2.5", 2_500_000),
        ("-3", -3_000_000),
        ("'2.5'", 2_500_000),
        ("'-1'", -1_000_000),
        ("'PT2.5S'", 2_500_000),
        ("'-PT1H'", -3_600_000_000),
        ("'250ms'", 250_000),
        ("'1m 30s'", 90_000_000),
        ("'0.000001s'", 1),
        ("0", 0),
    ] {
        assert_eq!(span(text), Ok(us), "{text}");
    }
    for text in ["'0.0000001s'", "'soon'", "''", "'-'", "true", "nan", "inf", "1e300"] {
        assert!(span(text).is_err(), "{text} is accepted");
    }
}

#[test]
fn every_key_is_described() {
    fn enter(schema: &Value, place: &str, missing: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                if property.get("description").is_none() {
                    missing.push(format!("{place}.{name}"));
                }
            }
        }
        for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            enter(definition, name, missing);
        }
    }
    let mut missing = Vec::new();
    enter(&job_file::json_schema(), "", &mut missing);
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(job_file::describe("evidence[3].coverage.gaps[0].reason").as_deref(), Some("Why"));
    assert_eq!(
        job_file::describe("evidence.legal_basis.reference").as_deref(),
        Some("The order or request under it, such as \"EIO-2026-0042\"")
    );
    assert_eq!(job_file::describe("evidence.nothing"), None);
}

#[test]
fn schema() {
    let text = serde_json::to_string_pretty(&job_file::json_schema()).unwrap();
    golden("schemas/job.schema.json", &(text + "\n"));
}

#[test]
fn formats_are_held_against_the_tables() {
    let job = |evidence: &str, feed: &str| {
        read(&format!(
            "[case]\nid = 'x'\njurisdiction = 'DE'\npurpose = 'y'\n[[evidence]]\npath = 'f'\njurisdiction = 'DE'\nformat = '{evidence}'\n[[feed]]\npath = 'f'\nprovider = 'p'\nformat = '{feed}'\n"
        ))
        .unwrap()
        .check_formats(&["suricata-eve", "zeek"], &["plain", "stix"])
        .map_err(|error| error.to_string())
    };
    assert_eq!(job("zeek", "plain"), Ok(()));
    assert_eq!(job("detect", "detect"), Ok(()));
    let expected = "job.toml:8:10: evidence[0].format \"zeke\" is not known\nhint: did you mean \"zeek\"? one of: suricata-eve, zeek";
    assert_eq!(job("zeke", "plain").unwrap_err(), expected);
    let expected = "job.toml:8:10: evidence[0].format \"stix\" is not known\nhint: \"stix\" is a format of feeds: declare the file in a [[feed]]";
    assert_eq!(job("stix", "plain").unwrap_err(), expected);
    let expected = "job.toml:12:10: feed[0].format \"zeek\" is not known\nhint: \"zeek\" is a format of logs: declare the file in an [[evidence]]";
    assert_eq!(job("zeek", "zeek").unwrap_err(), expected);
}

#[test]
fn paths_become_files() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("[odd] name");
    fs::create_dir_all(base.join("de/deep")).unwrap();
    for name in ["de/b.log", "de/a.log", "de/c[1].log", "de/deep/d.log", "feed.txt", "find.sql"] {
        fs::write(base.join(name), name).unwrap();
    }
    let text = r#"
case = { id = "x", jurisdiction = "DE", purpose = "y" }

[[evidence]]
path = ["de/b.log", "de/*.log", "de/c[1].log", "nothing/*.log"]
jurisdiction = "DE"

[[evidence]]
path = "de/**/*.log"
jurisdiction = "DE"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[[evidence]]
path = "de"
jurisdiction = "DE"

[[evidence]]
path = "absent.log"
jurisdiction = "DE"

[[evidence]]
path = ["de/[a-"]
jurisdiction = "DE"

[[feed]]
path = ["feed.txt", "de"]
provider = "p"

[[correlation]]
name = "find"
sql = "find.sql"

[[correlation]]
name = "lose"
sql = "lose.sql"
"#;
    let inputs = job_file::read("job.toml", text, &base).unwrap().expand();
    let shown = |inputs: &[job_file::Input]| {
        inputs.iter().map(|input| format!("{} {}", input.entry, input.shown)).collect::<Vec<_>>()
    };
    let expected = [
        "0 de/b.log",
        "0 de/a.log",
        "0 de/c[1].log",
        "1 de/a.log",
        "1 de/b.log",
        "1 de/c[1].log",
        "1 de/deep/d.log",
    ];
    assert_eq!(shown(&inputs.evidence), expected);
    assert!(inputs.evidence.iter().all(|input| input.path.is_file()));
    assert_eq!(shown(&inputs.feeds), ["0 feed.txt", "0 de"]);
    assert_eq!(shown(&inputs.correlations), ["0 find.sql"]);
    let base_shown = format!("{:?}", base.display().to_string());
    let problems: Vec<String> =
        inputs.problems.iter().map(|problem| problem.to_string().replace(&base_shown, "BASE")).collect();
    let expected = [
        "job.toml:5:48: evidence[0].path[3] \"nothing/*.log\" matches no file\nhint: paths are relative to the job file, in BASE",
        "job.toml:11:10: evidence[1].sha256 is about one file, but the paths name 4\nhint: give the file that it is about an [[evidence]] of its own",
        "job.toml:14:8: evidence[2].path \"de\" is a directory\nhint: name the files in it, such as \"de/*.log\"",
        "job.toml:18:8: evidence[3].path \"absent.log\" is not there\nhint: paths are relative to the job file, in BASE",
        "job.toml:22:9: evidence[4].path[0] \"de/[a-\" is not a pattern: invalid range pattern",
        "job.toml:35:7: correlation[1].sql \"lose.sql\" is not there",
    ];
    assert_eq!(problems, expected);
}

/// The job that the repository ships names only what is there.
#[test]
fn operation_lantern_is_a_right_job() {
    let base = Path::new(ROOT).join("sample-data/operation-lantern");
    let text = fs::read_to_string(base.join("job.toml")).unwrap();
    let job = job_file::read("job.toml", &text, &base).unwrap_or_else(|error| panic!("{error}"));
    let inputs = job.expand();
    assert_eq!(inputs.problems, []);

    let expected: Value =
        serde_json::from_str(&fs::read_to_string(base.join("expected.json")).unwrap()).unwrap();
    let paths = |list: &str| {
        let paths = expected[list].as_array().unwrap().iter();
        paths.map(|item| item["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut shown: Vec<_> = inputs.evidence.iter().map(|input| input.shown.clone()).collect();
    shown.sort();
    assert_eq!(shown, paths("evidence"));
    let mut shown: Vec<_> = inputs.feeds.iter().map(|input| input.shown.clone()).collect();
    shown.sort();
    assert_eq!(shown, paths("feeds"));
    assert_eq!(inputs.allow_lists.len(), 1);
    assert_eq!(inputs.correlations.len(), 1);
}

proptest::proptest! {
    /// Whatever the bytes, an answer comes back, and an error points into the text.
    #[test]
    fn hostile_texts_never_panic(cut in 0usize..4000, splice in "\\PC{0,12}", skip in 0usize..8) {
        let full = include_str!("job_file/full.toml");
        let cut = full.char_indices().map(|(at, _)| at).take_while(|at| *at <= cut).last().unwrap_or(0);
        let (head, tail) = full.split_at(cut);
        let text = format!("{head}{splice}{}", tail.chars().skip(skip).collect::<String>());
        if let Err(error) = read(&text) {
            assert!(error.line >= 1 && error.line <= text.lines().count() + 1, "{error}");
        }
    }
}
