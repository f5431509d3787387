//! Why a correlation failed or was refused.

use comity_store::StoreError;
use comity_store::rows::NotDigestible;
use datafusion::error::DataFusionError;
use thiserror::Error;

/// Why a correlation failed or was refused.
#[derive(Debug, Error)]
pub enum CorrelateError {
    /// The case does not read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Columns that do not fit together; a defect of comity.
    #[error("sightings: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The query does not parse, plan or run.
    #[error("{name}: {}", first_line(source))]
    Query {
        /// Name of the correlation.
        name: String,
        /// The engine's reason.
        source: Box<DataFusionError>,
    },
    /// The query could give another answer elsewhere, so it is not run.
    #[error("{name}: refused: {reason}")]
    NotReproducible {
        /// Name of the correlation.
        name: String,
        /// What stands against it, and what to do.
        reason: String,
    },
    /// The result has no logical digest.
    #[error("{name}: refused: {source}")]
    NotDigestible {
        /// Name of the correlation.
        name: String,
        /// The column that stands against it.
        source: NotDigestible,
    },
    /// The async runtime did not start.
    #[error("query engine: {0}")]
    Runtime(#[from] std::io::Error),
}

impl CorrelateError {
    pub(crate) fn query(name: &str, source: DataFusionError) -> Self {
        Self::Query { name: name.to_owned(), source: Box::new(source) }
    }
}

fn first_line(error: &DataFusionError) -> String {
    error.strip_backtrace().lines().next().unwrap_or_default().to_owned()
}
