//! An act and its statements, made durable in one step; then the log.
//!
//! ```text
//! tmp/commit.<digest>/                  commit.json, and what the act puts into place, as 0, 1, …
//! attestations/statements.intoto.jsonl  the statements, a line each; a line here is the point of no return
//! log/leaves  log/checkpoint  log/position   follow the statements
//! ```
//!
//! An act is staged whole, then its statements are appended, then what it staged is moved into
//! place. After a crash the next writer looks at each `tmp/commit.*`: where its statements stand,
//! it moves on; where they do not, it sweeps. So there is no act without its statement, nor a statement
//! without its act. The log follows from the statements and is brought up to them at the end of
//! each command, or by the next one; `log/position` is derived and may be lost.
//!
//! A statement that was erased leaves the leaf entries that it had in its line: `{"erased":["sha256:…"]}`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use comity_provenance::log::{self, Checkpoint, SignedCheckpoint};
use comity_provenance::merkle::Compact;
use comity_provenance::statement::Statement;
use comity_provenance::{Envelope, PublicKey, Sha256Digest, merkle};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::case::Case;
use crate::durable::{Stage, append, crash_point, cut, put, sync_dir, sync_tree, write_file, write_new};

/// Name of the plan within a commit.
const PLAN: &str = "commit.json";

/// Something that an act puts into place.
#[derive(Debug)]
pub struct Move {
    /// What is moved: this stage, or where `file` is given that file in it.
    pub stage: Stage,
    /// Name of the one file that is moved, where it is not the whole stage.
    pub file: Option<String>,
    /// Where to, within the case.
    pub place: PathBuf,
    /// Name of the file by whose digest the stage is known once it is in its place.
    pub known_by: String,
}

/// What a commit still has to do, should a crash interrupt it.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    /// Length of the statements file before, bytes.
    at: u64,
    /// Length and digest of what is appended.
    length: u64,
    sha256: Sha256Digest,
    moves: Vec<PlannedMove>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PlannedMove {
    /// Within the commit.
    from: PathBuf,
    /// Within the case.
    to: PathBuf,
    /// The file, relative to either, that says whether the move was made, and its digest.
    known_by: PathBuf,
    sha256: Sha256Digest,
}

/// Where the statements lie.
pub(crate) fn statements_path(case: &Path) -> PathBuf {
    case.join("attestations/statements.intoto.jsonl")
}

fn length_of(path: &Path) -> Result<u64, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(StoreError::io(path, e)),
    }
}

/// Makes an act durable: its statements, and what it puts into place. The case's lock must be held.
///
/// # Errors
/// Where the disk refuses; then nothing of the act is there, or the next writer completes it.
pub fn commit(case: &Case, statements: &[Envelope], moves: Vec<Move>) -> Result<(), StoreError> {
    let mut bytes = Vec::new();
    for statement in statements {
        bytes.extend_from_slice(statement.to_line()?.as_bytes());
        bytes.push(b'\n');
    }
    let (file, sha256) = (statements_path(case.path()), Sha256Digest::of(&bytes));
    let at = length_of(&file)?;
    if moves.is_empty() {
        return append(&file, at, &bytes);
    }
    let dir = case.tmp().join(format!("commit.{}", sha256.short()));
    fs::create_dir(&dir).map_err(|e| StoreError::io(&dir, e))?;
    let mut plan = Plan { at, length: bytes.len() as u64, sha256, moves: Vec::new() };
    for (number, part) in moves.into_iter().enumerate() {
        plan.moves.push(planned(&dir, number, part)?);
    }
    let text = serde_json::to_vec(&plan).map_err(|e| StoreError::json(PLAN.as_ref(), e))?;
    write_new(&dir.join(PLAN), &text)?;
    sync_tree(&dir)?;
    sync_dir(&case.tmp())?;
    crash_point("before-statement");
    append(&file, at, &bytes)?;
    crash_point("after-statement");
    roll_forward(case, &dir, &plan)
}

fn planned(dir: &Path, number: usize, part: Move) -> Result<PlannedMove, StoreError> {
    let known = part.stage.path().join(&part.known_by);
    let bytes = fs::read(&known).map_err(|e| StoreError::io(&known, e))?;
    let own = dir.join(number.to_string());
    part.stage.move_to(&own)?;
    let number = PathBuf::from(number.to_string());
    let (from, known_by) = match part.file {
        Some(file) => (number.join(file), PathBuf::new()),
        None => (number, PathBuf::from(part.known_by)),
    };
    Ok(PlannedMove { from, to: part.place, known_by, sha256: Sha256Digest::of(&bytes) })
}

/// Moves what is not yet in its place, and removes the commit.
fn roll_forward(case: &Case, dir: &Path, plan: &Plan) -> Result<(), StoreError> {
    let mut shelves = BTreeSet::new();
    for part in &plan.moves {
        let (from, to) = (dir.join(&part.from), case.path().join(&part.to));
        if !is_known(&to, part) {
            put(&from, &to)?;
        }
        shelves.insert(to.parent().unwrap_or(&to).to_owned());
        crash_point("after-move");
    }
    shelves.iter().try_for_each(|shelf| sync_dir(shelf))?;
    fs::remove_dir_all(dir).map_err(|e| StoreError::io(dir, e))
}

fn is_known(place: &Path, part: &PlannedMove) -> bool {
    let file =
        if part.known_by.as_os_str().is_empty() { place.to_owned() } else { place.join(&part.known_by) };
    fs::read(file).is_ok_and(|bytes| Sha256Digest::of(&bytes) == part.sha256)
}

/// Completes or sweeps what a crash left, and brings the log up to the statements.
pub(crate) fn recover(case: &Case) -> Result<(), StoreError> {
    let (tmp, file) = (case.tmp(), statements_path(case.path()));
    let list = fs::read_dir(&tmp).map_err(|e| StoreError::io(&tmp, e))?;
    for path in list.filter_map(|entry| Some(entry.ok()?.path())) {
        let plan: Option<Plan> =
            fs::read(path.join(PLAN)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match plan {
            Some(plan) if stands(&file, &plan)? => roll_forward(case, &path, &plan)?,
            _ => drop(fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path))),
        }
    }
    cut_torn_line(&file)?;
    catch_up(case)
}

/// Whether the statements of a plan are on the disk; what is there of them by half is cut off.
fn stands(file: &Path, plan: &Plan) -> Result<bool, StoreError> {
    let wrap = |e| StoreError::io(file, e);
    let length = length_of(file)?;
    if length < plan.at.saturating_add(plan.length) {
        if length > plan.at {
            cut(file, plan.at)?;
        }
        return Ok(false);
    }
    let mut reader = File::open(file).map_err(wrap)?;
    reader.seek(SeekFrom::Start(plan.at)).map_err(wrap)?;
    let mut bytes = Vec::new();
    reader.take(plan.length).read_to_end(&mut bytes).map_err(wrap)?;
    Ok(Sha256Digest::of(&bytes) == plan.sha256)
}

/// Cuts off a last line without its end: an append that did not get through.
fn cut_torn_line(file: &Path) -> Result<(), StoreError> {
    let length = length_of(file)?;
    let whole = whole_lines(file, length)?;
    if whole < length { cut(file, whole) } else { Ok(()) }
}

/// Length of a file up to and with its last line end.
fn whole_lines(file: &Path, length: u64) -> Result<u64, StoreError> {
    const STEP: u64 = 1 << 16;
    let wrap = |e| StoreError::io(file, e);
    let mut end = length;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut reader = File::open(file).map_err(wrap)?;
        reader.seek(SeekFrom::Start(start)).map_err(wrap)?;
        block.clear();
        reader.take(end - start).read_to_end(&mut block).map_err(wrap)?;
        if let Some(at) = block.iter().rposition(|&b| b == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// A line of the statements file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A statement.
    Statement(Envelope),
    /// What is left of one that was erased: its leaf entries.
    Erased(Vec<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErasedLine {
    erased: Vec<String>,
}

impl Line {
    fn parse(text: &[u8]) -> Result<Self, String> {
        if text.starts_with(br#"{"erased""#) {
            let line: ErasedLine = serde_json::from_slice(text).map_err(|e| e.to_string())?;
            return Ok(Self::Erased(line.erased));
        }
        Envelope::parse(text).map(Self::Statement).map_err(|e| e.to_string())
    }

    /// The line as it is stored, without its end.
    ///
    /// # Errors
    /// Never for a line that was read.
    pub fn to_text(&self) -> Result<String, StoreError> {
        Ok(match self {
            Self::Statement(envelope) => envelope.to_line()?,
            Self::Erased(leaves) => serde_json::json!({ "erased": leaves }).to_string(),
        })
    }

    /// Its leaf entries in the log.
    ///
    /// # Errors
    /// Where the payload is no statement.
    pub fn leaves(&self) -> Result<Vec<String>, String> {
        match self {
            Self::Erased(leaves) => Ok(leaves.clone()),
            Self::Statement(envelope) => {
                let statement = Statement::parse(&envelope.payload).map_err(|e| e.to_string())?;
                let leaves =
                    log::leaves_of(envelope, statement.predicate.type_uri()).map_err(|e| e.to_string())?;
                Ok(leaves.iter().map(ToString::to_string).collect())
            }
        }
    }
}

/// Calls `each` for every line of the statements from byte `from` on, with the index of its first
/// leaf counted from `first`; gives the index after the last.
///
/// # Errors
/// Where the file does not read, a line is not as comity writes it, or `each` says so.
pub fn read_statements(
    case: &Case,
    from: u64,
    first: u64,
    each: &mut dyn FnMut(u64, Line, Vec<String>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let path = statements_path(case.path());
    let mut next = first;
    let file = match File::open(&path) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(from)).map_err(|e| StoreError::io(&path, e))?;
            file
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(next),
        Err(e) => return Err(StoreError::io(&path, e)),
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|e| StoreError::io(&path, e))?;
        let wrong = |message| StoreError::Integrity { path: path.clone(), message };
        let line = Line::parse(&line).map_err(wrong)?;
        let leaves = line.leaves().map_err(wrong)?;
        let count = leaves.len() as u64;
        each(next, line, leaves)?;
        next += count;
    }
    Ok(next)
}

/// Name of the file with the position.
const POSITION: &str = "position";

/// Takes the statements whose first leaves have these indexes out of the case; their leaf entries stay. That
/// they may go is what an erasure states, which must be in the log.
///
/// # Errors
/// Where the disk refuses; then they are all there.
pub fn erase(case: &Case, first_leaves: &[u64]) -> Result<(), StoreError> {
    let path = statements_path(case.path());
    let mut text = String::new();
    read_statements(case, 0, 0, &mut |first, line, leaves| {
        let line = if first_leaves.contains(&first) { Line::Erased(leaves) } else { line };
        text.push_str(&line.to_text()?);
        text.push('\n');
        Ok(())
    })?;
    let position = Log::of(case).dir.join(POSITION);
    match fs::remove_file(&position) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(&position, e)),
        _ => {}
    }
    write_file(&case.tmp(), &path, text.as_bytes())
}

/// Where the log stands in the statements; derived, and made anew where it is lost.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// Bytes of the statements that are in the log.
    statements_bytes: u64,
    /// Bytes of `log/leaves`.
    leaves_bytes: u64,
}

/// The log of a case, read-only.
#[derive(Debug, Clone)]
pub struct Log {
    dir: PathBuf,
}

impl Log {
    /// The log of a case.
    pub fn of(case: &Case) -> Self {
        Self { dir: case.path().join("log") }
    }

    /// Where the leaf entries lie.
    pub fn leaves_path(&self) -> PathBuf {
        self.dir.join("leaves")
    }

    /// Where the latest checkpoint that a partner cosigned lies, if there is one.
    pub fn witnessed_path(&self) -> PathBuf {
        self.dir.join("witnessed")
    }

    /// The leaf entries.
    ///
    /// # Errors
    /// Where the file does not read.
    pub fn leaves(&self) -> Result<Vec<String>, StoreError> {
        let path = self.leaves_path();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(StoreError::io(&path, e)),
        }
    }

    /// The signed checkpoint; `None` where nothing was logged yet.
    ///
    /// # Errors
    /// Where it does not read.
    pub fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, StoreError> {
        signed(&self.dir.join("checkpoint"))
    }

    /// The latest checkpoint that a partner cosigned.
    ///
    /// # Errors
    /// Where it does not read.
    pub fn witnessed(&self) -> Result<Option<SignedCheckpoint>, StoreError> {
        signed(&self.witnessed_path())
    }

    /// Origin of a case's log.
    pub fn origin(case: &Case, key: &PublicKey) -> String {
        log::origin(&case.identity().id, key)
    }
}

/// Keeps a checkpoint that a partner cosigned. The case's lock must be held.
///
/// # Errors
/// Where the disk refuses.
pub fn keep_witnessed(case: &Case, signed: &SignedCheckpoint) -> Result<(), StoreError> {
    write_file(&case.tmp(), &Log::of(case).witnessed_path(), signed.to_string().as_bytes())
}

fn signed(path: &Path) -> Result<Option<SignedCheckpoint>, StoreError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io(path, e)),
    };
    let wrong = |message: String| StoreError::Integrity { path: path.to_owned(), message };
    SignedCheckpoint::parse(&text).map(Some).map_err(|e| wrong(e.to_string()))
}

/// Brings the log up to the statements, and signs its new head. The case's lock must be held.
///
/// # Errors
/// Where the disk refuses, or the log is not what its checkpoint says: then nothing is signed.
pub fn catch_up(case: &Case) -> Result<(), StoreError> {
    let log = Log::of(case);
    let checkpoint = log.checkpoint()?;
    let mut position = match known_position(&log)? {
        Some(position) => position,
        None => rebuilt(case, &log)?,
    };
    let mut tree = Compact::new();
    log.leaves()?.iter().for_each(|leaf| tree.push(merkle::leaf_hash(leaf.as_bytes())));
    lies_on(&log, checkpoint.as_ref())?;
    let statements_bytes = length_of(&statements_path(case.path()))?;
    let signed = checkpoint.is_some_and(|c| c.checkpoint().size == tree.size());
    if signed && position.statements_bytes == statements_bytes {
        return Ok(());
    }
    let mut new = String::new();
    read_statements(case, position.statements_bytes, tree.size(), &mut |_, _, leaves| {
        for leaf in leaves {
            new.push_str(&leaf);
            new.push('\n');
        }
        Ok(())
    })?;
    new.lines().for_each(|leaf| tree.push(merkle::leaf_hash(leaf.as_bytes())));
    if !new.is_empty() {
        append(&log.leaves_path(), position.leaves_bytes, new.as_bytes())?;
    }
    crash_point("after-leaves");
    position.leaves_bytes += new.len() as u64;
    position.statements_bytes = statements_bytes;
    let head = head(case, &tree)?;
    write_file(&case.tmp(), &log.dir.join("checkpoint"), head.as_bytes())?;
    crash_point("after-checkpoint");
    let path = log.dir.join(POSITION);
    let text = serde_json::to_vec(&position).map_err(|e| StoreError::json(&path, e))?;
    write_file(&case.tmp(), &path, &text)
}

/// The stored position, where it fits the files.
fn known_position(log: &Log) -> Result<Option<Position>, StoreError> {
    let leaves_bytes = length_of(&log.leaves_path())?;
    let known: Option<Position> = Case::record(&log.dir, POSITION).ok().flatten();
    Ok(known.filter(|p| p.leaves_bytes == leaves_bytes))
}

/// Refuses to go on from a log that is not what was signed.
fn lies_on(log: &Log, checkpoint: Option<&SignedCheckpoint>) -> Result<(), StoreError> {
    let Some(signed) = checkpoint.map(SignedCheckpoint::checkpoint) else { return Ok(()) };
    let path = log.leaves_path();
    let wrong = |message: &str| Err(StoreError::Integrity { path: path.clone(), message: message.into() });
    let leaves = log.leaves()?;
    let Some(prefix) = usize::try_from(signed.size).ok().and_then(|size| leaves.get(..size)) else {
        return wrong("is shorter than the checkpoint that was signed: it was rolled back");
    };
    let hashes: Vec<Sha256Digest> = prefix.iter().map(|l| merkle::leaf_hash(l.as_bytes())).collect();
    match merkle::root(&hashes) == signed.root {
        true => Ok(()),
        false => wrong("does not lead to the root that was signed: entries were changed or removed"),
    }
}

fn head(case: &Case, tree: &Compact) -> Result<String, StoreError> {
    let key = case.log_key()?;
    let origin = Log::origin(case, &key.public());
    let signed = SignedCheckpoint::sign(Checkpoint { origin, size: tree.size(), root: tree.root() }, &key)?;
    Ok(signed.to_string())
}

/// The position from the statements alone. `log/leaves` must be a beginning of what they give; a torn end of it
/// is cut off.
fn rebuilt(case: &Case, log: &Log) -> Result<Position, StoreError> {
    let path = log.leaves_path();
    let wrong = |message: &str| StoreError::Integrity { path: path.clone(), message: message.into() };
    cut_torn_line(&path)?;
    let stored = log.leaves()?;
    let mut position = Position::default();
    let mut at = 0;
    read_statements(case, 0, 0, &mut |_, line, leaves| {
        let there = stored.get(at..).unwrap_or_default();
        if there.is_empty() {
            return Ok(());
        }
        if there.iter().zip(&leaves).any(|(stored, leaf)| stored != leaf) {
            return Err(wrong("is not what the statements say: one was changed, removed or put in"));
        }
        at += leaves.len();
        if there.len() < leaves.len() {
            // the append was torn between two leaves of one statement
            return cut(&path, position.leaves_bytes);
        }
        position.leaves_bytes += leaves.iter().map(|leaf| leaf.len() as u64 + 1).sum::<u64>();
        position.statements_bytes += line.to_text()?.len() as u64 + 1;
        Ok(())
    })?;
    match at < stored.len() {
        true => Err(wrong("has more entries than there are statements: some were removed")),
        false => Ok(position),
    }
}
