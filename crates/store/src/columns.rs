//! Columns of one chunk of events, filled row by row; a column that no record touched costs nothing.

use std::sync::{Arc, LazyLock};

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListArray, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
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

/// Bytes that a text has, to begin with.
const TEXT_BYTES: usize = 16;

/// Texts one behind the other.
#[derive(Debug)]
struct Texts {
    text: String,
    /// Where each ends, after a zero.
    ends: Vec<i32>,
}

impl Texts {
    fn with_capacity(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { text: String::with_capacity(rows * TEXT_BYTES), ends }
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(offset(self.text.len()));
    }

    fn get(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).and_then(|&end| usize::try_from(end).ok()).unwrap_or(0);
        self.text.get(end(at)..end(at + 1)).unwrap_or_default()
    }

    /// Forgets all but the first so many.
    fn truncate(&mut self, count: usize) {
        self.ends.truncate(count + 1);
        let end = self.ends.last().and_then(|&end| usize::try_from(end).ok()).unwrap_or(0);
        self.text.truncate(end);
    }

    fn pad(&mut self, missing: usize) {
        let end = offset(self.text.len());
        self.ends.extend(std::iter::repeat_n(end, missing));
    }

    fn finish(self, nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        StringArray::try_new(offsets, Buffer::from_vec(self.text.into_bytes()), nulls)
    }
}

/// An offset within a chunk's column. A chunk is far smaller than this can say.
fn offset(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

/// Builder of one column; rows not touched become null. The row begun may be one ahead of the others.
#[derive(Debug)]
struct Builder {
    values: Values,
    valid: NullBufferBuilder,
}

#[derive(Debug)]
enum Values {
    Text(Texts),
    /// Items, and where the list of each row ends, after a zero.
    List(Texts, Vec<i32>),
    Integer(Vec<i64>),
}

impl Builder {
    fn new(column: Column, rows: usize) -> Self {
        let values = match column {
            Column::Text => Values::Text(Texts::with_capacity(rows)),
            Column::TextList => Values::List(Texts::with_capacity(rows), vec![0]),
            Column::Integer => Values::Integer(Vec::with_capacity(rows)),
        };
        Self { values, valid: NullBufferBuilder::new(0) }
    }

    fn fill_to(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.valid.len());
        if missing == 0 {
            return;
        }
        self.valid.append_n_nulls(missing);
        match &mut self.values {
            Values::Text(texts) => texts.pad(missing),
            Values::List(_, ends) => {
                let end = ends.last().copied().unwrap_or(0);
                ends.extend(std::iter::repeat_n(end, missing));
            }
            Values::Integer(values) => values.resize(values.len() + missing, 0),
        }
    }

    /// Ends the row of a column that was touched in it.
    fn end_row(&mut self) {
        if let Values::List(items, ends) = &mut self.values {
            ends.push(offset(items.len()));
            self.valid.append_non_null();
        }
    }

    /// Forgets what was put in behind the first so many rows.
    fn truncate(&mut self, rows: usize) {
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Text(texts) => texts.truncate(rows),
            Values::List(items, ends) => {
                ends.truncate(rows + 1);
                items.truncate(ends.last().and_then(|&end| usize::try_from(end).ok()).unwrap_or(0));
            }
            Values::Integer(values) => values.truncate(rows),
        }
    }

    fn finish(mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.fill_to(rows);
        let nulls = self.valid.finish();
        Ok(match self.values {
            Values::Text(texts) => Arc::new(texts.finish(nulls)?),
            Values::List(items, ends) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                let item = Arc::new(ArrowField::new_list_field(DataType::Utf8, true));
                Arc::new(ListArray::try_new(item, offsets, Arc::new(items.finish(None)?), nulls)?)
            }
            Values::Integer(values) => Arc::new(Int64Array::try_new(values.into(), nulls)?),
        })
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
    /// Fields that the row begun has, each once, in no order.
    touched: Vec<Field>,
    /// Rows that are expected.
    expected: usize,
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
    /// Columns with room for so many rows.
    pub(crate) fn new(expected: usize) -> Self {
        Self {
            record: Vec::with_capacity(expected),
            offset: Vec::with_capacity(expected),
            length: Vec::with_capacity(expected),
            time: Vec::with_capacity(expected),
            class: Vec::with_capacity(expected),
            damaged: Vec::with_capacity(expected),
            fields: FIELDS.iter().map(|_| None).collect(),
            touched: Vec::new(),
            expected,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.record.len()
    }

    /// Sets a text of the row begun (the last call wins), or appends an item to its list.
    pub(crate) fn text(&mut self, field: Field, text: &str) {
        let row = self.record.len();
        let builder = self.fields[field as usize]
            .get_or_insert_with(|| Builder::new(field.info().column, self.expected));
        builder.fill_to(row);
        match &mut builder.values {
            Values::Text(texts) => {
                if texts.len() > row {
                    texts.truncate(row);
                } else {
                    builder.valid.append_non_null();
                    self.touched.push(field);
                }
                texts.push(text);
            }
            Values::List(items, ends) => {
                if ends.last().is_some_and(|&end| end == offset(items.len())) {
                    self.touched.push(field);
                }
                items.push(text);
            }
            Values::Integer(_) => debug_assert!(false, "{field} is an integer column"),
        }
    }

    /// Sets an integer of the row begun; the last call wins.
    pub(crate) fn integer(&mut self, field: Field, value: i64) {
        let row = self.record.len();
        let builder = self.fields[field as usize]
            .get_or_insert_with(|| Builder::new(field.info().column, self.expected));
        builder.fill_to(row);
        match &mut builder.values {
            Values::Integer(values) => {
                if values.len() > row {
                    values.truncate(row);
                } else {
                    builder.valid.append_non_null();
                    self.touched.push(field);
                }
                values.push(value);
            }
            _ => debug_assert!(false, "{field} is not an integer column"),
        }
    }

    /// The texts of the row begun.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (Field, &str)> {
        let row = self.record.len();
        self.touched.iter().flat_map(move |&field| {
            let values = self.fields[field as usize].as_ref().map(|builder| &builder.values);
            let (texts, from, to) = match values {
                Some(Values::Text(texts)) => (Some(texts), row, row + 1),
                Some(Values::List(items, ends)) => {
                    let from = ends.last().and_then(|&end| usize::try_from(end).ok()).unwrap_or(0);
                    (Some(items), from, items.len())
                }
                _ => (None, 0, 0),
            };
            (from..to).filter_map(move |at| Some((field, texts?.get(at))))
        })
    }

    /// Ends the row.
    pub(crate) fn end_row(&mut self, head: EventHead) {
        for field in self.touched.drain(..) {
            if let Some(builder) = &mut self.fields[field as usize] {
                builder.end_row();
            }
        }
        self.record.push(head.record);
        self.offset.push(head.offset);
        self.length.push(head.length);
        self.time.push(head.time);
        self.class.push(head.class);
        self.damaged.push(head.damaged);
    }

    /// Forgets the row begun.
    pub(crate) fn forget_row(&mut self) {
        let rows = self.record.len();
        for field in self.touched.drain(..) {
            if let Some(builder) = &mut self.fields[field as usize] {
                builder.truncate(rows);
            }
        }
    }

    /// The arrays, in the order of [`EVENTS`].
    pub(crate) fn finish(self) -> Result<Vec<ArrayRef>, ArrowError> {
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
                Some(builder) => builder.finish(rows)?,
                None => new_null_array(field.data_type(), rows),
            });
        }
        Ok(arrays)
    }
}
