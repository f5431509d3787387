//! What a feed claims.

use crate::{Field, Kind, Tlp};

/// One claim of a feed about a value, as a feed format reads it; equal (kind, value) claims of
/// one feed become one indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Kind of the value.
    pub kind: Kind,
    /// Canonical value.
    pub value: String,
    /// Text as found in the feed, before refanging and canonicalisation.
    pub original: String,
    /// Start of validity, microseconds since 1970 UTC, inclusive; `None`: not stated.
    pub valid_from: Option<i64>,
    /// End of validity, microseconds since 1970 UTC, exclusive; `None`: not stated.
    pub valid_until: Option<i64>,
    /// Confidence of the provider, 0 to 100; `None`: not stated.
    pub confidence: Option<u8>,
    /// Marking of this claim where it differs from the feed's.
    pub tlp: Option<Tlp>,
    /// Whether names under the value are meant not to be met (a STIX equality, a hosts file, a
    /// private public suffix such as `github.io`).
    pub exact_only: bool,
    /// Whether a URL value is a prefix, met at path boundaries.
    pub prefix: bool,
    /// Whether the kind of a hash was inferred from its length alone.
    pub inferred_kind: bool,
    /// Fields that a `substring` or `regex` is searched in; empty for all other kinds.
    pub fields: Vec<Field>,
    /// The comparisons of a `stix-pattern` that must all hold in one record; empty for all other
    /// kinds.
    pub parts: Vec<Part>,
}

impl Claim {
    /// A claim with nothing stated but its value.
    pub fn new(kind: Kind, value: impl Into<String>, original: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.into(),
            original: original.into(),
            valid_from: None,
            valid_until: None,
            confidence: None,
            tlp: None,
            exact_only: false,
            prefix: false,
            inferred_kind: false,
            fields: Vec::new(),
            parts: Vec::new(),
        }
    }
}

/// One comparison of a conjunction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Kind of the value.
    pub kind: Kind,
    /// Canonical value.
    pub value: String,
    /// The one field that may carry it; `None`: any.
    pub field: Option<Field>,
}
