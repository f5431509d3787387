//! Read-only looks at a case: SQL over everything that it holds.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use comity_correlate::session::{Contents, Queries};
use comity_provenance::Sha256Digest;
use comity_store::case::{Case, Shelf};
use comity_store::tables;

use crate::JobError;
use crate::intake::{EvidenceItem, FEED_RECORD, FeedItem, NORMALISED};
use crate::run::{DETAILS, Details, evidence_table, feeds_table, table};

/// Everything that a case holds, read from its records.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Evidence items, by id.
    pub evidence: Vec<EvidenceItem>,
    /// Feeds, by id.
    pub feeds: Vec<FeedItem>,
    /// Runs, the last to end first.
    pub runs: Vec<Details>,
}

/// Reads what a case holds.
///
/// # Errors
/// Where a record does not read.
pub fn holdings(case: &Case) -> Result<Holdings, JobError> {
    let mut all = Holdings::default();
    for id in case.ids(Shelf::Evidence)? {
        let item = case.item(Shelf::Evidence, &id);
        if let Some(normalised) = Case::record(&item, NORMALISED)? {
            let intakes = Case::intakes(&item)?;
            all.evidence.push(EvidenceItem { normalised, intakes, item, originals: Vec::new() });
        }
    }
    for id in case.ids(Shelf::Feeds)? {
        let item = case.item(Shelf::Feeds, &id);
        if let Some(record) = Case::record(&item, FEED_RECORD)? {
            all.feeds.push(FeedItem { record, intakes: Case::intakes(&item)?, item, originals: Vec::new() });
        }
    }
    for id in case.ids(Shelf::Runs)? {
        all.runs.extend(Case::record::<Details>(&case.item(Shelf::Runs, &id), DETAILS)?);
    }
    all.runs.sort_by(|a, b| (&b.finished_at, b.run_id).cmp(&(&a.finished_at, a.run_id)));
    Ok(all)
}

/// The case's tables for questions. `sightings` are those of one run: the last, unless `run` says.
///
/// # Errors
/// Where the case does not read, or there is no such run.
pub fn queries(case: &Case, run: Option<&Sha256Digest>, threads: usize) -> Result<Queries, JobError> {
    let all = holdings(case)?;
    let run = match run {
        Some(id) => Some(*id),
        None => all.runs.first().map(|r| r.run_id),
    };
    let mut contents = Contents {
        evidence: all.evidence.iter().map(EvidenceItem::table_item).collect(),
        feeds: all.feeds.iter().map(FeedItem::table_item).collect(),
        tables: vec![
            ("evidence".into(), vec![evidence_table(&all.evidence, true)]),
            ("feeds".into(), vec![feeds_table(&all.feeds, true)]),
            ("runs".into(), vec![runs_table(&all.runs)]),
        ],
    };
    let sightings: Option<PathBuf> = run.map(|id| case.item(Shelf::Runs, &id).join("sightings.parquet"));
    contents.tables.push(("sightings".into(), match sightings {
        Some(file) => {
            let (schema, mut batches) = tables::read(&file)?;
            if batches.is_empty() {
                batches.push(RecordBatch::new_empty(schema));
            }
            batches
        }
        None => vec![RecordBatch::new_empty(comity_correlate::sightings::schema())],
    }));
    Ok(Queries::new(&contents, threads)?)
}

fn runs_table(runs: &[Details]) -> RecordBatch {
    let text = |of: &dyn Fn(&Details) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(runs.iter().map(of)))
    };
    table(vec![
        ("run_id", text(&|r| r.run_id.to_string())),
        ("case_id", text(&|r| r.job.case.id.clone())),
        ("purpose", text(&|r| r.job.case.purpose.clone())),
        ("started_at", text(&|r| r.started_at.clone())),
        ("finished_at", text(&|r| r.finished_at.clone())),
        (
            "sightings",
            Arc::new(Int64Array::from_iter_values(
                runs.iter().map(|r| i64::try_from(r.sightings).unwrap_or(i64::MAX)),
            )),
        ),
    ])
}
