//! The batch jobs of comity, one function each, and the job file that declares them.

mod clock;
mod error;
pub mod feeds;
pub mod ingest;
pub mod intake;
pub mod job_file;
pub mod progress;
pub mod reproduce;
pub mod run;
pub mod show;
pub mod steps;
pub mod summary;

pub use error::JobError;
