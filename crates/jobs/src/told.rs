//! What statements tell, put together: the items, their readings, the runs. A bag is made from this
//! and checked against it, so that nothing stands in a bag beside the statements.

use std::collections::{BTreeMap, BTreeSet};

use comity_provenance::statement::{
    BuildType, CustodyEvent, Descriptor, Details, EventType, Predicate, Provenance, RecordTree, Statement,
};
use comity_provenance::{Sha256Digest, decimal};
use comity_store::case::{EvidenceIntake, FeedIntake, FeedRecord, Normalised, Shelf};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::custody::{BYTES, CASE_RECORD, LOGICAL, PROBLEMS, ROWS};
use crate::intake::{ALLOW_LIST_RECORD, AllowListRecord, FEED_RECORD, INTAKE, NORMALISED};
use crate::job_file;

/// Statements that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Contradiction {
    /// A statement that lacks what its kind must have, or has it in another form.
    #[error("statement {at}: {what}")]
    Form {
        /// Number of the statement, 1-based.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// Two roots for the same item in the same framing.
    #[error("statement {at}: {item} has a second record tree in framing {framing}: {first}, then {second}")]
    SecondRoot {
        /// Number of the statement, 1-based.
        at: usize,
        /// The item.
        item: String,
        /// The framing.
        framing: String,
        /// The first root.
        first: Sha256Digest,
        /// The second.
        second: Sha256Digest,
    },
    /// A statement of another case.
    #[error("statement {at}: of case {found:?}, but those before are of {case:?}")]
    OtherCase {
        /// Number of the statement, 1-based.
        at: usize,
        /// Case of this statement.
        found: String,
        /// Case of the first.
        case: String,
    },
    /// Two statements of one run.
    #[error("statement {at}: a second one of run {run}")]
    SecondRun {
        /// Number of the statement, 1-based.
        at: usize,
        /// The run.
        run: Sha256Digest,
    },
}

/// An item: how it was handed in, what it was read as, what it is committed to.
#[derive(Debug, Clone)]
pub struct Item<I, R> {
    /// Its intakes, in the order of the log.
    pub intakes: Vec<I>,
    /// Its readings.
    pub readings: Vec<R>,
    /// Its trees, one for each framing.
    pub trees: Vec<RecordTree>,
}

impl<I, R> Default for Item<I, R> {
    fn default() -> Self {
        Self { intakes: Vec::new(), readings: Vec::new(), trees: Vec::new() }
    }
}

impl<I, R> Item<I, R> {
    /// The tree in a framing.
    pub fn tree(&self, framing: &str) -> Option<&RecordTree> {
        self.trees.iter().find(|t| t.framing == framing)
    }
}

/// A table of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldOutput {
    /// Name of the table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Size of the file, bytes.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256Digest,
    /// Logical digest.
    pub logical_sha256: Sha256Digest,
}

/// A run.
#[derive(Debug, Clone)]
pub struct ToldRun {
    /// Case as the job declared it.
    pub case: job_file::Case,
    /// By the clock of the machine.
    pub started_at: String,
    /// The same.
    pub finished_at: String,
    /// Version and commit of comity.
    pub version: BTreeMap<String, String>,
    /// Its tables, in the order that they were made.
    pub outputs: Vec<ToldOutput>,
    /// What did not work.
    pub problems: Vec<String>,
    /// Names and digests of what it depended on.
    pub dependencies: BTreeMap<String, Sha256Digest>,
}

/// What statements tell.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Id of the case.
    pub case: Option<String>,
    /// Evidence items.
    pub evidence: BTreeMap<Sha256Digest, Item<EvidenceIntake, Normalised>>,
    /// Feeds.
    pub feeds: BTreeMap<Sha256Digest, Item<FeedIntake, FeedRecord>>,
    /// Allow-lists.
    pub allow_lists: BTreeMap<Sha256Digest, AllowListRecord>,
    /// Runs.
    pub runs: BTreeMap<Sha256Digest, ToldRun>,
}

impl Told {
    /// Puts statements together.
    ///
    /// # Errors
    /// Where they contradict one another, or one lacks what its kind must have.
    pub fn of<'a>(statements: impl IntoIterator<Item = &'a Statement>) -> Result<Self, Contradiction> {
        let mut told = Self::default();
        for (at, statement) in (1..).zip(statements) {
            let form = |what: String| Contradiction::Form { at, what };
            let case = match &statement.predicate {
                Predicate::Custody(event) => {
                    if event.event_type == EventType::Collection {
                        told.collected(at, statement, event)?;
                    }
                    event.case_id.clone()
                }
                Predicate::Provenance(provenance) => {
                    match provenance.build_definition.build_type {
                        BuildType::Normalise => told.reading(provenance).map_err(form)?,
                        BuildType::Correlate => told.run(at, statement, provenance)?,
                    }
                    let id = provenance.build_definition.external_parameters.get("caseId");
                    id.and_then(Value::as_str).ok_or_else(|| form("names no case".into()))?.to_owned()
                }
                Predicate::TestResult(_) => return Err(form("a verdict does not belong here".into())),
            };
            match &told.case {
                None => told.case = Some(case),
                Some(known) if *known == case => {}
                Some(known) => {
                    return Err(Contradiction::OtherCase { at, found: case, case: known.clone() });
                }
            }
        }
        Ok(told)
    }

    fn collected(
        &mut self,
        at: usize,
        statement: &Statement,
        event: &CustodyEvent,
    ) -> Result<(), Contradiction> {
        let form = |what: String| Contradiction::Form { at, what };
        // `Statement::parse` holds a collection to one subject that is named after its digest
        let Some(subject) = statement.subject.first() else { return Ok(()) };
        let id = subject.sha256();
        let record = |name: &str| event.records.iter().find(|r| r.name() == name);
        let trees = match subject.name().split('/').next() {
            Some("evidence") => {
                let item = self.evidence.entry(id).or_default();
                item.intakes.push(read(record(INTAKE)).map_err(form)?);
                &mut item.trees
            }
            Some("feeds") => {
                let item = self.feeds.entry(id).or_default();
                item.intakes.push(read(record(INTAKE)).map_err(form)?);
                &mut item.trees
            }
            _ => {
                self.allow_lists.insert(id, read(record(ALLOW_LIST_RECORD)).map_err(form)?);
                return Ok(());
            }
        };
        let Details::Collection { record_tree } = &event.details else {
            return Err(form("a collection has a record tree".into()));
        };
        match trees.iter().find(|t| t.framing == record_tree.framing) {
            Some(known) if known != record_tree => Err(Contradiction::SecondRoot {
                at,
                item: subject.name().to_owned(),
                framing: record_tree.framing.clone(),
                first: known.root,
                second: record_tree.root,
            }),
            Some(_) => Ok(()),
            None => {
                trees.push(record_tree.clone());
                Ok(())
            }
        }
    }

    fn reading(&mut self, provenance: &Provenance) -> Result<(), String> {
        let product = provenance.run_details.byproducts.first();
        match product.map(Descriptor::name) {
            Some(NORMALISED) => {
                let reading: Normalised = read(product)?;
                self.evidence.entry(reading.id).or_default().readings.push(reading);
            }
            Some(FEED_RECORD) => {
                let reading: FeedRecord = read(product)?;
                self.feeds.entry(reading.id).or_default().readings.push(reading);
            }
            other => return Err(format!("a reading came to {other:?}")),
        }
        Ok(())
    }

    fn run(
        &mut self,
        at: usize,
        statement: &Statement,
        provenance: &Provenance,
    ) -> Result<(), Contradiction> {
        let form = |what: String| Contradiction::Form { at, what };
        let details = &provenance.run_details;
        let id: Sha256Digest =
            details.metadata.invocation_id.parse().map_err(|_| form("run id is no digest".into()))?;
        let byproduct = |name: &str| details.byproducts.iter().find(|b| b.name() == name);
        let outputs = statement.subject.iter().map(output_of).collect::<Option<_>>();
        let run = ToldRun {
            case: read(byproduct(CASE_RECORD)).map_err(form)?,
            started_at: details.metadata.started_on.to_string(),
            finished_at: details.metadata.finished_on.to_string(),
            version: details.builder.version.clone(),
            outputs: outputs.ok_or_else(|| form("an output lacks rows, bytes or digest".into()))?,
            problems: read(byproduct(PROBLEMS)).map_err(form)?,
            dependencies: provenance
                .build_definition
                .resolved_dependencies
                .iter()
                .map(|d| (d.name().to_owned(), d.sha256()))
                .collect(),
        };
        match self.runs.insert(id, run) {
            Some(_) => Err(Contradiction::SecondRun { at, run: id }),
            None => Ok(()),
        }
    }
}

/// Whether a reading or a run is of these items, or of this run.
pub(crate) fn is_of(
    provenance: &Provenance,
    run: Option<&Sha256Digest>,
    items: &BTreeSet<Sha256Digest>,
) -> bool {
    match provenance.build_definition.build_type {
        BuildType::Correlate => {
            run.is_some_and(|run| provenance.run_details.metadata.invocation_id == run.to_string())
        }
        BuildType::Normalise => {
            provenance.build_definition.resolved_dependencies.iter().any(|d| items.contains(&d.sha256()))
        }
    }
}

fn read<T: DeserializeOwned>(record: Option<&Descriptor>) -> Result<T, String> {
    let record = record.ok_or("lacks its record")?;
    let bytes = record.content().ok_or_else(|| format!("{}: has no content", record.name()))?;
    comity_provenance::strict_json::from_slice(bytes).map_err(|e| format!("{}: {e}", record.name()))
}

fn output_of(subject: &Descriptor) -> Option<ToldOutput> {
    let text = |name: &str| subject.annotations().get(name)?.as_str();
    Some(ToldOutput {
        table: subject.name().strip_prefix("results/")?.strip_suffix(".parquet")?.to_owned(),
        rows: decimal(text(ROWS)?)?,
        bytes: decimal(text(BYTES)?)?,
        sha256: subject.sha256(),
        logical_sha256: text(LOGICAL)?.parse().ok()?,
    })
}

/// An item's place in names of statements.
pub(crate) fn name_of(shelf: Shelf, id: &Sha256Digest) -> String {
    format!("{}/{id}", shelf.as_str())
}
