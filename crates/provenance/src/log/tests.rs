use super::*;
use crate::SecretKey;

const TYPE: &str = "https://slsa.dev/provenance/v1";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn entry() -> LeafEntry {
    let signer = key(1).public().fingerprint();
    LeafEntry::new(Sha256Digest::of(b"payload"), &signer, &[7; 64], TYPE).unwrap()
}

#[test]
fn an_envelope_gives_a_leaf_for_each_signature() {
    let envelope = Envelope::sign(b"payload".to_vec(), &[&key(1), &key(2)]).unwrap();
    let leaves = leaves_of(&envelope, TYPE).unwrap();
    assert_eq!(leaves.len(), 2);
    for (leaf, seed) in leaves.iter().zip([1, 2]) {
        let (signer, signed) = (key(seed).public(), key(seed).sign(&envelope.pae()));
        let text = format!(
            "sha256:{} {} sha256:{} {TYPE}",
            Sha256Digest::of(b"payload"),
            signer.fingerprint(),
            Sha256Digest::of(&signed)
        );
        assert_eq!(leaf.to_string(), text);
        assert_eq!(leaf.hash(), merkle::leaf_hash(text.as_bytes()));
        assert_eq!(&LeafEntry::parse(&text).unwrap(), leaf);
        assert_eq!((leaf.signer(), leaf.predicate_type()), (&*signer.fingerprint(), TYPE));
    }
    // a statement must not write lines of its own into the log
    let refused = leaves_of(&envelope, "x\nsha256:0");
    assert_eq!(refused, Err(LogError::Leaf { index: 0, part: "predicate type" }));
}

#[test]
fn leaves_are_read_line_by_line() {
    let text = format!("{0}\n{0}\n", entry());
    assert_eq!(parse_leaves(&text).unwrap(), [entry(), entry()]);
    assert_eq!(parse_leaves("").unwrap(), []);
    let refused = |text: &str| parse_leaves(text).unwrap_err();
    assert_eq!(refused(text.trim_end()), LogError::Leaf { index: 1, part: "line end" });
    assert_eq!(refused(&format!("{text}\n")), LogError::Leaf { index: 2, part: "payload" });
    assert_eq!(refused(&text.replace('\n', "\r\n")), LogError::Leaf { index: 0, part: "predicate type" });
}

#[test]
fn what_is_no_leaf_entry_is_refused_by_part() {
    let good = entry().to_string();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        match LeafEntry::parse(&good.replacen(from, to, 1)) {
            Err(LogError::Leaf { index: 0, part }) => part,
            other => panic!("{to}: {other:?}"),
        }
    };
    let (payload, signer) = (entry().payload().to_string(), entry().signer().to_owned());
    assert_eq!(changed("sha256:", ""), "payload");
    assert_eq!(changed("sha256:", " sha256:"), "payload");
    assert_eq!(changed(&payload, &payload.to_uppercase()), "payload");
    assert_eq!(changed(&payload, "00"), "payload");
    assert_eq!(changed(&signer, "SHA256:AAAA"), "signer");
    assert_eq!(changed(&signer, &format!("{signer}=")), "signer");
    assert_eq!(changed("SHA256:", "MD5:"), "signer");
    assert_eq!(changed(" sha256:", "  sha256:"), "signature");
    assert_eq!(changed(&format!("{} {TYPE}", entry().signature()), "00 x"), "signature");
    assert_eq!(changed(TYPE, ""), "predicate type");
    assert_eq!(changed(TYPE, "a b"), "predicate type");
    assert_eq!(changed(TYPE, "\u{e9}"), "predicate type");
    assert_eq!(changed(TYPE, &"x".repeat(257)), "predicate type");
    assert_eq!(LeafEntry::parse(""), Err(LogError::Leaf { index: 0, part: "payload" }));
}

#[test]
fn an_origin_names_case_and_key() {
    // cut -d' ' -f2 log.pub | base64 -d | sha256sum | cut -c1-8
    let digest = Sha256Digest::of(&key(1).public().wire()).to_string();
    let begin: String = digest.chars().take(8).collect();
    assert_eq!(origin("2026-014", &key(1).public()), format!("comity/2026-014/{begin}"));
    assert_eq!(origin("a b/\u{e9}+~", &key(1).public()), format!("comity/a%20b%2F%C3%A9%2B~/{begin}"));
    assert_ne!(origin("x", &key(1).public()), origin("x", &key(2).public()));
}
