//! The nouns of comity: kinds of observables and indicators, event fields, handling, rejects,
//! canonical forms and the sort keys that turn matching into a merge of two sorted tables.
//!
//! Pure: no files, no clock, no environment. DESIGN.md §1 has the words, MATCHING.md the rules.

mod class;
mod field;
mod handling;
mod indicator;
mod kind;
mod reject;
mod sink;
mod tokens;

pub mod allow_list;
pub mod canonical;
pub mod key;

pub use class::Class;
pub use field::{Column, FIELDS, Field, FieldInfo, Observe};
pub use handling::{Jurisdiction, Pap, Tlp};
pub use indicator::{Claim, Part};
pub use kind::Kind;
pub use reject::{Reason, Reject};
pub use sink::RecordSink;
pub use tokens::UnknownToken;
