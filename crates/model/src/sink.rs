//! The seam between a log format and where its events go.

use crate::{Class, Field, Kind};

/// Takes the fields of one record. Values are borrowed for the call only.
///
/// A reader calls these in any order for one record and then says what the record was; where that
/// is not an event, what was put in for the record is forgotten.
pub trait RecordSink {
    /// Sets the class; `other` where never called.
    fn class(&mut self, class: Class);
    /// Sets the time, microseconds since 1970 UTC, floored; null where never called.
    fn time(&mut self, at_us: i64);
    /// Sets a text column (the last call wins), or appends to a list column. Text with U+FFFD
    /// (from bytes that were not UTF-8) is kept, marks the event as damaged and gives no
    /// observable.
    fn text(&mut self, field: Field, text: &str);
    /// Sets an integer column (the last call wins).
    fn integer(&mut self, field: Field, value: i64);
    /// Adds an observable that an extractor found in a text of `field`: its canonical value, and the
    /// text as it stands there.
    fn observable(&mut self, field: Field, kind: Kind, value: &str, as_found: &str);
}
