//! SHA-256 as a type, so that an id can't be mistaken for any other text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::digest::DynDigest;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// A SHA-256 digest; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("digest {0:?} is not 64 hexadecimal digits")]
pub struct BadDigest(String);

impl Sha256Digest {
    /// Digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes the 32 bytes of a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `hex::encode` goes digit by digit, and ids of indicators come in millions
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.pad(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if !text.bytes().any(|b| b.is_ascii_uppercase()) => Ok(Self(bytes)),
            _ => Err(BadDigest(text.to_owned())),
        }
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// SHA-256 of a stream.
#[derive(Debug, Clone, Default)]
pub struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

/// Algorithm of a digest that a holder gave with a file, or that is wanted beside SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5: compared where a holder gave nothing better, trusted for nothing else.
    Md5,
    /// SHA-1: the same.
    Sha1,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name, as in the job file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha512 => "sha512",
        }
    }
}

/// SHA-256 of a stream, and further digests in the same pass.
pub struct Hashers {
    sha256: Sha256Hasher,
    others: Vec<(Algorithm, Box<dyn DynDigest + Send>)>,
}

impl fmt::Debug for Hashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.others.iter().map(|o| o.0)).finish()
    }
}

impl Hashers {
    /// Begins SHA-256 and the algorithms asked for.
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let others = algorithms.iter().map(|&algorithm| {
            let hasher: Box<dyn DynDigest + Send> = match algorithm {
                Algorithm::Md5 => Box::new(md5::Md5::default()),
                Algorithm::Sha1 => Box::new(sha1::Sha1::default()),
                Algorithm::Sha512 => Box::new(sha2::Sha512::default()),
            };
            (algorithm, hasher)
        });
        Self { sha256: Sha256Hasher::default(), others: others.collect() }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        for (_, hasher) in &mut self.others {
            hasher.update(bytes);
        }
    }

    /// SHA-256, and the others as lower-case hexadecimal text, in the order asked for.
    pub fn finish(&mut self) -> (Sha256Digest, Vec<(Algorithm, String)>) {
        let others = self.others.drain(..).map(|(a, h)| (a, hex::encode(h.finalize())));
        (std::mem::take(&mut self.sha256).finish(), others.collect())
    }
}
