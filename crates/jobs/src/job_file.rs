//! The job file: what `comity run job.toml` takes in, runs and writes, declared in TOML 1.0.
//!
//! ```toml
//! [case]
//! id = "2026-014"
//! jurisdiction = "DE"
//! purpose = "fraud, public prosecutor's file 5 Js 1/26"
//!
//! [[evidence]]
//! path = "de/*.log"
//! jurisdiction = "DE"
//!
//! [[feed]]
//! path = "feeds/phish.csv"
//! provider = "Example CERT"
//! ```
//!
//! Three steps, each of which can be tested alone. [`read`] is pure in its text: it refuses a wrong key,
//! type or value and any contradiction, with one [`JobFileError`] that names file, line, column, key,
//! what was found and what was expected. [`Job::check_formats`] holds the declared formats against the
//! tables of formats. [`Job::expand`] looks at the disk and lists the files that the paths name.
//!
//! The types are the specification: `schemas/job.schema.json` is generated from them, doc comments
//! included ([`json_schema`]), and [`describe`] answers "what is this key" from the same text.
//! In messages a table of a list is named by its 0-based place: the second `[[evidence]]` is `evidence[1]`.

mod check;
mod error;
mod evidence;
mod expand;
mod reader;
mod schema;
mod shapes;
mod tables;
mod text;
mod times;
mod values;

use std::path::{Path, PathBuf};

pub use check::BUILT_IN_CORRELATIONS;
pub use error::{JobFileError, Step};
pub use evidence::{Collected, Coverage, Evidence, EvidenceMapping, Gap, LegalBasis, RecordRange, Transfer};
pub use expand::{Input, Inputs};
pub use schema::{describe, json_schema};
pub use tables::{AllowList, Case, Correlation, Feed, FeedColumns, Job, Output, Parameter};
pub use times::{ClockSpan, Date, Retention, Time, Zone};
pub use values::{Column, Confidence, Delimiter, Digest, EventColumn, PersonCategory, SecondDigest};

/// Where a job came from: what messages and relative paths need.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The job file's path as messages name it.
    pub file: String,
    /// Directory that relative paths are relative to.
    pub base_dir: PathBuf,
    places: error::Places,
}

/// Reads a job file.
///
/// `path_for_messages` names the file in messages, and its stem names the case directory where
/// `[output]` does not; `base_dir` is only kept, for [`Job::expand`] and [`Job::case_dir`].
///
/// # Errors
/// The first thing wrong, in the order of the text for keys, types and values; contradictions after that.
pub fn read(path_for_messages: &str, text: &str, base_dir: &Path) -> Result<Job, JobFileError> {
    let tree = toml::de::DeTable::parse(text)
        .map_err(|error| error::syntax(path_for_messages, text, error.message(), error.span()))?;
    let places = error::Places::of(text, &tree);
    let mut job: Job = reader::job(&tree).map_err(|fault| fault.into_error(path_for_messages, text))?;
    job.origin = Origin { file: path_for_messages.to_owned(), base_dir: base_dir.to_owned(), places };
    check::job(&job)?;
    Ok(job)
}

/// The key of the first text that would be read otherwise than it is, and the character.
pub(crate) fn hidden(table: &impl serde::Serialize) -> Option<(String, char)> {
    check::hidden(table).map(|(steps, found)| (error::dotted(&steps), found))
}

impl Job {
    /// The case directory: `[output] case`, else `<stem of the job file>.case`, beside the job file.
    pub fn case_dir(&self) -> PathBuf {
        let stem = || Path::new(&self.origin.file).file_stem().unwrap_or("job".as_ref());
        match &self.output.case {
            Some(case) => self.origin.base_dir.join(case),
            None => self.origin.base_dir.join(stem()).with_added_extension("case"),
        }
    }

    /// The key of the `n`th of what may stand alone or in a list: with its place where the file has a list.
    fn nth(&self, key: &[Step], n: usize) -> Vec<Step> {
        let in_list = [key, &[Step::At(n)]].concat();
        match self.origin.places.has(&in_list) {
            true => in_list,
            false => key.to_vec(),
        }
    }

    /// An error about a key of this job, placed where the file has it, or where its nearest
    /// parent stands.
    pub fn error_at(&self, key: &[Step], problem: impl Into<String>, hint: Option<String>) -> JobFileError {
        let key = error::dotted(key);
        let (line, column) = self.origin.places.nearest(&key);
        JobFileError { file: self.origin.file.clone(), line, column, key, problem: problem.into(), hint }
    }
}
