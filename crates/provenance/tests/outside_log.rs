//! Logs and proven records hold for the tools of others, and what is forged does not: `pymerkle` (trees and
//! proofs), `openssl` (signatures).
//!
//! A test whose tool is not installed says so and passes. The Python is `COMITY_OUTSIDE_PYTHON`, else
//! `python3`; it needs `pymerkle==7.0.0 cachetools==7.2.1`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where it can't go on")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comity_provenance::log::{Checkpoint, LeafEntry, Proof, SignedCheckpoint, leaves_of, origin};
use comity_provenance::merkle::{Tree, consistency_path, inclusion_path, root};
use comity_provenance::record_tree::{ChunkTree, ProvenRecord, Salts, TreeBuilder, leaf, path_from_blocks};
use comity_provenance::{Envelope, PublicKey, SecretKey, Sha256Digest};

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// Standard output, where the tool says yes; its complaint where it says no.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// The Python that has pymerkle, if there is one.
fn python() -> Option<String> {
    let python = std::env::var("COMITY_OUTSIDE_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut import = Command::new(&python);
    import.args(["-c", "import pymerkle"]).stdout(Stdio::null()).stderr(Stdio::null());
    let found = import.status().is_ok_and(|status| status.success());
    if !found {
        println!("skipped: {python} has no pymerkle");
    }
    found.then_some(python)
}

fn log_py(python: &str, what: &str, arguments: &[&Path]) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/outside/log.py");
    run(Command::new(python).arg(script).arg(what).args(arguments))
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// Two leaves for each of some envelopes.
fn entries(envelopes: u8) -> Vec<LeafEntry> {
    let sign = |at| Envelope::sign(vec![b'{', at, b'}'], &[&key(3), &key(4)]).unwrap();
    let leaves = |at| leaves_of(&sign(at), "urn:comity:custody-event:v1").unwrap();
    (0..envelopes).flat_map(leaves).collect()
}

fn signed(leaves: &[Sha256Digest]) -> SignedCheckpoint {
    let origin = origin("2026-014", &key(1).public());
    let checkpoint = Checkpoint { origin, size: leaves.len() as u64, root: root(leaves) };
    SignedCheckpoint::sign(checkpoint, &key(1)).unwrap()
}

#[test]
fn pymerkle_recomputes_the_log() {
    let Some(python) = python() else { return };
    let scratch = Scratch::new();
    let entries = entries(11);
    let hashes: Vec<Sha256Digest> = entries.iter().map(LeafEntry::hash).collect();
    let text: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    let leaves = scratch.write("leaves", &text);
    for size in [1, 2, 7, 16, 22] {
        let checkpoint = scratch.write("checkpoint", signed(&hashes[..size]).to_string());
        let said = log_py(&python, "root", &[&leaves, &checkpoint]).unwrap();
        assert_eq!(said, format!("{size} leaves give the root\n"));
        for index in [0, size / 2, size - 1] {
            let path = inclusion_path(&hashes[..size], index as u64).unwrap();
            let proof = Proof { index: index as u64, path, checkpoint: signed(&hashes[..size]) };
            let file = scratch.write("leaf.tlog-proof", proof.to_string());
            let said = log_py(&python, "proof", &[&leaves, &file]).unwrap();
            assert_eq!(said, format!("leaf {index} of {size} is proven\n"));
        }
    }
    let changed = scratch.write("changed", text.replacen("v1\n", "v2\n", 1));
    let checkpoint = scratch.write("checkpoint", signed(&hashes).to_string());
    assert_eq!(log_py(&python, "root", &[&changed, &checkpoint]), Err("root: AssertionError: root\n".into()));
    let path = inclusion_path(&hashes, 3).unwrap();
    let other = Proof { index: 4, path, checkpoint: signed(&hashes) };
    let other = scratch.write("other.tlog-proof", other.to_string());
    assert!(log_py(&python, "proof", &[&leaves, &other]).unwrap_err().contains("InvalidProof"));
}

#[test]
fn pymerkle_sees_that_the_log_only_grew() {
    let Some(python) = python() else { return };
    let scratch = Scratch::new();
    let hashes: Vec<Sha256Digest> = entries(11).iter().map(LeafEntry::hash).collect();
    let newer = scratch.write("newer", signed(&hashes).to_string());
    let check = |leaves: &[Sha256Digest], size: usize| {
        let older = scratch.write("older", signed(&leaves[..size]).to_string());
        let path = consistency_path(&hashes, size as u64).unwrap();
        let path: String = path.iter().map(|hash| STANDARD.encode(hash.as_bytes()) + "\n").collect();
        log_py(&python, "consistency", &[&older, &newer, &scratch.write("path", path)])
    };
    for size in [1, 2, 5, 8, 11, 16, 17, 21] {
        assert_eq!(check(&hashes, size), Ok(format!("22 leaves continue {size}\n")));
    }
    let mut forked = hashes.clone();
    forked.swap(2, 3);
    assert!(check(&forked, 5).unwrap_err().contains("roots"));
}

#[test]
fn pymerkle_proves_our_records() {
    let Some(python) = python() else { return };
    let scratch = Scratch::new();
    let (salts, lines) = (Salts::new(&[0x5a; 32]), (0..2500_u64).map(|at| format!("record {at}")));
    let lines: Vec<String> = lines.collect();
    let (mut builder, mut offset, mut leaves, mut offsets) = (TreeBuilder::new(), 0, Vec::new(), Vec::new());
    for (number, part) in (0_u64..).zip(lines.chunks(700)) {
        let mut chunk = ChunkTree::new(number * 700);
        for (index, line) in (number * 700..).zip(part) {
            let hash = leaf(&salts.salt(index), offset, line.as_bytes());
            chunk.push(offset, hash);
            leaves.push(hash);
            offsets.push(offset);
            offset += line.len() as u64 + 1;
        }
        builder.append(chunk).unwrap();
    }
    let tree = builder.finish();
    let blocks = Tree::new(tree.block_roots.clone());
    let proven = |index: usize| {
        let block = Tree::new(leaves.chunks(1024).nth(index / 1024).unwrap().to_vec());
        let path = path_from_blocks(index as u64, tree.records, &block, &blocks).unwrap();
        let record = ProvenRecord {
            record: index as u64 + 1,
            offset: offsets[index],
            salt: salts.salt(index as u64),
            bytes: lines[index].clone().into_bytes(),
            path,
            context: index == 0,
        };
        record.verify(tree.records, &tree.root).unwrap();
        record.to_line().unwrap() + "\n"
    };
    let text: String = [0, 1, 1023, 1024, 2047, 2048, 2499].map(proven).concat();
    let (count, root) = (tree.records.to_string(), tree.root.to_string());
    let check = |text: &str| {
        let file = scratch.write("records.jsonl", text);
        log_py(&python, "records", &[&file, Path::new(&count), Path::new(&root)])
    };
    assert_eq!(check(&text), Ok("7 records are proven\n".into()));
    for (from, to) in [
        ("\"record\":\"1024\"", "\"record\":\"1023\""),
        ("\"offset\":\"9\"", "\"offset\":\"8\""),
        ("\"salt\":\"", "\"salt\":\"00"),
        ("\"path\":[\"", "\"path\":[\"00"),
    ] {
        assert!(text.contains(from));
        check(&text.replacen(from, to, 1)).unwrap_err();
    }
}

#[test]
fn openssl_verifies_checkpoints_and_cosignatures() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: openssl is not installed");
        return;
    }
    let scratch = Scratch::new();
    let hashes: Vec<Sha256Digest> = entries(3).iter().map(LeafEntry::hash).collect();
    let mut checkpoint = signed(&hashes);
    checkpoint.cosign("witness.example", &key(2), 1_772_355_600).unwrap();
    let verify = |key: &PublicKey, message: &str, signature: &[u8]| {
        let public = scratch.write("key.pem", key.to_pem());
        let (message, signature) = (scratch.write("message", message), scratch.write("sig", signature));
        let mut command = Command::new("openssl");
        command.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(public);
        run(command.arg("-sigfile").arg(signature).arg("-in").arg(message))
    };
    let text = checkpoint.to_string();
    let note = text.split_inclusive('\n').take(3).collect::<String>();
    let [log, witness] = checkpoint.signatures() else { panic!("{text}") };
    verify(&key(1).public(), &note, &log.bytes).unwrap();
    verify(&key(1).public(), &note.replace("\n6\n", "\n7\n"), &log.bytes).unwrap_err();
    let cosigned = format!("cosignature/v1\ntime 1772355600\n{note}");
    verify(&key(2).public(), &cosigned, &witness.bytes[8..]).unwrap();
    verify(&key(2).public(), &note, &witness.bytes[8..]).unwrap_err();
}
