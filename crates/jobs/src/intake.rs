//! Evidence items, feeds and allow-lists into the case: recognised where they are there already,
//! else read, checked and published in one step.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use comity_model::allow_list::AllowList;
use comity_parse::allow_list;
use comity_provenance::{Algorithm, Envelope, Sha256Digest};
use comity_store::case::{Case, EvidenceIntake, FeedIntake, FeedRecord, Normalised, Shelf};
use comity_store::durable::Stage;
use comity_store::journal::Move;
use comity_store::source::{self, Damage, Digests, Source, plain_name};
use comity_store::{StoreError, record_tree};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::custody::{EVIDENCE_TABLES, FileDigest, Scribe, file_digests};
use crate::ingest::{Ingested, Spare};
use crate::job_file::{Evidence, Feed, Input, JobFileError};
use crate::progress::Progress;
use crate::{JobError, chance, clock, feeds, ingest};

/// Name of an evidence item's record.
pub const NORMALISED: &str = "normalise.json";
/// Name of a feed's record.
pub const FEED_RECORD: &str = "feed.json";
/// Name of an allow-list's record.
pub const ALLOW_LIST_RECORD: &str = "allow-list.json";
/// Name of an item's first intake.
pub const INTAKE: &str = "intake.json";
/// Largest allow-list, decompressed bytes.
const MAX_ALLOW_LIST_BYTES: u64 = 1 << 30;

/// An evidence item of a run.
#[derive(Debug, Clone)]
pub struct EvidenceItem {
    /// Its record.
    pub normalised: Normalised,
    /// How it was handed in for this run: one, or several where the same bytes came again.
    pub intakes: Vec<EvidenceIntake>,
    /// Directory of its files.
    pub item: PathBuf,
    /// Where its originals lie on this machine.
    pub originals: Vec<PathBuf>,
}

/// A feed of a run.
#[derive(Debug, Clone)]
pub struct FeedItem {
    /// Its record.
    pub record: FeedRecord,
    /// How it was handed in for this run.
    pub intakes: Vec<FeedIntake>,
    /// Directory of its files.
    pub item: PathBuf,
    /// Where its originals lie on this machine.
    pub originals: Vec<PathBuf>,
}

/// An allow-list of a run.
#[derive(Debug, Clone)]
pub struct AllowListItem {
    /// SHA-256 of the original.
    pub id: Sha256Digest,
    /// The list.
    pub list: AllowList,
    /// Where its original lies on this machine.
    pub original: PathBuf,
}

/// What is kept of an allow-list beside its original.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowListRecord {
    /// SHA-256 of the original.
    pub id: Sha256Digest,
    /// Name, as sightings show it.
    pub name: String,
    /// Path it was read from.
    pub path: String,
}

/// What a part of a job came to that did not work, or that people should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// One line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether bytes are not what they are said to be.
    pub integrity: bool,
}

impl Problem {
    /// From an error.
    pub fn of(error: &JobError) -> Self {
        let integrity = error.is_integrity_failure();
        match error {
            JobError::JobFile(wrong) => {
                let alone = JobFileError { hint: None, ..wrong.clone() };
                Self { message: alone.to_string(), hint: wrong.hint.clone(), integrity }
            }
            _ => Self { message: error.to_string(), hint: error.hint(), integrity },
        }
    }
}

/// An item that is there, and further digests of a file with its bytes: algorithm and digits.
type Known = (Sha256Digest, Vec<(String, String)>);

/// Takes items into a case.
pub struct Intake<'a> {
    scribe: &'a Scribe<'a>,
    case: &'a Case,
    progress: &'a dyn Progress,
    keep_originals: bool,
    /// Items by the size of their original, so that a file need not be hashed to know that it is new.
    sizes: BTreeMap<(&'static str, u64), Vec<Sha256Digest>>,
    /// Evidence items that are read and not yet in the case, in the order in which they came.
    pending: Vec<Pending>,
    spare: Spare,
    taken: Taken,
}

/// An evidence item on its way into the case: another thread ends its tables and puts them on the disk.
struct Pending {
    path: PathBuf,
    shown: String,
    id: Sha256Digest,
    bytes: u64,
    intake: EvidenceIntake,
    finished: JoinHandle<Result<Finished, JobError>>,
}

/// An evidence item, staged whole.
struct Finished {
    ingested: Ingested,
    files: Vec<FileDigest>,
}

/// Items that are made durable together have at most so many bytes of originals, unless it is one. While their
/// indexes are merged and their files reach the disk, the next are read.
const PENDING_BYTES: u64 = 512 << 20;
/// Most items that are made durable together.
const PENDING_ITEMS: usize = 32;

/// The inputs of a run.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Evidence items.
    pub evidence: Vec<EvidenceItem>,
    /// Feeds.
    pub feeds: Vec<FeedItem>,
    /// Allow-lists.
    pub allow_lists: Vec<AllowListItem>,
    /// What did not work, or that people should know.
    pub problems: Vec<Problem>,
}

impl std::fmt::Debug for Intake<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("case", &self.case.path()).finish_non_exhaustive()
    }
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        // no thread writes to the case once its lock is gone
        self.pending.drain(..).for_each(|pending| drop(pending.finished.join()));
    }
}

impl<'a> Intake<'a> {
    /// Begins.
    ///
    /// # Errors
    /// Where the case does not read.
    pub fn new(
        scribe: &'a Scribe<'a>,
        keep_originals: bool,
        progress: &'a dyn Progress,
    ) -> Result<Self, JobError> {
        let case = scribe.case();
        let mut sizes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for id in case.ids(Shelf::Evidence)? {
            if let Some(known) = Case::record::<Normalised>(&case.item(Shelf::Evidence, &id), NORMALISED)? {
                sizes.entry((Shelf::Evidence.as_str(), known.bytes)).or_default().push(id);
            }
        }
        for id in case.ids(Shelf::Feeds)? {
            if let Some(known) = Case::record::<FeedRecord>(&case.item(Shelf::Feeds, &id), FEED_RECORD)? {
                sizes.entry((Shelf::Feeds.as_str(), known.bytes)).or_default().push(id);
            }
        }
        Ok(Self {
            scribe,
            case,
            progress,
            keep_originals,
            sizes,
            pending: Vec::new(),
            spare: Spare::default(),
            taken: Taken::default(),
        })
    }

    /// Notes problems that were there before.
    pub fn begin_with(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.taken.problems.extend(problems);
    }

    /// Ends; gives what was taken.
    ///
    /// # Errors
    /// Where the case can't be written.
    pub fn finish(mut self) -> Result<Taken, JobError> {
        self.settle()?;
        Ok(std::mem::take(&mut self.taken))
    }

    /// Takes an evidence item. What is wrong with it becomes a [`Problem`]; the rest of the job goes on.
    /// It is in the case, and said to be, once it and all before it are on the disk: by [`Self::finish`] at
    /// the latest.
    ///
    /// # Errors
    /// Where the case can't be written, or the user wants an end; what was read until then is in the case.
    pub fn take_evidence(&mut self, declared: &Evidence, input: &Input) -> Result<(), JobError> {
        let taken = self.progress.check().and_then(|()| {
            let size = fs::metadata(&input.path).map(|m| m.len()).ok();
            self.progress.begin(&input.shown, size);
            match self.evidence_item(declared, input) {
                Ok(Some(line)) => self.progress.end(&line),
                Ok(None) => {}
                Err(error) => self.part_failed(error, &input.path)?,
            }
            Ok(())
        });
        taken.inspect_err(|_| drop(self.settle()))
    }

    /// Puts what is pending into the case, in one durable step.
    fn settle(&mut self) -> Result<(), JobError> {
        let (mut statements, mut moves, mut done) = (Vec::new(), Vec::new(), Vec::new());
        let pending = std::mem::take(&mut self.pending).into_iter();
        let joined: Vec<_> = pending.map(|p| ((p.path, p.shown, p.intake), p.finished.join())).collect();
        for ((path, shown, intake), finished) in joined {
            let Finished { ingested, files } = match finished.unwrap_or_else(|panic| resume_unwind(panic)) {
                Ok(finished) => finished,
                Err(error) => {
                    self.part_failed(error, &path)?;
                    continue;
                }
            };
            let Ingested { stage, normalised, tree } = ingested;
            statements.push(self.scribe.evidence_collected(&normalised, &intake, &tree)?);
            statements.push(self.scribe.normalised(&normalised, &files)?);
            moves.push(moved(stage, Shelf::Evidence, &normalised.id, NORMALISED));
            done.push((normalised, intake, path, shown));
        }
        if moves.is_empty() {
            return Ok(());
        }
        self.scribe.commit(&statements, moves)?;
        for (normalised, intake, path, shown) in done {
            self.sizes.entry((Shelf::Evidence.as_str(), normalised.bytes)).or_default().push(normalised.id);
            self.note_oddities(&normalised, &shown);
            self.progress.end(&format!("{shown}: {}", counts_line(&normalised)));
            let item = self.case.item(Shelf::Evidence, &normalised.id);
            self.remember_evidence(normalised, intake, item, &path);
        }
        Ok(())
    }

    /// Notes what is wrong with a part; passes on what is wrong with the whole.
    fn part_failed(&mut self, error: JobError, part: &Path) -> Result<(), JobError> {
        let of_part = match &error {
            JobError::Interrupted => false,
            JobError::Store(StoreError::Io { path, .. }) => path == part,
            JobError::Store(_) => false,
            _ => true,
        };
        if !of_part {
            return Err(error);
        }
        let problem = Problem::of(&error);
        self.progress.end(&problem.message);
        self.taken.problems.push(problem);
        Ok(())
    }

    fn note(&mut self, message: String) {
        self.progress.note(&message);
        self.taken.problems.push(Problem { message, hint: None, integrity: false });
    }

    /// Takes an evidence item; gives what to say of one that was in the case.
    fn evidence_item(&mut self, declared: &Evidence, input: &Input) -> Result<Option<String>, JobError> {
        let intake = evidence_intake(declared, input);
        let known = self.known(Shelf::Evidence, &input.path, &ingest::algorithms(declared))?;
        // an item keeps the secret of its salts for good, so that the same records in the same framing have one tree
        let mut secret = None;
        if let Some((id, digests)) = known {
            let item = self.case.item(Shelf::Evidence, &id);
            let known: Option<Normalised> = Case::record(&item, NORMALISED)?;
            if let Some(known) = known {
                let format = declared.declared_format().unwrap_or(&known.format);
                if known.settings == ingest::settings(declared, format) {
                    check_holder_digests(&input.path, declared, &id, &digests)?;
                    if !Case::intakes::<EvidenceIntake>(&item)?.iter().any(|i| i.declared == intake.declared)
                    {
                        self.add_evidence_intake(&known, &item, &intake)?;
                    }
                    self.note_oddities(&known, &input.shown);
                    let line = format!("{}: {} (stored before)", input.shown, counts_line(&known));
                    self.remember_evidence(known, intake, item, &input.path);
                    return Ok(Some(line));
                }
            }
            if let Some(twin) = self.taken.evidence.iter().find(|e| e.normalised.id == id) {
                let other = twin.originals.first().cloned().unwrap_or_default();
                return Err(JobError::TwoReadings { path: input.path.clone(), other });
            }
            secret = record_tree::secret(&item)?;
        }
        let secret = secret.unwrap_or_else(chance::bytes);
        let read = ingest::read(&input.path, declared, &self.case.tmp(), secret, &self.spare, self.progress)?;
        let read_as = &read.normalised;
        check_holder_digests(&input.path, declared, &read_as.id, &read_as.digests)?;
        if self.pending.iter().any(|pending| pending.id == read_as.id) {
            // the file grew to what another is while both were read
            self.settle()?;
            return self.evidence_item(declared, input);
        }
        self.set_aside(read, intake, input)?;
        Ok(None)
    }

    /// Lets another thread end the tables of an item that was read.
    fn set_aside(
        &mut self,
        read: ingest::Read,
        intake: EvidenceIntake,
        input: &Input,
    ) -> Result<(), JobError> {
        let (id, bytes) = (read.normalised.id, read.normalised.bytes);
        let before: u64 = self.pending.iter().map(|p| p.bytes).sum();
        if before + bytes > PENDING_BYTES || self.pending.len() >= PENDING_ITEMS {
            self.settle()?;
        }
        let (item, path) = (self.case.item(Shelf::Evidence, &id), input.path.clone());
        let (own, keep_original) = (intake.clone(), self.keep_originals);
        let finished = thread::spawn(move || {
            let ingested = read.finish()?;
            let stage = &ingested.stage;
            Case::stage_record(stage, NORMALISED, &ingested.normalised)?;
            stage_intakes(stage, &item, &own, |i: &EvidenceIntake| i.declared == own.declared)?;
            if keep_original {
                self::keep_original(stage, &path)?;
            }
            let files = file_digests(stage, EVIDENCE_TABLES)?;
            stage.sync()?;
            Ok(Finished { ingested, files })
        });
        let (path, shown) = (input.path.clone(), input.shown.clone());
        self.pending.push(Pending { path, shown, id, bytes, intake, finished });
        Ok(())
    }

    /// Records that the same bytes were handed in again.
    fn add_evidence_intake(
        &self,
        known: &Normalised,
        item: &Path,
        intake: &EvidenceIntake,
    ) -> Result<(), JobError> {
        let tree = record_tree::read(item)?;
        let statement = self.scribe.evidence_collected(known, intake, &tree)?;
        self.put_intake(statement, intake, Shelf::Evidence, &known.id)
    }

    /// Puts a further intake beside an item, with its statement.
    fn put_intake(
        &self,
        statement: Envelope,
        intake: &impl Serialize,
        shelf: Shelf,
        id: &Sha256Digest,
    ) -> Result<(), JobError> {
        let stage = Stage::new(&self.case.tmp(), "intake")?;
        Case::stage_record(&stage, INTAKE, intake)?;
        let bytes = fs::read(stage.path().join(INTAKE)).map_err(|e| StoreError::io(stage.path(), e))?;
        let place = Case::place(shelf, id).join(format!("intake-{}.json", Sha256Digest::of(&bytes).short()));
        let part = Move { stage, file: Some(INTAKE.into()), place, known_by: INTAKE.into() };
        self.scribe.commit(&[statement], vec![part])
    }

    /// Says of an item what people should know whenever it is used.
    fn note_oddities(&mut self, item: &Normalised, shown: &str) {
        if item.bytes == 0 {
            self.note(format!("{shown}: file is empty"));
        }
        if let Some(damage) = &item.damage {
            self.note(format!("{shown}: {damage}; what came before is read"));
        }
    }

    fn remember_evidence(
        &mut self,
        normalised: Normalised,
        intake: EvidenceIntake,
        item: PathBuf,
        path: &Path,
    ) {
        if let Some(at) = self.taken.evidence.iter().position(|e| e.normalised.id == normalised.id) {
            let first = &self.taken.evidence[at].intakes[0];
            let message = format!(
                "{}: the same bytes as {}: one evidence item, counted once (handed in by {} and {})",
                intake.path, first.path, first.jurisdiction, intake.jurisdiction
            );
            self.taken.evidence[at].intakes.push(intake);
            self.taken.evidence[at].originals.push(path.to_owned());
            self.progress.note(&message);
            return;
        }
        self.taken.evidence.push(EvidenceItem {
            normalised,
            intakes: vec![intake],
            item,
            originals: vec![path.to_owned()],
        });
    }

    /// The item on a shelf with the same bytes as a file, and further digests of the file; hashes
    /// it only where an item has its size.
    fn known(&mut self, shelf: Shelf, path: &Path, also: &[Algorithm]) -> Result<Option<Known>, JobError> {
        let size = fs::metadata(path).map_err(|e| StoreError::io(path, e))?.len();
        if self.pending.iter().any(|pending| pending.bytes == size) {
            self.settle()?;
        }
        let Some(same_size) = self.sizes.get(&(shelf.as_str(), size)) else { return Ok(None) };
        let digests = Source::open(path, also)?.finish()?.0;
        let others = digests.others.into_iter().map(|(a, d)| (a.as_str().to_owned(), d)).collect();
        Ok(same_size.contains(&digests.sha256).then_some((digests.sha256, others)))
    }

    /// Takes a feed: a file, or the event files of a MISP feed directory.
    ///
    /// # Errors
    /// Where the case can't be written, or the user wants an end.
    pub fn take_feed(&mut self, declared: &Feed, input: &Input) -> Result<(), JobError> {
        self.settle()?;
        if !input.path.is_dir() {
            return self.take_feed_file(declared, input);
        }
        let mut files: Vec<PathBuf> = match fs::read_dir(&input.path) {
            Ok(entries) => {
                entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| is_feed_event(p)).collect()
            }
            Err(e) => return self.part_failed(StoreError::io(&input.path, e).into(), &input.path),
        };
        files.sort();
        for path in files {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let shown = format!("{}/{name}", input.shown.trim_end_matches('/'));
            self.take_feed_file(declared, &Input { entry: input.entry, path, shown })?;
        }
        Ok(())
    }

    fn take_feed_file(&mut self, declared: &Feed, input: &Input) -> Result<(), JobError> {
        self.progress.check()?;
        self.progress.begin(&input.shown, fs::metadata(&input.path).map(|m| m.len()).ok());
        match self.feed_item(declared, input) {
            Ok(line) => self.progress.end(&format!("{}: {line}", input.shown)),
            Err(error) => self.part_failed(error, &input.path)?,
        }
        Ok(())
    }

    fn feed_item(&mut self, declared: &Feed, input: &Input) -> Result<String, JobError> {
        let mut own = declared.clone();
        own.path = vec![input.shown.clone()];
        let intake = FeedIntake {
            path: input.shown.clone(),
            source: std::path::absolute(&input.path).unwrap_or_else(|_| input.path.clone()),
            received_at: clock::now(),
            provider: declared.provider.clone(),
            tlp: declared.tlp,
            declared: serde_json::to_value(&own).unwrap_or(Value::Null),
        };
        if let Some((id, _)) = self.known(Shelf::Feeds, &input.path, &[])? {
            let item = self.case.item(Shelf::Feeds, &id);
            let known: Option<FeedRecord> = Case::record(&item, FEED_RECORD)?;
            if let Some(known) = known {
                let format = declared.declared_format().unwrap_or(&known.format);
                if known.settings == feeds::settings(declared, format) {
                    if !Case::intakes::<FeedIntake>(&item)?.iter().any(|i| i.declared == intake.declared) {
                        let tree = feeds::stored_tree(&item)?;
                        let statement = self.scribe.feed_collected(&known, &intake, &tree)?;
                        self.put_intake(statement, &intake, Shelf::Feeds, &id)?;
                    }
                    if known.seen == 0 {
                        self.note(format!("{}: feed claims nothing", input.shown));
                    }
                    let line = format!("{} (stored before)", feed_line(&known));
                    self.remember_feed(known, intake, item, &input.path);
                    return Ok(line);
                }
            }
            if let Some(twin) = self.taken.feeds.iter().find(|f| f.record.id == id) {
                let other = twin.originals.first().cloned().unwrap_or_default();
                return Err(JobError::TwoReadings { path: input.path.clone(), other });
            }
        }
        let read = feeds::read(&input.path, declared)?;
        let stage = Stage::new(&self.case.tmp(), "feed")?;
        let item = self.case.item(Shelf::Feeds, &read.record.id);
        let secret = record_tree::secret(&item)?.unwrap_or_else(chance::bytes);
        let (written, kept) = thread::scope(|scope| {
            let kept = scope.spawn(|| keep_original(&stage, &input.path));
            (feeds::write(read, &stage, secret), kept.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let (record, tree, files) = written?;
        kept?;
        Case::stage_record(&stage, FEED_RECORD, &record)?;
        stage_intakes(&stage, &item, &intake, |i: &FeedIntake| i.declared == intake.declared)?;
        let statements = [
            self.scribe.feed_collected(&record, &intake, &tree)?,
            self.scribe.feed_normalised(&record, &files)?,
        ];
        self.scribe.commit(&statements, vec![moved(stage, Shelf::Feeds, &record.id, FEED_RECORD)])?;
        self.sizes.entry((Shelf::Feeds.as_str(), record.bytes)).or_default().push(record.id);
        if record.seen == 0 {
            self.note(format!("{}: feed claims nothing", input.shown));
        }
        let line = feed_line(&record);
        self.remember_feed(record, intake, item, &input.path);
        Ok(line)
    }

    fn remember_feed(&mut self, record: FeedRecord, intake: FeedIntake, item: PathBuf, path: &Path) {
        if let Some(known) = self.taken.feeds.iter_mut().find(|f| f.record.id == record.id) {
            let message = format!(
                "{}: the same bytes as {}: one feed, one claim (handed in by {} and {})",
                intake.path, known.intakes[0].path, known.intakes[0].provider, intake.provider
            );
            known.intakes.push(intake);
            known.originals.push(path.to_owned());
            self.progress.note(&message);
            return;
        }
        self.taken.feeds.push(FeedItem {
            record,
            intakes: vec![intake],
            item,
            originals: vec![path.to_owned()],
        });
    }

    /// Takes an allow-list.
    ///
    /// # Errors
    /// Where the case can't be written, or the user wants an end.
    pub fn take_allow_list(&mut self, name: Option<&str>, input: &Input) -> Result<(), JobError> {
        self.settle()?;
        self.progress.check()?;
        match self.allow_list_item(name, input) {
            Ok(()) => Ok(()),
            Err(error) => self.part_failed(error, &input.path),
        }
    }

    fn allow_list_item(&mut self, name: Option<&str>, input: &Input) -> Result<(), JobError> {
        let file_name = plain_name(&input.path);
        let name = match (name, file_name.as_str()) {
            (Some(name), _) => name.to_owned(),
            // MISP's lists are all called list.json, each in a directory of its name
            (None, "list.json") => parent_name(&input.path).unwrap_or_else(|| "list".into()),
            (None, other) => other.rsplit_once('.').map_or(other, |(stem, _)| stem).to_owned(),
        };
        let (list, digests) = read_allow_list(&input.path, &name)?;
        if !list.rejects.is_empty() {
            let count = list.rejects.len();
            self.note(format!("{}: {count} entries of the allow-list can't be used", input.shown));
        }
        let item = self.case.item(Shelf::AllowLists, &digests.sha256);
        let record =
            AllowListRecord { id: digests.sha256, name: list.name.clone(), path: input.shown.clone() };
        if Case::record(&item, ALLOW_LIST_RECORD)?.as_ref() != Some(&record) {
            let stage = Stage::new(&self.case.tmp(), "allow-list")?;
            Case::stage_record(&stage, ALLOW_LIST_RECORD, &record)?;
            keep_original(&stage, &input.path)?;
            let statement = self.scribe.allow_list_collected(&record)?;
            let part = moved(stage, Shelf::AllowLists, &record.id, ALLOW_LIST_RECORD);
            self.scribe.commit(&[statement], vec![part])?;
        }
        if !self.taken.allow_lists.iter().any(|known| known.id == digests.sha256) {
            self.taken.allow_lists.push(AllowListItem {
                id: digests.sha256,
                list,
                original: input.path.clone(),
            });
        }
        Ok(())
    }
}

/// How an evidence item is handed in.
fn evidence_intake(declared: &Evidence, input: &Input) -> EvidenceIntake {
    let mut own = declared.clone();
    own.path = vec![input.shown.clone()];
    EvidenceIntake {
        path: input.shown.clone(),
        source: std::path::absolute(&input.path).unwrap_or_else(|_| input.path.clone()),
        received_at: clock::now(),
        jurisdiction: declared.jurisdiction.to_string(),
        authority: declared.authority.clone(),
        legal_basis: legal_basis(declared),
        tlp: declared.tlp,
        pap: declared.pap,
        clock_uncertainty_us: declared.clock_uncertainty.as_ref().map_or(0, |span| span.as_us().abs()),
        declared: serde_json::to_value(&own).unwrap_or(Value::Null),
    }
}

/// A staged item on its way to its place.
fn moved(stage: Stage, shelf: Shelf, id: &Sha256Digest, known_by: &str) -> Move {
    Move { stage, file: None, place: Case::place(shelf, id), known_by: known_by.into() }
}

/// Puts the intakes that an item has already, and the new one, into its new stage.
fn stage_intakes<T>(stage: &Stage, item: &Path, new: &T, same: impl Fn(&T) -> bool) -> Result<(), JobError>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let before: Vec<T> = if item.is_dir() { Case::intakes(item)? } else { Vec::new() };
    let repeated = before.iter().any(same);
    let all = before.iter().chain((!repeated).then_some(new));
    for (at, intake) in all.enumerate() {
        let name = if at == 0 { INTAKE.to_owned() } else { format!("intake-{at:04}.json") };
        Case::stage_record(stage, &name, intake)?;
    }
    Ok(())
}

/// Reads an allow-list and gives it its name.
pub(crate) fn read_allow_list(path: &Path, name: &str) -> Result<(AllowList, Digests), JobError> {
    let wrong = |message: String| JobError::File { path: path.to_owned(), message };
    let original = source::read_all(path, MAX_ALLOW_LIST_BYTES)?;
    if let Some(Damage::Stream(message) | Damage::Limit(message)) = original.damage {
        return Err(wrong(message));
    }
    let mut list = allow_list::read(name, &original.bytes).map_err(|e| wrong(e.message))?;
    name.clone_into(&mut list.name);
    Ok((list, original.digests()))
}

fn is_feed_event(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    (name.ends_with(".json") || name.ends_with(".json.gz")) && name != "manifest.json"
}

fn parent_name(path: &Path) -> Option<String> {
    Some(path.parent()?.file_name()?.to_string_lossy().into_owned())
}

/// Copies an original into a stage, onto the disk.
fn keep_original(stage: &Stage, path: &Path) -> Result<(), JobError> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let wrap = |e| StoreError::io(path, e);
    let mut from = fs::File::open(path).map_err(wrap)?;
    let place = format!("original/{name}");
    let mut to = stage.create(&place)?;
    let copied = io::copy(&mut from, &mut to).and_then(|_| to.sync_data());
    copied.map_err(|e| StoreError::io(&stage.path().join(&place), e))?;
    Ok(())
}

fn legal_basis(declared: &Evidence) -> Option<String> {
    let texts: Vec<String> = declared
        .legal_basis
        .iter()
        .map(|basis| match &basis.reference {
            Some(reference) => format!("{} ({reference})", basis.instrument),
            None => basis.instrument.clone(),
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

fn check_holder_digests(
    path: &Path,
    declared: &Evidence,
    sha256: &Sha256Digest,
    others: &[(String, String)],
) -> Result<(), JobError> {
    let found = |algorithm: Algorithm| {
        others.iter().find(|(name, _)| name == algorithm.as_str()).map(|(_, digest)| digest.clone())
    };
    let checks = [
        ("sha256", declared.sha256.as_ref().map(|d| d.hex()), Some(sha256.to_string())),
        ("sha512", declared.sha512.as_ref().map(|d| d.hex()), found(Algorithm::Sha512)),
        ("sha1", declared.sha1.as_ref().map(|d| d.hex()), found(Algorithm::Sha1)),
        ("md5", declared.md5.as_ref().map(|d| d.hex()), found(Algorithm::Md5)),
    ];
    for (algorithm, given, found) in checks {
        if let (Some(given), Some(found)) = (given, found)
            && given != found
        {
            return Err(JobError::HolderDigest {
                path: path.to_owned(),
                algorithm,
                found,
                given: given.to_owned(),
            });
        }
    }
    Ok(())
}

fn counts_line(item: &Normalised) -> String {
    let counts = &item.counts;
    let rejects = if counts.rejects > 0 { format!(", {} rejects", counts.rejects) } else { String::new() };
    format!("{}, {} events{rejects}", item.format, counts.events)
}

fn feed_line(record: &FeedRecord) -> String {
    let rejected =
        if record.rejected > 0 { format!(", {} rejected", record.rejected) } else { String::new() };
    format!("{}, {} indicators from {} claims{rejected}", record.format, record.indicators, record.seen)
}
