//! `comity erase`: an evidence item or feed goes, its signed tombstone stays.
//!
//! What the item held, its secret and the statements about it are removed; their entries stay in the log, and the erasure
//! names them. Findings that rested on it still verify, as far as what they disclosed goes; nothing new can be proven.

use comity_provenance::statement::{Details, EventType, Predicate, Ranges};
use comity_provenance::{SecretKey, Sha256Digest};
use comity_store::case::{Case, Shelf};
use comity_store::durable::Stage;
use comity_store::journal::{self, Move};
use serde::{Deserialize, Serialize};

use crate::bag::Statements;
use crate::custody::{self, Draft};
use crate::progress::Progress;
use crate::steps::plain_text;
use crate::{JobError, members, told};

/// Name of what stays of an item.
pub const TOMBSTONE: &str = "tombstone.json";

/// What stays of an item.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tombstone {
    pub(crate) id: Sha256Digest,
    reason: String,
}

/// Erases the evidence item or feed whose id begins so.
///
/// # Errors
/// Where there is none or several, no custodian's key was given, or the disk refuses.
pub fn erase(
    case: &Case,
    prefix: &str,
    reason: &str,
    signer: Option<&SecretKey>,
    progress: &dyn Progress,
) -> Result<Sha256Digest, JobError> {
    plain_text("reason", reason)?;
    let (shelf, id) = find(case, prefix)?;
    let custodian =
        members::custodian(case, signer, "evidence is erased")?.ok_or_else(|| JobError::Refused {
            message: "evidence is erased by a custodian of the case, and it has none".into(),
            hint: "`comity member add --role custodian …` adds one".into(),
        })?;
    custody::acting(case, progress, |scribe| {
        journal::catch_up(case)?;
        let statements = Statements::read(case)?;
        let about =
            |line: &(u64, u64, comity_provenance::Envelope, comity_provenance::statement::Statement)| {
                match &line.3.predicate {
                    Predicate::Custody(event) => {
                        event.event_type == EventType::Collection
                            && line.3.subject.iter().any(|s| s.sha256() == id)
                    }
                    Predicate::Provenance(made) => told::is_of(made, None, &[id].into()),
                    Predicate::TestResult(_) => false,
                }
            };
        let erased: Vec<_> = statements.lines.iter().filter(|line| about(line)).collect();
        let leaves = Ranges::of(erased.iter().flat_map(|line| line.0..line.0 + line.1));
        let details = Details::Erasure { reason: reason.to_owned(), leaves };
        let mut draft = Draft::new(EventType::Erasure, vec![custody::item(shelf, &id)], details);
        draft.member = Some(custodian);
        let keys: Vec<&SecretKey> = signer.into_iter().collect();
        let statement = scribe.event(draft, &keys)?;
        let stage = Stage::new(&case.tmp(), "tombstone")?;
        Case::stage_record(&stage, TOMBSTONE, &Tombstone { id, reason: reason.to_owned() })?;
        let part = Move { stage, file: None, place: Case::place(shelf, &id), known_by: TOMBSTONE.into() };
        scribe.commit(&[statement], vec![part])?;
        journal::catch_up(case)?;
        Ok(journal::erase(case, &erased.iter().map(|line| line.0).collect::<Vec<_>>())?)
    })?;
    Ok(id)
}

fn find(case: &Case, prefix: &str) -> Result<(Shelf, Sha256Digest), JobError> {
    let mut found = Vec::new();
    for shelf in [Shelf::Evidence, Shelf::Feeds] {
        let ids = case.ids(shelf)?.into_iter().filter(|id| id.to_string().starts_with(prefix));
        found.extend(ids.map(|id| (shelf, id)));
    }
    match found.as_slice() {
        [one] => Ok(*one),
        many => Err(JobError::Nothing(format!(
            "{} evidence items and feeds have an id that begins {prefix:?}",
            many.len()
        ))),
    }
}
