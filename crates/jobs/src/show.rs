//! Read-only looks at a case: SQL over everything that it holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{self, DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comity_correlate::session::{Contents, Queries, Rows};
use comity_provenance::Sha256Digest;
use comity_store::case::{Case, EvidenceIntake, FeedIntake, Shelf};
use comity_store::{StoreError, tables};
use serde::Serialize;
use serde_json::Value;

use crate::custody::{self, Looked};
use crate::intake::{
    ALLOW_LIST_RECORD, AllowListItem, AllowListRecord, EvidenceItem, FEED_RECORD, FeedItem, NORMALISED,
    Taken, read_allow_list,
};
use crate::progress::Progress;
use crate::run::{self, DETAILS, Details, Report, evidence_table, feeds_table, table};
use crate::{JobError, bag, dossier, reproduce};

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

/// Where an item keeps its original.
///
/// # Errors
/// Where it keeps none.
pub(crate) fn kept_original(item: &Path) -> Result<PathBuf, JobError> {
    let dir = item.join("original");
    let found = std::fs::read_dir(&dir).map_err(|e| StoreError::io(&dir, e))?;
    let gone = || StoreError::io(&dir, std::io::ErrorKind::NotFound.into());
    Ok(found.filter_map(|entry| Some(entry.ok()?.path())).next().ok_or_else(gone)?)
}

/// Where the original of an evidence item lies: in the case, or where it was handed in from.
///
/// # Errors
/// Where it lies in neither.
pub(crate) fn evidence_original(case: &Case, id: &Sha256Digest) -> Result<PathBuf, JobError> {
    let item = case.item(Shelf::Evidence, id);
    if let Ok(kept) = kept_original(&item) {
        return Ok(kept);
    }
    let intakes: Vec<EvidenceIntake> = Case::intakes(&item)?;
    let there = intakes.iter().map(|i| &i.source).find(|path| path.is_file());
    there
        .cloned()
        .ok_or_else(|| JobError::Original { id: *id, paths: intakes.into_iter().map(|i| i.source).collect() })
}

fn allow_list_item(item: &Path, record: AllowListRecord) -> Result<AllowListItem, JobError> {
    let original = kept_original(item)?;
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

/// The report of a run that the case holds: the one whose id begins with `prefix`, or the last. That it was looked
/// at is stated and logged first.
///
/// # Errors
/// Where there is no such run, or the case does not read or can't be written.
pub fn findings(case: &Case, prefix: Option<&str>, progress: &dyn Progress) -> Result<Report, JobError> {
    let id = reproduce::chosen_run(case, prefix)?;
    custody::acting(case, progress, |scribe| scribe.consulted(Looked::Findings { run: id }))?;
    let all = holdings(case)?;
    let missing = || JobError::Run { id: id.to_string(), message: "has no details.json".into() };
    let details = all.runs.into_iter().find(|run| run.run_id == id).ok_or_else(missing)?;
    run::stored(case, details, &all.items)
}

/// The report of a run as one HTML page: the one whose id begins with `prefix`, or the last. That it was made is
/// stated and logged first.
///
/// # Errors
/// Where there is no such run, or the case does not read or can't be written.
pub fn report_page(case: &Case, prefix: Option<&str>, progress: &dyn Progress) -> Result<String, JobError> {
    let id = reproduce::chosen_run(case, prefix)?;
    custody::acting(case, progress, |scribe| scribe.consulted(Looked::Report { run: id }))?;
    let place = case.item(Shelf::Runs, &id);
    let wrong = |message| JobError::Run { id: id.to_string(), message };
    let definition: Value = Case::record(&place, run::DEFINITION)?.unwrap_or_default();
    let told = bag::Statements::read(case)?.told()?;
    let run = told.runs.get(&id).ok_or_else(|| wrong("no statement tells of it".into()))?;
    let named = dossier::Named::find(&told, &definition).map_err(wrong)?;
    let kind = comity_export::BagKind::Full;
    let mut dossier = dossier::of_run(kind, &told, id, run, &definition, &named, &place)?;
    dossier.node = Some(case.node_key()?.public().fingerprint());
    Ok(comity_export::report_html(&dossier))
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

/// A format that comity reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FormatLine {
    /// Name in jobs, tables and `--format`.
    pub name: &'static str,
    /// One phrase for people.
    pub title: &'static str,
    /// Whether it needs a column mapping.
    pub needs_mapping: bool,
}

/// All formats that comity reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Formats {
    /// Formats of logs, by name.
    pub logs: Vec<FormatLine>,
    /// Formats of feeds, by name.
    pub feeds: Vec<FormatLine>,
}

/// The formats that comity reads.
pub fn formats() -> Formats {
    let logs = comity_parse::log::LOG_FORMATS.iter();
    let feeds = comity_parse::feed::FEED_FORMATS.iter();
    Formats {
        logs: logs
            .map(|f| FormatLine { name: f.name, title: f.title, needs_mapping: f.needs_mapping })
            .collect(),
        feeds: feeds.map(|f| FormatLine { name: f.name, title: f.title, needs_mapping: false }).collect(),
    }
}

/// A correlation that comity brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CorrelationLine {
    /// Name in jobs and files.
    pub name: &'static str,
    /// What it answers, for people.
    pub title: &'static str,
    /// The query; empty for `sightings`, which is the merge itself.
    pub sql: &'static str,
}

/// The correlations that comity brings along, by name.
pub fn correlations() -> Vec<CorrelationLine> {
    let merge = CorrelationLine {
        name: "sightings",
        title: "each indicator that meets an observable, record by record (always made)",
        sql: "",
    };
    let named = comity_correlate::named::CORRELATIONS.iter();
    let mut all: Vec<CorrelationLine> =
        named.map(|c| CorrelationLine { name: c.name, title: c.title, sql: c.sql }).collect();
    all.push(merge);
    all.sort_by_key(|c| c.name);
    all
}

/// What a column of an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text; also lists, written as JSON.
    Text,
    /// Numbers.
    Number,
    /// Truth values.
    Boolean,
    /// Times, as RFC 3339 in UTC with microseconds.
    Time,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
}

/// An answer to a question, row by row as the engine gives them.
#[derive(Debug)]
pub struct Answer {
    /// The columns.
    pub columns: Vec<Column>,
    rows: Rows,
}

impl Answer {
    /// The next rows, each with a JSON value for every column; `None`: there are no more.
    ///
    /// # Errors
    /// Where the query fails on the way.
    pub fn next_page(&mut self) -> Result<Option<Vec<Vec<Value>>>, JobError> {
        let Some(batch) = self.rows.next() else { return Ok(None) };
        let batch = batch?;
        let mut page = vec![Vec::with_capacity(batch.num_columns()); batch.num_rows()];
        for column in batch.columns() {
            for (row, cell) in page.iter_mut().zip(cells(column)?) {
                row.push(cell);
            }
        }
        Ok(Some(page))
    }
}

/// Answers a question over a case. `sightings` are those of one run: the last, unless `run` says. That it was asked is
/// stated and logged first.
///
/// # Errors
/// Where the case does not read or can't be written, or the query does not parse, plan or run, or would change
/// something.
pub fn ask(
    case: &Case,
    run: Option<&Sha256Digest>,
    sql: &str,
    progress: &dyn Progress,
) -> Result<Answer, JobError> {
    custody::acting(case, progress, |scribe| {
        scribe.consulted(Looked::Sql { query: sql, run: run.copied() })
    })?;
    let rows = queries(case, run, rayon::current_num_threads())?.rows(sql)?;
    let schema = rows.schema();
    let column = |field: &Arc<datatypes::Field>| Column {
        name: field.name().clone(),
        holds: holds(field.data_type()),
    };
    Ok(Answer { columns: schema.fields().iter().map(column).collect(), rows })
}

fn holds(data_type: &DataType) -> Holds {
    match data_type {
        DataType::Boolean => Holds::Boolean,
        DataType::Timestamp(..) => Holds::Time,
        other if other.is_numeric() => Holds::Number,
        _ => Holds::Text,
    }
}

/// A column's cells as JSON values. Integers of 64 bits stay numbers; what JSON can't hold (decimals,
/// NaN, binary) becomes text.
fn cells(column: &ArrayRef) -> Result<Vec<Value>, JobError> {
    let rows = 0..column.len();
    let valid = |row: usize| column.is_valid(row);
    macro_rules! primitive {
        ($type:ty) => {{
            let values = column.as_primitive::<$type>();
            rows.map(|row| if valid(row) { Value::from(values.value(row)) } else { Value::Null }).collect()
        }};
    }
    Ok(match column.data_type() {
        DataType::Int8 => primitive!(datatypes::Int8Type),
        DataType::Int16 => primitive!(datatypes::Int16Type),
        DataType::Int32 => primitive!(datatypes::Int32Type),
        DataType::Int64 => primitive!(datatypes::Int64Type),
        DataType::UInt8 => primitive!(datatypes::UInt8Type),
        DataType::UInt16 => primitive!(datatypes::UInt16Type),
        DataType::UInt32 => primitive!(datatypes::UInt32Type),
        DataType::UInt64 => primitive!(datatypes::UInt64Type),
        DataType::Float32 => primitive!(datatypes::Float32Type),
        DataType::Float64 => primitive!(datatypes::Float64Type),
        DataType::Boolean => {
            let values = column.as_boolean();
            rows.map(|row| if valid(row) { Value::Bool(values.value(row)) } else { Value::Null }).collect()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = column.as_primitive::<datatypes::TimestampMicrosecondType>();
            rows.map(|row| if valid(row) { time_cell(values.value(row)) } else { Value::Null }).collect()
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            rows.map(|row| match valid(row) {
                true => Ok(Value::Array(cells(&lists.value(row))?)),
                false => Ok(Value::Null),
            })
            .collect::<Result<_, JobError>>()?
        }
        _ => {
            let options = FormatOptions::default().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.6fZ"));
            let wrap = |e| StoreError::arrow("answer", e);
            let format = ArrayFormatter::try_new(column, &options).map_err(wrap)?;
            rows.map(|row| match valid(row) {
                true => format.value(row).try_to_string().map(Value::String).map_err(wrap),
                false => Ok(Value::Null),
            })
            .collect::<Result<_, StoreError>>()?
        }
    })
}

/// RFC 3339 in UTC with microseconds; the bare number where the calendar ends.
fn time_cell(at_us: i64) -> Value {
    match jiff::Timestamp::from_microsecond(at_us) {
        Ok(time) => Value::String(time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()),
        Err(_) => Value::from(at_us),
    }
}
