use super::*;
use crate::merkle::ProofError;

const ORIGIN: &str = "comity/2026-014/5f1c22d0";
const TYPE: &str = "urn:comity:custody-event:v1";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn entries() -> Vec<LeafEntry> {
    let entry = |at: u8| {
        let digest = Sha256Digest::of(&[at]);
        LeafEntry::new(digest, &key(9).public().fingerprint(), &[at; 64], TYPE).unwrap()
    };
    (0..11).map(entry).collect()
}

fn leaves() -> Vec<Sha256Digest> {
    entries().iter().map(LeafEntry::hash).collect()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 11, root: merkle::root(&leaves()) }
}

fn signed() -> SignedCheckpoint {
    let mut signed = SignedCheckpoint::sign(checkpoint(), &key(1)).unwrap();
    signed.cosign("witness.example/w1", &key(2), 1_679_315_147).unwrap();
    signed
}

fn parse(text: &str) -> Result<SignedCheckpoint, LogError> {
    SignedCheckpoint::parse(text.as_bytes())
}

#[test]
fn signatures_and_key_hashes_are_those_of_go() {
    // the example of golang.org/x/mod/sumdb/note
    let key = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
    let key = PublicKey::from_bytes(key[1..].try_into().unwrap()).unwrap();
    assert_eq!(hex::encode(key_hash("PeterNeumann", ED25519, &key)), "c74f20a3");
    let line = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
    let signature = NoteSignature::parse(line).unwrap();
    assert_eq!(signature.key_hash, key_hash("PeterNeumann", ED25519, &key));
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    assert!(key.verify(text.as_bytes(), &signature.bytes.try_into().unwrap()));
}

#[test]
fn the_example_of_the_specification_is_read() {
    // c2sp.org/tlog-cosignature
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let read = parse(text).unwrap();
    assert_eq!((read.checkpoint().size, read.signatures().len()), (20_852_163, 2));
    assert_eq!(read.signatures()[1].bytes[..8], 1_679_315_147_u64.to_be_bytes());
    assert_eq!(read.to_string(), text);
}

#[test]
fn a_checkpoint_is_as_documented() {
    let (signed, log, witness) = (signed(), key(1), key(2));
    let text = format!("{ORIGIN}\n11\n{}\n", STANDARD.encode(checkpoint().root.as_bytes()));
    let line = |name: &str, kind: u8, key: &SecretKey, bytes: &[u8]| {
        let hashed = [name.as_bytes(), &[0x0a, kind], key.public().as_bytes()].concat();
        let hash = Sha256Digest::of(&hashed).as_bytes()[..4].to_vec();
        format!("\u{2014} {name} {}\n", STANDARD.encode([&hash, bytes].concat()))
    };
    let cosigned = witness.sign(format!("cosignature/v1\ntime 1679315147\n{text}").as_bytes());
    let time = [0, 0, 0, 0, 0x64, 0x18, 0x50, 0xcb];
    let expected = [
        text.clone(),
        "\n".to_owned(),
        line(ORIGIN, 1, &log, &log.sign(text.as_bytes())),
        line("witness.example/w1", 4, &witness, &[&time[..], &cosigned].concat()),
    ];
    assert_eq!(signed.to_string(), expected.concat());
    assert_eq!(parse(&signed.to_string()).unwrap(), signed);
}

#[test]
fn signers_are_found_by_name_and_key() {
    let signed = parse(&signed().to_string()).unwrap();
    assert_eq!(signed.verify_log(&key(1).public()), Ok(()));
    assert_eq!(signed.verify_log(&key(2).public()), Err(LogError::Unsigned(ORIGIN.to_owned())));
    let (ours, other) = (key(2).public(), key(3).public());
    let found = signed.cosignatures(&[("witness.example/w1", &ours)]).unwrap();
    assert_eq!(found, [Cosignature { name: "witness.example/w1".to_owned(), time_s: 1_679_315_147 }]);
    assert_eq!(
        signed.cosignatures(&[("witness.example/w2", &ours), ("witness.example/w1", &other)]),
        Ok(vec![])
    );
    // the log's own signature is no cosignature
    assert_eq!(signed.cosignatures(&[(ORIGIN, &key(1).public())]), Ok(vec![]));
}

#[test]
fn a_changed_checkpoint_is_nobodys() {
    let good = signed().to_string();
    let root = STANDARD.encode(checkpoint().root.as_bytes());
    let other = STANDARD.encode([0; 32]);
    for (from, to) in [("\n11\n", "\n12\n"), (&*root, &*other)] {
        let changed = parse(&good.replacen(from, to, 1)).unwrap();
        assert_eq!(changed.verify_log(&key(1).public()), Err(LogError::BadSignature(ORIGIN.to_owned())));
        let cosigned = changed.cosignatures(&[("witness.example/w1", &key(2).public())]);
        assert_eq!(cosigned, Err(LogError::BadSignature("witness.example/w1".to_owned())));
    }
    let renamed = parse(&good.replacen(ORIGIN, "comity/other/5f1c22d0", 1)).unwrap();
    assert!(matches!(renamed.verify_log(&key(1).public()), Err(LogError::Unsigned(_))));
    let mut shorter = signed();
    shorter.signatures[0].bytes.pop();
    shorter.signatures[1].bytes[7] ^= 1;
    assert_eq!(shorter.verify_log(&key(1).public()), Err(LogError::BadSignature(ORIGIN.to_owned())));
    assert!(shorter.cosignatures(&[("witness.example/w1", &key(2).public())]).is_err());
    let late = 1 << 63;
    let cosigned = key(2).sign(cosigned(&checkpoint(), late).as_bytes());
    shorter.signatures[1].bytes = [&late.to_be_bytes()[..], &cosigned].concat();
    assert!(shorter.cosignatures(&[("witness.example/w1", &key(2).public())]).is_err());
    shorter.signatures[1].bytes.truncate(5);
    assert!(shorter.cosignatures(&[("witness.example/w1", &key(2).public())]).is_err());
}

#[test]
fn unknown_signatures_are_kept() {
    let pq = STANDARD.encode(vec![5; 2432]);
    let text = format!("{}\u{2014} pq.example {pq}\n", signed());
    let read = parse(&text).unwrap();
    assert_eq!(read.verify_log(&key(1).public()), Ok(()));
    assert_eq!((read.signatures().len(), read.to_string()), (3, text));
}

#[test]
fn what_is_no_checkpoint_is_refused_by_kind() {
    let good = signed().to_string();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        parse(&good.replacen(from, to, 1)).unwrap_err()
    };
    let root = STANDARD.encode(checkpoint().root.as_bytes());
    for bad in ["", "011", "+11", "-1", "1 1", "18446744073709551616", "a"] {
        assert_eq!(changed("\n11\n", &format!("\n{bad}\n")), LogError::Form("size"), "{bad}");
    }
    for bad in ["", "AAAA", root.trim_end_matches('='), &format!("{root} ")] {
        assert_eq!(changed(&root, bad), LogError::Form("root"), "{bad}");
    }
    assert_eq!(changed("\n\n", "\nextension\n\n"), LogError::Form("empty line"));
    assert_eq!(changed("\n\n", "\n"), LogError::Form("empty line"));
    assert_eq!(changed("\n\n", "\n\n\n"), LogError::Form("signature line"));
    assert_eq!(changed("\u{2014} witness", "\u{2013} witness"), LogError::Form("signature line"));
    assert_eq!(changed("\u{2014} witness", "\u{2014}witness"), LogError::Form("signature line"));
    assert_eq!(changed("example/w1 ", "example/w1"), LogError::Form("signature line"));
    assert_eq!(changed("example/w1 ", "example/w1  "), LogError::Form("signature line"));
    for bad in ["AAAA\n", "AAAA", "AAAAAA==", "!AAA"] {
        let line = format!("\u{2014} w {bad}\n");
        assert_eq!(parse(&format!("{good}{line}")), Err(LogError::Form("signature line")), "{bad}");
    }
    for name in ["", "a+b", "a\u{a0}b", "a\u{2003}b"] {
        let line = format!("\u{2014} {name} AAAAAAA=\n");
        assert_eq!(parse(&format!("{good}{line}")), Err(LogError::Name(name.to_owned())), "{name}");
    }
    assert!(matches!(parse(&good.replacen(ORIGIN, "", 1)), Err(LogError::Name(_))));
    assert!(matches!(parse(&good.replacen(ORIGIN, &"x".repeat(1025), 1)), Err(LogError::Name(_))));
    for text in [good.replace('\n', "\r\n"), good.replacen("w1", "w\t1", 1), format!("{good}\0")] {
        assert_eq!(parse(&text), Err(LogError::NotText));
    }
    assert_eq!(SignedCheckpoint::parse(&[good.as_bytes(), b"\xff\n"].concat()), Err(LogError::NotText));
    assert_eq!(parse(good.trim_end()), Err(LogError::Form("line end")));
    assert_eq!(parse(&checkpoint().to_string()), Err(LogError::Form("empty line")));
    assert_eq!(parse(&" ".repeat(MAX_CHECKPOINT_BYTES + 1)), Err(LogError::TooLong));
}

#[test]
fn signatures_are_counted() {
    let unsigned = format!("{}\n", checkpoint());
    // an empty line, and no line after it
    assert_eq!(parse(&unsigned), Err(LogError::SignatureCount(0)));
    let mut full = SignedCheckpoint::sign(checkpoint(), &key(1)).unwrap();
    for seed in 2..=16 {
        full.cosign("w", &key(seed), 5).unwrap();
    }
    assert_eq!(parse(&full.to_string()), Ok(full.clone()));
    let before = full.clone();
    assert_eq!(full.cosign("w", &key(17), 5), Err(LogError::SignatureCount(17)));
    assert_eq!(full, before);
    let text = format!("{before}\u{2014} w AAAAAAA=\n");
    assert_eq!(parse(&text), Err(LogError::SignatureCount(17)));
    let mut twice = signed();
    let repeated = LogError::Repeated("witness.example/w1".to_owned());
    assert_eq!(twice.cosign("witness.example/w1", &key(2), 9), Err(repeated.clone()));
    assert_eq!(twice, signed());
    let line = signed().to_string().lines().last().unwrap().to_owned();
    assert_eq!(parse(&format!("{}{line}\n", signed())), Err(repeated));
}

#[test]
fn what_can_not_be_read_is_not_signed() {
    for origin in ["", "a b", "a\nb", "a+b"] {
        let checkpoint = Checkpoint { origin: origin.to_owned(), ..checkpoint() };
        assert!(matches!(SignedCheckpoint::sign(checkpoint, &key(1)), Err(LogError::Name(_))), "{origin:?}");
        assert!(matches!(signed().cosign(origin, &key(3), 1), Err(LogError::Name(_))), "{origin:?}");
    }
    assert_eq!(signed().cosign("w", &key(3), 1 << 63), Err(LogError::Time(1 << 63)));
}

fn proof() -> Proof {
    Proof { index: 5, path: merkle::inclusion_path(&leaves(), 5).unwrap(), checkpoint: signed() }
}

#[test]
fn a_proof_is_as_documented() {
    let hashes = proof().path.iter().map(|hash| STANDARD.encode(hash.as_bytes()) + "\n").collect::<String>();
    let text = format!("c2sp.org/tlog-proof@v1\nindex 5\n{hashes}\n{}", signed());
    assert_eq!(proof().to_string(), text);
    assert_eq!(Proof::parse(text.as_bytes()).unwrap(), proof());
    assert_eq!(proof().verify(&key(1).public(), &entries()[5]), Ok(()));
    let one = Checkpoint { origin: ORIGIN.to_owned(), size: 1, root: leaves()[0] };
    let one = Proof { index: 0, path: Vec::new(), checkpoint: SignedCheckpoint::sign(one, &key(1)).unwrap() };
    assert_eq!(Proof::parse(one.to_string().as_bytes()).unwrap(), one);
    assert_eq!(one.verify(&key(1).public(), &entries()[0]), Ok(()));
}

#[test]
fn a_proof_that_does_not_hold_says_why_signature_first() {
    let verify = |proof: &Proof, at: usize| proof.verify(&key(1).public(), &entries()[at]);
    let mut forged = proof();
    forged.path.clear();
    forged.checkpoint.checkpoint.root = leaves()[5];
    forged.checkpoint.checkpoint.size = 1;
    forged.index = 0;
    assert_eq!(verify(&forged, 5), Err(LogError::BadSignature(ORIGIN.to_owned())));
    assert!(matches!(verify(&proof(), 6), Err(LogError::Proof(ProofError::Root { .. }))));
    let changed = |change: fn(&mut Proof)| {
        let mut proof = proof();
        change(&mut proof);
        verify(&proof, 5).unwrap_err()
    };
    let of = LogError::Proof;
    assert_eq!(changed(|proof| proof.index = 11), of(ProofError::Index { index: 11, size: 11 }));
    assert!(matches!(changed(|proof| proof.index = 4), LogError::Proof(ProofError::Root { .. })));
    assert_eq!(changed(|proof| proof.path.truncate(3)), of(ProofError::PathLength { expected: 4, found: 3 }));
    assert_eq!(
        changed(|proof| proof.path.push(proof.path[0])),
        of(ProofError::PathLength { expected: 4, found: 5 })
    );
}

#[test]
fn what_is_no_proof_is_refused_by_kind() {
    let good = proof().to_string();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        Proof::parse(good.replacen(from, to, 1).as_bytes()).unwrap_err()
    };
    assert_eq!(changed("@v1", "@v2"), LogError::Form("first lines"));
    assert_eq!(changed("index", "extra AAAA\nindex"), LogError::Form("first lines"));
    for bad in ["05", "", "-5", "5 "] {
        assert_eq!(changed("index 5", &format!("index {bad}")), LogError::Form("index"), "{bad}");
    }
    assert_eq!(changed("index 5\n", "index 5\nAAAA\n"), LogError::Form("path"));
    let line = STANDARD.encode([0; 32]) + "\n";
    let long = format!("index 5\n{}", line.repeat(61));
    assert_eq!(changed("index 5\n", &long), LogError::Form("path"));
    // the empty line goes: what follows is read as the path
    assert_eq!(changed("\n\ncomity", "\ncomity"), LogError::Form("path"));
    assert_eq!(changed("\n11\n", "\n011\n"), LogError::Form("size"));
    let long = vec![b' '; MAX_CHECKPOINT_BYTES + 66 * HASH_LINE_BYTES + 1];
    assert_eq!(Proof::parse(&long), Err(LogError::TooLong));
}

/// Each text has one reading: with any one byte changed, it is refused or is another value whose text it is.
#[test]
fn what_is_read_is_what_is_written() {
    let proof = proof();
    let good = proof.to_string().into_bytes();
    for at in 0..good.len() {
        for change in [1, 2, 0x10, 0x20, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= change;
            if let Ok(read) = Proof::parse(&bytes) {
                assert_eq!(read.to_string().into_bytes(), bytes, "byte {at}");
                assert_ne!(read, proof);
            }
        }
        let mut bytes = good.clone();
        bytes.remove(at);
        if let Ok(read) = Proof::parse(&bytes) {
            assert_eq!(read.to_string().into_bytes(), bytes, "byte {at}");
        }
    }
}
