//! From Arrow batches to the lines of the logical digest.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Int8Type, Int16Type, Int32Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use comity_provenance::logical::{Lines, Type};
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

/// The lines of a table.
///
/// # Errors
/// Where the table has no logical digest.
pub fn lines(table: &str, schema: &Schema, batches: &[RecordBatch]) -> Result<Lines, NotDigestible> {
    check(schema)?;
    let columns: Vec<(&str, Type)> = schema
        .fields()
        .iter()
        .filter_map(|f| Some((f.name().as_str(), logical_type(f.data_type())?)))
        .collect();
    let of_batch = |batch: &RecordBatch| {
        let mut lines = Lines::new(table, &columns);
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                cell(&mut lines, column.as_ref(), row);
            }
            lines.end_row();
        }
        lines
    };
    let mut lines = Lines::new(table, &columns);
    let parts: Vec<Lines> = batches.par_iter().map(of_batch).collect();
    parts.into_iter().for_each(|part| lines.join(part));
    Ok(lines)
}

fn cell(lines: &mut Lines, column: &dyn Array, row: usize) {
    if column.is_null(row) {
        return lines.null();
    }
    match column.data_type() {
        DataType::Utf8 => lines.text(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => lines.text(column.as_string::<i64>().value(row)),
        DataType::Utf8View => lines.text(column.as_string_view().value(row)),
        DataType::Int8 => lines.integer(column.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => lines.integer(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => lines.integer(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => lines.integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => lines.integer(column.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => lines.integer(column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => lines.integer(column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => lines.integer(column.as_primitive::<UInt64Type>().value(row)),
        DataType::Boolean => lines.boolean(column.as_boolean().value(row)),
        DataType::Timestamp(..) => {
            lines.integer(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        // `check` lets nothing else through but lists of text
        _ => {
            let items = column.as_list::<i32>().value(row);
            match items.data_type() {
                DataType::LargeUtf8 => {
                    lines.list(items.as_string::<i64>().iter().map(Option::unwrap_or_default))
                }
                DataType::Utf8View => {
                    lines.list(items.as_string_view().iter().map(Option::unwrap_or_default))
                }
                _ => lines.list(items.as_string::<i32>().iter().map(Option::unwrap_or_default)),
            }
        }
    }
}
