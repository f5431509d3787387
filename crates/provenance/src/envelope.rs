//! DSSE v1 envelope (github.com/secure-systems-lab/dsse, envelope.md and protocol.md) around an in-toto
//! statement, on one line:
//!
//! ```json
//! {"payloadType":"application/vnd.in-toto+json","payload":"<base64>","signatures":[{"keyid":"SHA256:…","sig":"<base64>"}]}
//! ```
//!
//! Rejected: another payload type, fields beyond these, base64 that is not the only encoding of its bytes,
//! no or more than 16 signatures, one signature twice, a payload above 64 MiB.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::keys::is_fingerprint;
use crate::strict_json::{self, JsonError};
use crate::{PublicKey, SecretKey};

/// The one payload type of comity: an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Most signatures on one statement.
pub const MAX_SIGNATURES: usize = 16;

/// Most bytes of a payload.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// What 64 MiB take as base64, and the rest of the line with it.
const MAX_LINE_BYTES: usize = MAX_PAYLOAD_BYTES.div_ceil(3) * 4 + (64 << 10);

/// Why a text is no envelope, or one can't be made.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// Not the JSON of an envelope.
    #[error("envelope: {0}")]
    Json(#[from] JsonError),
    /// Another payload type.
    #[error("envelope: payload type {0:?} is not {PAYLOAD_TYPE:?}")]
    PayloadType(String),
    /// A payload or signature whose base64 is not as it would be written.
    #[error("envelope: {0} is not padded base64 of RFC 4648 §4")]
    Base64(&'static str),
    /// A payload or line that is too long.
    #[error("envelope: payload is longer than {MAX_PAYLOAD_BYTES} bytes")]
    TooLong,
    /// None, or too many.
    #[error("envelope: {0} signatures, not 1 to {MAX_SIGNATURES}")]
    SignatureCount(usize),
    /// A `keyid` that can't be a fingerprint.
    #[error("envelope: keyid {0:?} is not \"SHA256:\" and 43 characters of base64")]
    KeyId(String),
    /// A signature of another length than Ed25519's.
    #[error("envelope: signature has {0} bytes, not 64")]
    SignatureLength(usize),
    /// The same signature, or the same signer, twice.
    #[error("envelope: signature by {0} is repeated")]
    Repeated(String),
}

/// A payload and the signatures over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// Who says to have signed, in the order written; nothing is checked until [`Envelope::signed_by`].
    pub signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Fingerprint of the key that is said to have made it: where to look, no proof.
    pub keyid: String,
    /// The Ed25519 signature.
    pub sig: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<LineSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineSignature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Signs the payload with each key, in this order.
    pub fn sign(payload: Vec<u8>, keys: &[&SecretKey]) -> Result<Self, EnvelopeError> {
        check_sizes(payload.len(), keys.len())?;
        let message = pae(&payload);
        let signatures = keys
            .iter()
            .map(|key| Signature { keyid: key.public().fingerprint(), sig: key.sign(&message) })
            .collect();
        Self { payload, signatures }.without_repetition()
    }

    /// Reads one line, without its line end.
    pub fn parse(line: &[u8]) -> Result<Self, EnvelopeError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(EnvelopeError::TooLong);
        }
        let line: Line = strict_json::from_slice(line)?;
        if line.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType(line.payload_type));
        }
        let payload = STANDARD.decode(line.payload).map_err(|_| EnvelopeError::Base64("payload"))?;
        check_sizes(payload.len(), line.signatures.len())?;
        let signatures = line.signatures.into_iter().map(Signature::read).collect::<Result<_, _>>()?;
        Self { payload, signatures }.without_repetition()
    }

    fn without_repetition(self) -> Result<Self, EnvelopeError> {
        for (at, one) in self.signatures.iter().enumerate() {
            if self.signatures.iter().take(at).any(|other| other.sig == one.sig || other.keyid == one.keyid) {
                return Err(EnvelopeError::Repeated(one.keyid.clone()));
            }
        }
        Ok(self)
    }

    /// The line, without a line end.
    pub fn to_line(&self) -> Result<String, EnvelopeError> {
        let signatures = self.signatures.iter();
        let line = Line {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(&self.payload),
            signatures: signatures
                .map(|one| LineSignature { keyid: one.keyid.clone(), sig: STANDARD.encode(one.sig) })
                .collect(),
        };
        Ok(serde_json::to_string(&line).map_err(JsonError::Syntax)?)
    }

    /// The bytes that are signed: DSSE's pre-authentication encoding of the payload.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload)
    }

    /// The signature that this key made, if it made one. Looked for by `keyid`, so that a hostile
    /// envelope can't ask for more than one check for each key.
    pub fn signed_by(&self, key: &PublicKey) -> Option<&Signature> {
        let keyid = key.fingerprint();
        let one = self.signatures.iter().find(|one| one.keyid == keyid)?;
        key.verify(&self.pae(), &one.sig).then_some(one)
    }
}

impl Signature {
    fn read(line: LineSignature) -> Result<Self, EnvelopeError> {
        let LineSignature { keyid, sig } = line;
        if !is_fingerprint(&keyid) {
            return Err(EnvelopeError::KeyId(keyid));
        }
        let sig = STANDARD.decode(sig).map_err(|_| EnvelopeError::Base64("signature"))?;
        let sig = sig.try_into().map_err(|sig: Vec<u8>| EnvelopeError::SignatureLength(sig.len()))?;
        Ok(Self { keyid, sig })
    }
}

fn check_sizes(payload_bytes: usize, signatures: usize) -> Result<(), EnvelopeError> {
    if payload_bytes > MAX_PAYLOAD_BYTES {
        return Err(EnvelopeError::TooLong);
    }
    if !(1..=MAX_SIGNATURES).contains(&signatures) {
        return Err(EnvelopeError::SignatureCount(signatures));
    }
    Ok(())
}

/// `DSSEv1 <length of the type> <type> <length of the payload> <payload>` (protocol.md, PAE).
fn pae(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed([seed; 32])
    }

    fn line() -> String {
        Envelope::sign(b"{}".to_vec(), &[&key(1), &key(2)]).unwrap().to_line().unwrap()
    }

    fn parse(line: &str) -> Result<Envelope, EnvelopeError> {
        Envelope::parse(line.as_bytes())
    }

    #[test]
    fn an_envelope_is_as_documented() {
        let envelope = Envelope::sign(b"{}".to_vec(), &[&key(1)]).unwrap();
        assert_eq!(envelope.pae(), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
        let (keyid, sig) = (key(1).public().fingerprint(), STANDARD.encode(envelope.signatures[0].sig));
        assert_eq!(
            envelope.to_line().unwrap(),
            format!(
                r#"{{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{{"keyid":"{keyid}","sig":"{sig}"}}]}}"#
            )
        );
        assert_eq!(parse(&envelope.to_line().unwrap()).unwrap(), envelope);
    }

    #[test]
    fn signers_are_found_by_key() {
        let envelope = parse(&line()).unwrap();
        assert_eq!(envelope.signed_by(&key(1).public()), envelope.signatures.first());
        assert_eq!(envelope.signed_by(&key(2).public()), envelope.signatures.last());
        assert_eq!(envelope.signed_by(&key(3).public()), None);
    }

    #[test]
    fn a_changed_payload_signature_or_keyid_is_nobodys() {
        let good = parse(&line()).unwrap();
        let mut payload = good.clone();
        payload.payload.push(b' ');
        let mut signature = good.clone();
        signature.signatures[0].sig[7] ^= 1;
        let mut keyid = good;
        keyid.signatures[0].keyid = key(3).public().fingerprint();
        for envelope in [payload, signature, keyid] {
            assert_eq!(envelope.signed_by(&key(1).public()), None);
        }
    }

    #[test]
    fn what_is_no_envelope_is_refused_by_kind() {
        let good = line();
        let changed = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            parse(&good.replacen(from, to, 1)).unwrap_err()
        };
        assert!(matches!(changed("vnd.in-toto", "vnd.other"), EnvelopeError::PayloadType(_)));
        assert!(matches!(changed("\"e30=\"", "\"e30\""), EnvelopeError::Base64("payload")));
        assert!(matches!(changed("\"e30=\"", "\"e31=\""), EnvelopeError::Base64("payload")));
        assert!(matches!(changed("\"e30=\"", "\"e30=\\n\""), EnvelopeError::Base64("payload")));
        assert!(matches!(changed("==\"", "=\""), EnvelopeError::Base64("signature")));
        assert!(matches!(changed("\"keyid\":\"SHA256:", "\"keyid\":\"SHA1:"), EnvelopeError::KeyId(_)));
        assert!(matches!(changed("\"keyid\":\"SHA256:", "\"keyid\":\"SHA256:AA"), EnvelopeError::KeyId(_)));
        assert!(matches!(changed("\"sig\":\"", "\"sig\":\"AAAA"), EnvelopeError::SignatureLength(67)));
        for (from, to) in [
            ("\"keyid\"", "\"key\""),
            ("{\"payloadType\"", "{\"x\":1,\"payloadType\""),
            ("{\"keyid\"", "{\"x\":1,\"keyid\""),
            ("{\"keyid\"", "{\"sig\":\"\",\"keyid\""),
            ("]}", "]} x"),
        ] {
            assert!(matches!(changed(from, to), EnvelopeError::Json(_)), "{from}");
        }
    }

    #[test]
    fn signatures_are_counted() {
        let sign = |keys: &[&SecretKey]| Envelope::sign(Vec::new(), keys);
        let keys: Vec<SecretKey> = (0..=16).map(key).collect();
        let keys: Vec<&SecretKey> = keys.iter().collect();
        assert!(matches!(sign(&[]), Err(EnvelopeError::SignatureCount(0))));
        assert!(matches!(sign(&keys), Err(EnvelopeError::SignatureCount(17))));
        assert!(sign(&keys[1..]).is_ok());
        assert!(matches!(sign(&[keys[0], keys[1], keys[0]]), Err(EnvelopeError::Repeated(_))));
        let twice = {
            let mut envelope = parse(&line()).unwrap();
            envelope.signatures[1].sig = envelope.signatures[0].sig;
            envelope.to_line().unwrap()
        };
        assert!(matches!(parse(&twice), Err(EnvelopeError::Repeated(_))));
    }

    #[test]
    fn a_payload_has_an_end() {
        let long = vec![0; MAX_PAYLOAD_BYTES + 1];
        assert!(matches!(Envelope::sign(long, &[&key(1)]), Err(EnvelopeError::TooLong)));
        assert!(matches!(Envelope::parse(&vec![b' '; MAX_LINE_BYTES + 1]), Err(EnvelopeError::TooLong)));
    }
}
