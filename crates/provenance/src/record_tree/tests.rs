use super::*;
use crate::merkle::{inclusion_path, root};

const SECRET: [u8; 32] = [0x5a; 32];

fn leaves(count: u64) -> Vec<Sha256Digest> {
    let salts = Salts::new(&SECRET);
    (0..count).map(|index| leaf(&salts.salt(index), index * 3, &index.to_be_bytes()[6..])).collect()
}

/// The tree of these leaves, of which each begins 3 bytes after the one before; cut into chunks.
fn tree(leaves: &[Sha256Digest], mut chunk_records: impl FnMut() -> usize) -> BlockTree {
    let mut builder = TreeBuilder::new();
    let (mut first, mut rest) = (0, leaves);
    while !rest.is_empty() {
        let (here, after) = rest.split_at(chunk_records().min(rest.len()));
        let mut chunk = ChunkTree::new(first);
        for leaf in here {
            chunk.push(first * 3, *leaf);
            first += 1;
        }
        builder.append(chunk).unwrap();
        rest = after;
    }
    builder.finish()
}

/// Numbers below `below`, always the same ones.
fn chance(mut state: u64, below: u64) -> impl FnMut() -> usize {
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % below).unwrap()
    }
}

fn proven(index: u64, leaves: &[Sha256Digest]) -> ProvenRecord {
    ProvenRecord {
        record: index + 1,
        offset: index * 3,
        salt: Salts::new(&SECRET).salt(index),
        bytes: index.to_be_bytes()[6..].to_vec(),
        path: inclusion_path(leaves, index).unwrap(),
        context: false,
    }
}

#[test]
fn salts_are_hmac() {
    // printf '\0\0\0\0\0\0\0\1' | openssl dgst -sha256 -mac hmac -macopt hexkey:5a…5a
    let salts = Salts::new(&SECRET);
    assert_eq!(hex::encode(salts.salt(1)), "ed6985a1a7556a53009cc29217bc26fd");
    assert_ne!(salts.salt(0), salts.salt(1));
    assert_ne!(salts.salt(0), Salts::new(&[0; 32]).salt(0));
    assert_eq!(format!("{salts:?}"), "Salts");
}

#[test]
fn a_leaf_is_as_documented() {
    let entry = [&[1; 16][..], &[0, 0, 0, 0, 0, 0, 7, 0xf8], &[0, 0, 0, 0, 0, 0, 0, 2], b"ab"].concat();
    assert_eq!(leaf(&[1; 16], 2040, b"ab"), merkle::leaf_hash(&entry));
}

#[test]
fn a_record_in_parts_has_the_hash_of_the_whole() {
    let record = vec![b'x'; 1000];
    let whole = leaf(&[9; 16], 5, &record);
    for size in [1, 7, 31, 64, 1000] {
        let mut hasher = LeafHasher::begin(&[9; 16], 5, 1000);
        record.chunks(size).for_each(|part| hasher.update(part));
        assert_eq!(hasher.finish().unwrap(), whole);
    }
    for found in [999, 1001] {
        let mut hasher = LeafHasher::begin(&[9; 16], 5, 1000);
        hasher.update(&vec![b'x'; found]);
        let refused = hasher.finish();
        assert!(
            matches!(refused, Err(RecordError::Length { expected: 1000, found: f }) if f == found as u64)
        );
    }
}

/// Sizes up to 3000 and around the borders of blocks.
fn sizes() -> impl Iterator<Item = usize> {
    (0..=40).chain((41..3000).step_by(173)).chain([1023, 1024, 1025, 2047, 2048, 2049, 4096, 4097, 5120])
}

#[test]
fn chunks_make_no_difference() {
    let all = leaves(5120);
    for count in sizes() {
        let leaves = &all[..count];
        let whole = tree(leaves, || usize::MAX);
        assert_eq!((whole.records, whole.root), (count as u64, root(leaves)), "{count}");
        let blocks: Vec<Sha256Digest> = leaves.chunks(1024).map(root).collect();
        assert_eq!(whole.block_roots, blocks);
        let offsets: Vec<u64> = (0..count as u64).step_by(1024).map(|index| index * 3).collect();
        assert_eq!(whole.block_offsets, offsets);
        for (seed, below) in [(1, 2), (2, 5), (3, 100), (4, 1025), (5, 2000)] {
            let mut chance = chance(seed, below);
            let cut = tree(leaves, || chance() + usize::from(below == 2));
            assert_eq!(cut, whole, "{count} records in chunks below {below}");
        }
    }
}

#[test]
fn a_chunk_that_does_not_continue_the_tree_is_refused() {
    let mut builder = TreeBuilder::new();
    let mut chunk = ChunkTree::new(0);
    leaves(3).into_iter().for_each(|leaf| chunk.push(0, leaf));
    builder.append(chunk.clone()).unwrap();
    assert_eq!(builder.append(chunk), Err(TreeError::NotNext { expected: 3, found: 0 }));
    assert_eq!(builder.append(ChunkTree::new(4)), Err(TreeError::NotNext { expected: 3, found: 4 }));
    builder.append(ChunkTree::new(3)).unwrap();
    assert_eq!((builder.records(), builder.finish().root), (3, root(&leaves(3))));
}

#[test]
fn paths_from_blocks_are_those_from_all_leaves() {
    let all = leaves(5120);
    for count in sizes() {
        let (leaves, records) = (&all[..count], count as u64);
        let blocks = Tree::new(tree(leaves, || 700).block_roots);
        for (number, part) in (0..).zip(leaves.chunks(1024)) {
            let block = Tree::new(part.to_vec());
            let (first, last) = (number * 1024, (number * 1024 + 1023).min(records - 1));
            for index in (first..last).step_by(307).chain([last]) {
                let path = path_from_blocks(index, records, &block, &blocks).unwrap();
                assert_eq!(path, inclusion_path(leaves, index).unwrap(), "{index} of {count}");
            }
        }
    }
}

#[test]
fn blocks_of_another_tree_give_no_path() {
    let leaves = leaves(2500);
    let blocks = Tree::new(tree(&leaves, || 700).block_roots);
    let block = |from: usize, to: usize| Tree::new(leaves[from..to].to_vec());
    let path = |index, records, block: &Tree| path_from_blocks(index, records, block, &blocks);
    assert!(path(0, 2500, &block(0, 1024)).is_ok());
    assert!(matches!(path(0, 2500, &block(1024, 2048)), Err(ProofError::Root { .. })));
    assert_eq!(path(0, 2500, &block(0, 1023)), Err(ProofError::LeafCount { expected: 1024, found: 1023 }));
    assert_eq!(
        path(2100, 2500, &block(1024, 2048)),
        Err(ProofError::LeafCount { expected: 452, found: 1024 })
    );
    assert_eq!(path(0, 2048, &block(0, 1024)), Err(ProofError::LeafCount { expected: 2, found: 3 }));
    assert_eq!(path(2500, 2500, &block(0, 1024)), Err(ProofError::Index { index: 2500, size: 2500 }));
    assert_eq!(path(0, 0, &block(0, 0)), Err(ProofError::Index { index: 0, size: 0 }));
}

#[test]
fn a_record_is_proven_and_nothing_else_is() {
    let leaves = leaves(100);
    let root = root(&leaves);
    let good = proven(40, &leaves);
    assert_eq!(good.verify(100, &root), Ok(()));
    let refused = |change: fn(&mut ProvenRecord)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.verify(100, &root).unwrap_err()
    };
    let other_root = |error: ProofError| matches!(error, ProofError::Root { .. });
    assert!(other_root(refused(|record| record.salt[0] ^= 1)));
    assert!(other_root(refused(|record| record.offset += 1)));
    assert!(other_root(refused(|record| record.bytes[0] ^= 1)));
    assert!(other_root(refused(|record| record.bytes.push(0))));
    assert!(other_root(refused(|record| record.record += 1)));
    assert!(other_root(refused(|record| record.path[0] = record.path[1])));
    assert!(matches!(refused(|record| record.record = 0), ProofError::Index { .. }));
    assert_eq!(refused(|record| record.record = 101), ProofError::Index { index: 100, size: 100 });
    assert_eq!(refused(|record| record.path.truncate(6)), ProofError::PathLength { expected: 7, found: 6 });
    assert_eq!(
        refused(|record| record.path.push(record.path[0])),
        ProofError::PathLength { expected: 7, found: 8 }
    );
    // the number of records is signed beside the root: the root alone does not bind it
    assert!(good.verify(41, &root).is_err());
}

#[test]
fn no_byte_moves_between_the_parts_of_an_entry() {
    let (salt, record) = ([7; 16], b"\x01record");
    let wanted = leaf(&salt, 0, record);
    // a salt of 17 bytes would need other integers after it; a line with such a salt is refused anyway
    let shifted = [&salt[..], &[1], &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 6], &record[1..]].concat();
    assert_ne!(merkle::leaf_hash(&shifted), wanted);
    assert_ne!(leaf(&salt, 1, record), wanted);
    assert_ne!(leaf(&salt, 0, &record[1..]), wanted);
}

const LINE: &str = r#"{"record":"17","offset":"2040","length":"2","salt":"00112233445566778899aabbccddeeff","bytes":"YWI=","path":["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],"context":false}"#;

#[test]
fn a_line_is_as_documented() {
    let record = ProvenRecord::parse(LINE.as_bytes()).unwrap();
    assert_eq!((record.record, record.offset, record.context), (17, 2040, false));
    assert_eq!((record.bytes.as_slice(), record.salt[1], record.path.len()), (&b"ab"[..], 0x11, 1));
    assert_eq!(record.to_line().unwrap(), LINE);
    assert_eq!(serde_json::from_str::<ProvenRecord>(LINE).unwrap(), record);
    assert_eq!(format!("{record:?}"), "record 17 (2 bytes at 2040)");
}

#[test]
fn what_is_no_proven_record_is_refused_by_kind() {
    let changed = |from: &str, to: &str| {
        assert!(LINE.contains(from), "{from}");
        ProvenRecord::parse(LINE.replacen(from, to, 1).as_bytes()).unwrap_err()
    };
    for bad in ["", "017", "+17", "-1", "1.0", "0x11", " 17", "18446744073709551616"] {
        assert!(matches!(changed("17", bad), RecordError::Integer("record")), "{bad}");
        assert!(matches!(changed("2040", bad), RecordError::Integer("offset")), "{bad}");
    }
    assert!(matches!(changed("\"2\"", "\"02\""), RecordError::Integer("length")));
    for (from, to) in
        [("00112233", ""), ("0011", "001"), ("ff\"", "ff00\""), ("ff\"", "FF\""), ("eeff", "eefg")]
    {
        assert!(matches!(changed(from, to), RecordError::Salt), "{to}");
    }
    for bad in ["YWI", "YWJ=", "YWI=\\n", "YWI==", "Y W=", "YW-="] {
        assert!(matches!(changed("YWI=", bad), RecordError::Base64), "{bad}");
    }
    for length in ["1", "3", "0"] {
        let refused = changed("\"2\"", &format!("\"{length}\""));
        assert!(matches!(refused, RecordError::Length { found: 2, .. }), "{length}");
    }
    for (from, to) in [
        ("\"context\":false", "\"context\":0"),
        ("\"17\"", "17"),
        (",\"context\":false", ""),
        ("{", "{\"more\":1,"),
        ("\"offset\"", "\"record\""),
        ("e3b0", "E3B0"),
        ("e3b0", ""),
        ("false}", "false} {}"),
    ] {
        assert!(matches!(changed(from, to), RecordError::Json(_)), "{to}");
    }
}

#[test]
fn a_line_has_an_end() {
    let digest = "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"";
    let path = |count| LINE.replace(digest, &vec![digest; count].join(","));
    assert!(ProvenRecord::parse(path(64).as_bytes()).is_ok());
    assert!(matches!(ProvenRecord::parse(path(65).as_bytes()), Err(RecordError::Path)));
    assert!(matches!(ProvenRecord::parse(&vec![b' '; MAX_LINE_BYTES + 1]), Err(RecordError::TooLong)));
}

/// What a record costs: `cargo test -p comity-provenance --release -- --ignored --nocapture cost`.
#[test]
#[ignore = "prints times, checks nothing"]
fn cost_of_a_record() {
    const RECORDS: u64 = 300_000;
    let time = |what: &str, run: &mut dyn FnMut()| {
        let best = (0..7).map(|_| {
            let began = std::time::Instant::now();
            run();
            began.elapsed()
        });
        let nanoseconds = best.min().unwrap().as_nanos() / u128::from(RECORDS);
        println!("{what:32} {nanoseconds:5} ns a record");
    };
    let (salts, record) = (Salts::new(&SECRET), [b'x'; 231]);
    time("salt", &mut || {
        (0..RECORDS).for_each(|index| _ = std::hint::black_box(salts.salt(index)));
    });
    time("leaf of 231 bytes", &mut || {
        (0..RECORDS).for_each(|index| _ = std::hint::black_box(leaf(&[1; 16], index, &record)));
    });
    let whole = leaf(&[1; 16], 0, &record);
    time("fold into subtrees", &mut || {
        let mut chunk = ChunkTree::new(0);
        (0..RECORDS).for_each(|index| chunk.push(index, whole));
        std::hint::black_box(chunk);
    });
    time("salt, leaf and fold", &mut || {
        let mut chunk = ChunkTree::new(0);
        (0..RECORDS)
            .for_each(|index| chunk.push(index * 232, leaf(&salts.salt(index), index * 232, &record)));
        std::hint::black_box(chunk);
    });
    let mut chunks = Vec::new();
    for first in (0..RECORDS).step_by(36_000) {
        let mut chunk = ChunkTree::new(first);
        (first..RECORDS.min(first + 36_000)).for_each(|index| chunk.push(index, whole));
        chunks.push(chunk);
    }
    time("append of chunks, in order", &mut || {
        let mut builder = TreeBuilder::new();
        chunks.iter().for_each(|chunk| builder.append(chunk.clone()).unwrap());
        std::hint::black_box(builder.finish());
    });
    time("SHA-256 of 231 bytes, to compare", &mut || {
        (0..RECORDS).for_each(|_| _ = std::hint::black_box(Sha256Digest::of(std::hint::black_box(&record))));
    });
}
