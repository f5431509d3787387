//! Sort keys: byte strings whose order makes every kind of indicator a point or a range of the
//! observables index (DESIGN.md §3, "Observables").
//!
//! | kind | key |
//! |---|---|
//! | addresses | 16 bytes, big-endian; IPv4 as `::ffff:a.b.c.d` |
//! | names | labels reversed, each followed by a zero byte: `www.example.com` is `com\0example\0www\0`, so a name and all under it share a prefix |
//! | URLs | host, port, path and query as written, a zero byte, the scheme: with and without a scheme are neighbours |
//! | all else | the canonical value's bytes |

use crate::{Claim, Kind};

/// Key of an observable.
///
/// `value` must be canonical for `kind`.
pub fn of_observable(_kind: Kind, _value: &str) -> Vec<u8> {
    unimplemented!()
}

/// A half-open range of keys of one observable kind: `lo <= key < hi`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Kind of the observables.
    pub kind: Kind,
    /// First key inside.
    pub lo: Vec<u8>,
    /// First key past the end; for a single key it is `lo` with a zero byte appended.
    pub hi: Vec<u8>,
}

/// The spans that an indicator covers; spans of one indicator never overlap, and spans of any two
/// indicators of one kind are nested or apart, so a sweep needs only a stack.
///
/// Empty for kinds that are searched for in text (`substring`, `regex`) and for `stix-pattern`.
pub fn of_claim(_claim: &Claim) -> Vec<Span> {
    unimplemented!()
}
