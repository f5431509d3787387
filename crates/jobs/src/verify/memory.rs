//! Checkpoints that this verifier accepted before, by origin: what makes a fork or a rollback seen.
//!
//! Two files an origin, named by the SHA-256 of the origin: `.txt`, a line for each checkpoint, `<size> <root>
//! <origin>`, in the order they were accepted; `.leaves`, the entries of the longest log accepted, so that an older
//! bag that comes later is seen to be of the same log.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use comity_provenance::Sha256Digest;
use comity_provenance::log::Checkpoint;
use comity_store::StoreError;

use crate::{JobError, user_dir};

/// Where checkpoints are remembered unless the user says otherwise: `$XDG_STATE_HOME/comity/checkpoints`, else
/// `~/.local/state/comity/checkpoints`.
pub fn default_memory() -> Option<PathBuf> {
    Some(user_dir("XDG_STATE_HOME", ".local/state")?.join("comity/checkpoints"))
}

fn file_of(memory: &Path, origin: &str, ending: &str) -> PathBuf {
    memory.join(format!("{}.{ending}", Sha256Digest::of(origin.as_bytes())))
}

/// What is remembered of an origin.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// Checkpoints that were accepted.
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// Entries of the longest log that was.
    pub(crate) leaves: Vec<String>,
}

/// What is remembered of an origin.
///
/// # Errors
/// Where the file does not read: a memory that can't be asked must not be taken for an empty one.
pub(crate) fn remembered(memory: &Path, origin: &str) -> Result<Remembered, JobError> {
    let path = file_of(memory, origin, "txt");
    let checkpoints = text_of(&path)?
        .lines()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let (size, root, known) = (words.next(), words.next(), words.next());
            let size = size.and_then(|s| s.parse().ok());
            let root = root.and_then(|r| r.parse().ok());
            match (size, root, known) {
                (Some(size), Some(root), Some(known)) if known == origin => {
                    Ok(Checkpoint { origin: origin.to_owned(), size, root })
                }
                _ => Err(JobError::File {
                    path: path.clone(),
                    message: format!("line {line:?} is no checkpoint"),
                }),
            }
        })
        .collect::<Result<_, _>>()?;
    let leaves = text_of(&file_of(memory, origin, "leaves"))?.lines().map(str::to_owned).collect();
    Ok(Remembered { checkpoints, leaves })
}

/// The text of a file; nothing where there is none.
fn text_of(path: &Path) -> Result<String, JobError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(StoreError::io(path, e).into()),
    }
}

/// Remembers a checkpoint that was accepted, and the entries that lead to it.
///
/// # Errors
/// Where the disk refuses.
pub(crate) fn remember(
    memory: &Path,
    known: &Remembered,
    checkpoint: &Checkpoint,
    leaves: &[String],
) -> Result<(), JobError> {
    fs::create_dir_all(memory).map_err(|e| StoreError::io(memory, e))?;
    if leaves.len() > known.leaves.len() {
        let path = file_of(memory, &checkpoint.origin, "leaves");
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        let text: String = leaves.iter().flat_map(|leaf| [leaf, "\n"]).collect();
        let written = fs::File::create(&partial).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&partial, &path)).map_err(|e| StoreError::io(&path, e))?;
    }
    if known.checkpoints.contains(checkpoint) {
        return Ok(());
    }
    let path = file_of(memory, &checkpoint.origin, "txt");
    let line = format!("{} {} {}\n", checkpoint.size, checkpoint.root, checkpoint.origin);
    let mut options = fs::File::options();
    let file = options.append(true).create(true).open(&path);
    file.and_then(|mut file| {
        file.write_all(line.as_bytes())?;
        file.sync_all()
    })
    .map_err(|e| StoreError::io(&path, e).into())
}
