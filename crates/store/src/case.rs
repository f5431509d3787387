//! A case: where its items lie, who holds its lock, and the records that stand beside the tables.
//!
//! ```text
//! CASE/ case.toml  lock  tmp/
//!       keys/                  node  node.pub  log  log.pub; the private ones never leave the case
//!       evidence/<sha256>/     intake.json [intake-<digest>.json …]  normalise.json  events-0.parquet  observables.parquet  rejects.parquet
//!                              record-tree.parquet  record-salts.secret  [original/…]
//!       feeds/<sha256>/        intake.json [intake-<digest>.json …]  feed.json  original/…  indicators.parquet  rejects.parquet
//!       allow-lists/<sha256>/  original/…
//!       runs/<run-id>/         definition.json  details.json  sightings.parquet  <correlation>.parquet  summary.md
//!       attestations/          statements.intoto.jsonl
//!       log/                   leaves  checkpoint  position  [witnessed]
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use comity_model::{Jurisdiction, Pap, Tlp};
use comity_provenance::Sha256Digest;
use comity_provenance::{PublicKey, SecretKey};
use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StoreError;
use crate::durable::{Stage, make_dir, put_stage, sync_tree, write_file};
use crate::evidence::Counts;
use crate::journal;

/// Identity of a case, as `case.toml` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Case number or name that the authority uses.
    pub id: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Jurisdiction that leads the case, ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// What the case's data may be used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Who may do what in the case, besides its machine.
    #[serde(default, rename = "member", skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
}

/// A person who acts in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Name; a principal of OpenSSH's `allowed_signers`, such as an e-mail address.
    pub name: String,
    /// Organisation.
    pub organisation: String,
    /// Jurisdiction, ISO 3166-1 alpha-2.
    pub jurisdiction: String,
    /// Role.
    pub role: MemberRole,
    /// Public key, as OpenSSH writes it.
    pub key: PublicKey,
    /// From when the key is valid, RFC 3339; `None`: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Until when, exclusive; `None`: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
}

/// What a member is in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// Holds the evidence; decides on erasure and membership.
    Custodian,
    /// Runs correlations.
    Analyst,
    /// Submits feeds.
    Submitter,
    /// Releases packages to others.
    Releaser,
    /// Watches.
    Auditor,
}

impl MemberRole {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Custodian => "custodian",
            Self::Analyst => "analyst",
            Self::Submitter => "submitter",
            Self::Releaser => "releaser",
            Self::Auditor => "auditor",
        }
    }
}

/// The keys of a new case.
#[derive(Debug)]
pub struct NewKeys {
    /// Signs statements.
    pub node: SecretKey,
    /// Signs the log's checkpoints.
    pub log: SecretKey,
}

/// How an evidence item was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceIntake {
    /// Path it was read from, as declared.
    pub path: String,
    /// The same, absolute, on the machine that read it; not in statements.
    #[serde(default, skip_serializing_if = "path_is_empty")]
    pub source: PathBuf,
    /// When comity received it, RFC 3339, by this machine's clock.
    pub received_at: String,
    /// Whose it is.
    pub jurisdiction: String,
    /// Authority that holds or seized it.
    #[serde(default)]
    pub authority: Option<String>,
    /// Legal basis, as one text.
    #[serde(default)]
    pub legal_basis: Option<String>,
    /// TLP marking.
    #[serde(default)]
    pub tlp: Option<Tlp>,
    /// PAP marking.
    #[serde(default)]
    pub pap: Option<Pap>,
    /// Half-width of the interval that a time stands for, microseconds.
    #[serde(default)]
    pub clock_uncertainty_us: i64,
    /// Everything that the job declares of it.
    #[serde(default)]
    pub declared: Value,
}

/// What an evidence item was read as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Normalised {
    /// SHA-256 of the original.
    pub id: Sha256Digest,
    /// Log format.
    pub format: String,
    /// Format that the job declares; `None`: left to detection.
    pub declared_format: Option<String>,
    /// What detection says, best first: format and how sure (0 to 100).
    pub detected: Vec<(String, u8)>,
    /// How the stream is cut into records.
    pub framing: String,
    /// Settings that the events depend on besides the bytes; equal settings give equal events.
    pub settings: Value,
    /// Size of the original, bytes.
    pub bytes: u64,
    /// Compression.
    pub codec: String,
    /// Size of the decompressed stream, bytes.
    pub stream_bytes: u64,
    /// SHA-256 of the decompressed stream.
    pub stream_sha256: Sha256Digest,
    /// Further digests: algorithm and hexadecimal text.
    #[serde(default)]
    pub digests: Vec<(String, String)>,
    /// What was wrong with the stream, if anything; what came before is read.
    pub damage: Option<String>,
    /// What came of it.
    pub counts: Counts,
}

fn path_is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

/// How a feed was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedIntake {
    /// Path it was read from, as declared.
    pub path: String,
    /// The same, absolute, on the machine that read it; not in statements.
    #[serde(default, skip_serializing_if = "path_is_empty")]
    pub source: PathBuf,
    /// When comity received it, RFC 3339, by this machine's clock.
    pub received_at: String,
    /// Who submits it.
    pub provider: String,
    /// TLP marking of the whole feed.
    #[serde(default)]
    pub tlp: Option<Tlp>,
    /// Everything that the job declares of it.
    #[serde(default)]
    pub declared: Value,
}

/// What a feed was read as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// SHA-256 of the original.
    pub id: Sha256Digest,
    /// Feed format.
    pub format: String,
    /// Format that the job declares; `None`: left to detection.
    pub declared_format: Option<String>,
    /// What detection says, best first.
    pub detected: Vec<(String, u8)>,
    /// Settings that the indicators depend on besides the bytes.
    pub settings: Value,
    /// Size of the original, bytes.
    pub bytes: u64,
    /// What was wrong with the stream, if anything.
    pub damage: Option<String>,
    /// Claims seen: accepted + rejected.
    pub seen: u64,
    /// Claims accepted.
    pub accepted: u64,
    /// Claims rejected.
    pub rejected: u64,
    /// Distinct indicators.
    pub indicators: u64,
}

/// A sort of item of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Evidence items.
    Evidence,
    /// Feeds.
    Feeds,
    /// Allow-lists.
    AllowLists,
    /// Runs.
    Runs,
}

impl Shelf {
    const ALL: [Self; 4] = [Self::Evidence, Self::Feeds, Self::AllowLists, Self::Runs];

    /// Name of the directory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Feeds => "feeds",
            Self::AllowLists => "allow-lists",
            Self::Runs => "runs",
        }
    }
}

/// An open case.
#[derive(Debug, Clone)]
pub struct Case {
    path: PathBuf,
    identity: Identity,
}

impl Case {
    /// Opens the case at `path`, or makes it there.
    ///
    /// # Errors
    /// Where the disk refuses, or another case is there.
    pub fn init(path: &Path, identity: &Identity, keys: &NewKeys) -> Result<Self, StoreError> {
        match Self::open(path) {
            Ok(case) if case.identity.id == identity.id => return Ok(case),
            Ok(case) => {
                return Err(StoreError::OtherCase {
                    path: path.to_owned(),
                    found: case.identity.id,
                    wanted: identity.id.clone(),
                });
            }
            Err(StoreError::NoCase(_)) => {}
            Err(other) => return Err(other),
        }
        for shelf in Shelf::ALL {
            make_dir(&path.join(shelf.as_str()))?;
        }
        for name in ["tmp", "attestations", "log"] {
            make_dir(&path.join(name))?;
        }
        let stage = Stage::new(&path.join("tmp"), "keys")?;
        for (name, key) in [("node", &keys.node), ("log", &keys.log)] {
            let text = key.to_openssh(&format!("comity {name}"));
            let text = text.map_err(|source| StoreError::Key { path: stage.path().join(name), source })?;
            stage.write_private(name, text.as_bytes())?;
            stage.write(&format!("{name}.pub"), format!("{} comity {name}\n", key.public()).as_bytes())?;
        }
        sync_tree(stage.path())?;
        // left by a crash before case.toml was there, and used by nobody
        put_stage(stage, &path.join("keys"))?;
        let text = toml::to_string(identity)
            .map_err(|e| StoreError::io(&path.join("case.toml"), io::Error::other(e)))?;
        write_file(&path.join("tmp"), &path.join("case.toml"), text.as_bytes())?;
        Ok(Self { path: path.to_owned(), identity: identity.clone() })
    }

    /// Opens the case at `path`.
    ///
    /// # Errors
    /// Where no case is there, or `case.toml` does not read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = path.join("case.toml");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(StoreError::NoCase(path.to_owned())),
            Err(e) => return Err(StoreError::io(&file, e)),
        };
        let identity = toml::from_str(&text)
            .map_err(|e| StoreError::Integrity { path: file, message: e.message().to_owned() })?;
        Ok(Self { path: path.to_owned(), identity })
    }

    /// `case.toml` with other members, as a move of an act.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn stage_identity(&self, identity: &Identity) -> Result<journal::Move, StoreError> {
        let text = toml::to_string(identity)
            .map_err(|e| StoreError::io(&self.path.join("case.toml"), io::Error::other(e)))?;
        let stage = Stage::new(&self.tmp(), "case")?;
        stage.write("case.toml", text.as_bytes())?;
        let file = Some("case.toml".to_owned());
        Ok(journal::Move { stage, file, place: "case.toml".into(), known_by: "case.toml".into() })
    }

    /// The nearest case at or above `start`.
    pub fn find(start: &Path) -> Option<PathBuf> {
        start.ancestors().find(|dir| dir.join("case.toml").is_file()).map(Path::to_owned)
    }

    /// The case directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Identity of the case.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The key that signs statements.
    ///
    /// # Errors
    /// Where it does not read.
    pub fn node_key(&self) -> Result<SecretKey, StoreError> {
        self.key("node")
    }

    /// The key that signs the log's checkpoints.
    ///
    /// # Errors
    /// Where it does not read.
    pub fn log_key(&self) -> Result<SecretKey, StoreError> {
        self.key("log")
    }

    fn key(&self, name: &str) -> Result<SecretKey, StoreError> {
        let path = self.path.join("keys").join(name);
        let text = fs::read_to_string(&path).map_err(|e| StoreError::io(&path, e))?;
        SecretKey::from_openssh(&text).map_err(|source| StoreError::Key { path, source })
    }

    /// Where unfinished work lies.
    pub fn tmp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// Where an item lies or would lie, within the case.
    pub fn place(shelf: Shelf, id: &Sha256Digest) -> PathBuf {
        Path::new(shelf.as_str()).join(id.to_string())
    }

    /// Where an item lies or would lie.
    pub fn item(&self, shelf: Shelf, id: &Sha256Digest) -> PathBuf {
        self.path.join(shelf.as_str()).join(id.to_string())
    }

    /// The ids on a shelf, sorted. Names that are no ids are not comity's and are passed over.
    ///
    /// # Errors
    /// Where the directory does not read.
    pub fn ids(&self, shelf: Shelf) -> Result<Vec<Sha256Digest>, StoreError> {
        let dir = self.path.join(shelf.as_str());
        let mut ids = Vec::new();
        for entry in fs::read_dir(&dir).map_err(|e| StoreError::io(&dir, e))? {
            let entry = entry.map_err(|e| StoreError::io(&dir, e))?;
            ids.extend(entry.file_name().to_str().and_then(|n| n.parse::<Sha256Digest>().ok()));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Takes the case's lock, so that no other process writes. `waiting` is told who holds it
    /// where the lock is taken; then this waits. What a crash left half done is swept away.
    ///
    /// # Errors
    /// Where the lock file can't be written.
    pub fn lock(&self, waiting: &mut dyn FnMut(&str)) -> Result<Lock, StoreError> {
        let path = self.path.join("lock");
        let wrap = |e: io::Error| StoreError::io(&path, e);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(wrap)?;
        if let Err(e) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if e != rustix::io::Errno::WOULDBLOCK {
                return Err(wrap(e.into()));
            }
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(wrap)?;
            waiting(holder.trim());
            rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|e| wrap(e.into()))?;
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(wrap)?;
        writeln!(file, "process {}", std::process::id()).map_err(wrap)?;
        make_dir(&self.tmp())?;
        journal::recover(self)?;
        Ok(Lock { _file: file })
    }

    /// Reads a record beside an item's tables; `None` where there is none.
    ///
    /// # Errors
    /// Where it does not read.
    pub fn record<T: DeserializeOwned>(item: &Path, name: &str) -> Result<Option<T>, StoreError> {
        let path = item.join(name);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| StoreError::json(&path, e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io(&path, e)),
        }
    }

    /// Writes a record into a stage.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn stage_record(stage: &Stage, name: &str, record: &impl Serialize) -> Result<(), StoreError> {
        stage.write(name, &json(record, name)?)
    }

    /// The intakes of an item: the first, then the others by file name.
    ///
    /// # Errors
    /// Where one does not read.
    pub fn intakes<T: DeserializeOwned>(item: &Path) -> Result<Vec<T>, StoreError> {
        let mut names: Vec<String> = fs::read_dir(item)
            .map_err(|e| StoreError::io(item, e))?
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .filter(|n| n.starts_with("intake") && n.ends_with(".json"))
            .collect();
        names.sort_unstable_by(|a, b| (a != "intake.json", a).cmp(&(b != "intake.json", b)));
        names.iter().filter_map(|n| Self::record(item, n).transpose()).collect()
    }
}

/// The lock of a case, held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

fn json(record: &impl Serialize, name: &str) -> Result<Vec<u8>, StoreError> {
    let mut bytes = serde_json::to_vec_pretty(record).map_err(|e| StoreError::json(name.as_ref(), e))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The jurisdiction that an item counts for: the first by name where several handed in the same
/// bytes, so that one item is one jurisdiction's whatever the order of intake.
pub fn jurisdiction_of(intakes: &[EvidenceIntake]) -> Option<Jurisdiction> {
    intakes.iter().filter_map(|i| i.jurisdiction.parse().ok()).min()
}
