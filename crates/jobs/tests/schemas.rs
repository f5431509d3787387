//! Holds `schemas/*.md` against the code: every column of every table, in files and in SQL, is
//! documented with its type and with what null means. `events.md` is written from the table of
//! fields: `UPDATE_GOLDEN=1` does it again.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Schema};
use comity_correlate::named::CORRELATIONS;
use comity_correlate::session::Queries;
use comity_jobs::progress::Silent;
use comity_jobs::{job_file, run, show};
use comity_model::{Column, FIELDS, FieldInfo, Kind, Observe, Reason};
use comity_store::case::Case;
use comity_store::{columns, feed, observables, record_tree, rows, tables};

/// What stands where a column is never null.
const NEVER: &str = "–";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A row of a documented table.
#[derive(Debug)]
struct Row {
    name: String,
    ty: String,
    null: String,
}

/// A document: the columns of the file, those that SQL adds, and those that it does not show.
#[derive(Debug, Default)]
struct Document {
    file: Vec<Row>,
    sql: Vec<Row>,
    hidden: BTreeSet<String>,
}

impl Document {
    fn read(name: &str) -> Self {
        let path = root().join("schemas").join(format!("{name}.md"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut document = Self::default();
        let mut in_sql = false;
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                in_sql = heading.starts_with("In SQL");
            } else if let Some(names) = line.strip_prefix("Not shown in SQL:") {
                document.hidden.extend(names.split('`').skip(1).step_by(2).map(str::to_owned));
            } else if line.starts_with("| `") {
                let cells: Vec<&str> = line.split(" | ").map(|c| c.trim_matches(['|', ' ', '`'])).collect();
                let [name, ty, _unit, null, _from, about] = cells.as_slice() else {
                    panic!("{}: not six cells: {line}", path.display())
                };
                assert!(about.len() > 3, "{}: says nothing about {name}", path.display());
                let row = Row { name: (*name).to_owned(), ty: (*ty).to_owned(), null: (*null).to_owned() };
                if in_sql { document.sql.push(row) } else { document.file.push(row) }
            }
        }
        document
    }

    fn in_file(&self) -> Vec<(&str, &str)> {
        self.file.iter().map(|r| (r.name.as_str(), r.ty.as_str())).collect()
    }

    fn in_sql(&self) -> BTreeSet<(&str, &str)> {
        let shown = self.file.iter().filter(|r| !self.hidden.contains(&r.name));
        shown.chain(&self.sql).map(|r| (r.name.as_str(), r.ty.as_str())).collect()
    }
}

/// The word of the documents for a type.
fn word(ty: &DataType) -> &'static str {
    match ty {
        DataType::Binary => "binary",
        other => rows::logical_type(other).unwrap_or_else(|| panic!("{other} has no word")).as_str(),
    }
}

fn columns_of(schema: &Schema) -> Vec<(&str, &'static str)> {
    schema.fields().iter().map(|f| (f.name().as_str(), word(f.data_type()))).collect()
}

#[test]
fn files_are_documented() {
    let documented = [
        ("events", columns::EVENTS.clone()),
        ("observables", observables::schema()),
        ("indicators", feed::schema()),
        ("rejects", tables::rejects_schema()),
        ("record-tree", record_tree::schema()),
        ("sightings", comity_correlate::sightings::schema()),
    ];
    for (name, schema) in documented {
        let document = Document::read(name);
        assert_eq!(document.in_file(), columns_of(&schema), "{name}");
        for (row, field) in document.file.iter().zip(schema.fields()) {
            assert_eq!(row.null != NEVER, field.is_nullable(), "{name}.{}: null {:?}", row.name, row.null);
        }
    }
}

/// A case with a run of every built-in correlation.
fn sample(place: &Path) -> (run::Report, Queries) {
    let text = "[case]\nid = \"schemas\"\njurisdiction = \"NL\"\npurpose = \"test\"\n\
        [[evidence]]\npath = \"nl/access.log\"\njurisdiction = \"NL\"\n\
        [[feed]]\npath = \"feeds/northlight.txt\"\nprovider = \"Northlight Research\"\n";
    let job = job_file::read("schemas.toml", text, &root().join("sample-data/operation-lantern")).unwrap();
    let report = run::run(&job, place, &Silent).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let queries = show::queries(&Case::open(place).unwrap(), None, 2).unwrap();
    (report, queries)
}

#[test]
fn what_people_and_partners_read_is_documented() {
    let scratch = tempfile::tempdir().unwrap();
    let (report, queries) = sample(&scratch.path().join("case"));
    let outputs: BTreeMap<&str, &PathBuf> =
        report.outputs.iter().map(|o| (o.name.as_str(), &o.path)).collect();
    for correlation in CORRELATIONS {
        let (schema, _) = tables::read(outputs[correlation.name]).unwrap();
        assert_eq!(Document::read(correlation.name).in_file(), columns_of(&schema), "{}", correlation.name);
    }
    let listed = "select table_name from information_schema.tables where table_schema = 'public' order by 1";
    let names: Vec<String> = queries
        .ask(listed)
        .unwrap()
        .iter()
        .flat_map(|batch| {
            let names = arrow::compute::cast(batch.column(0), &DataType::Utf8).unwrap();
            names.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let all = ["events", "evidence", "feeds", "indicators", "observables", "rejects", "runs", "sightings"];
    assert_eq!(names, all);
    for name in all {
        let batches = queries.ask(&format!("select * from {name} limit 0")).unwrap();
        let schema = batches[0].schema();
        let found: BTreeSet<_> = columns_of(&schema).into_iter().collect();
        assert_eq!(Document::read(name).in_sql(), found, "{name}");
    }
}

#[test]
fn every_document_is_of_a_table() {
    let mut known: BTreeSet<String> = CORRELATIONS.iter().map(|c| c.name.to_owned()).collect();
    known.extend(
        [
            "README",
            "events",
            "evidence",
            "feeds",
            "indicators",
            "observables",
            "record-tree",
            "rejects",
            "runs",
            "sightings",
        ]
        .map(str::to_owned),
    );
    let found: BTreeSet<String> = std::fs::read_dir(root().join("schemas"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".md").map(str::to_owned))
        .collect();
    assert_eq!(found, known);
}

#[test]
fn events_are_documented_from_the_table_of_fields() {
    let path = root().join("schemas/events.md");
    let expected = events_document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "schemas/events.md is out of date; UPDATE_GOLDEN=1 writes it");
}

/// People look reasons and kinds up in the guides.
#[test]
fn every_reason_and_kind_is_explained() {
    let guide = |name: &str| std::fs::read_to_string(root().join("docs").join(name)).unwrap();
    let (analysts, researchers) = (guide("analysts.md"), guide("researchers.md"));
    let in_a_table = |text: &str, token: &str| {
        let token = format!("`{token}`");
        text.lines().any(|line| {
            line.split(" | ").next().is_some_and(|cell| cell.starts_with("| ") && cell.contains(&token))
        })
    };
    for reason in Reason::ALL {
        let explained = [&analysts, &researchers].iter().any(|text| in_a_table(text, reason.as_str()));
        assert!(explained, "reason {reason} is in no table of docs/analysts.md or docs/researchers.md");
    }
    for kind in Kind::ALL {
        assert!(in_a_table(&researchers, kind.as_str()), "kind {kind} is in no table of docs/researchers.md");
    }
}

const EVENTS_HEAD: &str = "\
# events

One row for each record of a log that was read: what happened, in columns that all formats share. A format fills
the columns that it has; the others are null. This page is written from the code (`crates/model/src/field.rs`).

## In the file `evidence/<sha256>/events-0.parquet`

Rows stand in the order of the records. Each column that has an OCSF 1.8 attribute names it in its field metadata (`ocsf`).

| column | type | unit | null | from | about |
|---|---|---|---|---|---|
| `record` | integer | 1-based | – | the file | number of the record in the evidence item; headers, comments and blank lines count too |
| `offset` | integer | bytes, 0-based | – | the file | where the record begins in the decompressed stream; a reserved word in SQL, write `\"offset\"` |
| `length` | integer | bytes | – | the file | length of the record without its line end |
| `time` | timestamp | µs, UTC | no time stated, or no year and no coverage declared | the record | when it happened, the declared clock offset taken off; OCSF `time` |
| `class` | text | token | – | the format | `network`, `dns`, `http`, `tls`, `file`, `process`, `auth`, `email`, `cloud` or `other` |
| `damaged` | boolean | – | – | the record | whether a text held bytes that were not UTF-8 (read as U+FFFD; such a text gives no observable) |
";

const EVENTS_TAIL: &str = "
An *asserted* value was stated by a party to the exchange, not observed by the recorder.

## In SQL: `events`

Added, from where the file lies:

| column | type | unit | null | from | about |
|---|---|---|---|---|---|
| `evidence` | text | 64 hex digits | – | the case | SHA-256 of the evidence item |
| `jurisdiction` | text | ISO 3166-1 alpha-2 | – | the intake | whose it is; the first by name where several handed in the same bytes |
";

fn events_document() -> String {
    let mut text = EVENTS_HEAD.to_owned();
    for info in FIELDS {
        let ty = match info.column {
            Column::Text => "text",
            Column::TextList => "`list<text>`",
            Column::Integer => "integer",
        };
        let _ = writeln!(
            text,
            "| `{}` | {ty} | {} | not in the record | the record | {} |",
            info.field,
            unit(info),
            about(info)
        );
    }
    text + EVENTS_TAIL
}

fn unit(info: &FieldInfo) -> &'static str {
    match info.column {
        Column::Integer if info.about.contains("microseconds") => "µs",
        Column::Integer if info.about.contains("bytes") => "bytes",
        Column::Integer => "number",
        _ => NEVER,
    }
}

fn about(info: &FieldInfo) -> String {
    let gives = match info.observe {
        Observe::Nothing => None,
        Observe::Address => Some("an address".to_owned()),
        Observe::Host => Some("a name or an address".to_owned()),
        Observe::Url => Some("a URL and its host".to_owned()),
        Observe::Email => Some("a mail address and its domain".to_owned()),
        Observe::Path => Some("a path and its last component".to_owned()),
        Observe::One(kind) => Some(format!("`{kind}`")),
        Observe::Extracted => Some("what is found in the text".to_owned()),
    };
    let mut parts = vec![info.about.to_owned()];
    parts.extend(gives.map(|gives| format!("observables: {gives}")));
    parts.extend(info.asserted.then(|| "asserted".to_owned()));
    parts.extend((!info.ocsf.is_empty()).then(|| format!("OCSF `{}`", info.ocsf)));
    parts.join("; ")
}
