//! How a job tells what it is doing, and learns that it should stop.

use crate::JobError;

/// Listens to a job. The parts of a job call it from several threads.
pub trait Progress: Sync {
    /// A part begins: what it works on, and its size in bytes where known.
    fn begin(&self, _what: &str, _total_bytes: Option<u64>) {}
    /// Bytes of the part that are done.
    fn bytes(&self, _done: u64) {}
    /// The part is over; one line of what came of it.
    fn end(&self, _line: &str) {}
    /// Something that people should know at once.
    fn note(&self, _line: &str) {}
    /// Whether to go on.
    ///
    /// # Errors
    /// [`JobError::Interrupted`] where the user wants an end.
    fn check(&self) -> Result<(), JobError> {
        Ok(())
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
