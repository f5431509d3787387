//! The case directory: Parquet tables, the observables index, durable writes, the lock.
//!
//! Layout and names are DESIGN.md §3. Events and observables of an evidence item come out of one
//! pass over its bytes ([`chunk`] is the worker's part of it, [`evidence`] the ordered part).

pub mod case;
pub mod chunk;
pub mod columns;
pub mod durable;
mod error;
pub mod evidence;
pub mod feed;
pub mod file_at;
mod footer;
pub mod index;
pub mod journal;
pub mod observables;
mod pages;
mod postings;
pub mod record_tree;
pub mod rows;
pub mod source;
pub mod tables;
mod texts;

pub use error::StoreError;
