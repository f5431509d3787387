//! Durable, write-once files: staged beside their place, fsynced, renamed, directory fsynced.
//!
//! What is published is whole and on the disk; what is not lies under `tmp/` of the case and is
//! swept away by the next writer. No other module creates files in a case.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// A directory being filled, to be published in one step or to vanish.
#[derive(Debug)]
pub struct Stage {
    path: PathBuf,
    published: bool,
}

impl Stage {
    /// Makes a new empty directory under `tmp`, named after `name` and this process.
    ///
    /// # Errors
    /// Where the directory can't be made.
    pub fn new(tmp: &Path, name: &str) -> Result<Self, StoreError> {
        let mut path = tmp.join(format!("{name}.{}", std::process::id()));
        for attempt in 0_u32.. {
            match fs::create_dir(&path) {
                Ok(()) => break,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    path = tmp.join(format!("{name}.{}.{attempt}", std::process::id()));
                }
                Err(e) => return Err(StoreError::io(&path, e)),
            }
        }
        Ok(Self { path, published: false })
    }

    /// Where the stage lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a file in the stage.
    ///
    /// # Errors
    /// Where it can't be created.
    pub fn create(&self, name: &str) -> Result<File, StoreError> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| StoreError::io(parent, e))?;
        }
        File::create_new(&path).map_err(|e| StoreError::io(&path, e))
    }

    /// Writes a whole file into the stage.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.create(name)?;
        file.write_all(bytes).map_err(|e| StoreError::io(&self.path.join(name), e))
    }

    /// Removes a file that served while the stage was filled.
    ///
    /// # Errors
    /// Where it can't be removed.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        fs::remove_file(&path).map_err(|e| StoreError::io(&path, e))
    }

    /// Makes the stage appear at `place`, whole and on the disk, in one step. A directory that
    /// stands there already is swapped out and removed; readers see the one or the other.
    ///
    /// # Errors
    /// Where the disk refuses; then `place` is as it was.
    pub fn publish(mut self, place: &Path) -> Result<(), StoreError> {
        sync_tree(&self.path)?;
        let parent = place.parent().unwrap_or(place);
        crash_point("before-publish");
        if place.exists() {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(rustix::fs::CWD, &self.path, rustix::fs::CWD, place, flags)
                .map_err(|e| StoreError::io(place, e.into()))?;
            sync_dir(parent)?;
        } else {
            fs::rename(&self.path, place).map_err(|e| StoreError::io(place, e))?;
            self.published = true;
            sync_dir(parent)?;
        }
        crash_point("after-publish");
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.published {
            // what can't be removed now is swept by the next writer
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes a file in one durable step, replacing what stood there.
///
/// # Errors
/// Where the disk refuses; then the file is as it was.
pub fn write_file(tmp: &Path, place: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let name = place.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stage = Stage::new(tmp, &name)?;
    stage.write("file", bytes)?;
    sync_tree(stage.path())?;
    crash_point("before-rename");
    fs::rename(stage.path().join("file"), place).map_err(|e| StoreError::io(place, e))?;
    sync_dir(place.parent().unwrap_or(place))
}

/// Makes a directory and its parents, on the disk.
///
/// # Errors
/// Where the disk refuses.
pub fn make_dir(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|e| StoreError::io(path, e))?;
    sync_dir(path.parent().unwrap_or(path))
}

fn sync_tree(path: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(path).map_err(|e| StoreError::io(path, e))? {
        let entry = entry.map_err(|e| StoreError::io(path, e))?.path();
        if entry.is_dir() {
            sync_tree(&entry)?;
        } else {
            File::open(&entry).and_then(|f| f.sync_all()).map_err(|e| StoreError::io(&entry, e))?;
        }
    }
    sync_dir(path)
}

fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|d| d.sync_all()).map_err(|e| StoreError::io(path, e))
}

/// In tests of crashes, ends the process here, as `kill -9` would: where `COMITY_CRASH_AT` is
/// `<name>:<n>`, at the n-th passing (1-based) of the point with that name.
fn crash_point(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let Some(wanted) = std::env::var_os("COMITY_CRASH_AT") else { return };
    let wanted = wanted.to_string_lossy();
    let Some((point, count)) = wanted.split_once(':') else { return };
    if point == name && count.parse() == Ok(PASSED.fetch_add(1, Ordering::SeqCst) + 1) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
