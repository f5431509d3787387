//! From what statements tell to what the exports are made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comity_export::{
    AllowListFacts, BagKind, CaseFacts, CorrelationFacts, Dossier, EvidenceFacts, FeedFacts, OutputFacts,
    Summary, Tool,
};
use comity_provenance::Sha256Digest;
use comity_store::case::{EvidenceIntake, FeedRecord, Normalised};
use serde_json::Value;

use crate::JobError;
use crate::intake::{EvidenceItem, FeedItem, Problem};
use crate::run::{self, Output, Report};
use crate::summary;
use crate::told::{Told, ToldRun};

/// The items that a definition names, as the statements tell of them. Of several readings of an item
/// that one counts whose settings the definition has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    pub(crate) evidence: Vec<EvidenceItem>,
    pub(crate) feeds: Vec<FeedItem>,
}

/// The entries of a list of a definition: id, and the entry.
pub(crate) fn entries<'a>(
    definition: &'a Value,
    list: &str,
) -> impl Iterator<Item = (Sha256Digest, &'a Value)> + use<'a> {
    let entries = definition.get(list).and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| Some((entry.get("id")?.as_str()?.parse().ok()?, entry)))
}

impl Named {
    /// Finds the items; those that no statement tells of are named in the error.
    pub(crate) fn find(told: &Told, definition: &Value) -> Result<Self, String> {
        let mut named = Self::default();
        for (id, entry) in entries(definition, "evidence") {
            let item =
                told.evidence.get(&id).ok_or_else(|| format!("no statement tells of evidence {id}"))?;
            let reading = |r: &&Normalised| Some(&r.settings) == entry.get("settings");
            let normalised = item
                .readings
                .iter()
                .find(reading)
                .ok_or_else(|| format!("no statement tells of evidence {id} read with these settings"))?;
            named.evidence.push(EvidenceItem {
                normalised: normalised.clone(),
                intakes: item.intakes.clone(),
                item: PathBuf::new(),
                originals: Vec::new(),
            });
        }
        for (id, entry) in entries(definition, "feeds") {
            let item = told.feeds.get(&id).ok_or_else(|| format!("no statement tells of feed {id}"))?;
            let reading = |r: &&FeedRecord| Some(&r.settings) == entry.get("settings");
            let record = item
                .readings
                .iter()
                .find(reading)
                .ok_or_else(|| format!("no statement tells of feed {id} read with these settings"))?;
            named.feeds.push(FeedItem {
                record: record.clone(),
                intakes: item.intakes.clone(),
                item: PathBuf::new(),
                originals: Vec::new(),
            });
        }
        Ok(named)
    }
}

/// The dossier of a run, from the statements about it, its definition, and the tables in `results`.
///
/// # Errors
/// Where a table does not read.
pub(crate) fn of_run(
    kind: BagKind,
    told: &Told,
    run_id: Sha256Digest,
    run: &ToldRun,
    definition: &Value,
    named: &Named,
    results: &Path,
) -> Result<Dossier, JobError> {
    let mut dossier = of_items(kind, told, named);
    dossier.case = CaseFacts {
        id: run.case.id.clone(),
        title: run.case.title.clone(),
        jurisdiction: run.case.jurisdiction.to_string(),
        purpose: run.case.purpose.clone(),
    };
    dossier.run_id = Some(run_id.to_string());
    dossier.tool = tool(&run.version);
    dossier.run_times = Some((run.started_at.clone(), run.finished_at.clone()));
    dossier.allow_lists = entries(definition, "allow_lists")
        .map(|(id, entry)| AllowListFacts { id: id.to_string(), name: name_of(entry) })
        .collect();
    let correlations = definition.get("correlations").and_then(Value::as_array).into_iter().flatten();
    dossier.correlations = correlations
        .map(|entry| CorrelationFacts {
            name: name_of(entry),
            sql_sha256: entry.get("sha256").and_then(Value::as_str).unwrap_or_default().to_owned(),
        })
        .collect();
    dossier.outputs = run
        .outputs
        .iter()
        .map(|o| OutputFacts {
            name: o.table.clone(),
            path: format!("results/{}.parquet", o.table),
            rows: o.rows,
            sha256: o.sha256.to_string(),
            bytes: o.bytes,
            logical_sha256: o.logical_sha256.to_string(),
        })
        .collect();
    dossier.summary = summary_of(&dossier.case, run_id, run, named, results)?;
    Ok(dossier)
}

/// The dossier of items alone.
pub(crate) fn of_items(kind: BagKind, told: &Told, named: &Named) -> Dossier {
    let tree = |id: &Sha256Digest, framing: &str| {
        told.evidence.get(id).and_then(|e| e.tree(framing)).map(|t| t.root.to_string())
    };
    let evidence = named.evidence.iter().map(|e| {
        let (first, n) = (e.first(), &e.normalised);
        EvidenceFacts {
            id: n.id.to_string(),
            path: first.path.clone(),
            bytes: n.bytes,
            codec: n.codec.clone(),
            stream_sha256: n.stream_sha256.to_string(),
            format: n.format.clone(),
            framing: n.framing.clone(),
            jurisdiction: e.jurisdiction(),
            authority: first.authority.clone(),
            legal_basis: first.legal_basis.clone(),
            tlp: e.tlp(),
            received_at: earliest(&e.intakes),
            records: n.counts.records,
            events: n.counts.events,
            rejects: n.counts.rejects,
            headers: n.counts.headers,
            record_root: tree(&n.id, &n.framing),
        }
    });
    let feeds = named.feeds.iter().map(|f| FeedFacts {
        id: f.record.id.to_string(),
        path: f.intakes.first().map(|i| i.path.clone()).unwrap_or_default(),
        provider: f.provider(),
        format: f.record.format.clone(),
        tlp: f.tlp(),
        received_at: f.intakes.iter().map(|i| i.received_at.clone()).min().unwrap_or_default(),
        seen: f.record.seen,
        accepted: f.record.accepted,
        rejected: f.record.rejected,
        indicators: f.record.indicators,
    });
    Dossier { kind, evidence: evidence.collect(), feeds: feeds.collect(), ..Dossier::default() }
}

fn earliest(intakes: &[EvidenceIntake]) -> String {
    intakes.iter().map(|i| i.received_at.clone()).min().unwrap_or_default()
}

/// Version and commit, as a statement has them.
fn tool(version: &BTreeMap<String, String>) -> Tool {
    Tool {
        version: version.get("comity").cloned().unwrap_or_default(),
        commit: version.get("commit").cloned(),
    }
}

fn name_of(entry: &Value) -> String {
    entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The summary of the run, from the tables as they lie in `results`.
fn summary_of(
    case: &CaseFacts,
    run_id: Sha256Digest,
    run: &ToldRun,
    named: &Named,
    results: &Path,
) -> Result<Summary, JobError> {
    let outputs = run.outputs.iter().map(|o| Output {
        name: o.table.clone(),
        path: results.join(format!("{}.parquet", o.table)),
        rows: o.rows,
        logical_sha256: o.logical_sha256,
    });
    let problem = |message: &String| Problem { message: message.clone(), hint: None, integrity: false };
    let report = Report {
        case: PathBuf::new(),
        run_id,
        evidence: run::evidence_lines(&named.evidence),
        feeds: run::feed_lines(&named.feeds),
        sightings: run.outputs.iter().find(|o| o.table == "sightings").map_or(0, |o| o.rows),
        outputs: outputs.collect(),
        problems: run.problems.iter().map(problem).collect(),
        repeated: true,
        summary: summary::Summary::default(),
    };
    // a findings bag leaves out tables that name what was not seen
    let there: Vec<Output> = report.outputs.iter().filter(|o| o.path.is_file()).cloned().collect();
    let (sightings, findings) = run::stored_tables(&there)?;
    Ok(summary::of(&report, &case.id, case.title.as_deref(), &sightings, &findings, false))
}
