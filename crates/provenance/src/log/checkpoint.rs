//! Checkpoints: signed notes (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature).
//!
//! ```text
//! comity/2026-014/5f1c22d0
//! 17
//! <root, base64>
//!
//! — comity/2026-014/5f1c22d0 <base64 of key hash and signature>
//! — witness.example <base64 of key hash, time and signature>
//! ```
//!
//! A proof file (c2sp.org/tlog-proof) is `c2sp.org/tlog-proof@v1`, `index <n>`, a line for each hash of the
//! path, an empty line and a checkpoint. Signatures by keys that nobody asks about are kept and say nothing.
//!
//! Rejected: integers with leading zeros, base64 that is not the only encoding of its bytes, extension lines,
//! `extra` lines, control characters, no or more than 16 signatures, one signer twice, more than 128 KiB.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{LeafEntry, LogError};
use crate::decimal;
use crate::merkle;
use crate::{PublicKey, SecretKey, Sha256Digest};

/// Most signatures on a checkpoint; readers must take as many.
pub const MAX_SIGNATURES: usize = 16;

/// Most bytes of a checkpoint: 16 signatures of the largest kind known, and their names.
pub const MAX_CHECKPOINT_BYTES: usize = 128 << 10;

/// Most bytes of a name. What is signed with such names can be read again.
const MAX_NAME_BYTES: usize = 1 << 10;

/// Most hashes of a path: the size of a tree is a `u64`.
const MAX_PATH: usize = 64;

/// A hash as base64, with its line end.
const HASH_LINE_BYTES: usize = 45;

const PROOF_BEGIN: &str = "c2sp.org/tlog-proof@v1\nindex ";

/// Kind of a signature by the log, for its key hash.
const ED25519: u8 = 0x01;
/// Kind of a cosignature.
const COSIGNATURE: u8 = 0x04;

/// The log as it is at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Sha256Digest,
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }
}

/// A checkpoint and the signatures on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<NoteSignature>,
}

/// A signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Who is said to have signed.
    pub name: String,
    /// First bytes of a hash over name, kind of signature and key: which key to try.
    pub key_hash: [u8; 4],
    /// The signature, and what its kind puts before it.
    pub bytes: Vec<u8>,
}

/// A cosignature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness.
    pub name: String,
    /// When it says to have signed, seconds since 1970 UTC.
    pub time_s: u64,
}

impl SignedCheckpoint {
    /// Signs a checkpoint as its log.
    pub fn sign(checkpoint: Checkpoint, key: &SecretKey) -> Result<Self, LogError> {
        check_name(&checkpoint.origin)?;
        let signature = NoteSignature {
            name: checkpoint.origin.clone(),
            key_hash: key_hash(&checkpoint.origin, ED25519, &key.public()),
            bytes: key.sign(checkpoint.to_string().as_bytes()).to_vec(),
        };
        Ok(Self { checkpoint, signatures: vec![signature] })
    }

    /// Adds the signature of a witness, who has seen that the checkpoint continues all that it saw before.
    pub fn cosign(&mut self, name: &str, key: &SecretKey, time_s: u64) -> Result<(), LogError> {
        check_name(name)?;
        if i64::try_from(time_s).is_err() {
            return Err(LogError::Time(time_s));
        }
        let signature = key.sign(cosigned(&self.checkpoint, time_s).as_bytes());
        self.signatures.push(NoteSignature {
            name: name.to_owned(),
            key_hash: key_hash(name, COSIGNATURE, &key.public()),
            bytes: [&time_s.to_be_bytes()[..], &signature].concat(),
        });
        let checked = check_signatures(&self.signatures);
        if checked.is_err() {
            self.signatures.pop();
        }
        checked
    }

    /// Reads a checkpoint. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogError> {
        let text = note_text(bytes, MAX_CHECKPOINT_BYTES)?;
        let mut lines = text.strip_suffix('\n').ok_or(LogError::Form("line end"))?.split('\n');
        let mut next = |part| lines.next().ok_or(LogError::Form(part));
        let origin = next("origin")?.to_owned();
        check_name(&origin)?;
        let size = decimal(next("size")?).ok_or(LogError::Form("size"))?;
        let root = hash(next("root")?).ok_or(LogError::Form("root"))?;
        if !next("empty line")?.is_empty() {
            return Err(LogError::Form("empty line"));
        }
        let signatures: Vec<_> = lines.map(NoteSignature::parse).collect::<Result<_, _>>()?;
        check_signatures(&signatures)?;
        Ok(Self { checkpoint: Checkpoint { origin, size, root }, signatures })
    }

    /// What is signed. Says nothing until it is verified.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signature lines.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks that this key signed as the log. Whether it is the key of this origin, the caller knows.
    pub fn verify_log(&self, key: &PublicKey) -> Result<(), LogError> {
        let name = &self.checkpoint.origin;
        let signature = self.find(name, ED25519, key).ok_or_else(|| LogError::Unsigned(name.clone()))?;
        let signature = <&[u8; 64]>::try_from(signature).ok();
        match signature.is_some_and(|signature| key.verify(self.checkpoint.to_string().as_bytes(), signature))
        {
            true => Ok(()),
            false => Err(LogError::BadSignature(name.clone())),
        }
    }

    /// The cosignatures of these witnesses, in their order. One that does not hold spoils the checkpoint,
    /// as signed-note recommends.
    pub fn cosignatures(&self, witnesses: &[(&str, &PublicKey)]) -> Result<Vec<Cosignature>, LogError> {
        let mut found = Vec::new();
        for (name, key) in witnesses {
            let Some(bytes) = self.find(name, COSIGNATURE, key) else { continue };
            let time_s = verified_time(&self.checkpoint, bytes, key)
                .ok_or_else(|| LogError::BadSignature((*name).to_owned()))?;
            found.push(Cosignature { name: (*name).to_owned(), time_s });
        }
        Ok(found)
    }

    fn find(&self, name: &str, kind: u8, key: &PublicKey) -> Option<&[u8]> {
        let wanted = key_hash(name, kind, key);
        let one = self.signatures.iter().find(|one| one.name == name && one.key_hash == wanted)?;
        Some(&one.bytes)
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.checkpoint)?;
        for one in &self.signatures {
            writeln!(f, "\u{2014} {} {}", one.name, STANDARD.encode([&one.key_hash, &*one.bytes].concat()))?;
        }
        Ok(())
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Result<Self, LogError> {
        let wrong = LogError::Form("signature line");
        let parts = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
        let (name, base64) = parts.ok_or(wrong.clone())?;
        check_name(name)?;
        let bytes = STANDARD.decode(base64).map_err(|_| wrong.clone())?;
        match bytes.split_first_chunk() {
            Some((key_hash, bytes)) if !bytes.is_empty() => {
                Ok(Self { name: name.to_owned(), key_hash: *key_hash, bytes: bytes.to_vec() })
            }
            _ => Err(wrong),
        }
    }
}

fn key_hash(name: &str, kind: u8, key: &PublicKey) -> [u8; 4] {
    let digest = Sha256Digest::of(&[name.as_bytes(), &[b'\n', kind], key.as_bytes()].concat());
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

fn cosigned(checkpoint: &Checkpoint, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{checkpoint}")
}

fn verified_time(checkpoint: &Checkpoint, bytes: &[u8], key: &PublicKey) -> Option<u64> {
    let (time, signature) = bytes.split_first_chunk()?;
    let time_s = u64::from_be_bytes(*time);
    i64::try_from(time_s).ok()?;
    let signature = signature.try_into().ok()?;
    key.verify(cosigned(checkpoint, time_s).as_bytes(), signature).then_some(time_s)
}

fn check_name(name: &str) -> Result<(), LogError> {
    let bad = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) || name.contains(bad) {
        return Err(LogError::Name(name.chars().take(100).collect()));
    }
    Ok(())
}

fn check_signatures(signatures: &[NoteSignature]) -> Result<(), LogError> {
    if !(1..=MAX_SIGNATURES).contains(&signatures.len()) {
        return Err(LogError::SignatureCount(signatures.len()));
    }
    for (at, one) in signatures.iter().enumerate() {
        let mut before = signatures.iter().take(at);
        if before.any(|other| (&other.name, other.key_hash) == (&one.name, one.key_hash)) {
            return Err(LogError::Repeated(one.name.clone()));
        }
    }
    Ok(())
}

fn note_text(bytes: &[u8], max_bytes: usize) -> Result<&str, LogError> {
    if bytes.len() > max_bytes {
        return Err(LogError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| LogError::NotText)?;
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') { Err(LogError::NotText) } else { Ok(text) }
}

fn hash(base64: &str) -> Option<Sha256Digest> {
    STANDARD.decode(base64).ok()?.try_into().ok().map(Sha256Digest::from_bytes)
}

/// A proof file: that a leaf is in the log of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// 0-based index of the leaf.
    pub index: u64,
    /// Its inclusion path.
    pub path: Vec<Sha256Digest>,
    /// The checkpoint whose root the path leads to.
    pub checkpoint: SignedCheckpoint,
}

impl Proof {
    /// Reads a proof file. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogError> {
        let max_bytes = MAX_CHECKPOINT_BYTES + (MAX_PATH + 2) * HASH_LINE_BYTES;
        let text = note_text(bytes, max_bytes)?;
        let rest = text.strip_prefix(PROOF_BEGIN).ok_or(LogError::Form("first lines"))?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(LogError::Form("empty line"))?;
        let mut lines = head.split('\n');
        let index = lines.next().and_then(decimal).ok_or(LogError::Form("index"))?;
        let path: Vec<_> = lines.map(hash).collect::<Option<_>>().ok_or(LogError::Form("path"))?;
        if path.len() > MAX_PATH {
            return Err(LogError::Form("path"));
        }
        Ok(Self { index, path, checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes())? })
    }

    /// Checks first that this key signed the checkpoint, then that the path leads from the leaf to its root.
    pub fn verify(&self, key: &PublicKey, leaf: &LeafEntry) -> Result<(), LogError> {
        self.checkpoint.verify_log(key)?;
        let Checkpoint { size, root, .. } = self.checkpoint.checkpoint();
        Ok(merkle::verify_inclusion(self.index, *size, &leaf.hash(), &self.path, root)?)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PROOF_BEGIN}{}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
