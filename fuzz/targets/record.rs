//! A proven record, a line of `data/records/<id>.jsonl`.

#![no_main]

use comity_fuzz::{bounded, seeds};
use comity_provenance::merkle::{inclusion_path, root};
use comity_provenance::record_tree::ProvenRecord;
use comity_provenance::{Sha256Digest, merkle};

const RECORDS: u64 = 7;

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |line: &[u8]| check(line));

/// All records of a small item, proven.
fn proven() -> Vec<ProvenRecord> {
    let bare = |number: u8| ProvenRecord {
        record: u64::from(number),
        offset: u64::from(number) * 100,
        salt: [number; 16],
        bytes: vec![b'0'; usize::from(number - 1)],
        path: Vec::new(),
        context: number == 1,
    };
    let mut records: Vec<ProvenRecord> = (1..=RECORDS as u8).map(bare).collect();
    let leaves: Vec<Sha256Digest> = records.iter().map(ProvenRecord::leaf).collect();
    for record in &mut records {
        record.path = inclusion_path(&leaves, record.record - 1).unwrap();
    }
    records
}

fn inputs() -> Vec<Vec<u8>> {
    let mut records = proven();
    let far = ProvenRecord {
        record: u64::MAX,
        offset: u64::MAX,
        path: vec![Sha256Digest::of(b""); 64],
        ..records[2].clone()
    };
    records.push(far);
    records.iter().map(|record| record.to_line().unwrap().into_bytes()).collect()
}

fn check(line: &[u8]) {
    let Ok(record) = bounded((16 << 10) + 8 * line.len(), || ProvenRecord::parse(line)) else { return };
    let written = record.to_line().unwrap();
    assert!(written.len() <= line.len(), "longer than what was read");
    assert_eq!(ProvenRecord::parse(written.as_bytes()).unwrap(), record);
    let genuine = proven();
    let leaves: Vec<Sha256Digest> = genuine.iter().map(ProvenRecord::leaf).collect();
    let root = root(&leaves);
    if record.verify(RECORDS, &root).is_ok() {
        let of_number = genuine.into_iter().find(|one| one.record == record.record);
        assert_eq!(
            of_number,
            Some(ProvenRecord { context: record.record == 1, ..record }),
            "proven, and another"
        );
    } else {
        // trees of any size: each path is judged
        let _ = record.verify(u64::MAX, &root);
        let _ = merkle::verify_inclusion(record.record, record.offset, &root, &record.path, &root);
    }
}
