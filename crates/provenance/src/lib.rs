//! What another jurisdiction can check for itself: digests of bytes and of the meaning of a table (PROVENANCE.md §2,
//! "Logical digest"), who signed what, the log, the record tree, packages, and level 1 of the ladder (docs/provenance.md). Small
//! enough to audit alone: no arrow, no clock, random bytes are given to it; it reads files only in [`bag`].

pub mod attribution;
pub mod bag;
mod digest;
pub mod envelope;
mod keys;
pub mod log;
pub mod logical;
pub mod merkle;
pub mod record_tree;
pub mod seal;
pub mod statement;
pub mod strict_json;
pub mod trust;

pub use digest::{Algorithm, BadDigest, Hashers, Sha256Digest, Sha256Hasher};
pub use envelope::Envelope;
pub use keys::{KeyError, PublicKey, SecretKey};
pub use record_tree::decimal;
