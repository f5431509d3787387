//! `comity log`: the case's log shown, recomputed and proven; a partner's log cosigned.

use std::fs;
use std::path::Path;

use comity_provenance::log::{self, Proof, Shown, SignedCheckpoint, Standing};
use comity_provenance::statement::Predicate;
use comity_provenance::trust::{Role, TrustFile};
use comity_provenance::{SecretKey, Sha256Digest, merkle};
use comity_store::StoreError;
use comity_store::case::Case;
use comity_store::journal::{self, Line, Log};
use serde::Serialize;

use crate::progress::Progress;
use crate::verify::{Fault, entries_of, memory};
use crate::{JobError, clock, custody};

/// An entry of the log, with what it states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Index, 0-based.
    pub index: u64,
    /// What is stated; `erased` where the statement is gone.
    pub what: String,
    /// When, by the signer's clock.
    pub time: String,
    /// Names of what it is about.
    pub subject: Vec<String>,
    /// The entry.
    pub leaf: String,
}

/// The entries of a case's log, with what they state.
///
/// # Errors
/// Where the statements do not read, or the case can't be written: what a crash left is completed first.
pub fn entries(case: &Case, progress: &dyn Progress) -> Result<Vec<Entry>, JobError> {
    custody::acting(case, progress, |_| Ok(()))?;
    let mut all = Vec::new();
    journal::read_statements(case, 0, 0, &mut |first, line, leaves| {
        let (what, time, subject) = match &line {
            Line::Erased(_) => ("erased".to_owned(), String::new(), Vec::new()),
            Line::Statement(envelope) => stated(&envelope.payload),
        };
        for (index, leaf) in (first..).zip(leaves) {
            all.push(Entry { index, what: what.clone(), time: time.clone(), subject: subject.clone(), leaf });
        }
        Ok(())
    })?;
    Ok(all)
}

fn stated(payload: &[u8]) -> (String, String, Vec<String>) {
    let Ok(statement) = comity_provenance::statement::Statement::parse(payload) else {
        return ("unreadable".into(), String::new(), Vec::new());
    };
    let subject = statement.subject.iter().map(|s| s.name().to_owned()).collect();
    match statement.predicate {
        Predicate::Custody(event) => (event.event_type.to_string(), event.time.to_string(), subject),
        Predicate::Provenance(made) => {
            let what = match made.build_definition.build_type {
                comity_provenance::statement::BuildType::Normalise => "normalise",
                comity_provenance::statement::BuildType::Correlate => "correlate",
            };
            (what.into(), made.run_details.metadata.finished_on.to_string(), subject)
        }
        Predicate::TestResult(_) => ("verdict".into(), String::new(), subject),
    }
}

/// What recomputing a log came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recomputed {
    /// Origin.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root, hexadecimal.
    pub root: Sha256Digest,
    /// Names of witnesses that cosigned, and when; by what the checkpoint says, not by a trust file.
    pub cosigned: Vec<String>,
}

/// Recomputes the log from the statements: entries, root, signature.
///
/// # Errors
/// Where files do not read. What does not agree is a fault.
pub fn recompute(case: &Case, progress: &dyn Progress) -> Result<Result<Recomputed, Fault>, JobError> {
    let told = entries(case, progress)?;
    let log = Log::of(case);
    let stored = log.leaves()?;
    let told: Vec<String> = told.into_iter().map(|entry| entry.leaf).collect();
    let Some(signed) = log.checkpoint()? else {
        return Ok(Err(Fault::new("checkpoint-missing", "nothing was logged yet")));
    };
    let head = signed.checkpoint();
    let fault = |kind, message: String| Ok(Err(Fault::new(kind, message)));
    if signed.verify_log(&case.log_key()?.public()).is_err() {
        return fault("signature-false", "the checkpoint is not signed by the case's log key".into());
    }
    if let Some(at) = stored.iter().zip(&told).position(|(a, b)| a != b) {
        return fault("log-root", format!("entry {at} is not what the statements say"));
    }
    if stored.len() != told.len() {
        return fault("log-root", format!("{} entries, but {} signatures", stored.len(), told.len()));
    }
    let root = merkle::root(&hashes(&stored));
    if head.size != stored.len() as u64 || head.root != root {
        return fault("log-root", format!("{} entries do not lead to the signed root", stored.len()));
    }
    let witnessed = log.witnessed()?;
    let names = witnessed.iter().flat_map(|w| w.signatures()).map(|s| s.name.clone());
    let cosigned = names.filter(|name| *name != head.origin).collect();
    Ok(Ok(Recomputed { origin: head.origin.clone(), size: head.size, root, cosigned }))
}

fn hashes(leaves: &[String]) -> Vec<Sha256Digest> {
    leaves.iter().map(|leaf| merkle::leaf_hash(leaf.as_bytes())).collect()
}

/// The proof that an entry lies in the log.
///
/// # Errors
/// Where there is no such entry.
pub fn prove(case: &Case, index: u64, progress: &dyn Progress) -> Result<String, JobError> {
    custody::acting(case, progress, |_| Ok(()))?;
    let log = Log::of(case);
    let signed = log.checkpoint()?.ok_or_else(|| JobError::Nothing("nothing was logged yet".into()))?;
    let mut leaves = hashes(&log.leaves()?);
    leaves.truncate(usize::try_from(signed.checkpoint().size).unwrap_or(usize::MAX));
    let path = merkle::inclusion_path(&leaves, index).map_err(|_| {
        JobError::Nothing(format!("the log has {} entries; there is no entry {index}", leaves.len()))
    })?;
    Ok(Proof { index, path, checkpoint: signed }.to_string())
}

/// Cosigns a partner's checkpoint, once its log is seen to continue what was accepted before.
///
/// # Errors
/// Where a file does not read. What stands against signing is a fault, and nothing is signed.
pub fn cosign(
    checkpoint: &Path,
    leaves: &Path,
    trust: &TrustFile,
    memory_dir: &Path,
    name: &str,
    key: &SecretKey,
) -> Result<Result<String, Fault>, JobError> {
    let read = |path: &Path| fs::read(path).map_err(|e| JobError::from(StoreError::io(path, e)));
    let fault = |kind, message: String| Ok(Err(Fault::new(kind, message)));
    let mut signed = match SignedCheckpoint::parse(&read(checkpoint)?) {
        Ok(signed) => signed,
        Err(e) => return fault("checkpoint-form", e.to_string()),
    };
    let head = signed.checkpoint().clone();
    let known = trust.log_keys(&head.origin).any(|entry| signed.verify_log(entry.key()).is_ok());
    if !known {
        return fault(
            "log-unknown",
            format!("no key that the trust file gives log {:?} signed it", head.origin),
        );
    }
    if !trust.entries().iter().any(|e| *e.key() == key.public() && e.roles().contains(&Role::Witness)) {
        // a witness that its own trust file does not name would cosign what it can't check again
        return fault(
            "wrong-role",
            format!("{} is no witness in the trust file", key.public().fingerprint()),
        );
    }
    let mut lines = match entries_of(read(leaves)?, &leaves.display().to_string()) {
        Ok(lines) => lines,
        Err(malformed) => return Ok(Err(malformed)),
    };
    lines.truncate(usize::try_from(head.size).unwrap_or(usize::MAX));
    let entries = hashes(&lines);
    if entries.len() as u64 != head.size || merkle::root(&entries) != head.root {
        return fault("log-root", "the entries do not lead to the root that is signed".into());
    }
    let known = memory::remembered(memory_dir, &head.origin)?;
    match log::standing(&known.checkpoints, &head, Shown::Leaves(&entries)) {
        Ok(Standing::New | Standing::Known | Standing::Extends) => {}
        Ok(Standing::Older | Standing::OlderUnproven) => {
            return fault("checkpoint-older-unproven", "a later head of this log was accepted before".into());
        }
        Ok(Standing::Fork) | Err(_) => {
            return fault(
                "log-forked",
                "it is not a continuation of the log that was accepted before".into(),
            );
        }
    }
    let time_s = u64::try_from(clock::now_s()).unwrap_or(0);
    signed.cosign(name, key, time_s)?;
    memory::remember(memory_dir, &known, &head, &lines)?;
    Ok(Ok(signed.to_string()))
}

/// Takes a checkpoint of this case that a partner cosigned.
///
/// # Errors
/// Where the file does not read, or the disk refuses. What is wrong with it is a fault.
pub fn witness(case: &Case, file: &Path, progress: &dyn Progress) -> Result<Result<u64, Fault>, JobError> {
    let bytes = fs::read(file).map_err(|e| StoreError::io(file, e))?;
    let fault = |kind, message: &str| Ok(Err(Fault::new(kind, message)));
    let signed = match SignedCheckpoint::parse(&bytes) {
        Ok(signed) => signed,
        Err(e) => return Ok(Err(Fault::new("checkpoint-form", e.to_string()))),
    };
    let head = signed.checkpoint();
    if signed.verify_log(&case.log_key()?.public()).is_err() {
        return fault("log-unknown", "it is not signed by this case's log");
    }
    let leaves = Log::of(case).leaves()?;
    let prefix = usize::try_from(head.size).ok().and_then(|size| leaves.get(..size));
    if prefix.is_none_or(|leaves| merkle::root(&hashes(leaves)) != head.root) {
        return fault("log-forked", "it is not a head that this log had");
    }
    if signed.signatures().len() < 2 {
        return fault("unwitnessed", "nobody cosigned it");
    }
    custody::acting(case, progress, |_| Ok(journal::keep_witnessed(case, &signed)?))?;
    Ok(Ok(head.size))
}
