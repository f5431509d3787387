//! The log: its entries, a checkpoint, a proof file.

#![no_main]

use comity_fuzz::{bounded, custodian, log, node, seeds, witness};
use comity_provenance::log::{Checkpoint, LeafEntry, LogError, Proof, SignedCheckpoint, parse_leaves};
use comity_provenance::merkle::{ProofError, inclusion_path, root};
use comity_provenance::{Sha256Digest, merkle};

const ORIGIN: &str = "comity/2026-014/5f1c22d0";
const WITNESS: &str = "witness.example";

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |bytes: &[u8]| check(bytes));

fn entries() -> Vec<LeafEntry> {
    let entry = |n: u8| {
        LeafEntry::new(Sha256Digest::of(&[n]), &node().public().fingerprint(), &[n; 64], "urn:x").unwrap()
    };
    (0..5).map(entry).collect()
}

fn hashes() -> Vec<Sha256Digest> {
    entries().iter().map(LeafEntry::hash).collect()
}

fn signed() -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 5, root: root(&hashes()) };
    SignedCheckpoint::sign(checkpoint, &log()).unwrap()
}

fn inputs() -> Vec<Vec<u8>> {
    let mut cosigned = signed();
    cosigned.cosign(WITNESS, &witness(), 1_772_355_600).unwrap();
    cosigned.cosign("b.example", &custodian(), 0).unwrap();
    let proof = |index| {
        let path = inclusion_path(&hashes(), index).unwrap();
        Proof { index, path, checkpoint: signed() }.to_string()
    };
    let leaves: String = entries().iter().map(|entry| format!("{entry}\n")).collect();
    let sizes = [0, 1 << 32, 1 << 63].iter().flat_map(|n: &u64| n.to_be_bytes());
    let consistency: Vec<u8> = sizes.chain([7; 24 + 32 * 40]).collect();
    let texts = [signed().to_string(), cosigned.to_string(), proof(0), proof(3), proof(4), leaves];
    texts.map(String::into_bytes).into_iter().chain([consistency]).collect()
}

fn check(bytes: &[u8]) {
    let limit_bytes = (16 << 10) + 16 * bytes.len();
    if let Ok(checkpoint) = bounded(limit_bytes, || SignedCheckpoint::parse(bytes)) {
        assert_eq!(checkpoint.to_string().as_bytes(), bytes);
        check_signatures(&checkpoint);
    }
    if let Ok(proof) = bounded(limit_bytes, || Proof::parse(bytes)) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        check_signatures(&proof.checkpoint);
        check_proof(&proof);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(leaves) = bounded(limit_bytes, || parse_leaves(text))
    {
        let written: String = leaves.iter().map(|leaf| format!("{leaf}\n")).collect();
        assert_eq!(written, text);
    }
    check_consistency(bytes);
}

/// Signatures that hold are those that the keys can have made.
fn check_signatures(signed: &SignedCheckpoint) {
    let checkpoint = signed.checkpoint().clone();
    let made = SignedCheckpoint::sign(checkpoint, &log()).unwrap();
    if signed.verify_log(&log().public()).is_ok() {
        assert!(signed.signatures().contains(&made.signatures()[0]), "forged");
    }
    let Ok(found) = signed.cosignatures(&[(WITNESS, &witness().public())]) else { return };
    for cosignature in found {
        let mut made = made.clone();
        made.cosign(WITNESS, &witness(), cosignature.time_s).unwrap();
        assert!(signed.signatures().contains(&made.signatures()[1]), "forged");
    }
}

/// A proof that holds is the one of its entry.
fn check_proof(proof: &Proof) {
    for (index, entry) in (0..).zip(&entries()) {
        match proof.verify(&log().public(), entry) {
            Ok(()) => {
                assert_eq!(proof.index, index);
                assert_eq!(proof.path, inclusion_path(&hashes(), index).unwrap());
                assert_eq!(proof.checkpoint.checkpoint(), signed().checkpoint());
            }
            Err(LogError::Proof(ProofError::PathLength { expected, found })) => assert_ne!(expected, found),
            Err(_) => {}
        }
    }
}

/// Two sizes and roots, and a path: whatever they are, they are judged.
fn check_consistency(bytes: &[u8]) {
    let Some((older, rest)) = bytes.split_first_chunk::<8>() else { return };
    let Some((newer, rest)) = rest.split_first_chunk::<8>() else { return };
    let (older, newer) = (u64::from_be_bytes(*older), u64::from_be_bytes(*newer));
    let (hashes, _) = rest.as_chunks::<32>();
    let hashes: Vec<Sha256Digest> = hashes.iter().map(|hash| Sha256Digest::from_bytes(*hash)).collect();
    if let [old_root, new_root, path @ ..] = &hashes[..] {
        let _ = merkle::verify_consistency((older, old_root), (newer, new_root), path);
        let _ = merkle::verify_inclusion(older, newer, old_root, path, new_root);
    }
}
