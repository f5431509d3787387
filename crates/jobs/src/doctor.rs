//! `comity doctor`: whether a case is sound. Looks only; changes nothing, sweeps nothing.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use comity_provenance::Sha256Digest;
use comity_provenance::statement::{EventType, Predicate};
use comity_store::StoreError;
use comity_store::case::{Case, EvidenceIntake, FeedIntake, FeedRecord, Normalised, Shelf};
use comity_store::evidence::{EVENTS_FILE, REJECTS_FILE};
use comity_store::feed::INDICATORS_FILE;
use comity_store::observables::OBSERVABLES_FILE;
use comity_store::source::Source;
use comity_store::tables;
use serde::Serialize;

use crate::JobError;
use crate::bag::Statements;
use crate::erase::{TOMBSTONE, Tombstone};
use crate::intake::{ALLOW_LIST_RECORD, AllowListRecord, FEED_RECORD, NORMALISED};
use crate::progress::Progress;
use crate::reproduce::read_lines;
use crate::run::{COMMIT, DEFINITION, DETAILS, Details};

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub state: State,
    /// One line.
    pub message: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Sound,
    /// Worth knowing, nothing wrong.
    Note,
    /// Does not read, or is missing.
    Broken,
    /// Reads, but the bytes are not those that the record names.
    Integrity,
}

/// Examines a case.
///
/// # Errors
/// Where its directories can't be listed, or the user wants an end.
pub fn examine(case: &Case, progress: &dyn Progress) -> Result<Vec<Check>, JobError> {
    let identity = case.identity();
    let commit = COMMIT.unwrap_or("unknown");
    let mut checks = vec![
        check("program", State::Sound, format!("comity {}, commit {commit}", env!("CARGO_PKG_VERSION"))),
        check("case", State::Sound, format!("{:?} at {}", identity.id, case.path().display())),
        lock(case),
        leftovers(case),
    ];
    for (shelf, what) in [
        (Shelf::Evidence, "evidence item"),
        (Shelf::Feeds, "feed"),
        (Shelf::AllowLists, "allow-list"),
        (Shelf::Runs, "run"),
    ] {
        let ids = case.ids(shelf)?;
        let (mut sound, mut gone) = (0, 0);
        for id in &ids {
            progress.check()?;
            let item = case.item(shelf, id);
            let found = match shelf {
                Shelf::Evidence | Shelf::Feeds if item.join(TOMBSTONE).exists() => {
                    gone += 1;
                    tombstone(case, id, &item)
                }
                Shelf::Evidence => evidence(id, &item),
                Shelf::Feeds => feed(id, &item),
                Shelf::AllowLists => allow_list(id, &item),
                Shelf::Runs => run(id, &item),
            };
            match found {
                Ok(()) => sound += 1,
                Err(error) => {
                    let broken = if error.is_integrity_failure() { State::Integrity } else { State::Broken };
                    checks.push(check(&format!("{what} {}", id.short()), broken, error.to_string()));
                }
            }
        }
        let message = match (ids.len(), gone) {
            (0, _) => "none".to_owned(),
            (all, 0) => format!("{sound} of {all} sound"),
            (all, gone) => format!("{sound} of {all} sound, {gone} of them erased"),
        };
        let state = if sound == ids.len() { State::Sound } else { State::Note };
        checks.push(check(&format!("{what}s"), state, message));
    }
    Ok(checks)
}

fn check(what: &str, state: State, message: String) -> Check {
    Check { what: what.to_owned(), state, message }
}

fn lock(case: &Case) -> Check {
    let path = case.path().join("lock");
    let (state, message) = match File::open(&path) {
        Err(_) => (State::Sound, "free; never taken".to_owned()),
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => (State::Sound, "free".to_owned()),
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                (State::Note, format!("held by {}", holder.trim()))
            }
            Err(TryLockError::Error(e)) => (State::Broken, format!("{}: {e}", path.display())),
        },
    };
    check("lock", state, message)
}

fn leftovers(case: &Case) -> Check {
    let count = fs::read_dir(case.tmp()).map_or(0, |entries| entries.count());
    match count {
        0 => check("unfinished work", State::Sound, "none".into()),
        n => check(
            "unfinished work",
            State::Note,
            format!("{n} in tmp/, swept by the next command that writes"),
        ),
    }
}

fn differs(path: &Path, message: String) -> JobError {
    StoreError::Integrity { path: path.to_owned(), message }.into()
}

fn missing(item: &Path, name: &str) -> JobError {
    let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
    StoreError::io(&item.join(name), gone).into()
}

/// Opens a table, and compares its number of rows with what the record says.
fn table(item: &Path, name: &str, rows: Option<u64>) -> Result<(), JobError> {
    let path = item.join(name);
    let found = tables::open(&path)?.metadata().file_metadata().num_rows();
    match rows {
        Some(rows) if u64::try_from(found) != Ok(rows) => {
            Err(differs(&path, format!("has {found} rows, but the record says {rows}")))
        }
        _ => Ok(()),
    }
}

/// Whether a statement tells that an item was erased.
fn is_stated_erased(case: &Case, id: &Sha256Digest) -> Result<bool, JobError> {
    let statements = Statements::read(case)?;
    Ok(statements.lines.iter().map(|line| &line.3).any(|statement| {
        matches!(&statement.predicate, Predicate::Custody(event) if event.event_type == EventType::Erasure)
            && statement.subject.iter().any(|subject| subject.sha256() == *id)
    }))
}

/// What stays of an erased item: its tombstone alone, and the statement that it was erased.
fn tombstone(case: &Case, id: &Sha256Digest, item: &Path) -> Result<(), JobError> {
    let path = item.join(TOMBSTONE);
    let record: Option<Tombstone> = Case::record(item, TOMBSTONE)?;
    if record.is_none_or(|record| record.id != *id) {
        return Err(differs(&path, "is the tombstone of another item".into()));
    }
    if !is_stated_erased(case, id)? {
        return Err(differs(&path, "no statement tells of this erasure".into()));
    }
    match fs::read_dir(item).map_err(|e| StoreError::io(item, e))?.count() {
        1 => Ok(()),
        _ => Err(differs(item, "is erased, but holds more than its tombstone".into())),
    }
}

fn evidence(id: &Sha256Digest, item: &Path) -> Result<(), JobError> {
    let record: Normalised = Case::record(item, NORMALISED)?.ok_or_else(|| missing(item, NORMALISED))?;
    if record.id != *id {
        return Err(differs(&item.join(NORMALISED), format!("is the record of {}", record.id)));
    }
    if Case::intakes::<EvidenceIntake>(item)?.is_empty() {
        return Err(missing(item, crate::intake::INTAKE));
    }
    table(item, EVENTS_FILE, Some(record.counts.events))?;
    table(item, OBSERVABLES_FILE, Some(record.counts.observables))?;
    table(item, REJECTS_FILE, None)?;
    original(id, item)
}

fn feed(id: &Sha256Digest, item: &Path) -> Result<(), JobError> {
    let record: FeedRecord = Case::record(item, FEED_RECORD)?.ok_or_else(|| missing(item, FEED_RECORD))?;
    if record.id != *id {
        return Err(differs(&item.join(FEED_RECORD), format!("is the record of {}", record.id)));
    }
    if Case::intakes::<FeedIntake>(item)?.is_empty() {
        return Err(missing(item, crate::intake::INTAKE));
    }
    table(item, INDICATORS_FILE, None)?;
    table(item, REJECTS_FILE, Some(record.rejected))?;
    original(id, item)
}

fn allow_list(id: &Sha256Digest, item: &Path) -> Result<(), JobError> {
    let record: Option<AllowListRecord> = Case::record(item, ALLOW_LIST_RECORD)?;
    record.ok_or_else(|| missing(item, ALLOW_LIST_RECORD))?;
    original(id, item)
}

/// Hashes the original where the case keeps one.
fn original(id: &Sha256Digest, item: &Path) -> Result<(), JobError> {
    let dir = item.join("original");
    let Ok(entries) = fs::read_dir(&dir) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(|e| StoreError::io(&dir, e))?.path();
        let found = Source::open(&path, &[])?.finish()?.0.sha256;
        if found != *id {
            return Err(differs(&path, format!("its SHA-256 is {found}")));
        }
    }
    Ok(())
}

fn run(id: &Sha256Digest, item: &Path) -> Result<(), JobError> {
    let path = item.join(DEFINITION);
    let definition = fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
    let found = Sha256Digest::of(&definition);
    if found != *id {
        return Err(differs(&path, format!("its SHA-256 is {found}, but the run is {id}")));
    }
    let details: Details = Case::record(item, DETAILS)?.ok_or_else(|| missing(item, DETAILS))?;
    for output in &details.outputs {
        let file = item.join(&output.path);
        let digest = read_lines(&output.name, &file)?.digest();
        if digest != output.logical_sha256 {
            let recorded = output.logical_sha256;
            return Err(differs(
                &file,
                format!("its logical digest is {digest}, but the record says {recorded}"),
            ));
        }
    }
    Ok(())
}
