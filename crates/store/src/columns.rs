//! Columns of one chunk of events, filled row by row; a column that no record touched costs nothing.
//!
//! Values lie one behind the other, without those that are missing. Texts that repeat stand once, in a dictionary:
//! the index and the Parquet file both take them from there, so that each is hashed once.

use std::sync::{Arc, LazyLock};

use arrow::array::builder::NullBufferBuilder;
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use comity_model::{Class, Column, FIELDS, Field, Observe};
use parquet::arrow::ArrowSchemaConverter;
use parquet::errors::ParquetError;

use crate::pages::{EncodedColumn, PageEncoder, Shape, Values as Encodable};
use crate::tables::PAGE_ROWS;
use crate::texts::{Texts, text_of};

/// Arrow type of times: microseconds, UTC.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Arrow type of a list of texts.
pub fn list_type() -> DataType {
    DataType::List(Arc::new(ArrowField::new_list_field(DataType::Utf8, true)))
}

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

/// Builder of one column; rows not touched become null. The row begun may be one ahead of the others.
#[derive(Debug)]
struct Builder {
    values: Values,
    /// Rows that are told of, and which of them have a value.
    rows: usize,
    present: NullBufferBuilder,
    /// The same, once the chunk has ended.
    nulls: Option<NullBuffer>,
}

#[derive(Debug)]
enum Values {
    Text(Texts),
    /// Items, and where the list of each row ends, after a zero.
    List(Texts, Vec<usize>),
    Integer(Vec<i64>),
}

impl Builder {
    fn new(column: Column) -> Self {
        let values = match column {
            Column::Text => Values::Text(Texts::default()),
            Column::TextList => Values::List(Texts::default(), vec![0]),
            Column::Integer => Values::Integer(Vec::new()),
        };
        Self { values, rows: 0, present: NullBufferBuilder::new(0), nulls: None }
    }

    #[inline(never)]
    fn fill_to(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.rows);
        self.present.append_n_nulls(missing);
        self.rows += missing;
        if let Values::List(items, ends) = &mut self.values {
            ends.resize(ends.len() + missing, items.len());
        }
    }

    /// Begins a value in the row behind the first so many; whether it is the first in its row. An earlier value of
    /// a scalar is forgotten.
    #[inline]
    fn begin(&mut self, row: usize) -> bool {
        if self.rows < row {
            self.fill_to(row);
        }
        let is_first = self.rows == row;
        if is_first {
            self.present.append_non_null();
            self.rows += 1;
        } else if !matches!(self.values, Values::List(..)) {
            self.forget_values();
        }
        is_first
    }

    /// Forgets the values of the row begun, which was touched.
    #[inline(never)]
    fn forget_values(&mut self) {
        match &mut self.values {
            Values::Text(texts) => texts.truncate(texts.len() - 1),
            Values::List(items, ends) => items.truncate(ends.last().copied().unwrap_or(0)),
            Values::Integer(values) => values.truncate(values.len() - 1),
        }
    }

    /// Ends the row of a column that was touched in it.
    fn end_row(&mut self) {
        if let Values::List(items, ends) = &mut self.values {
            ends.push(items.len());
        }
    }

    /// Forgets the row begun, which was touched.
    fn forget_row(&mut self) {
        self.rows -= 1;
        self.present.truncate(self.rows);
        self.forget_values();
    }

    /// Ends the chunk, which has so many rows.
    fn finish(&mut self, rows: usize) {
        self.fill_to(rows);
        self.nulls = self.present.finish();
    }

    /// What it holds once the chunk has ended.
    fn finished(&self) -> (Shape<'_>, Encodable<'_>) {
        let (lists, values) = match &self.values {
            Values::Text(texts) => (None, Encodable::Texts(texts)),
            Values::List(items, ends) => (Some(ends.as_slice()), Encodable::Texts(items)),
            Values::Integer(values) => (None, Encodable::Integers(values)),
        };
        (Shape { rows: self.rows, nulls: self.nulls.as_ref(), lists }, values)
    }

    fn clear(&mut self) {
        match &mut self.values {
            Values::Text(texts) => texts.clear(),
            Values::List(items, ends) => {
                items.clear();
                ends.truncate(1);
            }
            Values::Integer(values) => values.clear(),
        }
        self.rows = 0;
        self.nulls = None;
    }
}

/// The columns of a chunk of events.
#[derive(Debug)]
pub(crate) struct Columns {
    record: Vec<i64>,
    offset: Vec<i64>,
    length: Vec<i64>,
    time: Builder,
    class: Vec<u32>,
    damaged: Vec<bool>,
    fields: Vec<Option<Builder>>,
    /// Lists that the row begun has, each once.
    lists: Vec<Field>,
    /// Those whose texts stand in no dictionary and are observables.
    loose: Vec<Field>,
}

/// Whether the texts of a field are observables by themselves.
pub(crate) fn gives_observables(field: Field) -> bool {
    !matches!(field.info().observe, Observe::Nothing | Observe::Extracted)
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

impl Default for Columns {
    fn default() -> Self {
        Self {
            record: Vec::new(),
            offset: Vec::new(),
            length: Vec::new(),
            time: Builder::new(Column::Integer),
            class: Vec::new(),
            damaged: Vec::new(),
            fields: FIELDS.iter().map(|_| None).collect(),
            lists: Vec::new(),
            loose: Vec::new(),
        }
    }
}

impl Columns {
    pub(crate) fn rows(&self) -> usize {
        self.record.len()
    }

    /// Begins a value of a field in the row begun; whether it is the first.
    #[inline]
    fn begin(&mut self, field: Field) -> (&mut Values, bool) {
        let builder = self.fields[field as usize].get_or_insert_with(|| Builder::new(field.info().column));
        let is_first = builder.begin(self.record.len());
        (&mut builder.values, is_first)
    }

    /// Sets a text of the row begun (the last call wins), or appends an item to its list.
    pub(crate) fn text(&mut self, field: Field, text: &str) {
        let (values, is_first) = self.begin(field);
        let (is_loose, is_list) = match values {
            Values::Text(texts) => (texts.push(text, true), false),
            Values::List(items, _) => (items.push(text, is_first), is_first),
            Values::Integer(_) => return debug_assert!(false, "{field} is an integer column"),
        };
        if is_list {
            self.lists.push(field);
        }
        if is_loose && self.loose.last() != Some(&field) && gives_observables(field) {
            self.loose.push(field);
        }
    }

    /// Sets an integer of the row begun; the last call wins.
    pub(crate) fn integer(&mut self, field: Field, value: i64) {
        match self.begin(field) {
            (Values::Integer(values), _) => values.push(value),
            _ => debug_assert!(false, "{field} is not an integer column"),
        }
    }

    /// The texts of the row begun.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (Field, &str)> {
        let begun = |field: &&Field| {
            self.fields[**field as usize].as_ref().is_some_and(|builder| builder.rows > self.rows())
        };
        self.texts_of(Field::ALL.iter().filter(begun)).map(|(field, text)| (field, text_of(text)))
    }

    /// Those that are observables and stand in no dictionary.
    pub(crate) fn loose_texts(&self) -> impl Iterator<Item = (Field, &[u8])> {
        self.texts_of(self.loose.iter())
    }

    fn texts_of<'a>(
        &'a self,
        fields: impl Iterator<Item = &'a Field>,
    ) -> impl Iterator<Item = (Field, &'a [u8])> {
        fields.flat_map(move |&field| {
            let values = self.fields[field as usize].as_ref().map(|builder| &builder.values);
            let (texts, from) = match values {
                Some(Values::Text(texts)) => (Some(texts), texts.len() - 1),
                Some(Values::List(items, ends)) => (Some(items), ends.last().copied().unwrap_or(0)),
                _ => (None, 0),
            };
            (from..texts.map_or(0, Texts::len)).filter_map(move |at| Some((field, texts?.get(at))))
        })
    }

    /// Ends the row.
    pub(crate) fn end_row(&mut self, head: EventHead) {
        for field in self.lists.drain(..) {
            if let Some(builder) = &mut self.fields[field as usize] {
                builder.end_row();
            }
        }
        self.loose.clear();
        if let Some(time) = head.time {
            self.time.begin(self.record.len());
            if let Values::Integer(times) = &mut self.time.values {
                times.push(time);
            }
        }
        self.record.push(head.record);
        self.offset.push(head.offset);
        self.length.push(head.length);
        self.class.push(head.class as u32);
        self.damaged.push(head.damaged);
    }

    /// Forgets the row begun.
    pub(crate) fn forget_row(&mut self) {
        let rows = self.rows();
        self.fields.iter_mut().flatten().filter(|builder| builder.rows > rows).for_each(Builder::forget_row);
        self.lists.clear();
        self.loose.clear();
    }

    /// Ends the chunk: what follows reads it.
    pub(crate) fn finish(&mut self) {
        let rows = self.rows();
        self.time.finish(rows);
        self.fields.iter_mut().flatten().for_each(|builder| builder.finish(rows));
    }

    /// Begins the next chunk; what memory the last took is used again.
    pub(crate) fn clear(&mut self) {
        for integers in [&mut self.record, &mut self.offset, &mut self.length] {
            integers.clear();
        }
        self.time.clear();
        self.class.clear();
        self.damaged.clear();
        self.fields.iter_mut().flatten().for_each(Builder::clear);
    }

    /// First and last time.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let Values::Integer(times) = &self.time.values else { return None };
        times.iter().min().copied().zip(times.iter().max().copied())
    }

    /// The texts of each field, and where they stand.
    pub(crate) fn all_texts(&self) -> impl Iterator<Item = (Field, &Texts, Shape<'_>)> {
        let columns = Field::ALL.iter().zip(&self.fields);
        columns.filter_map(|(&field, column)| match column.as_ref()?.finished() {
            (shape, Encodable::Texts(texts)) => Some((field, texts, shape)),
            _ => None,
        })
    }

    /// Encodes the columns of a row group, in the order of [`EVENTS`].
    pub(crate) fn encode(&self, encoder: &mut PageEncoder) -> Result<Vec<EncodedColumn>, ParquetError> {
        let rows = self.rows();
        let full = Shape { rows, nulls: None, lists: None };
        let classes: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).collect();
        let mut columns = vec![
            Some((full, Encodable::Integers(&self.record))),
            Some((full, Encodable::Integers(&self.offset))),
            Some((full, Encodable::Integers(&self.length))),
            Some(self.time.finished()),
            Some((full, Encodable::Names(&self.class, &classes))),
            Some((full, Encodable::Booleans(&self.damaged))),
        ];
        columns.extend(self.fields.iter().map(|column| column.as_ref().map(Builder::finished)));
        let schema = ArrowSchemaConverter::new().convert(&EVENTS)?;
        schema
            .columns()
            .iter()
            .zip(columns)
            .map(|(descr, column)| encoder.column(descr, rows, PAGE_ROWS, column))
            .collect()
    }
}
