//! The log of a case: what its leaves say, its checkpoints and proof files, and what a verifier remembers
//! (docs/provenance.md, "The log"). The tree is that of [`crate::merkle`].
//!
//! A leaf entry, one for each signature; `log/leaves` has them in order, one a line:
//!
//! ```text
//! sha256:<payload> SHA256:<signer's fingerprint> sha256:<signature> https://slsa.dev/provenance/v1
//! ```
//!
//! Rejected: other hexadecimal than lower case, predicate types with spaces or of more than 256 bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use thiserror::Error;

use crate::merkle::{self, ProofError};
use crate::{Envelope, PublicKey, Sha256Digest};

mod checkpoint;
mod memory;

pub use checkpoint::{
    Checkpoint, Cosignature, MAX_CHECKPOINT_BYTES, MAX_SIGNATURES, NoteSignature, Proof, SignedCheckpoint,
};
pub use memory::{Shown, Standing, standing};

/// Most bytes of a predicate type.
const MAX_PREDICATE_TYPE_BYTES: usize = 256;

/// Why a text is none of the log's, or does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    /// A leaf entry whose named part is not as documented.
    #[error("log: leaf {index}: {part} is not as documented")]
    Leaf {
        /// 0-based index.
        index: usize,
        /// The part.
        part: &'static str,
    },
    /// An origin, or the name of a witness, that can't stand in a signature line.
    #[error("log: name {0:?} is empty or too long, or has spaces, control characters or \"+\"")]
    Name(String),
    /// Text that is too long.
    #[error("log: checkpoint or proof is longer than {MAX_CHECKPOINT_BYTES} bytes")]
    TooLong,
    /// Text with bytes that no checkpoint has.
    #[error("log: checkpoint or proof is not UTF-8, or has control characters")]
    NotText,
    /// A part of a checkpoint or proof that is not as specified.
    #[error("log: {0} of a checkpoint or proof is not as specified")]
    Form(&'static str),
    /// None, or too many.
    #[error("log: checkpoint has {0} signatures, not 1 to {MAX_SIGNATURES}")]
    SignatureCount(usize),
    /// Two signatures by one key.
    #[error("log: signature by {0:?} is repeated")]
    Repeated(String),
    /// No signature by the key that is asked about.
    #[error("log: checkpoint is not signed by {0:?} with the key given")]
    Unsigned(String),
    /// A signature that the key did not make.
    #[error("log: signature by {0:?} does not hold")]
    BadSignature(String),
    /// A time that witnesses can't state.
    #[error("log: time {0} is after 2^63 - 1")]
    Time(u64),
    /// A path that does not lead to the root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// What the log says of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafEntry {
    payload: Sha256Digest,
    signer: String,
    signature: Sha256Digest,
    predicate_type: String,
}

impl LeafEntry {
    /// Makes the entry of a signature over a payload of this digest. Whether the signer, a fingerprint,
    /// made it is not checked here.
    pub fn new(
        payload: Sha256Digest,
        signer: &str,
        signature: &[u8; 64],
        predicate_type: &str,
    ) -> Result<Self, LogError> {
        let signature = Sha256Digest::of(signature);
        Self::checked(payload, signer, signature, predicate_type)
            .map_err(|part| LogError::Leaf { index: 0, part })
    }

    fn checked(
        payload: Sha256Digest,
        signer: &str,
        signature: Sha256Digest,
        predicate_type: &str,
    ) -> Result<Self, &'static str> {
        let digest = signer.strip_prefix("SHA256:").and_then(|text| STANDARD_NO_PAD.decode(text).ok());
        if digest.is_none_or(|digest| digest.len() != 32) {
            return Err("signer");
        }
        let fits = (1..=MAX_PREDICATE_TYPE_BYTES).contains(&predicate_type.len());
        if !fits || !predicate_type.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("predicate type");
        }
        let (signer, predicate_type) = (signer.to_owned(), predicate_type.to_owned());
        Ok(Self { payload, signer, signature, predicate_type })
    }

    /// Reads an entry.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        Self::read(text).map_err(|part| LogError::Leaf { index: 0, part })
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.splitn(4, ' ');
        let mut next = |part| parts.next().ok_or(part);
        let digest = |text: &str, part| {
            text.strip_prefix("sha256:").and_then(|digits| digits.parse().ok()).ok_or(part)
        };
        let payload = digest(next("payload")?, "payload")?;
        let signer = next("signer")?;
        let signature = digest(next("signature")?, "signature")?;
        Self::checked(payload, signer, signature, next("predicate type")?)
    }

    /// Digest of the signed payload.
    pub const fn payload(&self) -> &Sha256Digest {
        &self.payload
    }

    /// Fingerprint of the signer.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// Digest of the 64 signature bytes.
    pub const fn signature(&self) -> &Sha256Digest {
        &self.signature
    }

    /// Predicate type of the statement.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// Hash of the leaf.
    pub fn hash(&self) -> Sha256Digest {
        merkle::leaf_hash(self.to_string().as_bytes())
    }
}

impl fmt::Display for LeafEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payload, signer, signature, predicate_type } = self;
        write!(f, "sha256:{payload} {signer} sha256:{signature} {predicate_type}")
    }
}

/// The entries of an envelope, one for each signature, in their order. The signers are who `keyid` says.
pub fn leaves_of(envelope: &Envelope, predicate_type: &str) -> Result<Vec<LeafEntry>, LogError> {
    let payload = Sha256Digest::of(&envelope.payload);
    let signatures = envelope.signatures.iter();
    signatures.map(|one| LeafEntry::new(payload, &one.keyid, &one.sig, predicate_type)).collect()
}

/// Reads `log/leaves`: the entries in order, one a line.
pub fn parse_leaves(text: &str) -> Result<Vec<LeafEntry>, LogError> {
    let lines = text.split_inclusive('\n').enumerate();
    let entry = |(index, line): (usize, &str)| {
        let line = line.strip_suffix('\n').ok_or("line end");
        line.and_then(LeafEntry::read).map_err(|part| LogError::Leaf { index, part })
    };
    lines.map(entry).collect()
}

/// The origin of the log of a case: its key is part of it, so that a log begun anew is another one.
pub fn origin(case_id: &str, key: &PublicKey) -> String {
    let mut origin = String::from("comity/");
    for byte in case_id.bytes() {
        // the unreserved characters of RFC 3986 §2.3
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => origin.push(byte.into()),
            _ => origin.push_str(&format!("%{byte:02X}")),
        }
    }
    let digest = Sha256Digest::of(&key.wire());
    origin.push('/');
    origin.extend(digest.to_string().chars().take(8));
    origin
}

#[cfg(test)]
mod tests;
