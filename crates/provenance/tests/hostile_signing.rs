//! What comes from outside is refused or means one thing, whatever its bytes.

#![expect(clippy::unwrap_used, reason = "a test ends where it can't go on")]

use comity_provenance::seal::{open, seal};
use comity_provenance::statement::Statement;
use comity_provenance::trust::TrustFile;
use comity_provenance::{Envelope, PublicKey, SecretKey, strict_json};
use proptest::prelude::*;

fn key() -> SecretKey {
    SecretKey::from_seed([5; 32])
}

fn statement() -> String {
    let sha256 = comity_provenance::Sha256Digest::of(b"x");
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"evidence/{sha256}","digest":{{"sha256":"{sha256}"}}}}],"predicateType":"urn:comity:custody-event:v1","predicate":{{"eventId":"00000000-0000-4000-8000-000000000000","nonce":"00000000000000000000000000000000","eventType":"erasure","time":"2026-03-01T09:00:00Z","clock":"system","actor":{{"id":"a","role":"custodian"}},"caseId":"c","purpose":"p","details":{{"reason":"r","leaves":["1-2"]}}}}}}"#
    )
}

fn envelope() -> String {
    Envelope::sign(statement().into_bytes(), &[&key()]).unwrap().to_line().unwrap()
}

fn trust() -> String {
    let key = key().public();
    format!(
        "# c\na@b,c namespaces=\"comity-node,git\",valid-after=\"20260101Z\",valid-before=\"202701010000Z\" {key} d\nx {key}\n"
    )
}

#[test]
fn no_byte_of_a_seal_can_be_changed() {
    let good = seal(b"message", &key(), "comity-evidence");
    assert!(open(&good, b"message", "comity-evidence").is_ok());
    for at in 0..good.len() {
        for to in ['A', 'B', '=', '\n', ' ', '-'] {
            let mut chars: Vec<char> = good.chars().collect();
            if chars[at] != to {
                chars[at] = to;
                let bad: String = chars.into_iter().collect();
                assert!(open(&bad, b"message", "comity-evidence").is_err(), "{at}: {to:?}\n{bad}");
            }
        }
    }
}

#[test]
fn no_byte_of_an_envelope_can_be_changed_and_stay_signed() {
    let good = envelope();
    assert!(Envelope::parse(good.as_bytes()).unwrap().signed_by(&key().public()).is_some());
    for at in 0..good.len() {
        for to in [b'A', b' ', b'"', 0xff] {
            let mut bad = good.clone().into_bytes();
            if bad[at] != to {
                bad[at] = to;
                let signed = Envelope::parse(&bad).is_ok_and(|e| e.signed_by(&key().public()).is_some());
                assert!(!signed, "{at}: {}", bad.escape_ascii());
            }
        }
    }
}

/// A text with some of its bytes replaced, taken out, or put in twice.
fn damaged(text: String) -> impl Strategy<Value = Vec<u8>> {
    let length = text.len();
    let cut = (
        0..length,
        0..4_usize,
        prop::collection::vec(
            prop::sample::select(b"\"\\,{}[]:0-9AZaz =\t\n\r\0#*\xc3\xa9\xff".to_vec()),
            0..4,
        ),
    );
    prop::collection::vec(cut, 1..4).prop_map(move |cuts| {
        let mut bytes = text.clone().into_bytes();
        for (at, out, put_in) in cuts {
            let at = at.min(bytes.len());
            let end = (at + out).min(bytes.len());
            bytes.splice(at..end, put_in);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = strict_json::parse(&bytes);
        let _ = Envelope::parse(&bytes);
        let _ = Statement::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = TrustFile::parse(&text);
        let _ = open(&text, b"", "n");
        let _ = text.parse::<PublicKey>();
        let _ = SecretKey::from_openssh(&text);
        let _ = PublicKey::from_wire(&bytes);
    }

    #[test]
    fn a_damaged_envelope_is_written_as_it_is_read(bytes in damaged(envelope())) {
        if let Ok(read) = Envelope::parse(&bytes) {
            prop_assert_eq!(Envelope::parse(read.to_line().unwrap().as_bytes()).unwrap(), read);
        }
    }

    #[test]
    fn a_damaged_statement_is_written_as_it_is_read(bytes in damaged(statement())) {
        if let Ok(read) = Statement::parse(&bytes) {
            prop_assert_eq!(Statement::parse(&read.to_bytes().unwrap()).unwrap(), read);
        }
    }

    #[test]
    fn a_damaged_trust_file_is_written_as_it_is_read(bytes in damaged(trust())) {
        if let Ok(read) = TrustFile::parse(&String::from_utf8_lossy(&bytes)) {
            let granting: TrustFile = read.entries().iter().filter(|e| !e.roles().is_empty()).cloned().collect();
            prop_assert_eq!(TrustFile::parse(&read.to_text()).unwrap(), granting);
        }
    }

    #[test]
    fn a_damaged_private_key_is_refused_or_another(bytes in damaged(key().to_openssh("c").unwrap().to_string())) {
        let _ = SecretKey::from_openssh(&String::from_utf8_lossy(&bytes));
    }
}
