//! From Arrow batches to the lines of the logical digest.

use arrow::array::{Array, ArrayAccessor, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use comity_provenance::logical::{Integer, Lines, Type};
use rayon::prelude::*;
use thiserror::Error;

/// A table that has no logical digest, and so can't be an output.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotDigestible {
    /// A column of a type that a second engine would not give byte for byte.
    #[error("column {column:?} has type {ty}, which can't be compared between engines")]
    Type {
        /// Name of the column.
        column: String,
        /// Its Arrow type.
        ty: String,
    },
    /// A column name outside `[a-z0-9_]+`, or one that stands twice.
    #[error("column name {column:?} is not of lower-case letters, digits and underscores, or is not unique")]
    Name {
        /// Name of the column.
        column: String,
    },
}

/// Comity's name of an Arrow type; `None` for floats, decimals, nested types and the like.
pub fn logical_type(ty: &DataType) -> Option<Type> {
    Some(match ty {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => Type::Text,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Type::Integer,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => Type::Integer,
        DataType::Boolean => Type::Boolean,
        DataType::Timestamp(TimeUnit::Microsecond, _) => Type::Timestamp,
        DataType::List(item) if logical_type(item.data_type()) == Some(Type::Text) => Type::TextList,
        _ => return None,
    })
}

/// Whether a table with this schema has a logical digest.
///
/// # Errors
/// The first column that stands against it.
pub fn check(schema: &Schema) -> Result<(), NotDigestible> {
    for (at, field) in schema.fields().iter().enumerate() {
        let name = field.name();
        let plain = name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) && !name.is_empty();
        let first = schema.fields().iter().position(|f| f.name() == name) == Some(at);
        if !plain || !first {
            return Err(NotDigestible::Name { column: name.clone() });
        }
        if logical_type(field.data_type()).is_none() {
            return Err(NotDigestible::Type { column: name.clone(), ty: field.data_type().to_string() });
        }
    }
    Ok(())
}

/// A table of which no lines are made yet.
pub(crate) fn no_lines(table: &str, schema: &Schema) -> Lines {
    let fields = schema.fields().iter();
    let columns = fields.filter_map(|f| Some((f.name().as_str(), logical_type(f.data_type())?)));
    Lines::new(table, &columns.collect::<Vec<_>>())
}

/// The lines of a table.
///
/// # Errors
/// Where the table has no logical digest.
pub fn lines(table: &str, schema: &Schema, batches: &[RecordBatch]) -> Result<Lines, NotDigestible> {
    /// Rows that one thread turns into lines.
    const PART_ROWS: usize = 1 << 13;
    check(schema)?;
    let mut all = no_lines(table, schema);
    let of_batch = |batch: &RecordBatch| {
        let mut lines = all.clone();
        let bytes = batch.columns().iter().filter_map(|c| c.to_data().get_slice_memory_size().ok()).sum();
        lines.reserve(batch.num_rows(), bytes);
        let cells: Vec<(Option<&NullBuffer>, Cell<'_>)> =
            batch.columns().iter().map(|column| (column.nulls(), cell(column.as_ref()))).collect();
        for row in 0..batch.num_rows() {
            for (nulls, cell) in &cells {
                match nulls {
                    Some(nulls) if nulls.is_null(row) => lines.null(),
                    _ => cell(&mut lines, row),
                }
            }
            lines.end_row();
        }
        lines.sort();
        lines
    };
    let parts = batches.iter().flat_map(|batch| {
        let begins = (0..batch.num_rows()).step_by(PART_ROWS);
        begins.map(|begin| batch.slice(begin, PART_ROWS.min(batch.num_rows() - begin)))
    });
    let parts: Vec<RecordBatch> = parts.collect();
    let parts: Vec<Lines> = parts.par_iter().map(of_batch).collect();
    parts.into_iter().for_each(|part| all.join(part));
    Ok(all)
}

/// Appends the cell of a row.
type Cell<'a> = Box<dyn Fn(&mut Lines, usize) + 'a>;

fn cell(column: &dyn Array) -> Cell<'_> {
    match column.data_type() {
        DataType::Utf8 => text(column.as_string::<i32>()),
        DataType::LargeUtf8 => text(column.as_string::<i64>()),
        DataType::Utf8View => text(column.as_string_view()),
        DataType::Int8 => integer::<Int8Type>(column),
        DataType::Int16 => integer::<Int16Type>(column),
        DataType::Int32 => integer::<Int32Type>(column),
        DataType::Int64 => integer::<Int64Type>(column),
        DataType::UInt8 => integer::<UInt8Type>(column),
        DataType::UInt16 => integer::<UInt16Type>(column),
        DataType::UInt32 => integer::<UInt32Type>(column),
        DataType::UInt64 => integer::<UInt64Type>(column),
        DataType::Timestamp(..) => integer::<TimestampMicrosecondType>(column),
        DataType::Boolean => {
            let column = column.as_boolean();
            Box::new(move |lines, row| lines.boolean(column.value(row)))
        }
        // `check` lets nothing else through but lists of text
        _ => {
            let column = column.as_list::<i32>();
            Box::new(move |lines, row| {
                let items = column.value(row);
                match items.data_type() {
                    DataType::LargeUtf8 => list(lines, items.as_string::<i64>()),
                    DataType::Utf8View => list(lines, items.as_string_view()),
                    _ => list(lines, items.as_string::<i32>()),
                }
            })
        }
    }
}

fn text<'a>(column: impl ArrayAccessor<Item = &'a str> + 'a) -> Cell<'a> {
    Box::new(move |lines, row| lines.text(column.value(row)))
}

fn integer<T: ArrowPrimitiveType<Native: Integer>>(column: &dyn Array) -> Cell<'_> {
    let column = column.as_primitive::<T>();
    Box::new(move |lines, row| lines.integer(column.value(row)))
}

fn list<'a>(lines: &mut Lines, items: impl IntoIterator<Item = Option<&'a str>>) {
    lines.list(items.into_iter().map(Option::unwrap_or_default));
}
