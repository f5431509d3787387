//! Who did what: the statements of acts, made durable with the acts themselves.
//!
//! Every act of a case goes through a [`Scribe`], who holds the lock and the node's key. The shapes
//! are docs/provenance.md, "Statements".

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use comity_provenance::record_tree;
use comity_provenance::statement::{
    Actor, BuildDefinition, BuildMetadata, BuildType, Builder, Clock, Consulted, CustodyEvent, Descriptor,
    Details, EventId, EventType, Handling, LegalBasis, Method, Nonce, Predicate, Provenance, RecordTree,
    RunDetails, Statement,
};
use comity_provenance::trust::Role;
use comity_provenance::{Envelope, PublicKey, SecretKey, Sha256Digest, Sha256Hasher};
use comity_store::case::{
    Case, EvidenceIntake, FeedIntake, FeedRecord, Lock, Member, MemberRole, NewKeys, Normalised, Shelf,
};
use comity_store::durable::Stage;
use comity_store::journal::{self, Move};
use comity_store::record_tree::TREE_FILE;
use comity_store::{StoreError, evidence, feed, observables};
use serde::Serialize;
use serde_json::Value;

use crate::dossier::entries;
use crate::intake::{ALLOW_LIST_RECORD, AllowListRecord, FEED_RECORD, INTAKE, NORMALISED};
use crate::progress::Progress;
use crate::run::{COMMIT, DEFINITION, Details as Ran, Report};
use crate::{JobError, chance, clock, user_dir};

/// Name of the record of a membership.
pub(crate) const CASE_MEMBER: &str = "member.json";
/// Names of the records that a run's statement holds whole.
pub(crate) const CASE_RECORD: &str = "case.json";
/// The same, of what did not work.
pub(crate) const PROBLEMS: &str = "problems.json";
/// The same, of what was counted.
const COUNTS: &str = "counts.json";
/// Annotations of a run's outputs.
pub(crate) const ROWS: &str = "rows";
/// Annotation with the size of the file.
pub(crate) const BYTES: &str = "bytes";
/// Annotation with the logical digest.
pub(crate) const LOGICAL: &str = "logicalSha256";
/// Framing of the tree over a feed's indicators.
pub(crate) const LINES_FRAMING: &str = "comity-rows/v1";

/// Keys of a new case.
pub(crate) fn new_keys() -> NewKeys {
    NewKeys { node: SecretKey::from_seed(chance::bytes()), log: SecretKey::from_seed(chance::bytes()) }
}

/// Does something in a case: under its lock, with its scribe; then the log is brought up to it.
///
/// # Errors
/// Where the case can't be written, or `act` fails; what it did until then is logged all the same.
pub fn acting<T>(
    case: &Case,
    progress: &dyn Progress,
    act: impl FnOnce(&Scribe<'_>) -> Result<T, JobError>,
) -> Result<T, JobError> {
    let lock =
        case.lock(&mut |holder| progress.note(&format!("waiting for the case's lock, held by {holder}")))?;
    let scribe = Scribe { case, node: case.node_key()?, _lock: lock };
    let done = act(&scribe);
    let logged = journal::catch_up(case);
    let done = done?;
    logged?;
    Ok(done)
}

/// Writes the statements of a case, and makes its acts durable.
#[derive(Debug)]
pub struct Scribe<'a> {
    case: &'a Case,
    node: SecretKey,
    _lock: Lock,
}

/// What was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Looked<'a> {
    /// A question in SQL.
    Sql { query: &'a str, run: Option<Sha256Digest> },
    /// The findings of a run.
    Findings { run: Sha256Digest },
    /// The report of a run.
    Report { run: Sha256Digest },
    /// A record of an evidence item.
    Record { id: Sha256Digest, record: u64 },
}

/// What an act of custody says, besides what every one says.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) event: EventType,
    pub(crate) subject: Vec<Descriptor>,
    pub(crate) details: Details,
    pub(crate) records: Vec<Descriptor>,
    pub(crate) recipient: Option<String>,
    pub(crate) legal_basis: Option<String>,
    pub(crate) tlp: Option<String>,
    pub(crate) pap: Option<String>,
    /// Who acts, where it is not the node alone.
    pub(crate) member: Option<&'a Member>,
}

impl Draft<'_> {
    pub(crate) fn new(event: EventType, subject: Vec<Descriptor>, details: Details) -> Self {
        Self {
            event,
            subject,
            details,
            records: Vec::new(),
            recipient: None,
            legal_basis: None,
            tlp: None,
            pap: None,
            member: None,
        }
    }
}

impl<'a> Scribe<'a> {
    /// The case.
    pub fn case(&self) -> &'a Case {
        self.case
    }

    /// Makes an act durable.
    pub(crate) fn commit(&self, statements: &[Envelope], moves: Vec<Move>) -> Result<(), JobError> {
        Ok(journal::commit(self.case, statements, moves)?)
    }

    /// The statement of an act of custody, signed by the node and by whoever else has to.
    pub(crate) fn event(&self, draft: Draft<'_>, keys: &[&SecretKey]) -> Result<Envelope, JobError> {
        let identity = self.case.identity();
        let actor = match draft.member {
            Some(member) => Actor {
                id: member.name.clone(),
                role: role_of(member.role),
                organisation: Some(member.organisation.clone()),
                jurisdiction: Some(member.jurisdiction.clone()),
            },
            None => Actor {
                id: self.node.public().fingerprint(),
                role: Role::Node,
                organisation: None,
                jurisdiction: identity.jurisdiction.clone(),
            },
        };
        let legal_basis = |instrument| LegalBasis { instrument, reference: None, digest: None };
        let (tlp, pap) = (draft.tlp, draft.pap);
        let event = CustodyEvent {
            event_id: EventId::new(chance::bytes()),
            nonce: Nonce::new(chance::bytes()),
            event_type: draft.event,
            time: clock::time()?,
            clock: Clock::System,
            actor,
            case_id: identity.id.clone(),
            purpose: identity.purpose.clone().unwrap_or_default(),
            recipient: draft.recipient,
            legal_basis: draft.legal_basis.map(legal_basis),
            handling: tlp.map(|tlp| Handling { tlp, pap, caveats: Vec::new() }),
            retention: None,
            decision: None,
            method: Some(method()),
            records: draft.records,
            details: draft.details,
        };
        self.sign(draft.subject, Predicate::Custody(Box::new(event)), keys)
    }

    fn sign(
        &self,
        subject: Vec<Descriptor>,
        predicate: Predicate,
        keys: &[&SecretKey],
    ) -> Result<Envelope, JobError> {
        let statement = Statement { subject, predicate };
        let mut signers = vec![&self.node];
        signers.extend(keys);
        Ok(Envelope::sign(statement.to_bytes()?, &signers)?)
    }

    /// An evidence item was handed in.
    pub(crate) fn evidence_collected(
        &self,
        item: &Normalised,
        intake: &EvidenceIntake,
        tree: &record_tree::BlockTree,
    ) -> Result<Envelope, JobError> {
        let told = EvidenceIntake { source: Default::default(), ..intake.clone() };
        let mut draft = collection(Shelf::Evidence, &item.id, Some((&item.framing, tree)));
        draft.records = vec![record(INTAKE, &told)?];
        draft.legal_basis.clone_from(&intake.legal_basis);
        draft.tlp = intake.tlp.map(|t| t.to_string());
        draft.pap = intake.pap.map(|p| p.to_string());
        self.event(draft, &[])
    }

    /// A feed was handed in.
    pub(crate) fn feed_collected(
        &self,
        item: &FeedRecord,
        intake: &FeedIntake,
        tree: &record_tree::BlockTree,
    ) -> Result<Envelope, JobError> {
        let told = FeedIntake { source: Default::default(), ..intake.clone() };
        let mut draft = collection(Shelf::Feeds, &item.id, Some((LINES_FRAMING, tree)));
        draft.records = vec![record(INTAKE, &told)?];
        draft.tlp = intake.tlp.map(|t| t.to_string());
        self.event(draft, &[])
    }

    /// An allow-list was handed in.
    pub(crate) fn allow_list_collected(&self, item: &AllowListRecord) -> Result<Envelope, JobError> {
        let mut draft = collection(Shelf::AllowLists, &item.id, None);
        draft.records = vec![record(ALLOW_LIST_RECORD, item)?];
        self.event(draft, &[])
    }

    /// Something was looked at: an act without anything to put into place.
    pub(crate) fn consulted(&self, looked: Looked<'_>) -> Result<(), JobError> {
        let (what, query, run) = match looked {
            Looked::Sql { query, run } => (Consulted::Sql, query.to_owned(), run),
            Looked::Findings { run } => (Consulted::Findings, String::new(), Some(run)),
            Looked::Report { run } => (Consulted::Report, String::new(), Some(run)),
            Looked::Record { id, record } => (Consulted::Record, format!("{id}:{record}"), None),
        };
        let asked = Descriptor::new("query", Sha256Digest::of(query.as_bytes()));
        let details = Details::Consultation { what, query, run };
        let statement = self.event(Draft::new(EventType::Consultation, vec![asked], details), &[])?;
        self.commit(&[statement], Vec::new())
    }

    /// An original was read into tables with these digests.
    pub(crate) fn normalised(&self, item: &Normalised, files: &[FileDigest]) -> Result<Envelope, JobError> {
        self.read_into(Shelf::Evidence, &item.id, record(NORMALISED, item)?, files)
    }

    /// A feed was read into tables with these digests.
    pub(crate) fn feed_normalised(
        &self,
        item: &FeedRecord,
        files: &[FileDigest],
    ) -> Result<Envelope, JobError> {
        self.read_into(Shelf::Feeds, &item.id, record(FEED_RECORD, item)?, files)
    }

    fn read_into(
        &self,
        shelf: Shelf,
        id: &Sha256Digest,
        came_of_it: Descriptor,
        files: &[FileDigest],
    ) -> Result<Envelope, JobError> {
        let table =
            |(file, sha256): &FileDigest| Descriptor::new(format!("{}/{id}/{file}", shelf.as_str()), *sha256);
        let subject = files.iter().map(table).collect();
        let case_id = Value::from(self.case.identity().id.clone());
        let now = clock::time()?;
        let provenance = Provenance {
            build_definition: BuildDefinition {
                build_type: BuildType::Normalise,
                external_parameters: BTreeMap::from([("caseId".to_owned(), case_id)]),
                internal_parameters: nonce(),
                resolved_dependencies: vec![item(shelf, id)],
            },
            run_details: RunDetails {
                builder: self.builder(),
                metadata: BuildMetadata { invocation_id: id.to_string(), started_on: now, finished_on: now },
                byproducts: vec![came_of_it],
            },
        };
        self.sign(subject, Predicate::Provenance(Box::new(provenance)), &[])
    }

    fn builder(&self) -> Builder {
        let version = [("comity", env!("CARGO_PKG_VERSION")), ("commit", COMMIT.unwrap_or("unknown"))];
        let version = version.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Builder::of(&self.node.public(), BTreeMap::from(version))
    }

    /// A run was made.
    pub(crate) fn correlated(
        &self,
        definition: &Value,
        details: &Ran,
        report: &Report,
        stage: &Stage,
        program: ProgramDigest,
    ) -> Result<Envelope, JobError> {
        let mut subject = Vec::new();
        for output in &details.outputs {
            let (sha256, bytes) = file_digest(&stage.path().join(&output.path))?;
            let table = Descriptor::new(format!("results/{}.parquet", output.name), sha256)
                .with_annotation(ROWS, output.rows.to_string())
                .with_annotation(BYTES, bytes.to_string())
                .with_annotation(LOGICAL, output.logical_sha256.to_string());
            subject.push(table);
        }
        let problems: Vec<&str> = details.problems.iter().map(|p| p.message.as_str()).collect();
        let mut internal = nonce();
        internal.insert("threads".into(), details.threads.to_string().into());
        internal.insert("tables".into(), in_text(definition.get("tables").unwrap_or(&Value::Null)));
        let correlations = in_text(definition.get("correlations").unwrap_or(&Value::Null));
        let case_id = Value::from(details.job.case.id.clone());
        let provenance = Provenance {
            build_definition: BuildDefinition {
                build_type: BuildType::Correlate,
                external_parameters: BTreeMap::from([
                    ("caseId".to_owned(), case_id),
                    ("correlations".to_owned(), correlations),
                ]),
                internal_parameters: internal,
                resolved_dependencies: dependencies(definition, program)?,
            },
            run_details: RunDetails {
                builder: self.builder(),
                metadata: BuildMetadata {
                    invocation_id: details.run_id.to_string(),
                    started_on: clock::time_of(&details.started_at)?,
                    finished_on: clock::time_of(&details.finished_at)?,
                },
                byproducts: vec![
                    Descriptor::new(DEFINITION, details.run_id),
                    record(CASE_RECORD, &details.job.case)?,
                    record(COUNTS, &counts(report))?,
                    record(PROBLEMS, &problems)?,
                ],
            },
        };
        self.sign(subject, Predicate::Provenance(Box::new(provenance)), &[])
    }
}

/// This program, as acts name what they were done with.
pub(crate) fn method() -> Method {
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or("unknown"));
    Method { tool: "comity".into(), version, settings_digest: None }
}

/// The role that a member's key has in trust files.
pub(crate) const fn role_of(role: MemberRole) -> Role {
    match role {
        MemberRole::Custodian => Role::Custodian,
        MemberRole::Analyst => Role::Analyst,
        MemberRole::Submitter => Role::Submitter,
        MemberRole::Releaser => Role::Releaser,
        MemberRole::Auditor => Role::Auditor,
    }
}

fn collection(
    shelf: Shelf,
    id: &Sha256Digest,
    tree: Option<(&str, &record_tree::BlockTree)>,
) -> Draft<'static> {
    let details = match tree {
        None => Details::default(),
        Some((framing, tree)) => Details::Collection {
            record_tree: RecordTree { framing: framing.to_owned(), records: tree.records, root: tree.root },
        },
    };
    Draft::new(EventType::Collection, vec![item(shelf, id)], details)
}

/// An item as statements name it.
pub(crate) fn item(shelf: Shelf, id: &Sha256Digest) -> Descriptor {
    Descriptor::new(format!("{}/{id}", shelf.as_str()), *id)
}

/// A record of the case, whole, as a statement holds it.
pub(crate) fn record(name: &str, record: &impl Serialize) -> Result<Descriptor, JobError> {
    let bytes = serde_json::to_vec(record).map_err(|e| StoreError::json(name.as_ref(), e))?;
    Ok(Descriptor::of(name, bytes))
}

fn nonce() -> BTreeMap<String, Value> {
    BTreeMap::from([("nonce".to_owned(), Value::from(Nonce::new(chance::bytes()).to_string()))])
}

/// The items that a definition names.
pub(crate) fn dependency_names(definition: &Value) -> BTreeMap<String, Sha256Digest> {
    let shelves =
        [("evidence", Shelf::Evidence), ("feeds", Shelf::Feeds), ("allow_lists", Shelf::AllowLists)];
    let named = shelves.into_iter().flat_map(|(list, shelf)| {
        entries(definition, list).map(move |(id, _)| (format!("{}/{id}", shelf.as_str()), id))
    });
    named.collect()
}

/// What a run depended on, and the program that made it.
fn dependencies(definition: &Value, program: ProgramDigest) -> Result<Vec<Descriptor>, JobError> {
    let named = dependency_names(definition).into_iter();
    let mut all: Vec<Descriptor> = named.map(|(name, id)| Descriptor::new(name, id)).collect();
    // none where the system does not say which file this program is
    if let Some(digest) = program.0.join().unwrap_or_else(|panic| resume_unwind(panic)) {
        all.push(Descriptor::new("comity", digest?));
    }
    Ok(all)
}

/// The digest of this program, taken while a run is made: a hunt may take less time.
#[derive(Debug)]
pub(crate) struct ProgramDigest(JoinHandle<Option<Result<Sha256Digest, JobError>>>);

impl ProgramDigest {
    pub(crate) fn begin() -> Self {
        let memory = || user_dir("XDG_CACHE_HOME", ".cache").map(|dir| dir.join("comity/program"));
        let program = || std::env::current_exe().ok();
        Self(thread::spawn(move || Some(program_digest(&program()?, memory(), clock::now_s()))))
    }
}

/// The digest of a program's file, remembered for the file as it is: its place on the disk, its length and the
/// times of its last changes, which no one but the system's administrator can set back.
fn program_digest(program: &Path, memory: Option<PathBuf>, now_s: i64) -> Result<Sha256Digest, JobError> {
    let state = || {
        let of = fs::metadata(program).map_err(|e| StoreError::io(program, e))?;
        let place = [of.dev(), of.ino(), of.len()].map(|n| n.to_string()).join(" ");
        // a change within the clock's last tick would not show
        let settled = now_s - of.ctime() > 10;
        let state =
            format!("{place} {}.{:09} {}.{:09}", of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec());
        Ok::<_, StoreError>((state, settled))
    };
    let (before, settled) = state()?;
    let remembered = memory.as_deref().and_then(|memory| fs::read_to_string(memory).ok());
    if let Some(known) =
        remembered.as_deref().and_then(|text| text.strip_prefix(&before)?.trim().parse().ok())
    {
        return Ok(known);
    }
    let (digest, _) = file_digest(program)?;
    if let Some(memory) = memory.filter(|_| settled && state().is_ok_and(|(after, _)| after == before)) {
        // what can't be remembered is taken again
        let _ = remember(&memory, &format!("{before} {digest}\n"));
    }
    Ok(digest)
}

fn remember(memory: &Path, text: &str) -> io::Result<()> {
    let dir = memory.parent().unwrap_or(memory);
    fs::create_dir_all(dir)?;
    let new = dir.join(format!("program.{}", std::process::id()));
    fs::write(&new, text)?;
    fs::rename(&new, memory)
}

fn counts(report: &Report) -> BTreeMap<&'static str, String> {
    let not_seen = report.outputs.iter().find(|o| o.name == "not-seen").map_or(0, |o| o.rows);
    let numbers = [
        ("events", report.evidence.iter().map(|e| e.events).sum()),
        ("rejects", report.evidence.iter().map(|e| e.rejects).sum()),
        ("indicators", report.feeds.iter().map(|f| f.indicators).sum()),
        ("sightings", report.sightings),
        ("notSeen", not_seen),
    ];
    numbers.into_iter().map(|(name, number): (_, u64)| (name, number.to_string())).collect()
}

/// Integers of a JSON value as decimal text: protobuf readers lose those above 2^53.
fn in_text(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Array(items) => items.iter().map(in_text).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), in_text(value))).collect())
        }
        other => other.clone(),
    }
}

/// A file of an item, and its digest.
pub(crate) type FileDigest = (&'static str, Sha256Digest);

/// The tables of an evidence item that its statement names.
pub(crate) const EVIDENCE_TABLES: &[&str] =
    &[evidence::EVENTS_FILE, observables::OBSERVABLES_FILE, evidence::REJECTS_FILE, TREE_FILE];
/// The tables of a feed that its statement names.
pub(crate) const FEED_TABLES: &[&str] = &[feed::INDICATORS_FILE, evidence::REJECTS_FILE];

/// The digests of staged files.
pub(crate) fn file_digests(stage: &Stage, files: &[&'static str]) -> Result<Vec<FileDigest>, JobError> {
    files.iter().map(|file| Ok((*file, file_digest(&stage.path().join(file))?.0))).collect()
}

/// SHA-256 and length of a file.
pub(crate) fn file_digest(path: &Path) -> Result<(Sha256Digest, u64), JobError> {
    let wrap = |e| StoreError::io(path, e);
    let mut file = File::open(path).map_err(wrap)?;
    let (mut hasher, mut bytes) = (Sha256Hasher::default(), 0);
    let mut block = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut block).map_err(wrap)?;
        if count == 0 {
            return Ok((hasher.finish(), bytes));
        }
        hasher.update(block.get(..count).unwrap_or_default());
        bytes += count as u64;
    }
}

/// The member whose key it is.
pub(crate) fn member_of<'a>(case: &'a Case, key: &PublicKey) -> Option<&'a Member> {
    case.identity().members.iter().find(|m| m.key == *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_program_is_remembered_while_its_file_is_the_same() {
        let scratch = tempfile::tempdir().unwrap();
        let (program, memory) = (scratch.path().join("program"), scratch.path().join("cache/program"));
        let digest = |now_s| program_digest(&program, Some(memory.clone()), now_s).unwrap();
        fs::write(&program, "one").unwrap();
        let one = Sha256Digest::of(b"one");
        assert_eq!(digest(clock::now_s()), one);
        assert!(!memory.exists(), "a file that was just written may change unseen");
        let later = clock::now_s() + 60;
        assert_eq!(digest(later), one);
        let (known, other) = (fs::read_to_string(&memory).unwrap(), Sha256Digest::of(b"other"));
        fs::write(&memory, known.replace(&one.to_string(), &other.to_string())).unwrap();
        assert_eq!(digest(later), other, "what is remembered is not taken again");
        fs::write(&program, "two").unwrap();
        assert_eq!(digest(later), Sha256Digest::of(b"two"));
    }
}
