//! `comity verify BAG`: the ladder of PROVENANCE.md §6, level by level, until one does not hold.
//!
//! Nothing that came in a bag is run, and no name in it is followed: files are those that were hashed, queries
//! are comity's own, keys and roles come from the verifier's trust file.

mod attributed;
mod grounded;
mod intact;
pub(crate) mod memory;
mod reproduced;
mod sound;

use std::path::{Path, PathBuf};

use comity_provenance::bag::{self, BagKind};
use comity_provenance::statement::{Descriptor, Outcome, Predicate, Statement, TestResult};
use comity_provenance::trust::{Role, TrustFile};
use comity_provenance::{Envelope, SecretKey, Sha256Digest, attribution, log, seal};
use serde::Serialize;

use crate::progress::Progress;
use crate::told::Contradiction;
use crate::{JobError, clock};

pub use memory::default_memory;

/// Name of the tag manifest, which stands for the whole bag.
const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// The highest level.
pub const HIGHEST: u8 = 5;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The bag: a directory.
    pub bag: &'a Path,
    /// The verifier's trust file; nobody is trusted without one.
    pub trust: Option<&'a Path>,
    /// Certificates of the time-stamping authorities that the verifier trusts, PEM.
    pub authority: Option<&'a Path>,
    /// Where accepted checkpoints are remembered; nowhere where `None`.
    pub memory: Option<&'a Path>,
    /// The level to climb to; `None`: as far as the bag alone allows.
    pub level: Option<u8>,
    /// Files of evidence that the verifier holds itself, for level 4 of a findings bag.
    pub evidence: &'a [PathBuf],
    /// Whether a job's own SQL, which came in the bag, may be run: read-only, over the tables alone.
    pub their_sql: bool,
}

/// Why a level does not hold: a word that scripts rely on, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The word.
    pub kind: &'static str,
    /// The sentence.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Documents of a bag that another version of comity made, and that this one makes otherwise: nothing is known to be
/// wrong with them, and nothing says that they tell the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caution {
    /// The word, for scripts.
    pub kind: &'static str,
    /// Their paths.
    pub documents: Vec<&'static str>,
    /// Version that the disclosure names as what made them: a claim of its signer.
    pub made_by: String,
    /// Version of this program.
    pub this: String,
}

/// How a level came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It holds.
    Holds,
    /// It does not: something contradicts it.
    Fails(Fault),
    /// Not tried: what it needs is not at hand, or was not asked for.
    NotTried(String),
}

/// A level of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// 0 to 5.
    pub level: u8,
    /// Its name.
    pub name: &'static str,
    /// What it establishes.
    pub establishes: &'static str,
    /// What it can never show.
    pub never: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found on the way.
    pub notes: Vec<String>,
}

/// What verifying came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ladder {
    /// The bag.
    pub bag: PathBuf,
    /// What it holds.
    pub kind: Option<&'static str>,
    /// The case that it says to be of.
    pub case: Option<String>,
    /// The run.
    pub run_id: Option<Sha256Digest>,
    /// SHA-256 of its tag manifest.
    pub tagmanifest_sha256: Option<Sha256Digest>,
    /// The level that was to be climbed to.
    pub asked: u8,
    /// The highest level that holds.
    pub reached: Option<u8>,
    /// The levels.
    pub steps: Vec<Step>,
    /// Documents that no level says anything about.
    pub caution: Option<Caution>,
    /// The documents, as this program makes them from statements and tables.
    #[serde(skip)]
    pub documents: Vec<Document>,
}

/// A document's path in the bag, and its text.
pub type Document = (&'static str, String);

impl Ladder {
    /// The fault that stopped it, if one did.
    pub fn fault(&self) -> Option<&Fault> {
        self.steps.iter().find_map(|step| match &step.state {
            State::Fails(fault) => Some(fault),
            _ => None,
        })
    }

    /// Whether something that was asked for could not be tried.
    pub fn is_short(&self) -> bool {
        self.caution.is_some() || self.reached.is_none_or(|reached| reached < self.asked)
    }
}

const LEVELS: [(&str, &str, &str); 6] = [
    ("intact", "complete, unaltered, sealed by a signer that you trust", "that what was sealed is true"),
    (
        "attributed",
        "each statement was signed by a key that held the role then; the log holds each, and only grew",
        "that a signer told the truth, or that its clock was right",
    ),
    (
        "grounded",
        "each record lies in what the custodian committed to at intake, each indicator in its feed as it was read",
        "that this is the file with that SHA-256, or that nothing was left out",
    ),
    (
        "sound",
        "matching the records against the indicators again gives exactly these sightings",
        "that nothing was left out; first-seen, counts and not-seen stay claims",
    ),
    (
        "reproduced",
        "run again from the evidence, every table has the same logical digest: nothing was left out of the named evidence and feeds",
        "that no other evidence exists",
    ),
    (
        "reproduced elsewhere",
        "a second engine gives the same sightings and correlations",
        "that parsing and canonical forms are right: those are comity's",
    ),
];

/// What stops a climb: a fault, or something that keeps it from being judged at all.
pub(crate) enum Stop {
    Fault(Fault),
    Missing(String),
    Error(JobError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<JobError> for Stop {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Interrupted => Self::Error(JobError::Interrupted),
            // inside a bag, what can't be read is the bag's fault
            other => Self::Fault(Fault::new(kind_of_error(&other), other.to_string())),
        }
    }
}

impl From<bag::BagError> for Stop {
    fn from(error: bag::BagError) -> Self {
        Self::Fault(Fault::new(intact::kind_of(&error), error.to_string()))
    }
}

impl From<seal::SealError> for Stop {
    fn from(error: seal::SealError) -> Self {
        Self::Fault(Fault::new(intact::kind_of_seal(&error), error.to_string()))
    }
}

impl From<attribution::AttributionError> for Stop {
    fn from(error: attribution::AttributionError) -> Self {
        Self::Fault(Fault::new(attributed::kind_of(&error), error.to_string()))
    }
}

impl From<Contradiction> for Stop {
    fn from(error: Contradiction) -> Self {
        let kind = match error {
            Contradiction::Form { .. } => "statement-form",
            Contradiction::SecondRoot { .. } => "second-root",
            Contradiction::OtherCase { .. } => "other-case",
            Contradiction::SecondRun { .. } => "second-run",
        };
        Self::Fault(Fault::new(kind, error.to_string()))
    }
}

fn kind_of_error(error: &JobError) -> &'static str {
    match error {
        JobError::Bag(error) => intact::kind_of(error),
        JobError::Store(comity_store::StoreError::Parquet { .. }) => "table-unreadable",
        JobError::NotCommitted { .. } => "not-committed",
        _ => "unreadable",
    }
}

pub(crate) type Climbed<T> = Result<T, Stop>;

/// The lines of a file whose every line ends with LF; `None` where the last does not.
pub(crate) fn lines_of(bytes: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    Some(bytes.strip_suffix(b"\n")?.split(|byte| *byte == b'\n'))
}

/// Entries of a log, as they came.
pub(crate) fn entries_of(bytes: Vec<u8>, path: &str) -> Result<Vec<String>, Fault> {
    let text = attributed::text(bytes, path)?;
    let entries = log::parse_leaves(&text).map_err(|e| Fault::new("log-form", format!("{path}: {e}")))?;
    Ok(entries.iter().map(ToString::to_string).collect())
}

/// Climbs as far as asked, and as far as it holds.
///
/// # Errors
/// Where the trust file or the memory can't be read, or the user wants an end. What is wrong with
/// the bag is in the ladder.
pub fn verify(ask: &Ask<'_>, progress: &dyn Progress) -> Result<Ladder, JobError> {
    let trust = ask.trust.map(read_trust).transpose()?;
    let now_s = clock::now_s();
    let mut ladder = Ladder {
        bag: ask.bag.to_owned(),
        kind: None,
        case: None,
        run_id: None,
        tagmanifest_sha256: None,
        asked: ask.level.unwrap_or(3),
        reached: None,
        steps: Vec::new(),
        caution: None,
        documents: Vec::new(),
    };
    let stopped = climb(ask, trust.as_ref(), now_s, &mut ladder, progress);
    match stopped {
        Ok(()) => {}
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Fault(fault)) => ladder.push(State::Fails(fault), Vec::new()),
        Err(Stop::Missing(what)) => ladder.push(State::NotTried(what), Vec::new()),
    }
    for level in ladder.steps.len()..LEVELS.len() {
        let above = if level == 0 { "" } else { "the level below does not hold" };
        let asked = usize::from(ladder.asked) >= level;
        let why = if asked { above.to_owned() } else { hint_for(level).to_owned() };
        ladder.push(State::NotTried(why), Vec::new());
    }
    Ok(ladder)
}

fn hint_for(level: usize) -> &'static str {
    match level {
        4 => "needs the evidence: `comity reproduce BAG`, or --level 4",
        5 => "needs DuckDB: --level 5",
        _ => "was not asked for",
    }
}

impl Ladder {
    fn push(&mut self, state: State, notes: Vec<String>) {
        let at = self.steps.len();
        let Some((name, establishes, never)) = LEVELS.get(at).copied() else { return };
        let level = u8::try_from(at).unwrap_or(HIGHEST);
        if state == State::Holds && self.reached.is_none_or(|r| r + 1 == level) {
            self.reached = Some(level);
        }
        self.steps.push(Step { level, name, establishes, never, state, notes });
    }
}

fn climb(
    ask: &Ask<'_>,
    trust: Option<&TrustFile>,
    now_s: i64,
    ladder: &mut Ladder,
    progress: &dyn Progress,
) -> Climbed<()> {
    let intact = intact::check(ask.bag, ladder, trust, ask.authority, now_s, progress)?;
    ladder.push(State::Holds, intact.notes.clone());
    let level = ask.level.unwrap_or(match intact.kind() {
        BagKind::Feed => 2,
        BagKind::Findings => 3,
        BagKind::Full => 4,
    });
    ladder.asked = level;
    if level == 0 {
        return Ok(());
    }
    let trust = trust.ok_or_else(|| Stop::Missing("needs a trust file".into()))?;
    let mut told = attributed::check(&intact, trust, ask.memory, now_s)?;
    ladder.caution = told.caution.take();
    ladder.documents = std::mem::take(&mut told.documents);
    ladder.push(State::Holds, told.notes.clone());
    if level == 1 {
        return Ok(());
    }
    let disclosed = grounded::check(&intact, &told, progress)?;
    ladder.push(State::Holds, disclosed.notes.clone());
    if level == 2 {
        return Ok(());
    }
    let Some(run) = &told.run else {
        return Err(Stop::Missing("a feed is submitted; nothing was found yet".into()));
    };
    let scratch = tempfile::Builder::new()
        .prefix("comity-verify-")
        .tempdir()
        .map_err(|e| JobError::from(comity_store::StoreError::io(&std::env::temp_dir(), e)))?;
    sound::canonical(&intact, run)?;
    let mut notes = Vec::new();
    let again = match intact.kind() {
        BagKind::Full => {
            let again = reproduced::from_bag(ask, &intact, &told, run, scratch.path(), progress)?;
            notes.push("the bag has the evidence itself: level 4 was tried at once".into());
            Some(again)
        }
        _ => {
            notes = sound::check(&intact, &told, run, &disclosed, scratch.path())?;
            None
        }
    };
    ladder.push(State::Holds, notes);
    if level == 3 {
        return Ok(());
    }
    let again = match again {
        Some(again) => again,
        None => reproduced::from_own(ask, &told, run, scratch.path(), progress)?,
    };
    ladder.push(State::Holds, again.notes.clone());
    if level <= 4 {
        return Ok(());
    }
    let notes = reproduced::elsewhere(run, &again)?;
    ladder.push(State::Holds, notes);
    Ok(())
}

/// Reads the verifier's trust file.
///
/// # Errors
/// Where it does not read.
pub fn read_trust(path: &Path) -> Result<TrustFile, JobError> {
    let text = std::fs::read_to_string(path).map_err(|e| comity_store::StoreError::io(path, e))?;
    TrustFile::parse(&text).map_err(|e| JobError::Trust { path: path.to_owned(), source: e })
}

/// Writes the documents of a bag as this program makes them, into a directory that is not there yet.
///
/// # Errors
/// Where the statements do not hold, so that none can be made; or the disk refuses.
pub fn write_documents(ladder: &Ladder, dir: &Path) -> Result<(), JobError> {
    if ladder.documents.is_empty() {
        return Err(JobError::Nothing(
            "no documents can be made: level 1 does not hold, or was not asked".into(),
        ));
    }
    let stage = crate::bag::stage_beside(dir)?;
    for (path, text) in &ladder.documents {
        stage.write(path.trim_start_matches("data/"), text.as_bytes())?;
    }
    Ok(stage.publish(dir)?)
}

/// The verdict of a ladder as a signed statement: a line of in-toto's `test-result`.
///
/// # Errors
/// Where the bag was not even read as far as its tag manifest.
pub fn signed_verdict(ladder: &Ladder, key: &SecretKey) -> Result<String, JobError> {
    let subject = ladder
        .tagmanifest_sha256
        .ok_or_else(|| JobError::Nothing("there is no bag to give a verdict on".into()))?;
    let named = |state: fn(&State) -> bool| -> Vec<String> {
        ladder.steps.iter().filter(|s| state(&s.state)).map(|s| format!("{} {}", s.level, s.name)).collect()
    };
    let failed = named(|s| matches!(s, State::Fails(_)));
    let mut warned = named(|s| matches!(s, State::NotTried(_)));
    warned.extend(ladder.caution.iter().map(|c| format!("{}: {}", c.kind, c.documents.join(", "))));
    let verdict = TestResult {
        result: if failed.is_empty() { Outcome::Passed } else { Outcome::Failed },
        configuration: vec![Descriptor::of("comity", env!("CARGO_PKG_VERSION").as_bytes().to_vec())],
        url: None,
        passed_tests: named(|s| *s == State::Holds),
        warned_tests: warned,
        failed_tests: failed,
    };
    let statement = Statement {
        subject: vec![Descriptor::new(TAG_MANIFEST, subject)],
        predicate: Predicate::TestResult(verdict),
    };
    Ok(format!("{}\n", Envelope::sign(statement.to_bytes()?, &[key])?.to_line()?))
}

/// What somebody's verdict says of a bag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Who gave it, by the trust file.
    pub by: String,
    /// Whether nothing failed.
    pub passed: bool,
    /// Levels that held.
    pub holds: Vec<String>,
}

/// Checks a verdict that somebody gave on a bag.
///
/// # Errors
/// Where the file or the bag's tag manifest can't be read. What is wrong with the verdict is a fault.
pub fn check_verdict(file: &Path, bag: &Path, trust: &TrustFile) -> Result<Result<Verdict, Fault>, JobError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|e| JobError::from(comity_store::StoreError::io(path, e)));
    let (line, manifest) = (read(file)?, read(&bag.join(TAG_MANIFEST))?);
    Ok(judged_verdict(line.strip_suffix(b"\n").unwrap_or(&line), &manifest, trust))
}

fn judged_verdict(line: &[u8], manifest: &[u8], trust: &TrustFile) -> Result<Verdict, Fault> {
    let envelope = Envelope::parse(line).map_err(|e| Fault::new("envelope", e.to_string()))?;
    let statement =
        Statement::parse(&envelope.payload).map_err(|e| Fault::new("statement-form", e.to_string()))?;
    let Predicate::TestResult(result) = statement.predicate else {
        return Err(Fault::new("statement-form", "it is no verdict"));
    };
    if !statement.subject.iter().any(|s| s.sha256() == Sha256Digest::of(manifest)) {
        return Err(Fault::new("verdict-elsewhere", "the verdict is on another bag"));
    }
    let roles = [Role::Auditor, Role::Analyst, Role::Custodian, Role::Releaser, Role::Witness];
    let known = trust.entries().iter().find(|entry| envelope.signed_by(entry.key()).is_some());
    let known = known
        .ok_or_else(|| Fault::new("unknown-signer", "the verdict is by nobody that the trust file knows"))?;
    if !roles.iter().any(|role| known.roles().contains(role)) {
        return Err(Fault::new("wrong-role", "the verdict is by a key that may not give one"));
    }
    Ok(Verdict {
        by: known.principals().join(","),
        passed: result.result == Outcome::Passed,
        holds: result.passed_tests,
    })
}
