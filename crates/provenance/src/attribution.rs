//! Level 1 of the ladder (PROVENANCE.md §6): who said it, and that nothing was slipped in or taken out.
//!
//! Pure: what a bag presents and what the verifier holds in, a judgement out. Keys, roles and witnesses
//! come only from the verifier's trust file. Established when this gives no error: each statement was
//! signed by a key that held the role then; the log holds each signature; every entry of the log
//! has its statement here, or a statement that says why not; and the log only grew since
//! the checkpoints that the verifier remembers.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::log::{self, Checkpoint, SignedCheckpoint};
use crate::statement::{BuildType, CustodyEvent, Details, EventType, Predicate, Ranges, Statement, Time};
use crate::trust::{Role, Standing, TrustFile};
use crate::{Envelope, PublicKey, Sha256Digest, merkle, strict_json};

/// What a bag presents.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The statements, in the order of the log.
    pub statements: &'a [(Envelope, Statement)],
    /// Entries of the log.
    pub leaves: &'a [String],
    /// The signed head of the log.
    pub checkpoint: &'a SignedCheckpoint,
    /// The latest head that a partner cosigned.
    pub witnessed: Option<&'a SignedCheckpoint>,
    /// Whose seal is on the bag.
    pub sealer: PublicKey,
    /// The role that releases this kind of bag.
    pub releases: Role,
}

/// What the verifier holds.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Whom it trusts.
    pub trust: &'a TrustFile,
    /// Heads of this log that it accepted before.
    pub remembered: &'a [Checkpoint],
    /// Entries of the longest log with this origin that it accepted: what shows that an older head is of it.
    pub later: &'a [String],
    /// Its time, seconds since 1970 UTC.
    pub now_s: i64,
}

/// What was established besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributed {
    /// How the head stands to those remembered.
    pub standing: log::Standing,
    /// Entries of the log whose statements are withheld, and erased.
    pub withheld: u64,
    /// The same, erased.
    pub erased: u64,
    /// The latest time at which a trusted witness saw the log, and how many entries it had.
    pub witnessed: Option<(i64, u64)>,
}

/// Why level 1 is not reached.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttributionError {
    /// No key of the trust file may sign this log.
    #[error("log {origin:?}: no key that the trust file gives this log signed its checkpoint")]
    LogUnknown {
        /// Origin of the log.
        origin: String,
    },
    /// The entries do not make the root that was signed.
    #[error("log: its {entries} entries do not lead to the root that was signed for {size}")]
    Root {
        /// Entries present.
        entries: u64,
        /// Entries signed for.
        size: u64,
    },
    /// Another log than the one seen before.
    #[error("log: forked: not the log that was accepted before, within its first {size} entries")]
    Fork {
        /// Where.
        size: u64,
    },
    /// A head older than one accepted before, and not accepted then.
    #[error("log: older, unproven: {size} entries, but {remembered} were accepted before")]
    OlderUnproven {
        /// Size of this head.
        size: u64,
        /// Size of the one remembered.
        remembered: u64,
    },
    /// A cosigned head that does not lie on this log.
    #[error("log: the head of {size} entries that was cosigned is not of this log")]
    Witnessed {
        /// Size of the cosigned head.
        size: u64,
    },
    /// Nobody known signed a statement.
    #[error("statement {at} ({what}): signed by nobody that the trust file knows; it is a claim")]
    UnknownSigner {
        /// Number of the statement, 1-based.
        at: usize,
        /// What it states.
        what: &'static str,
    },
    /// A signature that its key did not make.
    #[error("statement {at} ({what}): the signature of {signer} is false")]
    Signature {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
        /// Fingerprint that is said to have signed.
        signer: String,
    },
    /// A signer without the role.
    #[error("statement {at} ({what}): needs a {role}, and none signed")]
    Role {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
        /// The role.
        role: Role,
    },
    /// A key that was not valid at the time that the statement gives.
    #[error("statement {at} ({what}): the key of {signer} was not valid at {time}")]
    NotValidThen {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
        /// Who signed.
        signer: String,
        /// Time that it gives.
        time: String,
    },
    /// A key that has ended or was stolen since, and nobody else saw the statement before.
    #[error(
        "statement {at} ({what}): the key of {signer} has ended, and no trusted witness saw the statement before it did"
    )]
    Unwitnessed {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
        /// Who signed.
        signer: String,
    },
    /// A key that was revoked before.
    #[error("statement {at} ({what}): the key of {signer} is revoked since {since}")]
    Revoked {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
        /// Who signed.
        signer: String,
        /// Since when.
        since: String,
    },
    /// A signature that the log does not hold.
    #[error("statement {at} ({what}): the signature of {signer} is not in the log")]
    NotLogged {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
        /// Who signed.
        signer: String,
    },
    /// A signature that was put to a statement after it was logged.
    #[error("statement {at} ({what}): the signature of {signer} was added late: the log has it elsewhere")]
    Late {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
        /// Who signed.
        signer: String,
    },
    /// Statements in another order than the log's, or one twice.
    #[error("statement {at} ({what}): stands out of the order of the log, or twice")]
    Order {
        /// Number of the statement.
        at: usize,
        /// What it states.
        what: &'static str,
    },
    /// Entries whose statements are missing.
    #[error(
        "log: the statement of entry {index} is missing, and no statement says that it is withheld or erased"
    )]
    Missing {
        /// Index of the first.
        index: u64,
    },
    /// The bag's own disclosure is not there.
    #[error("the last statement is no disclosure: the bag is released by none")]
    NoDisclosure,
    /// A statement that is not as it must be.
    #[error("statement {at}: {what}")]
    Form {
        /// Number of the statement.
        at: usize,
        /// What is wrong.
        what: String,
    },
}

/// A statement, and what is needed to judge it.
struct Told<'a> {
    at: usize,
    envelope: &'a Envelope,
    statement: &'a Statement,
    event: Option<&'a CustodyEvent>,
    what: &'static str,
    time: Time,
    first: u64,
}

/// Judges what is presented by what is held.
///
/// # Errors
/// The first thing that stands against it.
pub fn attribute(presented: &Presented<'_>, held: &Held<'_>) -> Result<Attributed, AttributionError> {
    let standing = head(presented, held)?;
    let index: BTreeMap<&str, u64> = (0..).zip(presented.leaves).map(|(i, l)| (l.as_str(), i)).collect();
    let mut told = Vec::new();
    for (at, (envelope, statement)) in (1..).zip(presented.statements) {
        told.push(logged(at, envelope, statement, &index)?);
    }
    if let Some(pair) = told.windows(2).find(|pair| pair[1].first <= pair[0].first) {
        return Err(AttributionError::Order { at: pair[1].at, what: pair[1].what });
    }
    let witness = Witness::of(presented, held)?;
    let revoked = revocations(&told);
    let last = told.len();
    let mut custodian = false;
    for one in &told {
        let judge = Judge { held, witness: &witness, revoked: &revoked, one };
        judge.signatures()?;
        judge.needs(&[Role::Node])?;
        match one.event.map(|e| e.event_type) {
            Some(EventType::Disclosure) if one.at == last && judge.seals(presented) => {}
            Some(EventType::Disclosure) => judge.needs(&[Role::Releaser, Role::Submitter])?,
            Some(EventType::Erasure | EventType::Revocation) => judge.needs(&[Role::Custodian])?,
            // the first members of a case come before any custodian
            Some(EventType::Membership) if custodian => judge.needs(&[Role::Custodian])?,
            Some(EventType::Membership) => custodian = one.event.is_some_and(adds_custodian),
            _ => {}
        }
    }
    let (withheld, erased) = coverage(presented, &told)?;
    Ok(Attributed { standing, withheld, erased, witnessed: witness.latest })
}

/// Whether a membership is a custodian's.
fn adds_custodian(event: &CustodyEvent) -> bool {
    let members = event.records.iter().filter_map(|record| strict_json::parse(record.content()?).ok());
    members.into_iter().any(|member| member.get("role").is_some_and(|role| role == "custodian"))
}

/// The head of the log: signed by its key, over these entries, and not another log than before.
fn head(presented: &Presented<'_>, held: &Held<'_>) -> Result<log::Standing, AttributionError> {
    let head = presented.checkpoint.checkpoint();
    let signed = |entry: &crate::trust::Entry| presented.checkpoint.verify_log(entry.key()).is_ok();
    if !held.trust.log_keys(&head.origin).any(signed) {
        return Err(AttributionError::LogUnknown { origin: head.origin.clone() });
    }
    let hashes: Vec<Sha256Digest> =
        presented.leaves.iter().map(|leaf| merkle::leaf_hash(leaf.as_bytes())).collect();
    if hashes.len() as u64 != head.size || merkle::root(&hashes) != head.root {
        return Err(AttributionError::Root { entries: hashes.len() as u64, size: head.size });
    }
    let later: Vec<Sha256Digest> = held.later.iter().map(|leaf| merkle::leaf_hash(leaf.as_bytes())).collect();
    let shown = if later.len() > hashes.len() { &later } else { &hashes };
    let remembered = held.remembered.iter().map(|c| c.size).max().unwrap_or(0);
    match log::standing(held.remembered, head, log::Shown::Leaves(shown)) {
        // what is shown leads to this head: where the later log does not, it is another one
        Ok(log::Standing::Fork) | Err(_) => Err(AttributionError::Fork { size: head.size.min(remembered) }),
        Ok(log::Standing::OlderUnproven) => {
            Err(AttributionError::OlderUnproven { size: head.size, remembered })
        }
        Ok(fine) => Ok(fine),
    }
}

/// A statement with its place in the log. All its signatures must stand there, side by side: what a witness saw of the
/// first says nothing of one that came later.
fn logged<'a>(
    at: usize,
    envelope: &'a Envelope,
    statement: &'a Statement,
    index: &BTreeMap<&str, u64>,
) -> Result<Told<'a>, AttributionError> {
    let (event, what, time) = match &statement.predicate {
        Predicate::Custody(event) => (Some(&**event), event.event_type.as_str(), event.time),
        Predicate::Provenance(made) => {
            let made = (made.build_definition.build_type, made.run_details.metadata.finished_on);
            (None, if made.0 == BuildType::Normalise { "reading" } else { "run" }, made.1)
        }
        Predicate::TestResult(_) => {
            return Err(AttributionError::Form { at, what: "a verdict does not belong here".into() });
        }
    };
    let mut first = u64::MAX;
    let leaves = log::leaves_of(envelope, statement.predicate.type_uri());
    for (nth, leaf) in (0..).zip(leaves.map_err(|e| AttributionError::Form { at, what: e.to_string() })?) {
        let signer = leaf.signer().to_owned();
        let Some(&found) = index.get(leaf.to_string().as_str()) else {
            return Err(AttributionError::NotLogged { at, what, signer });
        };
        first = if nth == 0 { found } else { first };
        if found != first + nth {
            return Err(AttributionError::Late { at, what, signer });
        }
    }
    Ok(Told { at, envelope, statement, event, what, time, first })
}

/// What trusted witnesses saw, and when.
struct Witness {
    /// Size of the log, and the time of the earliest cosignature over it.
    seen: Vec<(u64, i64)>,
    latest: Option<(i64, u64)>,
}

impl Witness {
    fn of(presented: &Presented<'_>, held: &Held<'_>) -> Result<Self, AttributionError> {
        let mut seen = Vec::new();
        for signed in [Some(presented.checkpoint), presented.witnessed].into_iter().flatten() {
            let head = signed.checkpoint();
            let prefix = usize::try_from(head.size).ok().and_then(|size| presented.leaves.get(..size));
            let hashes: Option<Vec<Sha256Digest>> =
                prefix.map(|leaves| leaves.iter().map(|l| merkle::leaf_hash(l.as_bytes())).collect());
            let same = hashes.is_some_and(|hashes| merkle::root(&hashes) == head.root);
            if !same || head.origin != presented.checkpoint.checkpoint().origin {
                return Err(AttributionError::Witnessed { size: head.size });
            }
            for entry in held.trust.entries().iter().filter(|e| e.roles().contains(&Role::Witness)) {
                for name in entry.principals() {
                    let Some(time_s) = cosigned(signed, name, entry.key()) else { continue };
                    let standing = held.trust.standing(entry.key(), Role::Witness, Some(time_s));
                    if matches!(standing, Standing::Trusted(_)) && time_s <= held.now_s {
                        seen.push((head.size, time_s));
                    }
                }
            }
        }
        let latest = seen.iter().map(|(size, time)| (*time, *size)).max();
        Ok(Self { seen, latest })
    }

    /// The earliest time at which a witness saw an entry.
    fn of_entry(&self, index: u64) -> Option<i64> {
        self.seen.iter().filter(|(size, _)| *size > index).map(|(_, time)| *time).min()
    }
}

/// When a witness cosigned; `None` where it did not, or its cosignature is false.
fn cosigned(signed: &SignedCheckpoint, name: &str, key: &PublicKey) -> Option<i64> {
    let found = signed.cosignatures(&[(name, key)]).ok()?;
    i64::try_from(found.first()?.time_s).ok()
}

/// A key that was revoked.
struct Revoked {
    since: Time,
    /// Whether it was compromised: then what it signed may be backdated.
    compromised: bool,
    /// Index of the revocation in the log.
    first: u64,
}

/// Revoked keys, by SHA-256 of their wire form. One that is not for compromise counts from its own time on.
fn revocations(told: &[Told<'_>]) -> BTreeMap<Sha256Digest, Vec<Revoked>> {
    let mut revoked: BTreeMap<Sha256Digest, Vec<Revoked>> = BTreeMap::new();
    for one in told {
        let Some(event) = one.event.filter(|e| e.event_type == EventType::Revocation) else { continue };
        let (since, compromised) = match event.details {
            Details::Revocation { since } => (since, true),
            _ => (one.time, false),
        };
        for key in &one.statement.subject {
            let known = revoked.entry(key.sha256()).or_default();
            known.push(Revoked { since, compromised, first: one.first });
        }
    }
    revoked
}

struct Judge<'a> {
    held: &'a Held<'a>,
    witness: &'a Witness,
    revoked: &'a BTreeMap<Sha256Digest, Vec<Revoked>>,
    one: &'a Told<'a>,
}

impl Judge<'_> {
    fn entries(&self) -> impl Iterator<Item = &crate::trust::Entry> {
        self.held.trust.entries().iter().filter(|entry| {
            let fingerprint = entry.key().fingerprint();
            self.one.envelope.signatures.iter().any(|s| s.keyid == fingerprint)
        })
    }

    /// Every signature by a known key is true, and some known key signed.
    fn signatures(&self) -> Result<(), AttributionError> {
        let (at, what) = (self.one.at, self.one.what);
        let mut known = false;
        for entry in self.entries() {
            known = true;
            if self.one.envelope.signed_by(entry.key()).is_none() {
                return Err(AttributionError::Signature { at, what, signer: entry.key().fingerprint() });
            }
        }
        if known { Ok(()) } else { Err(AttributionError::UnknownSigner { at, what }) }
    }

    /// Some key signed that held one of these roles then.
    fn needs(&self, roles: &[Role]) -> Result<(), AttributionError> {
        let one = self.one;
        let mut against = None;
        for entry in self.entries() {
            for role in roles.iter().filter(|role| entry.roles().contains(role)) {
                match self.held_then(entry.key(), *role) {
                    Ok(()) => return Ok(()),
                    Err(error) => against = Some(error),
                }
            }
        }
        let role = roles.first().copied().unwrap_or(Role::Node);
        Err(against.unwrap_or(AttributionError::Role { at: one.at, what: one.what, role }))
    }

    /// Whether a key held a role at the time that the statement gives, so far as that can be known.
    fn held_then(&self, key: &PublicKey, role: Role) -> Result<(), AttributionError> {
        let one = self.one;
        let (at, what, signer) = (one.at, one.what, key.fingerprint());
        let seen = self.witness.of_entry(one.first);
        let revoked = self.revoked.get(&Sha256Digest::of(&key.wire())).into_iter().flatten();
        // a key may sign its own revocation
        for revoked in revoked.filter(|revoked| revoked.first != one.first) {
            if one.time >= revoked.since || one.first > revoked.first {
                return Err(AttributionError::Revoked { at, what, signer, since: revoked.since.to_string() });
            }
            if revoked.compromised && seen.is_none_or(|seen| seen >= revoked.since.as_second()) {
                return Err(AttributionError::Unwitnessed { at, what, signer });
            }
        }
        // nothing was signed later than now, whatever a signer's clock says
        let then_s = one.time.as_second().min(self.held.now_s);
        let Standing::Trusted(entry) = self.held.trust.standing(key, role, Some(then_s)) else {
            return Err(AttributionError::NotValidThen { at, what, signer, time: one.time.to_string() });
        };
        let ended = entry.validity().before.filter(|before| *before <= self.held.now_s);
        match ended {
            Some(end) if seen.is_none_or(|seen| seen >= end) => {
                Err(AttributionError::Unwitnessed { at, what, signer })
            }
            _ => Ok(()),
        }
    }

    /// Whether the seal of the bag stands for the signature of its disclosure.
    fn seals(&self, presented: &Presented<'_>) -> bool {
        let roles = [presented.releases, Role::Releaser];
        roles.iter().any(|role| self.held_then(&presented.sealer, *role).is_ok())
    }
}

/// Every entry of the log has its statement, or is withheld by the bag's disclosure, or erased.
fn coverage(presented: &Presented<'_>, told: &[Told<'_>]) -> Result<(u64, u64), AttributionError> {
    let Some(Details::Disclosure { withheld, .. }) = told.last().and_then(|t| Some(&t.event?.details)) else {
        return Err(AttributionError::NoDisclosure);
    };
    let mut covered: BTreeSet<u64> = BTreeSet::new();
    let mut erased: Vec<&Ranges> = Vec::new();
    for one in told {
        covered.extend(one.first..one.first + one.envelope.signatures.len() as u64);
        if let Some(Details::Erasure { leaves, .. }) = one.event.map(|e| &e.details) {
            erased.push(leaves);
        }
    }
    let (mut withheld_count, mut erased_count) = (0, 0);
    for index in (0..presented.leaves.len() as u64).filter(|index| !covered.contains(index)) {
        match () {
            () if erased.iter().any(|leaves| leaves.contains(index)) => erased_count += 1,
            () if withheld.contains(index) => withheld_count += 1,
            () => return Err(AttributionError::Missing { index }),
        }
    }
    Ok((withheld_count, erased_count))
}
