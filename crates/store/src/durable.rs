//! Durable, write-once files: staged beside their place, fsynced, renamed, directory fsynced.
//!
//! What stands in its place is whole and on the disk; what does not lies under `tmp/` of the case. How
//! a stage gets into its place together with its statement is [`crate::journal`]'s. No other module
//! creates files in a case.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle, ScopedJoinHandle};

use crate::StoreError;

/// A directory being filled, to get into its place in one step or to vanish.
#[derive(Debug)]
pub struct Stage {
    path: PathBuf,
    moved: bool,
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
        Ok(Self { path, moved: false })
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

    /// Writes a whole file into the stage that only its owner may read.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn write_private(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path.join(name);
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&path).map_err(|e| StoreError::io(&path, e))?;
        file.write_all(bytes).map_err(|e| StoreError::io(&path, e))
    }

    /// Removes a file that served while the stage was filled.
    ///
    /// # Errors
    /// Where it can't be removed.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        fs::remove_file(&path).map_err(|e| StoreError::io(&path, e))
    }

    /// Puts what is in the stage on the disk.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        sync_tree(&self.path)
    }

    /// Makes the stage appear at `place`, outside a case, whole and on the disk, in one step.
    ///
    /// # Errors
    /// Where something stands there, or the disk refuses; then `place` is as it was.
    pub fn publish(self, place: &Path) -> Result<(), StoreError> {
        sync_tree(&self.path)?;
        if fs::symlink_metadata(place).is_ok() {
            return Err(StoreError::io(place, io::ErrorKind::AlreadyExists.into()));
        }
        crash_point("before-publish");
        self.move_to(place)?;
        sync_dir(place.parent().unwrap_or(place))?;
        crash_point("after-publish");
        Ok(())
    }

    /// Moves the stage to `path`, on the same file system; whoever does this answers for it from now on.
    pub(crate) fn move_to(mut self, path: &Path) -> Result<(), StoreError> {
        fs::rename(&self.path, path).map_err(|e| StoreError::io(path, e))?;
        self.moved = true;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.moved {
            // what can't be removed now is swept by the next writer
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Bytes that a file may be ahead of the disk before another thread begins to put them there.
const AHEAD_BYTES: usize = 8 << 20;

/// A file that gets to the disk while it is written, so that the `fsync` at its end finds little left to do. It must be
/// flushed at its end.
#[derive(Debug)]
pub(crate) struct Steady {
    file: File,
    /// Bytes written since the thread began.
    ahead: usize,
    syncing: Option<JoinHandle<io::Result<()>>>,
}

impl Steady {
    pub(crate) fn new(file: File) -> Self {
        Self { file, ahead: 0, syncing: None }
    }

    /// What the other thread came to; no later `fsync` says what the disk refused it.
    fn settle(&mut self) -> io::Result<()> {
        let synced = self.syncing.take().map(JoinHandle::join);
        synced.map_or(Ok(()), |done| done.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.ahead += written;
        if self.ahead >= AHEAD_BYTES && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            self.settle()?;
            let file = self.file.try_clone()?;
            self.syncing = Some(thread::Builder::new().spawn(move || file.sync_data())?);
            self.ahead = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.settle()
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

/// Writes a new file, not yet on the disk.
///
/// # Errors
/// Where it is there already, or can't be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    File::create_new(path).and_then(|mut f| f.write_all(bytes)).map_err(|e| StoreError::io(path, e))
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

/// Puts what lies at `from` at `place`, in one step; it is on the disk once the directory is. What stands there
/// already is swapped out to `from`; readers see the one or the other.
///
/// # Errors
/// Where the disk refuses; then both are as they were.
pub(crate) fn put(from: &Path, place: &Path) -> Result<(), StoreError> {
    let parent = place.parent().unwrap_or(place);
    make_dir(parent)?;
    let (cwd, exchange) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
    match place.exists() {
        true => rustix::fs::renameat_with(cwd, from, cwd, place, exchange).map_err(io::Error::from),
        false => fs::rename(from, place),
    }
    .map_err(|e| StoreError::io(place, e))
}

/// Puts a stage, on the disk already, at `place`; what stands there goes.
///
/// # Errors
/// Where the disk refuses.
pub(crate) fn put_stage(stage: Stage, place: &Path) -> Result<(), StoreError> {
    put(stage.path(), place)?;
    sync_dir(place.parent().unwrap_or(place))
}

/// Appends to a file that is `at` bytes long, on the disk when this returns. Where it can't be, the
/// file is as long as it was.
///
/// # Errors
/// Where the file has another length, or the disk refuses.
pub(crate) fn append(path: &Path, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
    let wrap = |e| StoreError::io(path, e);
    let mut file = File::options().append(true).create(true).open(path).map_err(wrap)?;
    let found = file.metadata().map_err(wrap)?.len();
    if found != at {
        let message = format!("is {found} bytes long, not {at}: another program wrote to it");
        return Err(StoreError::Integrity { path: path.to_owned(), message });
    }
    if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
        // what stays is cut off by the next writer
        let _ = file.set_len(at);
        return Err(wrap(error));
    }
    if at == 0 { sync_dir(path.parent().unwrap_or(path)) } else { Ok(()) }
}

/// Cuts a file to a length, on the disk.
///
/// # Errors
/// Where the disk refuses.
pub(crate) fn cut(path: &Path, length: u64) -> Result<(), StoreError> {
    let file = File::options().write(true).open(path).map_err(|e| StoreError::io(path, e))?;
    file.set_len(length).and_then(|()| file.sync_all()).map_err(|e| StoreError::io(path, e))
}

/// Files that are put on the disk side by side, so that the file system writes its journal once for all.
const AT_ONCE: usize = 16;

/// Puts what lies in a directory on the disk.
pub(crate) fn sync_tree(path: &Path) -> Result<(), StoreError> {
    let sync = |at: &Path| {
        if at.is_dir() {
            return sync_tree(at);
        }
        File::open(at).and_then(|file| file.sync_all()).map_err(|e| StoreError::io(at, e))
    };
    let entries: io::Result<Vec<_>> =
        fs::read_dir(path).and_then(|all| all.map(|entry| Ok(entry?.path())).collect());
    for some in entries.map_err(|e| StoreError::io(path, e))?.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let syncing: Vec<_> = some.iter().map(|at| scope.spawn(|| sync(at))).collect();
            let join =
                |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            syncing.into_iter().try_for_each(join)
        })?;
    }
    sync_dir(path)
}

pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|d| d.sync_all()).map_err(|e| StoreError::io(path, e))
}

/// In tests of crashes, ends the process here, as `kill -9` would: where `COMITY_CRASH_AT` is
/// `<name>:<n>`, at the n-th passing (1-based) of the point with that name.
pub(crate) fn crash_point(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let Some(wanted) = std::env::var_os("COMITY_CRASH_AT") else { return };
    let wanted = wanted.to_string_lossy();
    let Some((point, count)) = wanted.split_once(':') else { return };
    if point == name && count.parse() == Ok(PASSED.fetch_add(1, Ordering::SeqCst) + 1) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
