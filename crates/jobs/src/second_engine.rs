//! Level 5: DuckDB recomputes the sightings and the built-in correlations of a run.
//!
//! The program is `second_engine.py`, run by `python3` with PyPI `duckdb`; it says at its head what is
//! recomputed from what. The queries are comity's own. Nothing of a bag reaches it but tables.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use comity_correlate::named::Parameter;
use comity_store::case::Case;
use comity_store::evidence::{EVENTS_FILE, REJECTS_FILE};
use comity_store::feed::INDICATORS_FILE;
use comity_store::observables::OBSERVABLES_FILE;
use serde_json::{Value, json};
use thiserror::Error;

use crate::intake::{AllowListItem, EvidenceItem, FeedItem};
use crate::run::{Queried, Report};
use crate::{JobError, show};

/// The program.
const PROGRAM: &str = include_str!("second_engine/second_engine.py");
/// Whether the package is there; Python before 3.11 does not know PYTHONSAFEPATH.
const IMPORT: &str = "import sys; sys.path[:] = [p for p in sys.path if p]; import duckdb";
/// What it answers where everything is equal.
const EQUAL: i32 = 0;
/// What it answers where something is not.
const UNEQUAL: i32 = 4;

/// Why the second engine could not say anything.
#[derive(Debug, Error)]
pub enum SecondEngineError {
    /// No `python3`, or no `duckdb` for it.
    #[error("python3 with duckdb is not installed")]
    NotInstalled,
    /// It failed.
    #[error("the second engine failed: {0}")]
    Failed(String),
    /// The case of the rerun does not read.
    #[error(transparent)]
    Job(#[from] JobError),
}

/// What it found.
#[derive(Debug)]
pub struct Verdict {
    /// The first table that differs, with a line; `None`: all are equal.
    pub difference: Option<String>,
    /// A line for each table.
    pub notes: Vec<String>,
}

/// Recomputes the tables of a run of a case.
///
/// # Errors
/// Where DuckDB is not there, or fails.
pub(crate) fn check(case: &Case, report: &Report, queries: &[Queried]) -> Result<Verdict, SecondEngineError> {
    if !installed() {
        return Err(SecondEngineError::NotInstalled);
    }
    let document = document(case, report, queries)?.to_string();
    let failed = |e: std::io::Error| SecondEngineError::Failed(e.to_string());
    let mut child = python()
        .arg(PROGRAM)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(document.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    let answers: Vec<Value> =
        output.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    match output.status.code() {
        Some(EQUAL | UNEQUAL) => Ok(verdict(&answers)),
        _ => {
            let said = answers.iter().find_map(|a| a.get("error")?.as_str().map(str::to_owned));
            let reason = answers.iter().find_map(|a| a.get("reason")?.as_str().map(str::to_owned));
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(SecondEngineError::Failed(said.or(reason).unwrap_or(stderr)))
        }
    }
}

/// `python3 -c`; nothing of the working directory, which may be a bag, is imported.
fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONSAFEPATH", "1").arg("-c");
    command
}

fn installed() -> bool {
    let asked =
        python().arg(IMPORT).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn verdict(answers: &[Value]) -> Verdict {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut verdict = Verdict { difference: None, notes: Vec::new() };
    for answer in answers {
        let name = text(answer, "name");
        if name.is_empty() {
            let engine = text(answer, "engine");
            if !engine.is_empty() {
                verdict.notes.insert(0, format!("recomputed by {engine}"));
            }
            continue;
        }
        let rows = answer.get("rows").and_then(Value::as_u64);
        let rows = rows.map_or_else(String::new, |rows| format!(", {rows} rows"));
        match answer.get("equal").and_then(Value::as_bool) {
            Some(true) => verdict.notes.push(format!("{name}: equal{rows}")),
            Some(false) => {
                let line = answer.get("first_difference").map(ToString::to_string).unwrap_or_default();
                verdict.difference.get_or_insert(format!("{name}: differs{rows}: {line}"));
            }
            None => verdict.notes.push(format!("{name}: left to comity: {}", text(answer, "reason"))),
        }
    }
    verdict
}

fn document(case: &Case, report: &Report, queries: &[Queried]) -> Result<Value, JobError> {
    let items = show::holdings(case)?.items;
    let made: Vec<&Queried> =
        queries.iter().filter(|q| report.outputs.iter().any(|o| o.name == q.name)).collect();
    let tables =
        report.outputs.iter().filter(|o| o.name == "sightings" || made.iter().any(|q| q.name == o.name));
    let tables: serde_json::Map<String, Value> = tables
        .map(|o| (o.name.clone(), json!({ "path": o.path, "logical_sha256": o.logical_sha256 })))
        .collect();
    Ok(json!({
        "schema": "comity-second-engine/v1",
        "memory_limit": "2GB",
        "threads": rayon::current_num_threads(),
        "scratch": case.tmp(),
        "evidence": items.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "feeds": items.feeds.iter().map(feed).collect::<Vec<_>>(),
        "allow_lists": items.allow_lists.iter().map(allow_list).collect::<Vec<_>>(),
        "tables": tables,
        "correlations": made.iter().map(|q| correlation(q)).collect::<Vec<_>>(),
    }))
}

fn evidence(item: &EvidenceItem) -> Value {
    let (first, file) = (item.first(), |name: &str| file_of(&item.item, name));
    json!({
        "id": item.normalised.id, "jurisdiction": item.jurisdiction(), "tlp": item.tlp(),
        "clock_uncertainty_us": item.clock_uncertainty_us(), "format": item.normalised.format,
        "authority": first.authority, "legal_basis": first.legal_basis, "bytes": item.normalised.bytes,
        "headers": item.normalised.counts.headers, "intakes": item.intakes.len(),
        "events": file(EVENTS_FILE), "observables": file(OBSERVABLES_FILE), "rejects": file(REJECTS_FILE),
    })
}

fn feed(item: &FeedItem) -> Value {
    json!({
        "id": item.record.id, "provider": item.provider(), "tlp": item.tlp(), "format": item.record.format,
        "intakes": item.intakes.len(), "indicators": file_of(&item.item, INDICATORS_FILE),
        "rejects": file_of(&item.item, REJECTS_FILE),
    })
}

fn allow_list(item: &AllowListItem) -> Value {
    let list = &item.list;
    let kinds = list.kinds.as_ref().map(|kinds| kinds.iter().map(|k| k.as_str()).collect::<Vec<_>>());
    json!({ "name": list.name, "matching": list.matching.as_str(), "kinds": kinds, "entries": list.entries })
}

fn correlation(query: &Queried) -> Value {
    let value = |parameter: &Parameter| match parameter {
        Parameter::Text(text) => json!(text),
        Parameter::Integer(number) => json!(number),
        Parameter::Boolean(value) => json!(value),
    };
    let parameters: serde_json::Map<String, Value> =
        query.parameters.iter().map(|(name, parameter)| (name.clone(), value(parameter))).collect();
    json!({ "name": query.name, "sql": query.sql, "parameters": parameters })
}

fn file_of(item: &Path, name: &str) -> Value {
    json!(std::path::absolute(item.join(name)).unwrap_or_else(|_| item.join(name)))
}
