//! Digests that another jurisdiction can recompute: of bytes, and of the meaning of a table
//! (PROVENANCE.md §2, "Logical digest"). Small enough to audit alone; knows neither arrow nor files.

mod digest;
pub mod logical;

pub use digest::{Algorithm, BadDigest, Hashers, Sha256Digest, Sha256Hasher};
