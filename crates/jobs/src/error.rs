//! Why a job, or a part of it, failed.

use std::path::PathBuf;

use comity_correlate::CorrelateError;
use comity_provenance::bag::ValueFault;
use comity_store::StoreError;
use thiserror::Error;

use crate::job_file::JobFileError;

/// Why a job, or a part of it, failed.
#[derive(Debug, Error)]
pub enum JobError {
    /// The job file is wrong.
    #[error(transparent)]
    JobFile(#[from] JobFileError),
    /// The case can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A correlation failed or was refused.
    #[error(transparent)]
    Correlate(#[from] CorrelateError),
    /// A text that would be read otherwise than it is.
    #[error("{name} {fault}")]
    Text {
        /// What it is.
        name: String,
        /// What is wrong with it.
        fault: ValueFault,
    },
    /// No format of this name.
    #[error("format {name:?} is not known")]
    UnknownFormat {
        /// The name.
        name: String,
    },
    /// Detection can't tell the format.
    #[error("{}: format can't be told{}", path.display(), best.as_ref().map(|b| format!("; nearest is {b}")).unwrap_or_default())]
    Undetected {
        /// The file.
        path: PathBuf,
        /// The nearest guess.
        best: Option<String>,
    },
    /// The options do not fit the format.
    #[error("{}: {format}: {message}", path.display())]
    Options {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// What does not fit.
        message: String,
    },
    /// A digest is not the one that the holder gave.
    #[error("{}: {algorithm} is {found}, but the holder gave {given}", path.display())]
    HolderDigest {
        /// The file.
        path: PathBuf,
        /// The algorithm.
        algorithm: &'static str,
        /// What the bytes give.
        found: String,
        /// What the job declares.
        given: String,
    },
    /// The same bytes are declared twice, to be read in two ways.
    #[error("{}: the same bytes as {}, but declared to be read in another way", path.display(), other.display())]
    TwoReadings {
        /// The file.
        path: PathBuf,
        /// The file that came before.
        other: PathBuf,
    },
    /// Bytes that are not those which a statement commits to.
    #[error("{}: {message}", path.display())]
    NotCommitted {
        /// The file.
        path: PathBuf,
        /// What differs.
        message: String,
    },
    /// An original that lies neither in the case nor where it was handed in from.
    #[error("evidence {id}: its original is neither in the case nor at {}", paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    Original {
        /// The evidence item.
        id: comity_provenance::Sha256Digest,
        /// Where it was handed in from.
        paths: Vec<PathBuf>,
    },
    /// Statements of the case that do not fit together.
    #[error("statements of the case: {0}")]
    Contradiction(#[from] crate::told::Contradiction),
    /// A statement that can't be made or read.
    #[error(transparent)]
    Statement(#[from] comity_provenance::statement::StatementError),
    /// An envelope that can't be made or read.
    #[error(transparent)]
    Envelope(#[from] comity_provenance::envelope::EnvelopeError),
    /// A checkpoint or proof that can't be made or read.
    #[error(transparent)]
    Log(#[from] comity_provenance::log::LogError),
    /// A record or line that can't be proven.
    #[error(transparent)]
    Record(#[from] comity_provenance::record_tree::RecordError),
    /// Chunks that do not make a tree, which would be a defect.
    #[error(transparent)]
    Tree(#[from] comity_provenance::merkle::TreeError),
    /// A bag that can't be made, or is not as bags are.
    #[error(transparent)]
    Bag(#[from] comity_provenance::bag::BagError),
    /// A bag that can't be packed or unpacked.
    #[error(transparent)]
    Transport(#[from] crate::transport::TransportError),
    /// A seal that can't be made.
    #[error(transparent)]
    Seal(#[from] comity_provenance::seal::SealError),
    /// A trust file that does not read.
    #[error("{}: {source}", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// The line, and what is wrong with it.
        source: comity_provenance::trust::TrustError,
    },
    /// Handling rules, or the members of the case, stand against it.
    #[error("{message}")]
    Refused {
        /// What is refused, and by which rule.
        message: String,
        /// What would have to change.
        hint: String,
    },
    /// A file that no correlation can run: not there, or not text.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Nothing to work on.
    #[error("{0}")]
    Nothing(String),
    /// No run of this id, or several that begin so.
    #[error("run {id:?}: {message}")]
    Run {
        /// What was asked for.
        id: String,
        /// What is wrong.
        message: String,
    },
    /// The user wants an end.
    #[error("interrupted; what was reported done is stored, the rest was not begun")]
    Interrupted,
}

impl JobError {
    /// What to do about it; `None` where the message says all.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Text { .. } => "write it in one line, without control characters".into(),
            Self::UnknownFormat { .. } => "`comity formats` lists the formats".into(),
            Self::Undetected { .. } => {
                "declare it: format = \"…\" in the job, or --format; `comity formats` lists the formats; csv and ndjson take any file with a column mapping".into()
            }
            Self::HolderDigest { .. } => {
                "the file is not the one that the holder described; it was not taken in".into()
            }
            Self::TwoReadings { .. } => {
                "an evidence item is read in one way; declare it once, or use equal format, time_zone, mapping, coverage and clock_offset".into()
            }
            Self::Refused { hint, .. } => hint.clone(),
            Self::Original { .. } => {
                "put the file back where it was, or ingest it again from where it is now; with --keep-originals the case keeps a copy".into()
            }
            Self::Store(StoreError::NoCase(_)) => {
                "name the case with --case DIR or COMITY_CASE, or make one with `comity run` or `comity init`".into()
            }
            Self::Store(StoreError::OtherCase { .. }) => "use another directory for [output] case, or --case DIR".into(),
            Self::Correlate(CorrelateError::NotReproducible { .. }) => {
                "a correlation must give the same rows in another country; `comity sql` answers any question".into()
            }
            Self::Correlate(CorrelateError::Query { source, .. }) => match source.strip_backtrace().as_str() {
                parser if parser.contains("ParserError") => {
                    "names that are words of SQL need double quotes: \"offset\"".into()
                }
                _ => "information_schema.columns lists table_name, column_name and data_type of all tables".into(),
            },
            Self::Store(StoreError::Io { source, .. }) => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    "free some space and give the same command again; what was reported done is stored".into()
                }
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "comity needs to read the inputs and to write the case; check the owner and mode of this path".into()
                }
                _ => return None,
            },
            Self::Store(StoreError::Chunks { .. }) => "split the file at the end of a record, and ingest the parts".into(),
            Self::JobFile(_) => return None,
            Self::Interrupted => "give the same command again to go on; done work is recognised".into(),
            Self::Run { .. } => "`comity sql \"select run_id from runs\"` lists the runs".into(),
            _ => return None,
        })
    }

    /// Whether bytes are not what they are said to be.
    pub fn is_integrity_failure(&self) -> bool {
        matches!(
            self,
            Self::HolderDigest { .. } | Self::NotCommitted { .. } | Self::Store(StoreError::Integrity { .. })
        )
    }
}
