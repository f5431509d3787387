//! Correlations: named queries whose answer is the same in another country.
//!
//! A correlation is SQL over the tables of [`crate::session`]. The built-in ones keep to SQL that
//! DuckDB runs unchanged. A query is refused, with the reason, where its answer could depend on
//! anything but the tables: functions that are not pure, floats, `LIMIT`, aggregates and windows
//! that depend on the order of tied rows, an output without a total order.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::row::{RowConverter, SortField};
use comity_store::rows;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan, Volatility, WindowFrameUnits};

use crate::CorrelateError;
use crate::session::Queries;

/// A built-in correlation.
#[derive(Debug, Clone, Copy)]
pub struct Correlation {
    /// Name in jobs and files.
    pub name: &'static str,
    /// What it answers, for people.
    pub title: &'static str,
    /// The query.
    pub sql: &'static str,
}

macro_rules! correlations {
    ($($name:literal: $title:literal),+ $(,)?) => {
        /// The built-in correlations, by name. `sightings` is the merge itself and has no query.
        pub const CORRELATIONS: &[Correlation] =
            &[$(Correlation { name: $name, title: $title, sql: include_str!(concat!("sql/", $name, ".sql")) }),+];
    };
}

correlations! {
    "allow-listed": "indicators that an allow-list names",
    "corroboration": "how many providers claim what was seen",
    "cross-border": "indicators and observables seen in two or more jurisdictions, and who saw them first",
    "first-seen": "where and when each indicator was seen first",
    "not-seen": "indicators searched for without a sighting, and how much was searched",
}

/// The built-in correlation of this name.
pub fn by_name(name: &str) -> Option<&'static Correlation> {
    CORRELATIONS.iter().find(|c| c.name == name)
}

/// A value bound to a query's `$name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// Text.
    Text(String),
    /// Integer.
    Integer(i64),
    /// Truth value.
    Boolean(bool),
}

/// Runs a correlation and gives its rows in their order, as one batch.
///
/// # Errors
/// Where the query fails, or could not be reproduced.
pub fn run(
    queries: &Queries,
    name: &str,
    sql: &str,
    parameters: &BTreeMap<String, Parameter>,
) -> Result<RecordBatch, CorrelateError> {
    let wrap = |e| CorrelateError::query(name, e);
    let mut frame = queries.plan(name, sql)?;
    let refuse = |reason: String| CorrelateError::NotReproducible { name: name.to_owned(), reason };
    check_plan(frame.logical_plan()).map_err(wrap)?.map_or(Ok(()), |reason| Err(refuse(reason)))?;
    let order = total_order(frame.logical_plan()).map_err(refuse)?;
    rows::check(frame.schema().as_arrow())
        .map_err(|source| CorrelateError::NotDigestible { name: name.to_owned(), source })?;
    if !parameters.is_empty() {
        let values: Vec<(&str, ScalarValue)> =
            parameters.iter().map(|(name, value)| (name.as_str(), scalar(value))).collect();
        frame = frame.with_param_values(ParamValues::from(values)).map_err(wrap)?;
    }
    let batches = queries.collect(name, frame)?;
    let schema = batches
        .first()
        .map(RecordBatch::schema)
        .unwrap_or_else(|| std::sync::Arc::new(arrow::datatypes::Schema::empty()));
    let all = concat_batches(&schema, &batches)?;
    match first_tie(&all, &order)? {
        Some(row) => Err(refuse(format!(
            "its ORDER BY leaves rows {} and {} in either order; add columns to it until no two rows are equal in all of them",
            row + 1,
            row + 2
        ))),
        None => Ok(all),
    }
}

fn scalar(parameter: &Parameter) -> ScalarValue {
    match parameter {
        Parameter::Text(text) => ScalarValue::Utf8(Some(text.clone())),
        Parameter::Integer(number) => ScalarValue::Int64(Some(*number)),
        Parameter::Boolean(value) => ScalarValue::Boolean(Some(*value)),
    }
}

/// What in a plan could make its answer depend on more than the tables; `None`: nothing.
fn check_plan(plan: &LogicalPlan) -> datafusion::common::Result<Option<String>> {
    let mut reason = None;
    plan.apply_with_subqueries(|node| {
        reason = check_node(node)?;
        Ok(if reason.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(reason)
}

fn check_node(node: &LogicalPlan) -> datafusion::common::Result<Option<String>> {
    match node {
        LogicalPlan::Limit(_) => {
            return Ok(Some("LIMIT and OFFSET pick among tied rows by chance; use a condition, or `comity sql` for a look".into()));
        }
        LogicalPlan::Distinct(Distinct::On(_)) => {
            return Ok(Some("DISTINCT ON picks among rows by chance; use min() or max()".into()));
        }
        _ => {}
    }
    let inputs: Vec<_> = node.inputs().iter().map(|i| i.schema()).collect();
    let mut reason = None;
    node.apply_expressions(|expr| {
        expr.apply(|part| {
            reason = check_expr(part).or_else(|| is_float_aggregate(part, &inputs));
            Ok(if reason.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(reason)
}

/// Aggregates whose value depends on the order in which rows come.
const ORDERED_AGGREGATES: &[&str] = &["array_agg", "string_agg", "first_value", "last_value", "nth_value"];
/// Windows that number or pick among tied rows.
const TIED_WINDOWS: &[&str] =
    &["row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"];

fn check_expr(expr: &Expr) -> Option<String> {
    match expr {
        Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
            Some(format!(
                "{}() does not depend on its arguments alone; bind the value as a parameter of the correlation",
                call.func.name()
            ))
        }
        Expr::AggregateFunction(call) => {
            let name = call.func.name();
            if name.starts_with("approx_") {
                return Some(format!("{name}() approximates; use the exact aggregate"));
            }
            let ordered = ORDERED_AGGREGATES.contains(&name) && call.params.order_by.is_empty();
            ordered.then(|| {
                format!("{name}() without ORDER BY depends on the order of rows; write {name}(… order by …)")
            })
        }
        Expr::WindowFunction(call) => {
            let name = match &call.fun {
                WindowFunctionDefinition::AggregateUDF(f) => f.name().to_owned(),
                WindowFunctionDefinition::WindowUDF(f) => f.name().to_owned(),
            };
            let rows =
                call.params.window_frame.units == WindowFrameUnits::Rows && !call.params.order_by.is_empty();
            (TIED_WINDOWS.contains(&name.as_str()) || rows)
                .then(|| format!("the window of {name}() orders tied rows by chance; use rank(), dense_rank(), or min() and max()"))
        }
        _ => None,
    }
}

fn is_float_aggregate(expr: &Expr, inputs: &[&datafusion::common::DFSchemaRef]) -> Option<String> {
    let (Expr::AggregateFunction(_) | Expr::WindowFunction(_)) = expr else { return None };
    let float = inputs.iter().any(|schema| expr.get_type(schema.as_ref()).is_ok_and(|ty| ty.is_floating()));
    float.then(|| format!("{expr} adds floats, whose sum depends on the order of rows; use integers"))
}

/// The output columns that the query orders by.
fn total_order(plan: &LogicalPlan) -> Result<Vec<usize>, String> {
    let sort = match plan {
        LogicalPlan::Sort(sort) => sort,
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Sort(sort) => sort,
            _ => return Err("its output has no order; end it with ORDER BY".into()),
        },
        _ => return Err("its output has no order; end it with ORDER BY".into()),
    };
    let mut order = Vec::new();
    for key in &sort.expr {
        let name = key.expr.schema_name().to_string();
        let column = match &key.expr {
            Expr::Column(column) => column.name.clone(),
            _ => name,
        };
        // a key that is not shown can still order, but says nothing about ties in what is shown
        order.extend(plan.schema().fields().iter().position(|f| *f.name() == column));
    }
    Ok(order)
}

/// The first row that equals the next in all ordering columns but not in all columns.
fn first_tie(all: &RecordBatch, order: &[usize]) -> Result<Option<usize>, CorrelateError> {
    let encode = |columns: &[usize]| -> Result<arrow::row::Rows, CorrelateError> {
        let arrays: Vec<_> = columns.iter().map(|&at| std::sync::Arc::clone(all.column(at))).collect();
        let fields = arrays.iter().map(|a| SortField::new(a.data_type().clone())).collect();
        Ok(RowConverter::new(fields)?.convert_columns(&arrays)?)
    };
    if all.num_rows() < 2 {
        return Ok(None);
    }
    if order.is_empty() {
        return Ok(Some(0));
    }
    let (keys, rows) = (encode(order)?, encode(&(0..all.num_columns()).collect::<Vec<_>>())?);
    Ok((0..all.num_rows() - 1)
        .find(|&at| keys.row(at) == keys.row(at + 1) && rows.row(at) != rows.row(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Contents;
    use arrow::array::{Array, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    fn queries(threads: usize) -> Queries {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Int64, false),
            Field::new("b", DataType::Utf8, false),
        ]);
        let columns: Vec<Arc<dyn Array>> =
            vec![Arc::new(Int64Array::from(vec![1, 1, 2])), Arc::new(StringArray::from(vec!["y", "x", "z"]))];
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let contents = Contents { tables: vec![("t".into(), vec![batch])], ..Contents::default() };
        Queries::new(&contents, threads).unwrap()
    }

    fn refusal(sql: &str) -> String {
        match run(&queries(2), "q", sql, &BTreeMap::new()) {
            Ok(batch) => format!("ran: {} rows", batch.num_rows()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_could_not_be_reproduced_is_refused_with_the_reason() {
        let cases = [
            ("select a, b from t order by a, b", "ran: 3 rows"),
            ("select a from t order by a", "ran: 3 rows"),
            ("select a, b from t", "no order"),
            ("select a, b from t order by a", "rows 1 and 2 in either order"),
            ("select a, b from t order by length(b)", "either order"),
            ("select a, now() as n from t order by a", "now() does not depend on its arguments alone"),
            ("select a, current_date() as n from t order by a", "current_date"),
            ("select a from t where random() < 2 order by a", "random()"),
            ("select a from t order by a limit 1", "LIMIT"),
            ("select a from (select a from t limit 1) order by a", "LIMIT"),
            ("select a from t where a in (select a from t limit 1) order by a", "LIMIT"),
            ("select distinct on (a) a, b from t order by a, b", "DISTINCT ON"),
            ("select string_agg(b, ',') as s from t order by s", "string_agg() without ORDER BY"),
            ("select string_agg(b, ',' order by b) as s from t order by s", "ran: 1 rows"),
            ("select b, row_number() over (order by a) as n from t order by b", "tied rows by chance"),
            ("select b, rank() over (order by a) as n from t order by b, n", "ran: 3 rows"),
            ("select avg(a) as m from t order by m", "floats"),
            ("select cast(avg(a) as bigint) as m from t order by m", "floats"),
            ("select a * 0.5e0 as m from t order by m", "can't be compared between engines"),
            ("select a as \"A b\" from t order by 1", "lower-case"),
            ("create table x as select 1", "DDL not supported"),
            ("copy t to '/tmp/x.csv'", "DML not supported"),
            ("set datafusion.execution.batch_size = 1", "Statement not supported"),
            ("select * from '/etc/passwd' order by 1", "not found"),
            ("select nonsense", "nonsense"),
        ];
        for (sql, expected) in cases {
            let found = refusal(sql);
            assert!(found.contains(expected), "{sql}\n  gave: {found}\n  not: {expected}");
        }
    }

    #[test]
    fn parameters_are_bound_not_pasted() {
        let bound = BTreeMap::from([("wanted".to_owned(), Parameter::Text("x' or 'a' = 'a".into()))]);
        let batch = run(&queries(1), "q", "select b from t where b = $wanted order by b", &bound).unwrap();
        assert_eq!(batch.num_rows(), 0);
    }

    #[test]
    fn every_built_in_is_sorted_and_findable() {
        assert!(CORRELATIONS.windows(2).all(|w| w[0].name < w[1].name));
        assert!(CORRELATIONS.iter().all(|c| by_name(c.name).is_some_and(|f| f.sql == c.sql)));
    }
}
