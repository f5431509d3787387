//! Canonical forms: one spelling per value, so that meeting is equality of keys (MATCHING.md,
//! "Canonical form"). Every form is idempotent: the canonical form of a canonical value is itself.

use crate::{Kind, Observe, Reject};

/// An observable found in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Kind of the value; an observable kind.
    pub kind: Kind,
    /// Canonical value.
    pub value: String,
    /// Whether it is part of another value (the host of a URL, the domain of a mail address, the
    /// last component of a path).
    pub derived: bool,
}

/// Canonical form of an indicator's value, with the rules for indicators: stricter than for
/// observables, since a wrong claim costs more than an unread one.
///
/// # Errors
/// A reject with its reason where the text is no such value or is too broad to claim anything.
pub fn indicator(_kind: Kind, _text: &str) -> Result<Canonical, Reject> {
    unimplemented!()
}

/// A canonical value and what was noted on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// Kind; may be narrower than the one asked for (a `/32` becomes an address, an IPv4-mapped
    /// address an IPv4 one).
    pub kind: Kind,
    /// Canonical value.
    pub value: String,
    /// Whether names under it must not be met (a private public suffix such as `github.io`).
    pub exact_only: bool,
}

/// The observables that a text in a field with this rule gives, handed to `found`; none where
/// the text is no such value. Never refuses.
pub fn observe(_rule: Observe, _text: &str, _found: &mut dyn FnMut(Found)) {
    unimplemented!()
}
