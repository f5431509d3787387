//! `comity bag create`: a run, or feeds, as a package that another jurisdiction can check.
//!
//! What goes in is docs/provenance.md, "The bag". The bag is filled beside its place and appears there in
//! one step. Its disclosure is stated and logged before; the same disclosure made again is
//! the statement made before, so the bag has the same payload, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use comity_export::{self as export, Dossier, FileFacts};
use comity_model::Tlp;
pub use comity_provenance::bag::BagKind;
use comity_provenance::bag::{self, BagInfo, PayloadFile};
use comity_provenance::log::SignedCheckpoint;
use comity_provenance::record_tree::{ProvenRecord, Salts};
use comity_provenance::statement::{
    CustodyEvent, Descriptor, Details, EventType, Predicate, Ranges, RecordTree, Statement,
};
use comity_provenance::{Envelope, PublicKey, SecretKey, Sha256Digest, log, merkle, seal};
use comity_store::case::{Case, Member, MemberRole, Shelf};
use comity_store::durable::Stage;
use comity_store::feed::{self, BadLine};
use comity_store::journal::{self, Line, Log};
use comity_store::{StoreError, evidence, record_tree, tables};
use serde_json::Value;

use crate::custody::{self, Draft, Scribe, file_digest};
use crate::disclose::{self, Committed, Wanted};
use crate::dossier::{self, Named};
use crate::intake::{EvidenceItem, FeedItem};
use crate::progress::Progress;
use crate::run::DEFINITION;
use crate::steps::plain_text;
use crate::told::{self, Told};
use crate::{JobError, feeds, reproduce, show};

/// Namespace of the seal.
pub const NAMESPACE: &str = "comity-evidence";
/// Name of the seal in a bag.
pub const SEAL: &str = "tagmanifest-sha256.txt.sig";
/// Where the statements lie in a bag.
pub const STATEMENTS: &str = "data/attestations/statements.intoto.jsonl";
/// Name of the RO-Crate's description.
pub(crate) const RO_CRATE: &str = "ro-crate-metadata.json";
/// Tables that name indicators that were not seen; a findings bag is without them.
pub(crate) const NOT_IN_FINDINGS: [&str; 2] = ["not-seen", "allow-listed"];

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// What the bag holds.
    pub kind: BagKind,
    /// The run, by the beginning of its id; the last where nothing is said. Of no meaning for a feed bag.
    pub run: Option<&'a str>,
    /// Whom it is for.
    pub recipient: &'a str,
    /// The key of the one who releases it: a private key of OpenSSH's, or the public one of a key that
    /// `ssh-keygen` signs with (in an agent, on a token, behind a passphrase).
    pub key: &'a Path,
    /// Where the bag goes: a directory that is not there yet.
    pub out: &'a Path,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Created {
    /// The bag.
    pub bag: PathBuf,
    /// What it holds.
    pub kind: &'static str,
    /// The run.
    pub run_id: Option<Sha256Digest>,
    /// Payload files and their bytes.
    pub files: u64,
    /// Bytes of the payload.
    pub bytes: u64,
    /// SHA-256 of the tag manifest, which stands for the whole bag.
    pub tagmanifest_sha256: Sha256Digest,
    /// Records disclosed, with those that are context only.
    pub records: u64,
    /// Strictest marking of what went in.
    pub tlp: Option<Tlp>,
}

/// The one who releases a bag.
struct Releaser<'a> {
    member: &'a Member,
    /// Where comity itself can sign with it.
    key: Option<SecretKey>,
    file: &'a Path,
}

/// Makes a bag.
///
/// # Errors
/// Where the key is no releaser's of the case, an original is not at hand or not the evidence, or the
/// disk refuses.
pub fn create(case: &Case, order: &Order<'_>, progress: &dyn Progress) -> Result<Created, JobError> {
    if fs::symlink_metadata(order.out).is_ok() {
        return Err(StoreError::io(order.out, std::io::ErrorKind::AlreadyExists.into()).into());
    }
    plain_text("recipient", order.recipient)?;
    let releaser = releaser(case, order)?;
    custody::acting(case, progress, |scribe| {
        journal::catch_up(case)?;
        let statements = Statements::read(case)?;
        let stage = stage_beside(order.out)?;
        let mut filling =
            Filling { case, order, stage, statements, progress, files: BTreeMap::new(), records: 0 };
        let packed = filling.fill()?;
        filling.finish(scribe, &releaser, packed)
    })
}

fn releaser<'a>(case: &'a Case, order: &Order<'a>) -> Result<Releaser<'a>, JobError> {
    let (public, key) = keys_of(order.key)?;
    let role = if order.kind == BagKind::Feed { MemberRole::Submitter } else { MemberRole::Releaser };
    let member =
        custody::member_of(case, &public).filter(|m| m.role == role || m.role == MemberRole::Releaser);
    let member = member.ok_or_else(|| JobError::Refused {
        message: format!(
            "{}: {} is no {} of this case, and a package needs one",
            order.key.display(),
            public.fingerprint(),
            role.as_str()
        ),
        hint: format!(
            "`comity member list` shows who is; `comity member add --role {} …` adds one",
            role.as_str()
        ),
    })?;
    Ok(Releaser { member, key, file: order.key })
}

/// The public key of a key file, and the private one where it can be read.
pub(crate) fn keys_of(path: &Path) -> Result<(PublicKey, Option<SecretKey>), JobError> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|e| StoreError::io(path, e));
    let text = read(path)?;
    let wrap = |source| StoreError::Key { path: path.to_owned(), source };
    if !text.contains("PRIVATE KEY") {
        return Ok((text.parse().map_err(wrap)?, None));
    }
    match SecretKey::from_openssh(&text) {
        Ok(key) => Ok((key.public(), Some(key))),
        Err(source) => {
            // behind a passphrase: its public half lies beside it, and ssh-keygen asks
            let beside = PathBuf::from(format!("{}.pub", path.display()));
            match fs::read_to_string(&beside) {
                Ok(text) => Ok((text.parse().map_err(wrap)?, None)),
                Err(_) => Err(wrap(source).into()),
            }
        }
    }
}

/// A stage beside the place of a bag; one that a crash left there is swept.
pub(crate) fn stage_beside(out: &Path) -> Result<Stage, JobError> {
    let name = out.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let partial = format!(".{name}.partial");
    for entry in fs::read_dir(parent).map_err(|e| StoreError::io(parent, e))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&partial) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(Stage::new(parent, &partial)?)
}

/// The statements of a case, with the index of the first leaf of each.
pub(crate) struct Statements {
    pub(crate) lines: Vec<(u64, u64, Envelope, Statement)>,
    /// Leaves of statements that were erased.
    pub(crate) size: u64,
}

impl Statements {
    pub(crate) fn read(case: &Case) -> Result<Self, JobError> {
        let mut lines = Vec::new();
        let size = journal::read_statements(case, 0, 0, &mut |first, line, leaves| {
            if let Line::Statement(envelope) = line {
                let statement = Statement::parse(&envelope.payload).map_err(|e| StoreError::Integrity {
                    path: case.path().join("attestations"),
                    message: e.to_string(),
                })?;
                lines.push((first, leaves.len() as u64, envelope, statement));
            }
            Ok(())
        })?;
        Ok(Self { lines, size })
    }

    pub(crate) fn told(&self) -> Result<Told, JobError> {
        Ok(Told::of(self.lines.iter().map(|l| &l.3))?)
    }
}

/// A bag being filled.
struct Filling<'a> {
    case: &'a Case,
    order: &'a Order<'a>,
    stage: Stage,
    statements: Statements,
    progress: &'a dyn Progress,
    /// The payload: path under `data/`, digest, size.
    files: BTreeMap<String, (Sha256Digest, u64)>,
    records: u64,
}

/// What went into a bag.
struct Packed {
    run_id: Option<Sha256Digest>,
    dossier: Dossier,
    /// Items whose statements go in.
    items: BTreeSet<Sha256Digest>,
}

impl Filling<'_> {
    fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), JobError> {
        self.stage.write(&format!("data/{path}"), bytes)?;
        self.files.insert(path.to_owned(), (Sha256Digest::of(bytes), bytes.len() as u64));
        Ok(())
    }

    fn copy(&mut self, path: &str, from: &Path) -> Result<(Sha256Digest, u64), JobError> {
        let mut source = fs::File::open(from).map_err(|e| StoreError::io(from, e))?;
        let mut to = self.stage.create(&format!("data/{path}"))?;
        std::io::copy(&mut source, &mut to).map_err(|e| StoreError::io(&self.stage.path().join(path), e))?;
        let found = file_digest(&self.stage.path().join("data").join(path))?;
        self.files.insert(path.to_owned(), found);
        Ok(found)
    }

    fn fill(&mut self) -> Result<Packed, JobError> {
        let told = self.statements.told()?;
        let mut packed = match self.order.kind {
            BagKind::Feed => self.fill_feeds(&told)?,
            BagKind::Full | BagKind::Findings => self.fill_run(&told)?,
        };
        packed.dossier.node = Some(self.node()?);
        let guide = comity_export::verify_md(&packed.dossier);
        self.add("VERIFY.md", guide.as_bytes())?;
        Ok(packed)
    }

    fn node(&self) -> Result<String, JobError> {
        Ok(self.case.node_key()?.public().fingerprint())
    }

    fn fill_feeds(&mut self, told: &Told) -> Result<Packed, JobError> {
        let holdings = show::holdings(self.case)?.items;
        let mut named = Named::default();
        for feed in &holdings.feeds {
            self.feed_original(feed)?;
            named.feeds.push(FeedItem { item: PathBuf::new(), originals: Vec::new(), ..feed.clone() });
        }
        if named.feeds.is_empty() {
            return Err(JobError::Nothing("the case holds no feed".into()));
        }
        let mut dossier = dossier::of_items(export::BagKind::Feed, told, &named);
        let identity = self.case.identity();
        dossier.case.id.clone_from(&identity.id);
        dossier.case.title.clone_from(&identity.title);
        dossier.case.jurisdiction = identity.jurisdiction.clone().unwrap_or_default();
        dossier.case.purpose = identity.purpose.clone().unwrap_or_default();
        let items = named.feeds.iter().map(|f| f.record.id).collect();
        Ok(Packed { run_id: None, dossier, items })
    }

    fn feed_original(&mut self, feed: &FeedItem) -> Result<(), JobError> {
        let id = feed.record.id;
        let original = show::kept_original(&feed.item)?;
        let copied = self.copy(&format!("inputs/feeds/{id}/original"), &original)?;
        not_other(&original, copied.0, id)?;
        self.secret(Shelf::Feeds, id)
    }

    fn secret(&mut self, shelf: Shelf, id: Sha256Digest) -> Result<(), JobError> {
        let from = self.case.item(shelf, &id).join(record_tree::SECRET_FILE);
        self.copy(&format!("inputs/{}/{id}/{}", shelf.as_str(), record_tree::SECRET_FILE), &from)?;
        Ok(())
    }

    fn fill_run(&mut self, told: &Told) -> Result<Packed, JobError> {
        let run_id = reproduce::chosen_run(self.case, self.order.run)?;
        let place = self.case.item(Shelf::Runs, &run_id);
        self.copy(DEFINITION, &place.join(DEFINITION))?;
        let definition: Value = Case::record(&place, DEFINITION)?.unwrap_or_default();
        let wrong = |message| JobError::Run { id: run_id.to_string(), message };
        let run = told.runs.get(&run_id).ok_or_else(|| wrong("no statement tells of it".into()))?;
        let named = Named::find(told, &definition).map_err(wrong)?;
        for output in &run.outputs {
            let left_out = NOT_IN_FINDINGS.contains(&output.table.as_str());
            if self.order.kind == BagKind::Full || !left_out {
                let file = format!("{}.parquet", output.table);
                let copied = self.copy(&format!("results/{file}"), &place.join(&file))?;
                not_other(&place.join(&file), copied.0, output.sha256)?;
            }
        }
        for correlation in definition.get("correlations").and_then(Value::as_array).into_iter().flatten() {
            self.correlation(&place, correlation)?;
        }
        for (id, _) in dossier::entries(&definition, "allow_lists") {
            let original = show::kept_original(&self.case.item(Shelf::AllowLists, &id))?;
            let copied = self.copy(&format!("inputs/allow-lists/{id}/original"), &original)?;
            not_other(&original, copied.0, id)?;
        }
        match self.order.kind {
            BagKind::Full => self.originals(&named)?,
            _ => self.proven(&place, &named, told)?,
        }
        let results = self.stage.path().join("data/results");
        let kind = export_kind(self.order.kind);
        let mut dossier = dossier::of_run(kind, told, run_id, run, &definition, &named, &results)?;
        dossier.node = Some(self.node()?);
        self.add("report.html", comity_export::report_html(&dossier).as_bytes())?;
        self.add("case.jsonld", comity_export::case_jsonld(&dossier).as_bytes())?;
        let ids = |list: &str| dossier::entries(&definition, list).map(|e| e.0).collect::<Vec<_>>();
        let mut items: BTreeSet<Sha256Digest> = ids("evidence").into_iter().collect();
        items.extend(ids("feeds"));
        items.extend(ids("allow_lists"));
        Ok(Packed { run_id: Some(run_id), dossier, items })
    }

    /// The SQL of a correlation, as it was run.
    fn correlation(&mut self, place: &Path, entry: &Value) -> Result<(), JobError> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, digest) = (text("name"), text("sha256"));
        let file = place.join(format!("{name}.sql"));
        let sql = fs::read(&file).map_err(|e| StoreError::io(&file, e))?;
        if Sha256Digest::of(&sql).to_string() != digest {
            let message = "is not the SQL that the run's definition names".into();
            return Err(StoreError::Integrity { path: file, message }.into());
        }
        self.add(&format!("verify/{name}.sql"), &sql)
    }

    /// Originals and secrets, for a full bag.
    fn originals(&mut self, named: &Named) -> Result<(), JobError> {
        for item in &named.evidence {
            let id = item.normalised.id;
            let original = self.evidence_original(item)?;
            self.progress.begin(&original.display().to_string(), Some(item.normalised.bytes));
            let copied = self.copy(&format!("inputs/evidence/{id}/original"), &original)?;
            not_other(&original, copied.0, id)?;
            self.secret(Shelf::Evidence, id)?;
            self.progress.end(&format!("{}: copied", original.display()));
        }
        for feed in &named.feeds {
            let stored = FeedItem { item: self.case.item(Shelf::Feeds, &feed.record.id), ..feed.clone() };
            self.feed_original(&stored)?;
        }
        Ok(())
    }

    /// Where the original of an evidence item lies: in the case, or where it was handed in from.
    fn evidence_original(&self, item: &EvidenceItem) -> Result<PathBuf, JobError> {
        show::evidence_original(self.case, &item.normalised.id)
    }

    /// Records and indicators that the sightings rest on, each with its proof.
    fn proven(&mut self, place: &Path, named: &Named, told: &Told) -> Result<(), JobError> {
        let columns = ["evidence", "record", "indicator_kind", "indicator_value"];
        let sightings = tables::read_some(&place.join("sightings.parquet"), &columns)?;
        let rested = Rested::on(&sightings);
        for item in &named.evidence {
            let id = item.normalised.id;
            let Some(records) = rested.records.get(&id.to_string()) else { continue };
            let shelf = self.case.item(Shelf::Evidence, &id);
            let committed = self.committed(&shelf, record_tree::read(&shelf)?)?;
            check_root(
                &shelf,
                &committed,
                told.evidence.get(&id).and_then(|e| e.tree(&item.normalised.framing)),
            )?;
            let wanted = with_context(&item.normalised.format, &shelf, records)?;
            let original = self.evidence_original(item)?;
            self.progress.begin(&original.display().to_string(), Some(item.normalised.bytes));
            let proven =
                disclose::of_evidence(&item.normalised, &original, &committed, &wanted, self.progress)?;
            self.progress.end(&format!("{}: {} records proven", original.display(), proven.len()));
            self.add_proven(&format!("records/{id}.jsonl"), &proven)?;
        }
        for feed in &named.feeds {
            let id = feed.record.id;
            let shelf = self.case.item(Shelf::Feeds, &id);
            let lines = feeds::indicator_lines(&shelf)?;
            let sorted = lines.sorted();
            let mut wanted = Wanted::new();
            for (number, line) in (1..).zip(&sorted) {
                if rested
                    .needs(line)
                    .map_err(|e| StoreError::Integrity { path: shelf.clone(), message: e.to_string() })?
                {
                    wanted.insert(number, false);
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let tree = feeds::stored_tree(&shelf)?;
            let committed = self.committed(&shelf, tree)?;
            check_root(&shelf, &committed, told.feeds.get(&id).and_then(|f| f.tree(custody::LINES_FRAMING)))?;
            let proven = disclose::of_lines(&shelf, &sorted, &committed, &wanted)?;
            self.add_proven(&format!("indicators/{id}.jsonl"), &proven)?;
        }
        Ok(())
    }

    fn committed(
        &self,
        item: &Path,
        tree: comity_provenance::record_tree::BlockTree,
    ) -> Result<Committed, JobError> {
        let secret = record_tree::secret(item)?.ok_or_else(|| JobError::NotCommitted {
            path: item.to_owned(),
            message: "the secret of its salts is gone: nothing can be proven of it any more".into(),
        })?;
        Ok(Committed { tree, salts: Salts::new(&secret) })
    }

    fn add_proven(&mut self, path: &str, records: &[ProvenRecord]) -> Result<(), JobError> {
        let mut text = String::new();
        for record in records {
            text.push_str(&record.to_line()?);
            text.push('\n');
        }
        self.records += records.len() as u64;
        self.add(path, text.as_bytes())
    }

    /// States the disclosure, writes statements, log and tags, seals, and puts the bag into its place.
    fn finish(
        mut self,
        scribe: &Scribe<'_>,
        releaser: &Releaser<'_>,
        packed: Packed,
    ) -> Result<Created, JobError> {
        let chosen = self.chosen(&packed);
        let (at, disclosure) = self.disclosure(scribe, releaser, &packed, &chosen)?;
        let size = at + disclosure.signatures.len() as u64;
        let mut text = String::new();
        for number in &chosen {
            text.push_str(&self.statements.lines[*number].2.to_line()?);
            text.push('\n');
        }
        text.push_str(&disclosure.to_line()?);
        text.push('\n');
        self.add("attestations/statements.intoto.jsonl", text.as_bytes())?;
        self.log(size)?;
        let stated = Statement::parse(&disclosure.payload)?;
        let Predicate::Custody(event) = stated.predicate else {
            return Err(JobError::Nothing("the disclosure is no act of custody".into()));
        };
        let mut dossier = packed.dossier;
        dossier.files = file_facts(self.files.iter().map(|(path, facts)| (path.clone(), *facts)));
        let described = comity_export::ro_crate(&dossier);
        self.add(RO_CRATE, described.as_bytes())?;
        let tlp = dossier.strictest();
        let info = self.bag_info(&dossier, packed.run_id, &event, tlp);
        let payload: Vec<PayloadFile> = self
            .files
            .iter()
            .map(|(path, (sha256, bytes))| PayloadFile {
                path: format!("data/{path}"),
                sha256: *sha256,
                bytes: *bytes,
            })
            .collect();
        let mut tagmanifest = Vec::new();
        for (name, bytes) in bag::tag_files(&payload, &info)? {
            self.stage.write(name, &bytes)?;
            if name == "tagmanifest-sha256.txt" {
                tagmanifest = bytes;
            }
        }
        let sealed = releaser.seal(&tagmanifest)?;
        self.stage.write(SEAL, sealed.as_bytes())?;
        let created = Created {
            bag: self.order.out.to_owned(),
            kind: self.order.kind.as_str(),
            run_id: packed.run_id,
            files: payload.len() as u64,
            bytes: payload.iter().map(|f| f.bytes).sum(),
            tagmanifest_sha256: Sha256Digest::of(&tagmanifest),
            records: self.records,
            tlp,
        };
        self.stage.publish(self.order.out)?;
        seal_stated(scribe, releaser, self.order.kind, &created, &self.statements)?;
        Ok(created)
    }

    /// Statements that go in, by their place in the list: those about the items and the run, and those
    /// about persons and erasures; a full bag has all but who looked at what.
    fn chosen(&self, packed: &Packed) -> Vec<usize> {
        let full = self.order.kind == BagKind::Full;
        let wanted = |statement: &Statement| match &statement.predicate {
            Predicate::Custody(event) => match event.event_type {
                EventType::Membership | EventType::Revocation | EventType::Erasure => true,
                EventType::Consultation | EventType::Disclosure | EventType::Seal => false,
                _ => full || statement.subject.iter().any(|s| packed.items.contains(&s.sha256())),
            },
            Predicate::Provenance(made) => full || told::is_of(made, packed.run_id.as_ref(), &packed.items),
            Predicate::TestResult(_) => false,
        };
        (0..self.statements.lines.len()).filter(|&at| wanted(&self.statements.lines[at].3)).collect()
    }

    /// The disclosure, made before or now, with the index of its first leaf.
    fn disclosure(
        &self,
        scribe: &Scribe<'_>,
        releaser: &Releaser<'_>,
        packed: &Packed,
        chosen: &[usize],
    ) -> Result<(u64, Envelope), JobError> {
        let subject: Vec<Descriptor> = self
            .files
            .iter()
            .map(|(path, (digest, _))| Descriptor::new(format!("data/{path}"), *digest))
            .collect();
        let kind = self.order.kind;
        for (first, _, envelope, statement) in &self.statements.lines {
            let Predicate::Custody(event) = &statement.predicate else { continue };
            let Details::Disclosure { kind: known, run, .. } = &event.details else { continue };
            let same = *known == kind
                && *run == packed.run_id
                && event.actor.id == releaser.member.name
                && event.recipient.as_deref() == Some(self.order.recipient)
                // the disclosure tells which version made the documents
                && event.method == Some(custody::method())
                && statement.subject == subject;
            // an act since then about what goes in makes another disclosure
            if same && chosen.iter().all(|&at| self.statements.lines[at].0 < *first) {
                return Ok((*first, envelope.clone()));
            }
        }
        let details = Details::Disclosure { kind, run: packed.run_id, withheld: self.withheld(chosen) };
        let mut draft = Draft::new(EventType::Disclosure, subject, details);
        draft.recipient = Some(self.order.recipient.to_owned());
        draft.tlp = packed.dossier.strictest().map(|t| t.to_string());
        draft.member = Some(releaser.member);
        let keys: Vec<&SecretKey> = releaser.key.iter().collect();
        let statement = scribe.event(draft, &keys)?;
        scribe.commit(std::slice::from_ref(&statement), Vec::new())?;
        journal::catch_up(self.case)?;
        Ok((self.statements.size, statement))
    }

    /// Indexes of leaves whose statements are neither in the bag nor erased.
    fn withheld(&self, chosen: &[usize]) -> Ranges {
        // `chosen` is sorted
        let lines = self.statements.lines.iter().enumerate();
        let left_out = lines.filter(|(at, _)| chosen.binary_search(at).is_err());
        Ranges::of(left_out.flat_map(|(_, line)| line.0..line.0 + line.1))
    }

    /// The log up to `size`, its head signed, and the last head that a partner cosigned.
    fn log(&mut self, size: u64) -> Result<(), JobError> {
        let log = Log::of(self.case);
        let mut leaves = log.leaves()?;
        leaves.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let hashes: Vec<Sha256Digest> = leaves.iter().map(|l| merkle::leaf_hash(l.as_bytes())).collect();
        let key = self.case.log_key()?;
        let origin = Log::origin(self.case, &key.public());
        let head = log::Checkpoint { origin, size, root: merkle::root(&hashes) };
        let head = SignedCheckpoint::sign(head, &key)?;
        self.add("log/checkpoint", head.to_string().as_bytes())?;
        let mut text = leaves.join("\n");
        text.push('\n');
        self.add("log/leaves", text.as_bytes())?;
        match log.witnessed()? {
            Some(witnessed) if witnessed.checkpoint().size <= size => {
                self.add("log/witnessed", witnessed.to_string().as_bytes())
            }
            _ => Ok(()),
        }
    }

    fn bag_info(
        &self,
        dossier: &Dossier,
        run: Option<Sha256Digest>,
        event: &CustodyEvent,
        tlp: Option<Tlp>,
    ) -> BagInfo {
        BagInfo {
            software_agent: format!("comity {}", env!("CARGO_PKG_VERSION")),
            bagging_date: event.time.to_string().chars().take(10).collect(),
            external_identifier: dossier.case.id.clone(),
            source_organization: event.actor.organisation.clone().unwrap_or_default(),
            kind: self.order.kind,
            case: dossier.case.title.clone().unwrap_or_default(),
            run,
            jurisdiction: dossier.case.jurisdiction.clone(),
            purpose: dossier.case.purpose.clone(),
            tlp: tlp.map(|t| t.as_str().to_owned()).unwrap_or_default(),
            recipient: self.order.recipient.to_owned(),
        }
    }
}

impl Releaser<'_> {
    /// Seals a tag manifest.
    fn seal(&self, tagmanifest: &[u8]) -> Result<String, JobError> {
        match &self.key {
            Some(key) => Ok(seal::seal(tagmanifest, key, NAMESPACE)),
            None => self.seal_by_ssh_keygen(tagmanifest),
        }
    }

    fn seal_by_ssh_keygen(&self, tagmanifest: &[u8]) -> Result<String, JobError> {
        let failed = |message: String| JobError::File { path: self.file.to_owned(), message };
        let mut child = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
            .arg(self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| failed(format!("ssh-keygen, which has to sign with it, can't be run: {e}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(tagmanifest).map_err(|e| failed(e.to_string()))?;
        }
        let output = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
        let armour = String::from_utf8_lossy(&output.stdout).into_owned();
        match seal::open(&armour, tagmanifest, NAMESPACE) {
            Ok(key) if key == self.member.key => Ok(armour),
            Ok(_) => Err(failed("ssh-keygen signed with another key".into())),
            Err(e) => Err(failed(format!("ssh-keygen did not seal: {e}"))),
        }
    }
}

/// States that a bag was sealed, unless that was stated before.
fn seal_stated(
    scribe: &Scribe<'_>,
    releaser: &Releaser<'_>,
    kind: BagKind,
    created: &Created,
    before: &Statements,
) -> Result<(), JobError> {
    let subject = Descriptor::new("tagmanifest-sha256.txt", created.tagmanifest_sha256);
    if before.lines.iter().any(|l| l.3.subject == [subject.clone()]) {
        return Ok(());
    }
    let details = Details::Seal { kind, run: created.run_id };
    let mut draft = Draft::new(EventType::Seal, vec![subject], details);
    draft.member = Some(releaser.member);
    let keys: Vec<&SecretKey> = releaser.key.iter().collect();
    let statement = scribe.event(draft, &keys)?;
    scribe.commit(&[statement], Vec::new())
}

/// The word of the exports for a kind of bag.
pub(crate) const fn export_kind(kind: BagKind) -> export::BagKind {
    match kind {
        BagKind::Full => export::BagKind::Full,
        BagKind::Findings => export::BagKind::Findings,
        BagKind::Feed => export::BagKind::Feed,
    }
}

/// What the exports say of the payload.
pub(crate) fn file_facts(files: impl Iterator<Item = (String, (Sha256Digest, u64))>) -> Vec<FileFacts> {
    let facts = files.map(|(path, (digest, bytes))| FileFacts {
        path,
        bytes: Some(bytes),
        sha256: Some(digest.to_string()),
    });
    facts.collect()
}

/// Whether a payload file is made after the disclosure, which so can't name it.
pub(crate) fn is_made_after(path: &str) -> bool {
    path.starts_with("data/attestations/")
        || path.starts_with("data/log/")
        || path.strip_prefix("data/") == Some(RO_CRATE)
}

fn not_other(path: &Path, found: Sha256Digest, wanted: Sha256Digest) -> Result<(), JobError> {
    if found == wanted {
        return Ok(());
    }
    let message = format!("its SHA-256 is {found}, not {wanted}: it is not what the statements tell of");
    Err(JobError::NotCommitted { path: path.to_owned(), message })
}

fn check_root(item: &Path, committed: &Committed, told: Option<&RecordTree>) -> Result<(), JobError> {
    let tree = &committed.tree;
    match told {
        Some(facts) if facts.root == tree.root && facts.records == tree.records => Ok(()),
        _ => Err(JobError::NotCommitted {
            path: item.to_owned(),
            message: "its record tree is not the one that was stated at intake".into(),
        }),
    }
}

/// What sightings rest on.
struct Rested {
    /// Records of each evidence item.
    records: BTreeMap<String, BTreeSet<u64>>,
    /// Kind and value of the indicators.
    indicators: BTreeSet<(String, String)>,
}

impl Rested {
    fn on(sightings: &[RecordBatch]) -> Self {
        let mut rested = Self { records: BTreeMap::new(), indicators: BTreeSet::new() };
        for batch in sightings {
            let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
            let record = batch.column_by_name("record").and_then(|c| c.as_primitive_opt::<Int64Type>());
            let (Some(evidence), Some(kind), Some(value), Some(record)) =
                (text("evidence"), text("indicator_kind"), text("indicator_value"), record)
            else {
                continue;
            };
            for row in 0..batch.num_rows() {
                let number = u64::try_from(record.value(row)).unwrap_or(0);
                rested.records.entry(evidence.value(row).to_owned()).or_default().insert(number);
                rested.indicators.insert((kind.value(row).to_owned(), value.value(row).to_owned()));
            }
        }
        rested
    }

    /// Whether a logical line of `indicators` (id, kind, value, …) is of a value that was sighted.
    fn needs(&self, line: &[u8]) -> Result<bool, BadLine> {
        let claim = feed::parse_line(line.strip_suffix(b"\n").unwrap_or(line))?.claim;
        Ok(self.indicators.contains(&(claim.kind.as_str().to_owned(), claim.value)))
    }
}

/// The records, and those that say how they are to be read: all headers before the last of them.
pub(crate) fn with_context(format: &str, item: &Path, records: &BTreeSet<u64>) -> Result<Wanted, JobError> {
    let mut wanted: Wanted = BTreeMap::new();
    if comity_parse::log::by_name(format).is_some_and(|f| f.has_context) {
        let last = records.last().copied().unwrap_or(0);
        let mut carrying: BTreeSet<u64> = BTreeSet::new();
        for file in [evidence::EVENTS_FILE, evidence::REJECTS_FILE] {
            carrying.extend(tables::numbers(&item.join(file), "record")?.into_iter().filter(|r| *r <= last));
        }
        wanted.extend((1..last).filter(|r| !carrying.contains(r)).map(|record| (record, true)));
    }
    wanted.extend(records.iter().map(|&record| (record, false)));
    Ok(wanted)
}
