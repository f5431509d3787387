//! Ed25519 keys in OpenSSH's files.
//!
//! A public key is a line `ssh-ed25519 AAAA… comment` (RFC 4253 §6.6, RFC 8709); it is named by its fingerprint,
//! `SHA256:` and the unpadded base64 of the SHA-256 of the wire form. A private key is a file of OpenSSH's
//! PROTOCOL.key, unencrypted. Signatures are RFC 8032, pure Ed25519.
//!
//! Rejected: other algorithms, files under a passphrase, points that are not on the curve, not in their only
//! encoding, or of small order (such a "key" verifies signatures that nobody made).

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use thiserror::Error;

use crate::Sha256Digest;

const ALGORITHM: &str = "ssh-ed25519";

/// DER of SubjectPublicKeyInfo up to the 32 bytes of the key (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a text is no key for us.
#[derive(Debug, Error)]
pub enum KeyError {
    /// Not `ssh-ed25519`, base64 and perhaps a comment.
    #[error("public key {0:?} is not a line \"ssh-ed25519 AAAA…\"")]
    NotAPublicKey(String),
    /// A key of another algorithm.
    #[error("key is not Ed25519\nhint: make one with `ssh-keygen -t ed25519`")]
    NotEd25519,
    /// 32 bytes that no signer has a secret for.
    #[error("public key {} is not a point that can be trusted", hex::encode(.0))]
    NotAPoint([u8; 32]),
    /// A private key under a passphrase.
    #[error(
        "private key is under a passphrase\nhint: decrypt a copy with `ssh-keygen -p`, or seal with `ssh-keygen -Y sign`"
    )]
    Encrypted,
    /// A file that is no OpenSSH private key.
    #[error("private key is not in OpenSSH's format: {0}")]
    NotAPrivateKey(#[source] ssh_key::Error),
    /// A comment that would not stay on the line of its key.
    #[error("comment {0:?} of a key has control characters")]
    Comment(String),
}

/// A public key that signatures can be checked with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let point = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotAPoint(bytes))?;
        // signers are counted by key: one point must not count twice
        let only_encoding = point.to_edwards().compress().to_bytes() == bytes;
        if point.is_weak() || !only_encoding {
            return Err(KeyError::NotAPoint(bytes));
        }
        Ok(Self(bytes))
    }

    /// Takes the wire form: two strings, the algorithm and the 32 bytes.
    pub fn from_wire(wire: &[u8]) -> Result<Self, KeyError> {
        let (algorithm, rest) = ssh_string(wire).ok_or(KeyError::NotEd25519)?;
        match ssh_string(rest) {
            Some((point, [])) if algorithm == ALGORITHM.as_bytes() => {
                Self::from_bytes(point.try_into().map_err(|_| KeyError::NotEd25519)?)
            }
            _ => Err(KeyError::NotEd25519),
        }
    }

    /// The 32 bytes of RFC 8032.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The wire form of RFC 8709 §4, which the fingerprint and the seal are made of.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(51);
        write_ssh_string(&mut wire, ALGORITHM.as_bytes());
        write_ssh_string(&mut wire, &self.0);
        wire
    }

    /// `SHA256:` and 43 characters, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256Digest::of(&self.wire());
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest.as_bytes()))
    }

    /// SubjectPublicKeyInfo in PEM, for `openssl`.
    pub fn to_pem(&self) -> String {
        let der = [&SPKI_PREFIX[..], &self.0].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// Whether the holder of this key signed the message. Strict: what one verifier takes, all take.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

/// Whether a text can be the fingerprint of a key.
pub(crate) fn is_fingerprint(text: &str) -> bool {
    let digest = text.strip_prefix("SHA256:").and_then(|text| STANDARD_NO_PAD.decode(text).ok());
    digest.is_some_and(|digest| digest.len() == 32)
}

/// A length-prefixed string (RFC 4251 §5), and what follows it.
pub(crate) fn ssh_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Appends a length-prefixed string; ours are all short.
pub(crate) fn write_ssh_string(bytes: &mut Vec<u8>, string: &[u8]) {
    let length = u32::try_from(string.len()).unwrap_or(u32::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(string);
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM} {}", STANDARD.encode(self.wire()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads the line of a `.pub` file; its comment is dropped.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = || KeyError::NotAPublicKey(text.chars().take(200).collect());
        let line = text.trim();
        if line.contains(char::is_control) {
            return Err(wrong());
        }
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let (Some(algorithm), Some(base64)) = (words.next(), words.next()) else { return Err(wrong()) };
        let wire = STANDARD.decode(base64).map_err(|_| wrong())?;
        if algorithm != ALGORITHM {
            return Err(KeyError::NotEd25519);
        }
        Self::from_wire(&wire)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    /// Reads the text that is written, without a comment.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key: Self = text.parse().map_err(serde::de::Error::custom)?;
        if key.to_string() != text {
            return Err(serde::de::Error::custom(KeyError::NotAPublicKey(text)));
        }
        Ok(key)
    }
}

/// A private key; wiped from memory when dropped, and never shown.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes the key of 32 random bytes (the seed of RFC 8032 §5.1.5).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads an OpenSSH private key file.
    pub fn from_openssh(text: &str) -> Result<Self, KeyError> {
        let file = ssh_key::PrivateKey::from_openssh(text).map_err(|error| match error {
            ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
                KeyError::NotEd25519
            }
            other => KeyError::NotAPrivateKey(other),
        })?;
        match file.key_data() {
            KeypairData::Ed25519(pair) => Ok(Self(SigningKey::from(&pair.private))),
            KeypairData::Encrypted(_) => Err(KeyError::Encrypted),
            _ => Err(KeyError::NotEd25519),
        }
    }

    /// The text of an OpenSSH private key file, wiped from memory when dropped. The same key and comment
    /// give the same text.
    pub fn to_openssh(&self, comment: &str) -> Result<impl Deref<Target = String> + use<>, KeyError> {
        if comment.contains(char::is_control) {
            return Err(KeyError::Comment(comment.to_owned()));
        }
        ssh_key::PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from(&self.0)), comment)
            .and_then(|file| file.to_openssh(ssh_key::LineEnding::LF))
            .map_err(KeyError::NotAPrivateKey)
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs; the same key and message give the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret of {:?}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, TEST 1.
    fn rfc_8032() -> SecretKey {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        SecretKey::from_seed(seed.try_into().unwrap())
    }

    #[test]
    fn keys_and_signatures_are_those_of_rfc_8032() {
        let secret = rfc_8032();
        assert_eq!(
            hex::encode(secret.public().as_bytes()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = secret.sign(b"");
        assert!(
            hex::encode(signature).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065")
        );
        assert!(secret.public().verify(b"", &signature));
        assert!(!secret.public().verify(b"x", &signature));
    }

    #[test]
    fn a_public_key_is_its_line() {
        let key = rfc_8032().public();
        let commented = format!("{key}  who@where\n");
        assert_eq!(commented.parse::<PublicKey>().unwrap(), key);
        assert_eq!(serde_json::to_string(&key).unwrap(), format!("\"{key}\""));
        assert_eq!(serde_json::from_str::<PublicKey>(&format!("\"{key}\"")).unwrap(), key);
        assert!(serde_json::from_str::<PublicKey>(&format!("\"{key} c\"")).is_err());
        assert_eq!(PublicKey::from_wire(&key.wire()).unwrap(), key);
        assert_eq!(key.fingerprint().len(), 50);
    }

    #[test]
    fn what_is_no_public_key_is_refused_by_kind() {
        let line = rfc_8032().public().to_string();
        for text in ["", "ssh-ed25519", "ssh-ed25519 AAA", "ssh-ed25519 ~~~~", &format!("{line}\n{line}")] {
            assert!(matches!(text.parse::<PublicKey>(), Err(KeyError::NotAPublicKey(_))), "{text}");
        }
        let longer = STANDARD.encode([rfc_8032().public().wire(), vec![0]].concat());
        for text in ["ssh-rsa AAAA", "ssh-ed25519 AAAA", &format!("ssh-ed25519 {longer}")] {
            assert!(matches!(text.parse::<PublicKey>(), Err(KeyError::NotEd25519)), "{text}");
        }
    }

    #[test]
    fn points_that_nobody_holds_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut not_on_the_curve = [0; 32];
        not_on_the_curve[0] = 2;
        // y = p + 3: the second encoding of y = 3
        let mut second_encoding = [0xff; 32];
        (second_encoding[0], second_encoding[31]) = (0xf0, 0x7f);
        for bytes in [identity, not_on_the_curve, second_encoding] {
            assert!(matches!(PublicKey::from_bytes(bytes), Err(KeyError::NotAPoint(_))), "{bytes:x?}");
        }
        let mut first_encoding = [0; 32];
        first_encoding[0] = 3;
        assert!(PublicKey::from_bytes(first_encoding).is_ok());
    }

    #[test]
    fn a_private_key_file_reads_back() {
        let secret = rfc_8032();
        let text = secret.to_openssh("node of LANTERN").unwrap();
        assert_eq!(SecretKey::from_openssh(&text).unwrap().public(), secret.public());
        assert_eq!(*text, *secret.to_openssh("node of LANTERN").unwrap());
        assert!(matches!(secret.to_openssh("two\nlines"), Err(KeyError::Comment(_))));
        let truncated: String = text.chars().take(200).collect();
        assert!(matches!(SecretKey::from_openssh(&truncated), Err(KeyError::NotAPrivateKey(_))));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let shown = format!("{:?}", rfc_8032());
        assert_eq!(shown, format!("secret of {}", rfc_8032().public().fingerprint()));
    }
}
