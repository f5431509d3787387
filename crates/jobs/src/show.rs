//! Read-only looks at a case: SQL over everything that it holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use comity_correlate::session::{Contents, Queries};
use comity_provenance::Sha256Digest;
use comity_store::case::{Case, EvidenceIntake, FeedIntake, Shelf};
use comity_store::{StoreError, tables};

use crate::JobError;
use crate::intake::{
    ALLOW_LIST_RECORD, AllowListItem, AllowListRecord, EvidenceItem, FEED_RECORD, FeedItem, NORMALISED,
    Taken, read_allow_list,
};
use crate::run::{DETAILS, Details, evidence_table, feeds_table, table};

/// Everything that a case holds, read from its records.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Evidence items, feeds and allow-lists, by id.
    pub items: Taken,
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
            let intakes: Vec<EvidenceIntake> = Case::intakes(&item)?;
            let originals = intakes.iter().map(|i| i.source.clone()).collect();
            all.items.evidence.push(EvidenceItem { normalised, intakes, item, originals });
        }
    }
    for id in case.ids(Shelf::Feeds)? {
        let item = case.item(Shelf::Feeds, &id);
        if let Some(record) = Case::record(&item, FEED_RECORD)? {
            let intakes: Vec<FeedIntake> = Case::intakes(&item)?;
            let originals = intakes.iter().map(|i| i.source.clone()).collect();
            all.items.feeds.push(FeedItem { record, intakes, item, originals });
        }
    }
    for id in case.ids(Shelf::AllowLists)? {
        let item = case.item(Shelf::AllowLists, &id);
        if let Some(record) = Case::record::<AllowListRecord>(&item, ALLOW_LIST_RECORD)? {
            all.items.allow_lists.push(allow_list_item(&item, record)?);
        }
    }
    for id in case.ids(Shelf::Runs)? {
        all.runs.extend(Case::record::<Details>(&case.item(Shelf::Runs, &id), DETAILS)?);
    }
    all.runs.sort_by(|a, b| (&b.finished_at, b.run_id).cmp(&(&a.finished_at, a.run_id)));
    Ok(all)
}

fn allow_list_item(item: &Path, record: AllowListRecord) -> Result<AllowListItem, JobError> {
    let dir = item.join("original");
    let original = std::fs::read_dir(&dir)
        .map_err(|e| StoreError::io(&dir, e))?
        .find_map(|entry| Some(entry.ok()?.path()))
        .unwrap_or(dir);
    let (list, _) = read_allow_list(&original, &record.name)?;
    Ok(AllowListItem { id: record.id, list, original })
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
        evidence: all.items.evidence.iter().map(EvidenceItem::table_item).collect(),
        feeds: all.items.feeds.iter().map(FeedItem::table_item).collect(),
        tables: vec![
            ("evidence".into(), vec![evidence_table(&all.items.evidence, true)]),
            ("feeds".into(), vec![feeds_table(&all.items.feeds, true)]),
            ("runs".into(), vec![runs_table(&all.runs)]),
        ],
    };
    let sightings: Option<PathBuf> = run.map(|id| case.item(Shelf::Runs, &id).join("sightings.parquet"));
    contents.tables.push((
        "sightings".into(),
        match sightings {
            Some(file) => {
                let (schema, mut batches) = tables::read(&file)?;
                if batches.is_empty() {
                    batches.push(RecordBatch::new_empty(schema));
                }
                batches
            }
            None => vec![RecordBatch::new_empty(comity_correlate::sightings::schema())],
        },
    ));
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
