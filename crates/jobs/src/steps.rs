//! The main job by hand: init, ingest, feed check, feed add, correlate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comity_parse::feed::FEED_FORMATS;
use comity_provenance::bag::{self, ValueFault};
use comity_store::case::FeedRecord;
use comity_store::case::{Case, Identity};
use comity_store::tables::RejectRow;
use serde::Serialize;

use crate::intake::{Intake, Taken};
use crate::job_file::{self, Correlation, Evidence, Feed, Input, Job, Output};
use crate::progress::Progress;
use crate::run::{self, Report};
use crate::{JobError, custody, feeds, show};

/// Makes a case, or opens it where it is there already.
///
/// # Errors
/// Where a text can't stand in a bag, the disk refuses, or another case is there.
pub fn init(path: &Path, identity: &Identity) -> Result<Case, JobError> {
    let texts = [
        ("id", Some(&identity.id)),
        ("title", identity.title.as_ref()),
        ("purpose", identity.purpose.as_ref()),
    ];
    for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        plain_text(name, text)?;
    }
    Ok(Case::init(path, identity, &custody::new_keys())?)
}

/// Refuses a text that can't be a value of `bag-info.txt`.
pub(crate) fn plain_text(name: &str, text: &str) -> Result<(), JobError> {
    match bag::text_fault(text) {
        Some(fault) => Err(JobError::Text { name: name.to_owned(), fault }),
        None => Ok(()),
    }
}

/// Refuses a table with a text that would be read otherwise than it is.
fn nothing_hidden(table: &impl Serialize) -> Result<(), JobError> {
    match job_file::hidden(table) {
        Some((name, found)) => Err(JobError::Text { name, fault: ValueFault::Character(found) }),
        None => Ok(()),
    }
}

/// Opens the case at `dir`, or the nearest one at or above `start`.
///
/// # Errors
/// Where there is none, or it does not read.
pub fn open(dir: Option<&Path>, start: &Path) -> Result<Case, JobError> {
    let found = dir.map(Path::to_owned).or_else(|| Case::find(start));
    Ok(Case::open(found.as_deref().unwrap_or(start))?)
}

fn inputs(files: &[PathBuf]) -> impl Iterator<Item = Input> + '_ {
    files.iter().map(|path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Input { entry: 0, shown: absolute.to_string_lossy().into_owned(), path: path.clone() }
    })
}

/// Takes evidence items into a case. What is wrong with single files is among the problems.
///
/// # Errors
/// Where the case can't be written, or the user wants an end.
pub fn ingest(
    case: &Case,
    declared: &Evidence,
    files: &[PathBuf],
    keep_originals: bool,
    progress: &dyn Progress,
) -> Result<Taken, JobError> {
    nothing_hidden(declared)?;
    custody::acting(case, progress, |scribe| {
        let mut intake = Intake::new(scribe, keep_originals, progress)?;
        inputs(files).try_for_each(|input| intake.take_evidence(declared, &input))?;
        intake.finish()
    })
}

/// Takes feeds into a case. What is wrong with single files is among the problems.
///
/// # Errors
/// Where the case can't be written, or the user wants an end.
pub fn feed_add(
    case: &Case,
    declared: &Feed,
    files: &[PathBuf],
    progress: &dyn Progress,
) -> Result<Taken, JobError> {
    nothing_hidden(declared)?;
    custody::acting(case, progress, |scribe| {
        let mut intake = Intake::new(scribe, false, progress)?;
        inputs(files).try_for_each(|input| intake.take_feed(declared, &input))?;
        intake.finish()
    })
}

/// Takes allow-lists into a case.
///
/// # Errors
/// Where the case can't be written, or the user wants an end.
pub fn allow_list_add(case: &Case, files: &[PathBuf], progress: &dyn Progress) -> Result<Taken, JobError> {
    custody::acting(case, progress, |scribe| {
        let mut intake = Intake::new(scribe, false, progress)?;
        inputs(files).try_for_each(|input| intake.take_allow_list(None, &input))?;
        intake.finish()
    })
}

/// What a feed would come to.
#[derive(Debug)]
pub struct FeedCheck {
    /// What it is read as, and the counts.
    pub record: FeedRecord,
    /// How many indicators of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Claims that are refused, with the reasons.
    pub rejects: Vec<RejectRow>,
}

/// Reads a feed without storing it: what a submitter would be told.
///
/// # Errors
/// Where it does not read at all.
pub fn feed_check(path: &Path, declared: &Feed) -> Result<FeedCheck, JobError> {
    if path.is_dir() {
        let formats: Vec<&str> = FEED_FORMATS.iter().map(|f| f.name).collect();
        let message = format!("is a directory; check its files one by one (formats: {})", formats.join(", "));
        return Err(JobError::File { path: path.to_owned(), message });
    }
    let read = feeds::read(path, declared)?;
    let (rejects, mut record) = (read.rejects, read.record);
    let sorted = read.claims.sorted(record.id);
    record.indicators = sorted.indicators() as u64;
    let mut kinds = BTreeMap::new();
    sorted.kinds().for_each(|kind| *kinds.entry(kind.as_str()).or_default() += 1);
    Ok(FeedCheck { record, kinds, rejects })
}

/// Correlates all that a case holds; all built-in correlations where none is named.
///
/// # Errors
/// Where the case can't be read or written, it holds nothing, or a name is not known.
pub fn correlate(case: &Case, names: &[String], progress: &dyn Progress) -> Result<Report, JobError> {
    for name in names.iter().filter(|n| *n != "sightings") {
        if comity_correlate::named::by_name(name).is_none() {
            let known: Vec<&str> = comity_correlate::named::CORRELATIONS.iter().map(|c| c.name).collect();
            return Err(JobError::Nothing(format!(
                "correlation {name:?} is not known; one of: sightings, {}",
                known.join(", ")
            )));
        }
    }
    custody::acting(case, progress, |scribe| {
        let taken = show::holdings(case)?.items;
        if taken.evidence.is_empty() {
            return Err(JobError::Nothing("the case holds no evidence".into()));
        }
        let job = job_of(case, &taken, names)?;
        run::correlate(scribe, &job, taken, progress)
    })
}

/// The job that would have made the case what it is, so that the run can be reproduced.
fn job_of(case: &Case, taken: &Taken, names: &[String]) -> Result<Job, JobError> {
    let identity = case.identity();
    let wrong = |what: &str| JobError::Nothing(format!("case.toml says no {what}"));
    let evidence = taken.evidence.iter().flat_map(|e| &e.intakes);
    let feed = taken.feeds.iter().flat_map(|f| &f.intakes);
    Ok(Job {
        case: job_file::Case {
            id: identity.id.clone(),
            title: identity.title.clone(),
            jurisdiction: identity
                .jurisdiction
                .as_deref()
                .and_then(|j| j.parse().ok())
                .ok_or_else(|| wrong("jurisdiction"))?,
            purpose: identity.purpose.clone().ok_or_else(|| wrong("purpose"))?,
            authority: None,
            request: None,
            references: Vec::new(),
        },
        evidence: evidence
            .filter_map(|i| {
                let declared: Evidence = serde_json::from_value(i.declared.clone()).ok()?;
                Some(Evidence { path: vec![i.source.to_string_lossy().into_owned()], ..declared })
            })
            .collect(),
        feed: feed
            .filter_map(|i| {
                let declared: Feed = serde_json::from_value(i.declared.clone()).ok()?;
                Some(Feed { path: vec![i.source.to_string_lossy().into_owned()], ..declared })
            })
            .collect(),
        allow_list: taken
            .allow_lists
            .iter()
            .map(|l| job_file::AllowList {
                path: vec![l.original.to_string_lossy().into_owned()],
                name: Some(l.list.name.clone()),
            })
            .collect(),
        correlation: names
            .iter()
            .map(|name| Correlation { name: name.clone(), sql: None, parameters: Default::default() })
            .collect(),
        output: Output::default(),
        origin: job_file::Origin::default(),
    })
}
