//! Levels 4 and 5: the run again from the evidence; and again by a second engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comity_provenance::Sha256Digest;
use comity_store::case::{Case, Shelf};

use super::attributed::{Attributed, Run};
use super::intact::Intact;
use super::sound::differs;
use super::{Ask, Climbed, Fault, Stop};
use crate::JobError;
use crate::custody::file_digest;
use crate::job_file::{self, AllowList, Correlation, Evidence, Feed, Job, Output};
use crate::progress::Progress;
use crate::reproduce::read_lines;
use crate::run::{self, Report};
use crate::second_engine;

/// A run that was made again.
pub(crate) struct Again {
    /// In the scratch directory.
    pub(crate) case: Case,
    pub(crate) report: Report,
    pub(crate) notes: Vec<String>,
}

/// From the originals in a full bag.
pub(crate) fn from_bag(
    ask: &Ask<'_>,
    intact: &Intact,
    told: &Attributed,
    run: &Run,
    scratch: &Path,
    progress: &dyn Progress,
) -> Climbed<Again> {
    let inputs = intact.checked.dir().join("data/inputs");
    let original =
        |shelf: Shelf, id: &Sha256Digest| inputs.join(shelf.as_str()).join(id.to_string()).join("original");
    let job = job(ask, told, run, scratch, &original)?;
    let mut again = rerun(&job, run, scratch, progress)?;
    compare(intact, run, &mut again)?;
    unused(told, run, &mut again);
    Ok(again)
}

/// From the verifier's own copies of evidence and feeds, known by their digests.
pub(crate) fn from_own(
    ask: &Ask<'_>,
    told: &Attributed,
    run: &Run,
    scratch: &Path,
    progress: &dyn Progress,
) -> Climbed<Again> {
    let mut own: BTreeMap<Sha256Digest, PathBuf> = BTreeMap::new();
    for path in ask.evidence {
        own.insert(file_digest(path).map_err(Stop::Error)?.0, path.clone());
    }
    let evidence = told.named.evidence.iter().map(|e| (Shelf::Evidence, e.normalised.id, &e.first().path));
    let feeds = told.named.feeds.iter().map(|f| (Shelf::Feeds, f.record.id, &f.intakes[0].path));
    let missing: Vec<String> = evidence
        .chain(feeds)
        .filter(|(_, id, _)| !own.contains_key(id))
        .map(|(shelf, id, path)| format!("{} {} ({path})", shelf.as_str(), id.short()))
        .collect();
    if !missing.is_empty() {
        return Err(Stop::Missing(format!(
            "needs the files themselves: --evidence FILE… for {}",
            missing.join(", ")
        )));
    }
    let lists = ask.bag.join("data/inputs/allow-lists");
    let original = |shelf: Shelf, id: &Sha256Digest| match shelf {
        Shelf::AllowLists => lists.join(id.to_string()).join("original"),
        _ => own.get(id).cloned().unwrap_or_default(),
    };
    let job = job(ask, told, run, scratch, &original)?;
    let mut again = rerun(&job, run, scratch, progress)?;
    recorded(run, &mut again)?;
    unused(told, run, &mut again);
    Ok(again)
}

/// The job that made the run, from what the statements tell, with the originals where they lie now.
fn job(
    ask: &Ask<'_>,
    told: &Attributed,
    run: &Run,
    scratch: &Path,
    original: &dyn Fn(Shelf, &Sha256Digest) -> PathBuf,
) -> Climbed<Job> {
    let form = |e: serde_json::Error| Fault::new("statement-form", format!("what was declared: {e}"));
    let path_of = |shelf: Shelf, id: &Sha256Digest| {
        let path = std::path::absolute(original(shelf, id)).unwrap_or_default();
        vec![glob::Pattern::escape(&path.to_string_lossy())]
    };
    let mut job = Job {
        case: run.told.case.clone(),
        evidence: Vec::new(),
        feed: Vec::new(),
        allow_list: Vec::new(),
        correlation: Vec::new(),
        output: Output::default(),
        origin: job_file::Origin::default(),
    };
    job.origin.base_dir = scratch.to_owned();
    for item in &told.named.evidence {
        for intake in &item.intakes {
            let mut declared: Evidence = serde_json::from_value(intake.declared.clone()).map_err(form)?;
            declared.path = path_of(Shelf::Evidence, &item.normalised.id);
            // the name, which detection may have gone by, is not in the bag
            declared.format = Some(item.normalised.format.clone());
            job.evidence.push(declared);
        }
    }
    for item in &told.named.feeds {
        for intake in &item.intakes {
            let mut declared: Feed = serde_json::from_value(intake.declared.clone()).map_err(form)?;
            declared.path = path_of(Shelf::Feeds, &item.record.id);
            declared.format = Some(item.record.format.clone());
            job.feed.push(declared);
        }
    }
    for (id, entry) in crate::dossier::entries(&run.definition, "allow_lists") {
        let name = entry.get("name").and_then(serde_json::Value::as_str).map(str::to_owned);
        job.allow_list.push(AllowList { path: path_of(Shelf::AllowLists, &id), name });
    }
    let own: Vec<String> = run.own().into_iter().map(|q| q.name).collect();
    for query in &run.queries {
        let sql = match own.contains(&query.name) {
            true => None,
            false if ask.their_sql => {
                let file = scratch.join(format!("{}.sql", query.name));
                std::fs::write(&file, &query.sql)
                    .map_err(|e| JobError::from(comity_store::StoreError::io(&file, e)))?;
                Some(file.to_string_lossy().into_owned())
            }
            false => continue,
        };
        let parameters = query.parameters.iter().map(|(name, value)| (name.clone(), value.into())).collect();
        job.correlation.push(Correlation { name: query.name.clone(), sql, parameters });
    }
    if job.correlation.is_empty() {
        job.correlation.push(Correlation {
            name: "sightings".into(),
            sql: None,
            parameters: Default::default(),
        });
    }
    Ok(job)
}

fn rerun(job: &Job, run: &Run, scratch: &Path, progress: &dyn Progress) -> Climbed<Again> {
    let dir = scratch.join("case");
    let report = match run::run(job, &dir, progress) {
        Ok(report) => report,
        Err(JobError::Interrupted) => return Err(Stop::Error(JobError::Interrupted)),
        Err(error) => {
            return Err(Fault::new("not-reproduced", format!("the run can't be made again: {error}")).into());
        }
    };
    let case = Case::open(&dir).map_err(|e| Stop::Error(e.into()))?;
    let mut notes = Vec::new();
    if report.run_id == run.id {
        notes.push(format!("the definition made anew is the same: run {}", run.id));
    } else {
        notes.push(
            "the definition made anew differs in the program's version or in queries that were not run"
                .into(),
        );
    }
    Ok(Again { case, report, notes })
}

/// Every table that was made again is the one in the bag.
fn compare(intact: &Intact, run: &Run, again: &mut Again) -> Climbed<()> {
    for output in &again.report.outputs {
        let path = format!("data/results/{}.parquet", output.name);
        let stored = read_lines(&output.name, &intact.checked.dir().join(&path))?;
        let found = read_lines(&output.name, &output.path)?;
        differs(&path, &stored, &found, "not-reproduced")?;
    }
    recorded(run, again)
}

/// Every table that was made again has the digest that the run's statement gives.
fn recorded(run: &Run, again: &mut Again) -> Climbed<()> {
    let mut equal = Vec::new();
    let mut left = Vec::new();
    for told in &run.told.outputs {
        match again.report.outputs.iter().find(|o| o.name == told.table) {
            Some(found) if found.logical_sha256 == told.logical_sha256 => equal.push(told.table.as_str()),
            Some(found) => {
                let message = format!(
                    "{}: its logical digest is {}, but the run stated {}",
                    told.table, found.logical_sha256, told.logical_sha256
                );
                return Err(Fault::new("not-reproduced", message).into());
            }
            None => left.push(told.table.as_str()),
        }
    }
    again.notes.push(format!(
        "{} tables of {} are equal: {}",
        equal.len(),
        run.told.outputs.len(),
        equal.join(", ")
    ));
    if !left.is_empty() {
        again.notes.push(format!(
            "not run, since their SQL came with the job (--their-sql runs it): {}",
            left.join(", ")
        ));
    }
    Ok(())
}

/// Says what the statements tell of besides the run: evidence that it did not use, and other runs.
fn unused(told: &Attributed, run: &Run, again: &mut Again) {
    let used: Vec<Sha256Digest> = told.named.evidence.iter().map(|e| e.normalised.id).collect();
    for (id, item) in told.told.evidence.iter().filter(|(id, _)| !used.contains(id)) {
        let path = item.intakes.first().map_or("", |i| i.path.as_str());
        again.notes.push(format!("evidence of the case that the run did not use: {} ({path})", id.short()));
    }
    for id in told.told.runs.keys().filter(|id| **id != run.id) {
        again.notes.push(format!("another run of the case: {}", id.short()));
    }
}

/// Recomputes sightings and built-in correlations with DuckDB, from the events and indicators made again.
pub(crate) fn elsewhere(run: &Run, again: &Again) -> Climbed<Vec<String>> {
    match second_engine::check(&again.case, &again.report, &run.own()) {
        Ok(verdict) => match verdict.difference {
            None => Ok(verdict.notes),
            Some(difference) => Err(Fault::new("second-engine-differs", difference).into()),
        },
        Err(second_engine::SecondEngineError::NotInstalled) => {
            Err(Stop::Missing("needs DuckDB for Python: python3 -m pip install 'duckdb>=2'".into()))
        }
        Err(other) => Err(Fault::new("second-engine-failed", other.to_string()).into()),
    }
}
