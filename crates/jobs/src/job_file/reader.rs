//! A serde deserialiser over TOML's spanned tree whose errors keep apart what was found, what was
//! expected, and where.
//!
//! The `toml` crate's own gives one text and a span; a job file's messages need the dotted key and the list of
//! what would have been right. Entries of a table are read in the order of the text, so the first error is
//! the topmost.

use std::fmt::Display;
use std::ops::Range;

use serde::de::{self, Deserialize, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeString, DeTable, DeValue};

use super::error::{JobFileError, Step, dotted, hint, place};
use super::schema;

/// Name under which a type asks to be handed TOML's dates and times as text.
pub(super) const DATE_TIME: &str = "date-time";

/// Reads a whole job file.
pub(super) fn job<'de, T: Deserialize<'de>>(tree: &'de Spanned<DeTable<'de>>) -> Result<T, Fault> {
    let entries = Entries::of(tree.get_ref());
    T::deserialize(de::value::MapAccessDeserializer::new(entries)).map_err(|fault| fault.at(0..0))
}

/// What went wrong, before it has a file and a line.
#[derive(Debug)]
pub(super) struct Fault {
    problem: Problem,
    /// The key's steps, innermost first.
    steps: Vec<Step>,
    span: Option<Range<usize>>,
}

#[derive(Debug)]
enum Problem {
    UnknownKey(&'static [&'static str]),
    MissingKey,
    Type { found: String, expected: String },
    Value { found: String, expected: String },
    Token { found: String, known: &'static [&'static str] },
    Text(String),
}

impl Fault {
    fn new(problem: Problem) -> Self {
        Self { problem, steps: Vec::new(), span: None }
    }

    /// Sets the place unless a deeper one is known.
    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    fn inside(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Writes the message.
    pub(super) fn into_error(mut self, file: &str, text: &str) -> JobFileError {
        self.steps.reverse();
        let key = dotted(&self.steps);
        let (line, column) = place(text, self.span.map_or(0, |span| span.start));
        let (problem, hint) = self.problem.into_words(&key, &self.steps);
        JobFileError { file: file.to_owned(), line, column, key, problem, hint }
    }
}

impl Problem {
    fn into_words(self, key: &str, steps: &[Step]) -> (String, Option<String>) {
        match self {
            Self::UnknownKey(known) => {
                let found = match steps.last() {
                    Some(Step::Key(found)) => found,
                    _ => key,
                };
                ("is not a known key".into(), misplaced(found, key).or_else(|| hint(found, known)))
            }
            Self::MissingKey => ("is missing".into(), about(key)),
            Self::Type { found, expected } => {
                let hint = brackets(key, &found, &expected).or_else(|| about(key));
                (format!("is {found}, expected {expected}"), hint)
            }
            Self::Value { found, expected } => match expected.split_once("\nhint: ") {
                Some((expected, hint)) => (format!("{found} is not {expected}"), Some(hint.to_owned())),
                None => (format!("{found} is not {expected}"), None),
            },
            Self::Token { found, known } => (format!("{found:?} is not known"), hint(&found, known)),
            Self::Text(text) => (text, None),
        }
    }
}

/// The hint for a key of the whole file that stands below a table's head, and so belongs to the table.
fn misplaced(found: &str, key: &str) -> Option<String> {
    let table = key.strip_suffix(found)?.strip_suffix('.')?;
    schema::describe(found).map(|_| {
        format!("{found} belongs to the whole file: put it before {table}, or under a head of its own")
    })
}

/// The hint that says what a key is for: `purpose: what the processing is for`.
fn about(key: &str) -> Option<String> {
    let name = key.rsplit('.').next()?.split('[').next()?;
    let text = schema::describe(key)?;
    let mut words = text.split(' ');
    let first = words.next()?;
    let starts_upper = |word: &str| word.starts_with(|c: char| c.is_ascii_uppercase());
    let plain =
        !first.chars().skip(1).any(|c| c.is_ascii_uppercase()) && !words.next().is_some_and(starts_upper);
    let lowered = first.to_ascii_lowercase();
    let rest = text.strip_prefix(first)?;
    Some(format!("{name}: {}{rest}", if plain { &lowered } else { first }))
}

/// The hint for `[x]` in place of `[[x]]` and the other way round.
fn brackets(key: &str, found: &str, expected: &str) -> Option<String> {
    if key.contains('[') {
        return None;
    }
    match (found, expected) {
        ("a table", "a list") => Some(format!("write [[{key}]], in double brackets")),
        ("a list", "a table") => Some(format!("write [{key}] once, in single brackets")),
        _ => None,
    }
}

impl std::error::Error for Fault {}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl de::Error for Fault {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(Problem::Text(text.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Type { found: found_type(found), expected: expected_words(expected) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Value { found: found_value(found), expected: expected_words(expected) })
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::Token { found: found.to_owned(), known })
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey(known)).inside(Step::from(found))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Problem::MissingKey).inside(Step::from(name))
    }
}

fn found_type(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("the boolean {value}"),
        Unexpected::Signed(value) => format!("the integer {value}"),
        Unexpected::Unsigned(value) => format!("the integer {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(value) => format!("the string {value:?}"),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a table".into(),
        other => other.to_string(),
    }
}

fn found_value(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(value) => format!("{value:?}"),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        other => found_type(other),
    }
}

/// Serde's and Rust's words for types, put in TOML's.
fn expected_words(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        "a boolean" => "true or false".into(),
        "u64" => "a whole number from 0".into(),
        "a nonzero u32" => "a whole number from 1 to 4294967295".into(),
        words if words.starts_with("struct ") => "a table".into(),
        words if words.starts_with("enum ") => "a string".into(),
        _ => words,
    }
}

/// One value of the tree.
#[derive(Clone, Copy)]
struct Node<'de>(&'de Spanned<DeValue<'de>>);

impl<'de> Node<'de> {
    fn date_time_refused<V: Visitor<'de>>(visitor: &V) -> Fault {
        de::Error::invalid_type(Unexpected::Other("a date or time"), visitor)
    }
}

impl<'de> de::Deserializer<'de> for Node<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let read = match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Integer(digits) => integer(digits).and_then(|value| visitor.visit_i64(value)),
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(value) => visitor.visit_f64(value),
                Err(_) => Err(de::Error::invalid_type(Unexpected::Other("a number"), &visitor)),
            },
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            DeValue::Datetime(_) => Err(Self::date_time_refused(&visitor)),
            DeValue::Array(items) => visitor.visit_seq(Items { items, next: 0 }),
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
        };
        read.map_err(|fault| fault.at(self.0.span()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let read = match self.0.get_ref() {
            DeValue::Datetime(value) if name == DATE_TIME => visitor.visit_string(value.to_string()),
            _ if name == DATE_TIME => return self.deserialize_any(visitor),
            _ => visitor.visit_newtype_struct(self),
        };
        read.map_err(|fault| fault.at(self.0.span()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_enum(text.as_ref().into_deserializer()),
            _ => self.deserialize_any(visitor),
        }
        .map_err(|fault: Fault| fault.at(self.0.span()))
    }

    /// Serde's derived readers would take a list for a table, field by field.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.get_ref() {
            DeValue::Array(_) => {
                let fault: Fault = de::Error::invalid_type(Unexpected::Seq, &visitor);
                Err(fault.at(self.0.span()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

fn integer(digits: &DeInteger<'_>) -> Result<i64, Fault> {
    i64::from_str_radix(digits.as_str(), digits.radix())
        .map_err(|_| Fault::new(Problem::Text(format!("{digits} does not fit in 64 bits"))))
}

/// Elements of an array.
struct Items<'de> {
    items: &'de DeArray<'de>,
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let at = self.next;
        self.next += 1;
        seed.deserialize(Node(item)).map(Some).map_err(|fault| fault.at(item.span()).inside(Step::At(at)))
    }
}

type Entry<'de> = (&'de Spanned<DeString<'de>>, &'de Spanned<DeValue<'de>>);

/// Entries of a table, in the order of the text.
struct Entries<'de> {
    entries: std::vec::IntoIter<Entry<'de>>,
    current: Option<Entry<'de>>,
}

impl<'de> Entries<'de> {
    fn of(table: &'de DeTable<'de>) -> Self {
        let mut entries: Vec<Entry<'de>> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        Self { entries: entries.into_iter(), current: None }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        let Some((key, _)) = self.current else { return Ok(None) };
        let text: de::value::StrDeserializer<'_, Fault> = key.get_ref().as_ref().into_deserializer();
        seed.deserialize(text).map(Some).map_err(|fault| fault.at(key.span()))
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, value)) = self.current else {
            return Err(de::Error::custom("has no value"));
        };
        let step = || Step::from(key.get_ref().as_ref());
        seed.deserialize(Node(value)).map_err(|fault| fault.at(value.span()).inside(step()))
    }
}
