//! The main job: evidence and feeds into the case, sightings, correlations, the run's record.
//!
//! A run is its *definition*: everything that determines the output, as digests and declared names,
//! never a path, host, time or thread count. The SHA-256 of `definition.json` is the run's id. What
//! else is worth knowing goes into `details.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Schema;
use comity_correlate::CorrelateError;
use comity_correlate::claims::{ClaimIndex, Feed};
use comity_correlate::named::{self, Parameter};
use comity_correlate::session::{Contents, Item, Queries};
use comity_correlate::sightings::{self, Evidence};
use comity_model::allow_list::AllowLists;
use comity_model::{Tlp, canonical};
use comity_provenance::Sha256Digest;
use comity_provenance::logical::Lines;
use comity_store::case::{Case, Identity, Shelf, jurisdiction_of};
use comity_store::durable::Stage;
use comity_store::feed::{Indicator, Indicators, Slice};
use comity_store::journal::Move;
use comity_store::{StoreError, rows, tables};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::custody::{self, Looked, ProgramDigest, Scribe};
use crate::intake::{AllowListItem, EvidenceItem, FeedItem, Intake, Problem, Taken};
use crate::job_file::{self, Correlation, Job};
use crate::progress::Progress;
use crate::summary::{self, Summary};
use crate::{JobError, clock};

/// Source commit that this program was built from, where the build knew it.
pub const COMMIT: Option<&str> = option_env!("COMITY_COMMIT");
/// Name of a run's definition.
pub const DEFINITION: &str = "definition.json";
/// Name of a run's details.
pub const DETAILS: &str = "details.json";

/// What a run came to; with `--json` this is printed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The case directory.
    pub case: PathBuf,
    /// SHA-256 of the run's definition.
    pub run_id: Sha256Digest,
    /// Evidence items, by jurisdiction and path.
    pub evidence: Vec<EvidenceLine>,
    /// Feeds, by provider and path.
    pub feeds: Vec<FeedLine>,
    /// Number of sightings.
    pub sightings: u64,
    /// The tables that the run wrote.
    pub outputs: Vec<Output>,
    /// What did not work, or that people should know.
    pub problems: Vec<Problem>,
    /// Whether this run was there already.
    pub repeated: bool,
    /// The summary, for people.
    #[serde(skip)]
    pub summary: Summary,
}

/// An evidence item in a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// SHA-256 of the original.
    pub id: Sha256Digest,
    /// Path it was read from.
    pub path: String,
    /// Log format.
    pub format: String,
    /// Whose it is.
    pub jurisdiction: String,
    /// Records: events and rejects.
    pub records: u64,
    /// Records read.
    pub events: u64,
    /// Records not understood.
    pub rejects: u64,
    /// Headers, comments and blank lines.
    pub headers: u64,
}

/// A feed in a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FeedLine {
    /// SHA-256 of the original.
    pub id: Sha256Digest,
    /// Path it was read from.
    pub path: String,
    /// Feed format.
    pub format: String,
    /// Who submits it.
    pub provider: String,
    /// Claims seen: accepted + rejected.
    pub seen: u64,
    /// Claims accepted.
    pub accepted: u64,
    /// Claims rejected.
    pub rejected: u64,
    /// Distinct indicators.
    pub indicators: u64,
}

/// A table that a run wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Name: `sightings` or a correlation.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Number of rows.
    pub rows: u64,
    /// Logical digest (PROVENANCE.md §2).
    pub logical_sha256: Sha256Digest,
}

/// What is known of a run besides its definition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Details {
    /// SHA-256 of the definition.
    pub run_id: Sha256Digest,
    /// When it began and ended, RFC 3339, by this machine's clock.
    pub started_at: String,
    /// When it ended.
    pub finished_at: String,
    /// Threads used.
    pub threads: usize,
    /// The job as it was declared.
    pub job: Job,
    /// Directory that the job's relative paths are relative to.
    pub base_dir: PathBuf,
    /// Where each original lay on this machine, by id.
    pub originals: BTreeMap<Sha256Digest, PathBuf>,
    /// Number of sightings.
    pub sightings: u64,
    /// The tables, paths relative to the run's directory.
    pub outputs: Vec<Output>,
    /// Correlations that failed or were refused.
    #[serde(default)]
    pub problems: Vec<Problem>,
}

impl Report {
    /// Records and claims that were not understood.
    pub fn rejected(&self) -> u64 {
        let rejects: u64 = self.evidence.iter().map(|e| e.rejects).sum();
        rejects + self.feeds.iter().map(|f| f.rejected).sum::<u64>()
    }
}

/// Runs a job: everything that its file declares, in the case that it names.
///
/// # Errors
/// Where nothing can be done at all: the case can't be written, the user wants an end, a
/// correlation fails. What is wrong with single inputs is in the report's problems.
pub fn run(job: &Job, case_dir: &Path, progress: &dyn Progress) -> Result<Report, JobError> {
    let logs: Vec<&str> = comity_parse::log::LOG_FORMATS.iter().map(|f| f.name).collect();
    let feeds: Vec<&str> = comity_parse::feed::FEED_FORMATS.iter().map(|f| f.name).collect();
    job.check_formats(&logs, &feeds)?;
    let identity = Identity {
        id: job.case.id.clone(),
        title: job.case.title.clone(),
        jurisdiction: Some(job.case.jurisdiction.to_string()),
        purpose: Some(job.case.purpose.clone()),
        members: Vec::new(),
    };
    let case = Case::init(case_dir, &identity, &custody::new_keys())?;
    custody::acting(&case, progress, |scribe| run_in(scribe, job, progress))
}

fn run_in(scribe: &Scribe<'_>, job: &Job, progress: &dyn Progress) -> Result<Report, JobError> {
    let inputs = job.expand();
    let mut intake = Intake::new(scribe, job.output.keep_originals, progress)?;
    intake.begin_with(inputs.problems.into_iter().map(|p| Problem::of(&JobError::JobFile(p))));
    for input in &inputs.evidence {
        intake.take_evidence(&job.evidence[input.entry], input)?;
    }
    for input in &inputs.feeds {
        intake.take_feed(&job.feed[input.entry], input)?;
    }
    for input in &inputs.allow_lists {
        intake.take_allow_list(job.allow_list[input.entry].name.as_deref(), input)?;
    }
    correlate(scribe, job, intake.finish()?, progress)
}

/// A correlation to be run: name, query, bound values.
#[derive(Debug, Clone)]
pub(crate) struct Queried {
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) parameters: BTreeMap<String, Parameter>,
}

/// Correlates inputs that are in the case.
pub(crate) fn correlate(
    scribe: &Scribe<'_>,
    job: &Job,
    taken: Taken,
    progress: &dyn Progress,
) -> Result<Report, JobError> {
    let case = scribe.case();
    let started_at = clock::now();
    let Taken { mut evidence, mut feeds, mut allow_lists, mut problems } = taken;
    evidence.sort_by_key(|e| e.normalised.id);
    feeds.sort_by_key(|f| f.record.id);
    allow_lists.sort_by_key(|l| l.id);
    let queries = queries(job, &mut problems);
    let lists: Vec<(Sha256Digest, String)> =
        allow_lists.iter().map(|l| (l.id, l.list.name.clone())).collect();
    let definition = definition_of(&job.case, &evidence, &feeds, &lists, &queries);
    let bytes =
        serde_json::to_vec_pretty(&definition).map_err(|e| StoreError::json(DEFINITION.as_ref(), e))?;
    let run_id = Sha256Digest::of(&bytes);
    let place = case.item(Shelf::Runs, &run_id);
    let mut report = Report {
        case: case.path().to_owned(),
        run_id,
        evidence: evidence_lines(&evidence),
        feeds: feed_lines(&feeds),
        sightings: 0,
        outputs: Vec::new(),
        problems,
        repeated: false,
        summary: Summary::default(),
    };
    if let Some(details) = Case::record::<Details>(&place, DETAILS)? {
        report.sightings = details.sightings;
        report.outputs =
            details.outputs.into_iter().map(|o| Output { path: place.join(&o.path), ..o }).collect();
        report.problems.extend(details.problems);
        report.repeated = true;
        report.summary = stored_summary(&report, job)?;
        scribe.consulted(Looked::Findings { run: run_id })?;
        return Ok(report);
    }
    progress.begin("correlate", None);
    let program = ProgramDigest::begin();
    let stage = Stage::new(&case.tmp(), "run")?;
    stage.write(DEFINITION, &bytes)?;
    let tables = Tables::new(&evidence, &feeds, &allow_lists)?;
    let mut outputs = vec![write_output(&stage, "sightings", &tables.sightings)?];
    report.sightings = outputs[0].rows;
    let session = Queries::new(&tables.contents(&evidence, &feeds), rayon::current_num_threads())?;
    let mut findings = BTreeMap::new();
    let mut failed = Vec::new();
    for query in &queries {
        progress.check()?;
        stage.write(&format!("{}.sql", query.name), query.sql.as_bytes())?;
        match named::run(&session, &query.name, &query.sql, &query.parameters) {
            Ok(batch) => {
                outputs.push(write_output(&stage, &query.name, std::slice::from_ref(&batch))?);
                findings.insert(query.name.clone(), batch);
            }
            Err(error) => failed.push(Problem::of(&error.into())),
        }
    }
    report.outputs = outputs;
    report.problems.extend(failed.iter().cloned());
    report.summary = summary_of(&report, job, &tables.sightings, &findings);
    stage.write("summary.md", summary::markdown(&report.summary).as_bytes())?;
    let details = Details {
        run_id,
        started_at,
        finished_at: clock::now(),
        threads: rayon::current_num_threads(),
        job: job.clone(),
        base_dir: std::path::absolute(&job.origin.base_dir).unwrap_or_else(|_| job.origin.base_dir.clone()),
        originals: originals(&evidence, &feeds, &allow_lists),
        sightings: report.sightings,
        outputs: report.outputs.clone(),
        problems: failed,
    };
    Case::stage_record(&stage, DETAILS, &details)?;
    let statement = scribe.correlated(&definition, &details, &report, &stage, program)?;
    let part = Move { stage, file: None, place: Case::place(Shelf::Runs, &run_id), known_by: DETAILS.into() };
    scribe.commit(&[statement], vec![part])?;
    for output in &mut report.outputs {
        output.path = place.join(&output.path);
    }
    progress.end(&format!("correlate: {} sightings", report.sightings));
    Ok(report)
}

/// The report of a run that the case holds, of the items that it names.
pub(crate) fn stored(case: &Case, details: Details, items: &Taken) -> Result<Report, JobError> {
    let place = case.item(Shelf::Runs, &details.run_id);
    let definition: Value = Case::record(&place, DEFINITION)?.unwrap_or_default();
    let named = |list: &str| -> Vec<String> {
        let ids = definition.get(list).and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(|item| Some(item.get("id")?.as_str()?.to_owned())).collect()
    };
    let (evidence, feeds) = (named("evidence"), named("feeds"));
    let of_run = |ids: &[String], id: &Sha256Digest| ids.contains(&id.to_string());
    let evidence: Vec<EvidenceItem> =
        items.evidence.iter().filter(|e| of_run(&evidence, &e.normalised.id)).cloned().collect();
    let feeds: Vec<FeedItem> = items.feeds.iter().filter(|f| of_run(&feeds, &f.record.id)).cloned().collect();
    let mut report = Report {
        case: case.path().to_owned(),
        run_id: details.run_id,
        evidence: evidence_lines(&evidence),
        feeds: feed_lines(&feeds),
        sightings: details.sightings,
        outputs: details.outputs.into_iter().map(|o| Output { path: place.join(&o.path), ..o }).collect(),
        problems: details.problems,
        repeated: true,
        summary: Summary::default(),
    };
    report.summary = stored_summary(&report, &details.job)?;
    Ok(report)
}

/// The summary of a run whose tables are there.
fn stored_summary(report: &Report, job: &Job) -> Result<Summary, JobError> {
    let (sightings, findings) = stored_tables(&report.outputs)?;
    Ok(summary_of(report, job, &sightings, &findings))
}

fn summary_of(
    report: &Report,
    job: &Job,
    sightings: &[RecordBatch],
    findings: &BTreeMap<String, RecordBatch>,
) -> Summary {
    summary::of(report, &job.case.id, job.case.title.as_deref(), sightings, findings, true)
}

/// What a summary needs of the sightings, and the other tables by name.
pub(crate) fn stored_tables(
    outputs: &[Output],
) -> Result<(Vec<RecordBatch>, BTreeMap<String, RecordBatch>), JobError> {
    let mut sightings = Vec::new();
    let mut findings = BTreeMap::new();
    for output in outputs {
        if output.name == "sightings" {
            sightings = tables::read_some(&output.path, summary::OF_SIGHTINGS)?;
            continue;
        }
        let (schema, batches) = tables::read(&output.path)?;
        let all = arrow::compute::concat_batches(&schema, &batches)
            .map_err(|e| StoreError::arrow(&output.name, e))?;
        findings.insert(output.name.clone(), all);
    }
    Ok((sightings, findings))
}

/// The correlations of a job; all built-in ones where it names none.
fn queries(job: &Job, problems: &mut Vec<Problem>) -> Vec<Queried> {
    let all: Vec<Correlation>;
    let wanted = if job.correlation.is_empty() {
        let named = |c: &named::Correlation| Correlation {
            name: c.name.into(),
            sql: None,
            parameters: BTreeMap::new(),
        };
        all = named::CORRELATIONS.iter().map(named).collect();
        &all
    } else {
        &job.correlation
    };
    let mut queries = Vec::new();
    for correlation in wanted.iter().filter(|c| c.name != "sightings") {
        let sql = match (&correlation.sql, named::by_name(&correlation.name)) {
            (Some(file), _) => {
                let path = job.origin.base_dir.join(file);
                match fs::read_to_string(&path) {
                    Ok(sql) => sql,
                    Err(e) => {
                        problems.push(Problem::of(&StoreError::io(&path, e).into()));
                        continue;
                    }
                }
            }
            (None, Some(built_in)) => built_in.sql.to_owned(),
            (None, None) => continue,
        };
        let parameters = correlation.parameters.iter().map(|(k, v)| (k.clone(), v.into())).collect();
        queries.push(Queried { name: correlation.name.clone(), sql, parameters });
    }
    queries.sort_by(|a, b| a.name.cmp(&b.name));
    queries
}

/// The bound values of a correlation, as a definition has them; `None` where one is of no known type.
pub(crate) fn parameters_of(value: &Value) -> Option<BTreeMap<String, Parameter>> {
    let parameter = |value: &Value| match value {
        Value::String(text) => Some(Parameter::Text(text.clone())),
        Value::Bool(value) => Some(Parameter::Boolean(*value)),
        other => other.as_i64().map(Parameter::Integer),
    };
    let members = value.as_object()?.iter();
    members.map(|(name, value)| Some((name.clone(), parameter(value)?))).collect()
}

impl From<&Parameter> for crate::job_file::Parameter {
    fn from(value: &Parameter) -> Self {
        match value {
            Parameter::Text(text) => Self::Text(text.clone()),
            Parameter::Integer(number) => Self::Integer(*number),
            Parameter::Boolean(value) => Self::Boolean(*value),
        }
    }
}

impl From<&crate::job_file::Parameter> for Parameter {
    fn from(value: &crate::job_file::Parameter) -> Self {
        match value {
            crate::job_file::Parameter::Text(text) => Self::Text(text.clone()),
            crate::job_file::Parameter::Integer(number) => Self::Integer(*number),
            crate::job_file::Parameter::Boolean(value) => Self::Boolean(*value),
        }
    }
}

/// The definition of a run: everything that determines its output.
pub(crate) fn definition_of(
    case: &job_file::Case,
    evidence: &[EvidenceItem],
    feeds: &[FeedItem],
    allow_lists: &[(Sha256Digest, String)],
    queries: &[Queried],
) -> Value {
    let evidence = evidence.iter().map(|e| {
        let first = e.first();
        json!({
            "id": e.normalised.id,
            "jurisdiction": e.jurisdiction(),
            "authority": first.authority,
            "legal_basis": first.legal_basis,
            "tlp": e.tlp(),
            "clock_uncertainty_us": e.clock_uncertainty_us(),
            "settings": e.normalised.settings,
        })
    });
    let feeds = feeds.iter().map(|f| {
        json!({ "id": f.record.id, "provider": f.provider(), "tlp": f.tlp(), "settings": f.record.settings })
    });
    let allow_lists = allow_lists.iter().map(|(id, name)| json!({ "id": id, "name": name }));
    let correlations = queries.iter().map(|q| {
        let parameters: BTreeMap<&String, Value> = q
            .parameters
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Parameter::Text(text) => json!(text),
                    Parameter::Integer(number) => json!(number),
                    Parameter::Boolean(value) => json!(value),
                };
                (name, value)
            })
            .collect();
        json!({ "name": q.name, "sha256": Sha256Digest::of(q.sql.as_bytes()), "parameters": parameters })
    });
    json!({
        "schema": "comity-run/v1",
        "comity": { "version": env!("CARGO_PKG_VERSION"), "commit": COMMIT },
        "case": { "id": case.id, "purpose": case.purpose },
        "tables": canonical::TABLE_VERSIONS.iter().copied().collect::<BTreeMap<_, _>>(),
        "evidence": evidence.collect::<Vec<_>>(),
        "feeds": feeds.collect::<Vec<_>>(),
        "allow_lists": allow_lists.collect::<Vec<_>>(),
        "correlations": correlations.collect::<Vec<_>>(),
    })
}

impl EvidenceItem {
    /// The intake that the item counts by: the first by jurisdiction and declaration, so that the
    /// order in which equal bytes came does not matter.
    pub fn first(&self) -> &comity_store::case::EvidenceIntake {
        let key = |i: &comity_store::case::EvidenceIntake| (i.jurisdiction.clone(), i.declared.to_string());
        self.intakes.iter().min_by_key(|i| key(i)).unwrap_or(&self.intakes[0])
    }

    /// Whose it is.
    pub fn jurisdiction(&self) -> String {
        jurisdiction_of(&self.intakes).map_or_else(String::new, |j| j.to_string())
    }

    /// The strictest marking.
    pub fn tlp(&self) -> Option<Tlp> {
        self.intakes.iter().filter_map(|i| i.tlp).max()
    }

    /// The greatest uncertainty, microseconds.
    pub fn clock_uncertainty_us(&self) -> i64 {
        self.intakes.iter().map(|i| i.clock_uncertainty_us).max().unwrap_or(0)
    }
}

impl FeedItem {
    /// Who submits it: all names, where several handed in the same bytes.
    pub fn provider(&self) -> String {
        let mut names: Vec<&str> = self.intakes.iter().map(|i| i.provider.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(" + ")
    }

    /// The strictest marking.
    pub fn tlp(&self) -> Option<Tlp> {
        self.intakes.iter().filter_map(|i| i.tlp).max()
    }
}

/// Evidence items as reports show them, by jurisdiction and path.
pub fn evidence_lines(evidence: &[EvidenceItem]) -> Vec<EvidenceLine> {
    let mut lines: Vec<EvidenceLine> = evidence
        .iter()
        .map(|e| EvidenceLine {
            id: e.normalised.id,
            path: e.first().path.clone(),
            format: e.normalised.format.clone(),
            jurisdiction: e.jurisdiction(),
            records: e.normalised.counts.records,
            events: e.normalised.counts.events,
            rejects: e.normalised.counts.rejects,
            headers: e.normalised.counts.headers,
        })
        .collect();
    lines.sort_by(|a, b| (&a.jurisdiction, &a.path, a.id).cmp(&(&b.jurisdiction, &b.path, b.id)));
    lines
}

/// Feeds as reports show them, by provider and path.
pub fn feed_lines(feeds: &[FeedItem]) -> Vec<FeedLine> {
    let mut lines: Vec<FeedLine> = feeds
        .iter()
        .map(|f| FeedLine {
            id: f.record.id,
            path: f.intakes[0].path.clone(),
            format: f.record.format.clone(),
            provider: f.provider(),
            seen: f.record.seen,
            accepted: f.record.accepted,
            rejected: f.record.rejected,
            indicators: f.record.indicators,
        })
        .collect();
    lines.sort_by(|a, b| (&a.provider, &a.path, a.id).cmp(&(&b.provider, &b.path, b.id)));
    lines
}

fn originals(
    evidence: &[EvidenceItem],
    feeds: &[FeedItem],
    allow_lists: &[AllowListItem],
) -> BTreeMap<Sha256Digest, PathBuf> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let evidence = evidence.iter().map(|e| (e.normalised.id, absolute(&e.originals[0])));
    let feeds = feeds.iter().map(|f| (f.record.id, absolute(&f.originals[0])));
    let lists = allow_lists.iter().map(|l| (l.id, absolute(&l.original)));
    evidence.chain(feeds).chain(lists).collect()
}

/// Writes a table of the run and gives its logical digest; its path is relative to the run.
fn write_output(stage: &Stage, name: &str, batches: &[RecordBatch]) -> Result<Output, JobError> {
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    rows::check(&schema).map_err(|source| not_digestible(name, source))?;
    let path = PathBuf::from(format!("{name}.parquet"));
    let file = stage.create(&format!("{name}.parquet"))?;
    let (written, digested) = rayon::join(
        || tables::write(file, &stage.path().join(&path), &schema, batches),
        || lines_of(name, batches).map(|lines| (lines.rows() as u64, lines.digest())),
    );
    written?;
    let (rows, logical_sha256) = digested?;
    Ok(Output { name: name.to_owned(), path, rows, logical_sha256 })
}

/// The logical lines of a table.
pub(crate) fn lines_of(name: &str, batches: &[RecordBatch]) -> Result<Lines, JobError> {
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    rows::lines(name, &schema, batches).map_err(|source| not_digestible(name, source))
}

fn not_digestible(name: &str, source: rows::NotDigestible) -> JobError {
    CorrelateError::NotDigestible { name: name.to_owned(), source }.into()
}

/// The tables that a run makes before its correlations.
pub(crate) struct Tables {
    pub(crate) sightings: Vec<RecordBatch>,
    allow_listed: RecordBatch,
}

impl Tables {
    pub(crate) fn new(
        evidence: &[EvidenceItem],
        feeds: &[FeedItem],
        allow_lists: &[AllowListItem],
    ) -> Result<Self, JobError> {
        let loaded: Vec<Feed> = feeds
            .par_iter()
            .map(|f| {
                Ok(Feed {
                    id: f.record.id.to_string(),
                    provider: f.provider(),
                    tlp: f.tlp(),
                    indicators: Indicators::read(&f.item)?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let lists = AllowLists::new(allow_lists.iter().map(|l| l.list.clone()).collect());
        let claims = ClaimIndex::new(&loaded)?;
        let item = |e: &EvidenceItem| Evidence {
            id: e.normalised.id.to_string(),
            item: e.item.clone(),
            jurisdiction: e.jurisdiction(),
            tlp: e.tlp(),
            clock_uncertainty_us: e.clock_uncertainty_us(),
        };
        let items: Vec<Evidence> = evidence.iter().map(item).collect();
        let sightings = sightings::of_items(&items, &loaded, &claims, &lists)?;
        let allow_listed = allow_listed(&loaded, &lists)?;
        let sightings =
            if sightings.is_empty() { vec![RecordBatch::new_empty(sightings::schema())] } else { sightings };
        Ok(Self { sightings, allow_listed })
    }

    /// Runs queries over the tables; the first that fails ends it.
    pub(crate) fn query(
        &self,
        evidence: &[EvidenceItem],
        feeds: &[FeedItem],
        queries: &[Queried],
    ) -> Result<Vec<(String, RecordBatch)>, JobError> {
        let session = Queries::new(&self.contents(evidence, feeds), rayon::current_num_threads())?;
        let run = |q: &Queried| Ok((q.name.clone(), named::run(&session, &q.name, &q.sql, &q.parameters)?));
        queries.iter().map(run).collect()
    }

    fn contents(&self, evidence: &[EvidenceItem], feeds: &[FeedItem]) -> Contents {
        Contents {
            evidence: evidence.iter().map(EvidenceItem::table_item).collect(),
            feeds: feeds.iter().map(FeedItem::table_item).collect(),
            tables: vec![
                ("sightings".into(), self.sightings.clone()),
                ("allow_listed".into(), vec![self.allow_listed.clone()]),
                ("evidence".into(), vec![evidence_table(evidence, false)]),
                ("feeds".into(), vec![feeds_table(feeds, false)]),
            ],
        }
    }
}

impl EvidenceItem {
    /// The item as the query session needs it.
    pub(crate) fn table_item(&self) -> Item {
        Item {
            id: self.normalised.id.to_string(),
            path: self.item.clone(),
            whose: self.jurisdiction(),
            tlp: None,
        }
    }
}

impl FeedItem {
    /// The feed as the query session needs it.
    pub(crate) fn table_item(&self) -> Item {
        Item {
            id: self.record.id.to_string(),
            path: self.item.clone(),
            whose: self.provider(),
            tlp: self.tlp().map(|t| t.to_string()),
        }
    }
}

/// Indicators that an allow-list names, a row for each list.
fn allow_listed(feeds: &[Feed], lists: &AllowLists) -> Result<RecordBatch, JobError> {
    let of_part = |feed: &Feed, part: &Slice| {
        let (mut positions, mut lists_of) = (Vec::new(), Vec::new());
        for (at, claimed) in (part.first() as u64..).zip(part.values()) {
            let claimed = claimed.map_err(|e| feed.indicators.integrity(&e.to_string()))?;
            let mut names = Vec::new();
            lists.naming(claimed.kind, claimed.value, &mut names);
            if !names.is_empty() {
                positions.push(at);
                lists_of.push(names);
            }
        }
        let mut named = Vec::new();
        for (Indicator { id, claim, .. }, names) in
            feed.indicators.fetch(&positions)?.into_iter().zip(lists_of)
        {
            let row = [feed.id.clone(), feed.provider.clone(), id, claim.kind.to_string(), claim.value];
            named.extend(names.into_iter().map(|name| [row.as_slice(), &[name.to_owned()]].concat()));
        }
        Ok(named)
    };
    let parts = feeds.iter().flat_map(|feed| feed.indicators.parts().iter().map(move |part| (feed, part)));
    let parts: Vec<_> = parts.collect();
    let named = parts.into_par_iter().map(|(feed, part)| of_part(feed, part));
    let named: Vec<Vec<String>> = named.collect::<Result<Vec<_>, StoreError>>()?.concat();
    let names = ["feed", "provider", "indicator_id", "indicator_kind", "indicator_value", "allow_list"];
    let columns = names.iter().enumerate().map(|(at, name)| {
        (*name, Arc::new(StringArray::from_iter_values(named.iter().map(|n| &n[at]))) as ArrayRef)
    });
    RecordBatch::try_from_iter(columns).map_err(|e| StoreError::arrow("allow_listed", e).into())
}

/// The `evidence` table; the path of an original is no part of what a finding may rest on.
pub(crate) fn evidence_table(evidence: &[EvidenceItem], with_paths: bool) -> RecordBatch {
    let text = |of: &dyn Fn(&EvidenceItem) -> Option<String>| -> ArrayRef {
        Arc::new(evidence.iter().map(of).collect::<StringArray>())
    };
    let number = |of: &dyn Fn(&EvidenceItem) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            evidence.iter().map(|e| i64::try_from(of(e)).unwrap_or(i64::MAX)),
        ))
    };
    let time = |of: &dyn Fn(&EvidenceItem) -> Option<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter(evidence.iter().map(of)).with_timezone("UTC"))
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![("id", text(&|e| Some(e.normalised.id.to_string())))];
    if with_paths {
        columns.push(("path", text(&|e| Some(e.first().path.clone()))));
    }
    columns.extend([
        ("format", text(&|e| Some(e.normalised.format.clone()))),
        ("jurisdiction", text(&|e| Some(e.jurisdiction()))),
        ("authority", text(&|e| e.first().authority.clone())),
        ("legal_basis", text(&|e| e.first().legal_basis.clone())),
        ("tlp", text(&|e| e.tlp().map(|t| t.to_string()))),
        ("records", number(&|e| e.normalised.counts.records)),
        ("events", number(&|e| e.normalised.counts.events)),
        ("rejects", number(&|e| e.normalised.counts.rejects)),
        ("bytes", number(&|e| e.normalised.bytes)),
        ("headers", number(&|e| e.normalised.counts.headers)),
        ("damaged", number(&|e| e.normalised.counts.damaged)),
        ("observables", number(&|e| e.normalised.counts.observables)),
        ("first_event", time(&|e| e.normalised.counts.first_us)),
        ("last_event", time(&|e| e.normalised.counts.last_us)),
        ("intakes", number(&|e| e.intakes.len() as u64)),
    ]);
    table(columns)
}

/// The `feeds` table.
pub(crate) fn feeds_table(feeds: &[FeedItem], with_paths: bool) -> RecordBatch {
    let text = |of: &dyn Fn(&FeedItem) -> Option<String>| -> ArrayRef {
        Arc::new(feeds.iter().map(of).collect::<StringArray>())
    };
    let number = |of: &dyn Fn(&FeedItem) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(feeds.iter().map(|f| i64::try_from(of(f)).unwrap_or(i64::MAX))))
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![("id", text(&|f| Some(f.record.id.to_string())))];
    if with_paths {
        columns.push(("path", text(&|f| Some(f.intakes[0].path.clone()))));
    }
    columns.extend([
        ("format", text(&|f| Some(f.record.format.clone()))),
        ("provider", text(&|f| Some(f.provider()))),
        ("tlp", text(&|f| f.tlp().map(|t| t.to_string()))),
        ("seen", number(&|f| f.record.seen)),
        ("accepted", number(&|f| f.record.accepted)),
        ("rejected", number(&|f| f.record.rejected)),
        ("indicators", number(&|f| f.record.indicators)),
        ("intakes", number(&|f| f.intakes.len() as u64)),
    ]);
    table(columns)
}

/// A batch of columns of one length.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let nullable = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(nullable)
        .unwrap_or_else(|_| RecordBatch::new_empty(Arc::new(Schema::empty())))
}
