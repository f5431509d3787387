//! Columns of one chunk of events, filled row by row; a column that no record touched costs nothing.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, Int64Builder, ListBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use comity_model::{Class, Column, FIELDS, Field};

/// Arrow type of times: microseconds, UTC.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Arrow type of a list of texts.
pub fn list_type() -> DataType {
    DataType::List(Arc::new(ArrowField::new_list_field(DataType::Utf8, true)))
}

/// Columns of every event before those of [`FIELDS`].
const FIXED: usize = 6;

/// Schema of `events-*.parquet`: `record`, `offset`, `length`, `time`, `class`, `damaged`, then
/// the columns of [`FIELDS`]. Each field's metadata names its OCSF 1.8 attribute, where it has one.
pub static EVENTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        ArrowField::new("record", DataType::Int64, false),
        ArrowField::new("offset", DataType::Int64, false),
        ArrowField::new("length", DataType::Int64, false),
        ArrowField::new("time", time_type(), true).with_metadata([("ocsf".into(), "time".into())].into()),
        ArrowField::new("class", DataType::Utf8, false),
        ArrowField::new("damaged", DataType::Boolean, false),
    ];
    fields.extend(FIELDS.iter().map(|info| {
        let ty = match info.column {
            Column::Text => DataType::Utf8,
            Column::TextList => list_type(),
            Column::Integer => DataType::Int64,
        };
        let field = ArrowField::new(info.field.as_str(), ty, true);
        if info.ocsf.is_empty() {
            field
        } else {
            field.with_metadata([("ocsf".to_owned(), info.ocsf.to_owned())].into())
        }
    }));
    Arc::new(Schema::new(fields))
});

/// Builder of one column; rows not touched become null.
#[derive(Debug)]
pub(crate) enum Builder {
    Text(StringBuilder),
    List(ListBuilder<StringBuilder>),
    Integer(Int64Builder),
}

impl Builder {
    fn new(column: Column) -> Self {
        match column {
            Column::Text => Self::Text(StringBuilder::new()),
            Column::TextList => Self::List(ListBuilder::new(StringBuilder::new())),
            Column::Integer => Self::Integer(Int64Builder::new()),
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match self {
            Self::Text(b) => b.len(),
            Self::List(b) => b.len(),
            Self::Integer(b) => b.len(),
        }
    }

    fn fill_to(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.len());
        if missing == 0 {
            return;
        }
        match self {
            Self::Text(b) => b.append_nulls(missing),
            Self::List(b) => b.append_nulls(missing),
            Self::Integer(b) => b.append_nulls(missing),
        }
    }

    fn finish(mut self, rows: usize) -> ArrayRef {
        self.fill_to(rows);
        match self {
            Self::Text(mut b) => Arc::new(b.finish()),
            Self::List(mut b) => Arc::new(b.finish()),
            Self::Integer(mut b) => Arc::new(b.finish()),
        }
    }
}

/// The columns of a chunk of events.
#[derive(Debug)]
pub(crate) struct Columns {
    record: Vec<i64>,
    offset: Vec<i64>,
    length: Vec<i64>,
    pub(crate) time: Vec<Option<i64>>,
    class: Vec<Class>,
    damaged: Vec<bool>,
    fields: Vec<Option<Builder>>,
    open_lists: Vec<Field>,
}

/// What every event has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventHead {
    pub(crate) record: i64,
    pub(crate) offset: i64,
    pub(crate) length: i64,
    pub(crate) time: Option<i64>,
    pub(crate) class: Class,
    pub(crate) damaged: bool,
}

impl Columns {
    pub(crate) fn new() -> Self {
        Self {
            record: Vec::new(),
            offset: Vec::new(),
            length: Vec::new(),
            time: Vec::new(),
            class: Vec::new(),
            damaged: Vec::new(),
            fields: FIELDS.iter().map(|_| None).collect(),
            open_lists: Vec::new(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.record.len()
    }

    fn at_row(&mut self, field: Field) -> &mut Builder {
        let row = self.record.len();
        let builder = self.fields[field as usize].get_or_insert_with(|| Builder::new(field.info().column));
        builder.fill_to(row);
        builder
    }

    /// Sets a text of the row begun, or appends an item to its list; once a row for a scalar.
    pub(crate) fn text(&mut self, field: Field, text: &str) {
        match self.at_row(field) {
            Builder::Text(b) => b.append_value(text),
            Builder::List(b) => {
                b.values().append_value(text);
                if !self.open_lists.contains(&field) {
                    self.open_lists.push(field);
                }
            }
            Builder::Integer(_) => debug_assert!(false, "{field} is an integer column"),
        }
    }

    /// Sets an integer of the row begun; once a row.
    pub(crate) fn integer(&mut self, field: Field, value: i64) {
        match self.at_row(field) {
            Builder::Integer(b) => b.append_value(value),
            _ => debug_assert!(false, "{field} is not an integer column"),
        }
    }

    /// Ends the row.
    pub(crate) fn end_row(&mut self, head: EventHead) {
        for field in self.open_lists.drain(..) {
            if let Some(Builder::List(b)) = &mut self.fields[field as usize] {
                b.append(true);
            }
        }
        self.record.push(head.record);
        self.offset.push(head.offset);
        self.length.push(head.length);
        self.time.push(head.time);
        self.class.push(head.class);
        self.damaged.push(head.damaged);
    }

    /// The arrays, in the order of [`EVENTS`].
    pub(crate) fn finish(self) -> Vec<ArrayRef> {
        let rows = self.record.len();
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.record)),
            Arc::new(Int64Array::from(self.offset)),
            Arc::new(Int64Array::from(self.length)),
            Arc::new(TimestampMicrosecondArray::from(self.time).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(self.class.iter().map(|c| c.as_str()))),
            Arc::new(BooleanArray::from(self.damaged)),
        ];
        debug_assert_eq!(arrays.len(), FIXED);
        for (builder, field) in self.fields.into_iter().zip(EVENTS.fields().iter().skip(FIXED)) {
            arrays.push(match builder {
                Some(builder) => builder.finish(rows),
                None => new_null_array(field.data_type(), rows),
            });
        }
        arrays
    }
}
