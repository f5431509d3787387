//! The case's tables as SQL sees them, and queries over them: read-only, no files, no functions
//! that reach outside.
//!
//! `events`, `observables`, `indicators` and `rejects` are read from Parquet as it lies; what every
//! row of a file shares (its evidence item, its jurisdiction) is known from where the file lies.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, RecordBatch, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use comity_store::evidence::{self, EVENTS_FILE, REJECTS_FILE};
use comity_store::feed::INDICATORS_FILE;
use comity_store::index;
use comity_store::observables::OBSERVABLES_FILE;
use comity_store::{columns, feed, observables, tables};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::cast::{as_binary_array, as_string_array};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarUDF, TableProviderFilterPushDown, Volatility, create_udf,
};
use datafusion::object_store::{ObjectMeta, path::Path};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext, coalesce, col};

use futures::StreamExt;

use crate::CorrelateError;

/// An evidence item or feed whose files stand in tables.
#[derive(Debug, Clone)]
pub struct Item {
    /// SHA-256 of the original, hexadecimal.
    pub id: String,
    /// Directory of its files.
    pub path: PathBuf,
    /// Jurisdiction of an evidence item; provider of a feed.
    pub whose: String,
    /// Marking of a feed; unused for evidence items.
    pub tlp: Option<String>,
}

/// What a session shows.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Evidence items.
    pub evidence: Vec<Item>,
    /// Feeds.
    pub feeds: Vec<Item>,
    /// Tables that are at hand: name and batches, at least one batch each.
    pub tables: Vec<(String, Vec<RecordBatch>)>,
}

/// Queries over a case.
pub struct Queries {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
}

impl std::fmt::Debug for Queries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queries")
    }
}

impl Queries {
    /// Opens the tables; `threads` bounds the engine's parallelism.
    ///
    /// # Errors
    /// Where a table can't be registered or the runtime does not start.
    pub fn new(contents: &Contents, threads: usize) -> Result<Self, CorrelateError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads.max(1)).build()?;
        let config =
            SessionConfig::new().with_target_partitions(threads.max(1)).with_information_schema(true);
        let context = SessionContext::new_with_config(config);
        let queries = Self { context, runtime };
        queries.register(contents).map_err(|e| CorrelateError::query("tables of the case", e))?;
        Ok(queries)
    }

    fn register(&self, contents: &Contents) -> Result<()> {
        let text = |name: &str, nullable| Arc::new(Field::new(name, DataType::Utf8, nullable));
        let ours = |item: &Item| vec![value(&item.id), value(&item.whose)];
        let of_evidence = vec![text("evidence", false), text("jurisdiction", false)];
        let files = |items: &[Item], file: &str, of: &dyn Fn(&Item) -> Vec<ScalarValue>| {
            items.iter().map(|item| (item.path.join(file), of(item))).collect::<Vec<_>>()
        };
        self.parquet(
            "events",
            &columns::EVENTS,
            of_evidence.clone(),
            files(&contents.evidence, EVENTS_FILE, &ours),
        )?;
        let found = files(&contents.evidence, OBSERVABLES_FILE, &ours);
        self.parquet("observables", &observables::schema(), of_evidence, found)?;
        self.view("observables", |t| {
            let mut shown: Vec<Expr> =
                ["evidence", "jurisdiction", "kind", "value", "field", "count"].map(col).into();
            let times = Arc::new(Times::of(&contents.evidence));
            let picks: [(&str, Pick); 2] = [("first_seen", i64::min), ("last_seen", i64::max)];
            for (name, pick) in picks {
                let seen = seen(name, Arc::clone(&times), pick);
                shown.push(seen.call(vec![col("evidence"), col("rows")]).alias(name));
            }
            t.select(shown)
        })?;
        let of_feed = vec![text("feed", false), text("provider", false), text("feed_tlp", true)];
        let found = files(&contents.feeds, INDICATORS_FILE, &|item| {
            vec![value(&item.id), value(&item.whose), ScalarValue::Utf8(item.tlp.clone())]
        });
        self.parquet("indicators", &feed::schema(), of_feed, found)?;
        self.view("indicators", |t| {
            let tlp = coalesce(vec![col("tlp"), col("feed_tlp")]).alias("tlp");
            let mut shown: Vec<Expr> = [
                "indicator_id",
                "feed",
                "provider",
                "kind",
                "value",
                "valid_from",
                "valid_until",
                "confidence",
            ]
            .map(col)
            .into();
            shown.push(tlp);
            shown.extend(
                ["claims", "original", "exact_only", "prefix", "inferred_kind", "fields", "parts"].map(col),
            );
            t.select(shown)
        })?;
        let both: Vec<Item> = contents.evidence.iter().chain(&contents.feeds).cloned().collect();
        let found = files(&both, REJECTS_FILE, &|item| vec![value(&item.id)]);
        self.parquet("rejects", &tables::rejects_schema(), vec![text("source", false)], found)?;
        self.view("rejects", |t| {
            t.select_columns(&["source", "record", "offset", "length", "reason", "message", "text"])
        })?;
        for (name, batches) in &contents.tables {
            let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
            let table = MemTable::try_new(schema, vec![batches.clone()])?;
            self.context.register_table(name.as_str(), Arc::new(table))?;
        }
        Ok(())
    }

    fn parquet(
        &self,
        name: &str,
        schema: &SchemaRef,
        of_item: Vec<Arc<Field>>,
        files: Vec<(PathBuf, Vec<ScalarValue>)>,
    ) -> Result<()> {
        let schema = TableSchema::builder(Arc::clone(schema)).with_table_partition_cols(of_item).build();
        self.context.register_table(name, Arc::new(ParquetFiles { schema, files })).map(|_| ())
    }

    /// Puts a view over a table in its place.
    fn view(&self, name: &str, of: impl FnOnce(DataFrame) -> Result<DataFrame>) -> Result<()> {
        let table = self.runtime.block_on(self.context.table(name))?;
        let view = of(table)?.into_view();
        self.context.deregister_table(name)?;
        self.context.register_table(name, view).map(|_| ())
    }

    /// Plans a query: `select` only.
    pub(crate) fn plan(&self, name: &str, sql: &str) -> Result<DataFrame, CorrelateError> {
        let options =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        self.runtime
            .block_on(self.context.sql_with_options(sql, options))
            .map_err(|e| CorrelateError::query(name, e))
    }

    /// Runs a planned query; there is always a batch, which says the columns.
    pub(crate) fn collect(&self, name: &str, frame: DataFrame) -> Result<Vec<RecordBatch>, CorrelateError> {
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let mut batches =
            self.runtime.block_on(frame.collect()).map_err(|e| CorrelateError::query(name, e))?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(batches)
    }

    /// Answers a question, whatever it is: for looking, not for findings.
    ///
    /// # Errors
    /// Where the query does not parse, plan or run, or would change something.
    pub fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, CorrelateError> {
        let frame = self.plan("query", sql)?;
        self.collect("query", frame)
    }

    /// Answers a question without holding the whole answer in memory.
    ///
    /// # Errors
    /// Where the query does not parse or plan, or would change something.
    pub fn rows(self, sql: &str) -> Result<Rows, CorrelateError> {
        let frame = self.plan("query", sql)?;
        let stream =
            self.runtime.block_on(frame.execute_stream()).map_err(|e| CorrelateError::query("query", e))?;
        Ok(Rows { queries: self, stream })
    }
}

/// The rows of an answer, batch by batch as the engine makes them.
pub struct Rows {
    queries: Queries,
    stream: SendableRecordBatchStream,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rows")
    }
}

impl Rows {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, CorrelateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.queries.runtime.block_on(self.stream.next())?;
        Some(next.map_err(|e| CorrelateError::query("query", e)))
    }
}

/// The times of the events of each evidence item, read once where a query asks for them.
struct Times(BTreeMap<String, ItemTimes>);

struct ItemTimes {
    item: PathBuf,
    read: OnceLock<Result<Vec<Option<i64>>, String>>,
}

/// Leaves one of two times.
type Pick = fn(i64, i64) -> i64;

impl Times {
    fn of(evidence: &[Item]) -> Self {
        let item =
            |item: &Item| (item.id.clone(), ItemTimes { item: item.path.clone(), read: OnceLock::new() });
        Self(evidence.iter().map(item).collect())
    }

    fn get(&self, evidence: &str) -> Result<&[Option<i64>]> {
        let Some(times) = self.0.get(evidence) else { return Ok(&[]) };
        let read = || evidence::times(&times.item).map_err(|e| e.to_string());
        times.read.get_or_init(read).as_deref().map_err(|e| DataFusionError::Execution(e.clone()))
    }
}

/// A function of an evidence item and rows of its events: of their times the one that `pick` leaves.
fn seen(name: &str, times: Arc<Times>, pick: Pick) -> ScalarUDF {
    let implementation = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let [evidence, rows] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("two arguments are needed".into()));
        };
        let (evidence, rows) = (as_string_array(evidence)?, as_binary_array(rows)?);
        let mut seen = TimestampMicrosecondBuilder::with_capacity(rows.len()).with_timezone("UTC");
        for (evidence, rows) in evidence.iter().zip(rows) {
            let times = times.get(evidence.unwrap_or_default())?;
            let rows = index::Rows::decode(rows.unwrap_or_default())?;
            let times = rows.into_iter().filter_map(|row| *times.get(usize::try_from(row).ok()?)?);
            seen.append_option(times.reduce(pick));
        }
        Ok(ColumnarValue::Array(Arc::new(seen.finish())))
    };
    let types = vec![DataType::Utf8, DataType::Binary];
    create_udf(name, types, columns::time_type(), Volatility::Immutable, Arc::new(implementation))
}

fn value(text: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(text.to_owned()))
}

/// A table over Parquet files, each with values that all its rows share.
#[derive(Debug)]
struct ParquetFiles {
    schema: TableSchema,
    files: Vec<(PathBuf, Vec<ScalarValue>)>,
}

#[async_trait]
impl TableProvider for ParquetFiles {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut source = ParquetSource::new(self.schema.clone()).with_enable_page_index(true);
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = DFSchema::try_from(Arc::clone(self.schema.table_schema()))?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let mut files = Vec::with_capacity(self.files.len());
        for (path, shared) in &self.files {
            let size = std::fs::metadata(path)?.len();
            let location = Path::from_absolute_path(std::path::absolute(path)?)?;
            let meta =
                ObjectMeta { location, last_modified: Default::default(), size, e_tag: None, version: None };
            files.push(PartitionedFile::new_from_meta(meta).with_partition_values(shared.clone()));
        }
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
