//! SSHSIG, the signature of `ssh-keygen -Y sign` (OpenSSH, PROTOCOL.sshsig), over the whole bytes of a file:
//!
//! ```text
//! -----BEGIN SSH SIGNATURE-----
//! U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…     70 columns
//! -----END SSH SIGNATURE-----
//! ```
//!
//! `ssh-keygen` takes altered armour and bytes after its end, so one signature would have many files; here
//! the armour must be what re-encoding gives. Only Ed25519 over SHA-512, as `ssh-keygen` writes by default.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha512};
use thiserror::Error;

use crate::keys::{ssh_string, write_ssh_string};
use crate::{KeyError, PublicKey, SecretKey};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const COLUMNS: usize = 70;
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: [u8; 4] = [0, 0, 0, 1];
const HASH: &[u8] = b"sha512";

/// Why a seal does not hold.
#[derive(Debug, Error)]
pub enum SealError {
    /// No SSH signature, or one of another version or hash.
    #[error("seal is not an SSH signature over SHA-512")]
    Malformed,
    /// Armour that is not as `ssh-keygen` writes it.
    #[error("seal has altered armour: its lines, or bytes before or after it, are not as written")]
    Altered,
    /// A signature of another kind of key.
    #[error("seal: {0}")]
    Key(#[source] KeyError),
    /// A signature that was made for something else.
    #[error("seal is for {found:?}, not for {wanted:?}")]
    Namespace {
        /// Its namespace.
        found: String,
        /// The namespace asked for.
        wanted: String,
    },
    /// A signature over other bytes, or by another key.
    #[error("seal does not fit what it stands beside")]
    Signature,
}

/// Seals a message; the same message, key and namespace give the same seal.
pub fn seal(message: &[u8], key: &SecretKey, namespace: &str) -> String {
    let mut signature = Vec::new();
    write_ssh_string(&mut signature, b"ssh-ed25519");
    write_ssh_string(&mut signature, &key.sign(&signed_bytes(message, namespace)));
    let mut blob = [MAGIC, &VERSION].concat();
    for field in [&key.public().wire(), namespace.as_bytes(), b"", HASH, &signature] {
        write_ssh_string(&mut blob, field);
    }
    armour(&blob)
}

/// Checks a seal, and says whose it is; whether that key may seal is the trust file's to say.
pub fn open(armoured: &str, message: &[u8], namespace: &str) -> Result<PublicKey, SealError> {
    let blob = dearmour(armoured)?;
    let sealed = parse(&blob).ok_or(SealError::Malformed)?;
    let key = PublicKey::from_wire(sealed.key).map_err(SealError::Key)?;
    let signature = sealed.signature().ok_or(SealError::Malformed)?;
    if sealed.namespace != namespace.as_bytes() {
        return Err(SealError::Namespace {
            found: String::from_utf8_lossy(sealed.namespace).into_owned(),
            wanted: namespace.to_owned(),
        });
    }
    if !key.verify(&signed_bytes(message, namespace), signature) {
        return Err(SealError::Signature);
    }
    Ok(key)
}

/// What the key signs: PROTOCOL.sshsig §3.
fn signed_bytes(message: &[u8], namespace: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for field in [namespace.as_bytes(), b"", HASH, &Sha512::digest(message)] {
        write_ssh_string(&mut bytes, field);
    }
    bytes
}

struct Sealed<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    signature: &'a [u8],
}

/// The fields of PROTOCOL.sshsig §2; `None` where they are not those of our version and hash.
fn parse(blob: &[u8]) -> Option<Sealed<'_>> {
    let rest = blob.strip_prefix(MAGIC)?.strip_prefix(&VERSION)?;
    let (key, rest) = ssh_string(rest)?;
    let (namespace, rest) = ssh_string(rest)?;
    let (reserved, rest) = ssh_string(rest)?;
    let (hash, rest) = ssh_string(rest)?;
    let (signature, rest) = ssh_string(rest)?;
    (reserved.is_empty() && hash == HASH && rest.is_empty()).then_some(Sealed { key, namespace, signature })
}

impl<'a> Sealed<'a> {
    fn signature(&self) -> Option<&'a [u8; 64]> {
        let (algorithm, rest) = ssh_string(self.signature)?;
        match ssh_string(rest)? {
            (signature, []) if algorithm == b"ssh-ed25519" => signature.try_into().ok(),
            _ => None,
        }
    }
}

fn armour(blob: &[u8]) -> String {
    let mut text = BEGIN.to_owned();
    for (at, c) in STANDARD.encode(blob).chars().enumerate() {
        if at > 0 && at % COLUMNS == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// Longest seal that is looked at; ours have about 300 bytes, an RSA key's 1,500.
const MAX_ARMOUR_BYTES: usize = 16 << 10;

fn dearmour(armoured: &str) -> Result<Vec<u8>, SealError> {
    if armoured.len() > MAX_ARMOUR_BYTES {
        return Err(SealError::Malformed);
    }
    let (_, rest) = armoured.split_once(BEGIN.trim_end()).ok_or(SealError::Malformed)?;
    let (base64, _) = rest.split_once(END.trim_end()).ok_or(SealError::Malformed)?;
    let base64: String = base64.split_ascii_whitespace().collect();
    let blob = STANDARD.decode(base64).map_err(|_| SealError::Malformed)?;
    if armour(&blob) != armoured {
        return Err(SealError::Altered);
    }
    Ok(blob)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"manifest\n";

    fn key() -> SecretKey {
        SecretKey::from_seed([9; 32])
    }

    fn sealed() -> String {
        seal(MESSAGE, &key(), "comity-evidence")
    }

    #[test]
    fn a_seal_opens_to_its_key() {
        assert_eq!(open(&sealed(), MESSAGE, "comity-evidence").unwrap(), key().public());
        assert_eq!(sealed(), sealed());
        assert!(sealed().lines().all(|line| line.len() <= COLUMNS));
    }

    #[test]
    fn a_seal_holds_for_its_bytes_and_purpose_only() {
        assert!(matches!(open(&sealed(), b"manifest", "comity-evidence"), Err(SealError::Signature)));
        assert!(matches!(
            open(&sealed(), MESSAGE, "file"),
            Err(SealError::Namespace { found, .. }) if found == "comity-evidence"
        ));
    }

    #[test]
    fn altered_armour_is_refused() {
        let good = sealed();
        for bad in [
            format!("{good}\n"),
            format!("\n{good}"),
            format!("note\n{good}"),
            good.trim_end().to_owned(),
            good.replace('\n', "\r\n"),
            good.replacen("IGNATURE-----\n", "IGNATURE-----\n\n", 1),
            good.replacen("U1NI", "U1NI\n", 1),
            good.replacen("U1NI", "U1 NI", 1),
        ] {
            assert!(matches!(open(&bad, MESSAGE, "comity-evidence"), Err(SealError::Altered)), "{bad}");
        }
    }

    #[test]
    fn what_is_no_seal_is_refused() {
        let good = sealed();
        let blob = dearmour(&good).unwrap();
        let replaced = |from: &[u8], to: &[u8]| {
            let at = blob.windows(from.len()).position(|window| window == from).unwrap();
            armour(&[&blob[..at], to, &blob[at + from.len()..]].concat())
        };
        for bad in [
            String::new(),
            good.replacen("BEGIN SSH", "BEGIN PGP", 1),
            good.replacen("U1NI", "U1N~", 1),
            "x".repeat(MAX_ARMOUR_BYTES + 1),
            armour(&[&blob[..], &[0]].concat()),
            armour(&blob[..blob.len() - 1]),
            replaced(b"sha512", b"sha256"),
            replaced(&[0, 0, 0, 1], &[0, 0, 0, 2]),
            replaced(&[0, 0, 0, 64], &[0, 0, 0, 63]),
        ] {
            assert!(matches!(open(&bad, MESSAGE, "comity-evidence"), Err(SealError::Malformed)), "{bad}");
        }
        let other = replaced(b"ssh-ed25519", b"ssh-ed25518");
        assert!(matches!(
            open(&other, MESSAGE, "comity-evidence"),
            Err(SealError::Key(KeyError::NotEd25519))
        ));
    }
}
