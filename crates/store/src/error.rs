//! What can go wrong with a case.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why an operation on a case failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("{}: {}", path.display(), io_text(source))]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// A Parquet file that can't be read or written.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: parquet::errors::ParquetError,
    },
    /// Columns that do not fit together.
    #[error("table {table:?}: {source}")]
    Arrow {
        /// The table.
        table: String,
        /// The library's reason.
        source: arrow::error::ArrowError,
    },
    /// A chunk with more events than the index can number.
    #[error("a chunk has more than {most} events")]
    ChunkRows {
        /// How many it can number.
        most: u32,
    },
    /// An evidence item with more chunks than a file of events can have.
    #[error("more than {most} chunks, which are some 500 GB of a log: a file of events has no room for more")]
    Chunks {
        /// How many it can have.
        most: usize,
    },
    /// A record of the case that does not read.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: serde_json::Error,
    },
    /// A key file that does not read.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: comity_provenance::KeyError,
    },
    /// An envelope that can't be written.
    #[error(transparent)]
    Envelope(#[from] comity_provenance::envelope::EnvelopeError),
    /// A checkpoint that can't be signed.
    #[error(transparent)]
    Log(#[from] comity_provenance::log::LogError),
    /// A directory that is no case.
    #[error("{}: no case is here (no case.toml)", .0.display())]
    NoCase(PathBuf),
    /// A case that exists already and is another one.
    #[error("{}: a case is here already, {found:?}, not {wanted:?}", path.display())]
    OtherCase {
        /// The case directory.
        path: PathBuf,
        /// Id found.
        found: String,
        /// Id wanted.
        wanted: String,
    },
    /// Stored bytes that are not what their record says.
    #[error("{}: {message}", path.display())]
    Integrity {
        /// The file.
        path: PathBuf,
        /// What differs.
        message: String,
    },
}

impl StoreError {
    /// Wraps an error of the operating system with the path it happened at.
    pub fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// Wraps an error of the Parquet library with the file.
    pub fn parquet(path: &Path, source: parquet::errors::ParquetError) -> Self {
        // a full disk reaches us wrapped; people need the plain reason
        if let parquet::errors::ParquetError::External(inner) = source {
            return match inner.downcast::<io::Error>() {
                Ok(io) => Self::io(path, *io),
                Err(other) => Self::Parquet {
                    path: path.to_owned(),
                    source: parquet::errors::ParquetError::External(other),
                },
            };
        }
        Self::Parquet { path: path.to_owned(), source }
    }

    /// Wraps an error of the Arrow library with the table.
    pub fn arrow(table: &str, source: arrow::error::ArrowError) -> Self {
        Self::Arrow { table: table.to_owned(), source }
    }

    /// Wraps a JSON error with the file.
    pub fn json(path: &Path, source: serde_json::Error) -> Self {
        Self::Json { path: path.to_owned(), source }
    }
}

fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "no space left on the disk".into(),
        _ => error.to_string(),
    }
}
