//! The batch jobs of comity, one function each, and the job file that declares them.

pub mod bag;
mod chance;
mod clock;
pub mod custody;
mod disclose;
pub mod doctor;
mod dossier;
pub mod erase;
mod error;
pub mod feeds;
pub mod ingest;
pub mod intake;
pub mod job_file;
pub mod logbook;
pub mod members;
pub mod progress;
pub mod prove;
mod rematch;
pub mod reproduce;
pub mod run;
pub mod second_engine;
pub mod sending;
pub mod show;
pub mod steps;
pub mod summary;
pub mod told;
pub mod transport;
pub mod verify;

use std::path::PathBuf;

pub use comity_provenance::Sha256Digest;
pub use comity_store::case::{Case, Identity};
pub use error::JobError;

/// Sets how many threads work; without it, as many as the machine has.
///
/// # Errors
/// Where the threads do not start, or work has begun already.
pub fn use_threads(count: usize) -> Result<(), JobError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    pool.map_err(|e| JobError::Nothing(format!("{count} threads can't be used: {e}")))
}

/// A directory of the user by the XDG Base Directory Specification: what the variable says where it is an absolute
/// path, else this one under the home directory.
pub(crate) fn user_dir(variable: &str, under_home: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(under_home)))
}
