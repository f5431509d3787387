//! From index and indicators to sightings ([`merge`], [`sightings`]), and from the case's tables to
//! findings ([`session`], [`named`]). The only crate that knows DataFusion. Writes no files.

pub mod claims;
mod error;
pub mod merge;
pub mod named;
pub mod session;
pub mod sightings;

pub use error::CorrelateError;
