//! `comity reproduce RUN`: the run again, from its originals, in a fresh case; then table against table.

use std::path::Path;

use comity_provenance::Sha256Digest;
use comity_provenance::logical::Lines;
use comity_store::case::{Case, Shelf};
use comity_store::tables;
use serde::Serialize;

use crate::JobError;
use crate::job_file::Job;
use crate::progress::Progress;
use crate::run::{self, DETAILS, Details, Output};

/// What reproducing a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The run that was to be reproduced.
    pub run_id: Sha256Digest,
    /// The run that was made; equal where inputs, settings and program are.
    pub found_run_id: Sha256Digest,
    /// The first line of the definition that differs; empty where the ids are equal.
    pub definition_difference: String,
    /// A line for each table.
    pub tables: Vec<TableVerdict>,
    /// What did not work on the way.
    pub problems: Vec<String>,
}

/// How a table compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableVerdict {
    /// Name of the table.
    pub name: String,
    /// Digest in the run's record.
    pub recorded: Sha256Digest,
    /// Digest of the table as it lies now.
    pub stored: Option<Sha256Digest>,
    /// Digest of the table made anew.
    pub found: Option<Sha256Digest>,
    /// The first line that one has and the other has not; `None` where equal.
    pub difference: Option<String>,
}

impl TableVerdict {
    /// Whether recorded, stored and new are equal.
    pub fn is_equal(&self) -> bool {
        self.stored == Some(self.recorded) && self.found == Some(self.recorded)
    }
}

impl Verdict {
    /// Whether everything is equal.
    pub fn is_equal(&self) -> bool {
        self.run_id == self.found_run_id && self.tables.iter().all(TableVerdict::is_equal)
    }
}

/// The run of a case whose id begins so.
///
/// # Errors
/// Where none or several do.
pub fn find_run(case: &Case, prefix: &str) -> Result<Sha256Digest, JobError> {
    let ids = case.ids(Shelf::Runs)?;
    let found: Vec<Sha256Digest> = ids.into_iter().filter(|id| id.to_string().starts_with(prefix)).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(JobError::Run { id: prefix.to_owned(), message: "no run of this case begins so".into() }),
        many => {
            Err(JobError::Run { id: prefix.to_owned(), message: format!("{} runs begin so", many.len()) })
        }
    }
}

/// Runs a run again in a temporary directory, and compares. `prefix` begins its id; nothing: the
/// last run that ended.
///
/// # Errors
/// Where there is no such run, it does not read, or it can't be run again at all.
pub fn again(case: &Case, prefix: Option<&str>, progress: &dyn Progress) -> Result<Verdict, JobError> {
    let id = chosen_run(case, prefix)?;
    let scratch = tempfile::Builder::new()
        .prefix("comity-reproduce-")
        .tempdir()
        .map_err(|e| comity_store::StoreError::io(&std::env::temp_dir(), e))?;
    reproduce(case, &id, scratch.path(), progress)
}

/// The run of a case whose id begins so; the last that ended where nothing is asked for.
///
/// # Errors
/// Where there is none, or several begin so.
pub fn chosen_run(case: &Case, prefix: Option<&str>) -> Result<Sha256Digest, JobError> {
    match prefix {
        Some(prefix) => find_run(case, prefix),
        None => {
            let last = crate::show::holdings(case)?.runs.into_iter().next();
            last.map(|run| run.run_id).ok_or_else(|| JobError::Nothing("the case has no run yet".into()))
        }
    }
}

/// Runs a run again in `scratch`, an empty directory, and compares.
///
/// # Errors
/// Where the run does not read, or can't be run again at all.
pub fn reproduce(
    case: &Case,
    id: &Sha256Digest,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Verdict, JobError> {
    let place = case.item(Shelf::Runs, id);
    let details: Details = Case::record(&place, DETAILS)?
        .ok_or_else(|| JobError::Run { id: id.to_string(), message: "has no details.json".into() })?;
    let mut job: Job = details.job;
    job.origin.base_dir = details.base_dir;
    let report = run::run(&job, &scratch.join("case"), progress)?;
    let mut verdict = Verdict {
        run_id: *id,
        found_run_id: report.run_id,
        definition_difference: definition_difference(&place, &case_of(&report))?,
        tables: Vec::new(),
        problems: report.problems.iter().map(|p| p.message.clone()).collect(),
    };
    for recorded in &details.outputs {
        let found = report.outputs.iter().find(|o| o.name == recorded.name);
        verdict.tables.push(compare(&place, recorded, found)?);
    }
    Ok(verdict)
}

/// Where the new run lies.
fn case_of(report: &run::Report) -> std::path::PathBuf {
    report.case.join(Shelf::Runs.as_str()).join(report.run_id.to_string())
}

fn definition_difference(ours: &Path, theirs: &Path) -> Result<String, JobError> {
    let read = |dir: &Path| {
        let path = dir.join(run::DEFINITION);
        std::fs::read_to_string(&path).map_err(|e| comity_store::StoreError::io(&path, e))
    };
    let (ours, theirs) = (read(ours)?, read(theirs)?);
    let differing = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
    Ok(match differing {
        Some((ours, theirs)) => format!("recorded {} but found {}", ours.trim(), theirs.trim()),
        None if ours == theirs => String::new(),
        None => "one ends before the other".into(),
    })
}

fn compare(place: &Path, recorded: &Output, found: Option<&Output>) -> Result<TableVerdict, JobError> {
    let stored_file = place.join(&recorded.path);
    let stored = read_lines(&recorded.name, &stored_file).ok();
    let new = found.map(|o| read_lines(&o.name, &o.path)).transpose()?;
    let difference = match (&stored, &new) {
        (Some(stored), Some(new)) => stored.first_difference(new).map(|d| {
            let line = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).trim_end().to_owned());
            match (line(d.ours), line(d.theirs)) {
                (Some(ours), None) => format!("only in the stored table: {ours}"),
                (None, Some(theirs)) => format!("only in the new table: {theirs}"),
                (ours, theirs) => {
                    format!("stored {} but new {}", ours.unwrap_or_default(), theirs.unwrap_or_default())
                }
            }
        }),
        (None, _) => Some(format!("{} does not read", stored_file.display())),
        (_, None) => Some("the table was not made".into()),
    };
    Ok(TableVerdict {
        name: recorded.name.clone(),
        recorded: recorded.logical_sha256,
        stored: stored.map(|l| l.digest()),
        found: new.map(|l| l.digest()),
        difference,
    })
}

pub(crate) fn read_lines(name: &str, path: &Path) -> Result<Lines, JobError> {
    let (schema, mut batches) = tables::read(path)?;
    if batches.is_empty() {
        batches.push(arrow::array::RecordBatch::new_empty(schema));
    }
    run::lines_of(name, &batches)
}
