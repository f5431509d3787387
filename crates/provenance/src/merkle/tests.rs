use super::*;

/// The entries of Certificate Transparency's own tests, and the roots after each.
const ENTRIES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn ct_leaves() -> Vec<Sha256Digest> {
    ENTRIES.iter().map(|entry| leaf_hash(&hex::decode(entry).unwrap())).collect()
}

fn leaves(count: usize) -> Vec<Sha256Digest> {
    (0..count).map(|at| leaf_hash(&at.to_be_bytes())).collect()
}

fn digests(texts: &[&str]) -> Vec<Sha256Digest> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// MTH of RFC 6962 §2.1, word for word.
fn mth(leaves: &[Sha256Digest]) -> Sha256Digest {
    match leaves {
        [] => Sha256Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let k = (1..).map(|power| 1 << power).find(|k| 2 * k >= leaves.len()).unwrap_or(1);
            let k = if leaves.len() == 2 { 1 } else { k };
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

fn flipped(digest: &Sha256Digest) -> Sha256Digest {
    let mut bytes = *digest.as_bytes();
    bytes[31] ^= 1;
    Sha256Digest::from_bytes(bytes)
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    assert_eq!(
        Compact::new().root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let leaves = ct_leaves();
    for (size, wanted) in (1..).zip(ROOTS) {
        assert_eq!(root(&leaves[..size]).to_string(), wanted, "{size}");
    }
}

#[test]
fn paths_are_those_of_certificate_transparency() {
    let leaves = ct_leaves();
    assert_eq!(inclusion_path(&leaves[..1], 0).unwrap(), []);
    assert_eq!(
        inclusion_path(&leaves, 5).unwrap(),
        digests(&[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[3],
        ])
    );
    assert_eq!(inclusion_path(&leaves[..3], 2).unwrap(), digests(&[ROOTS[1]]));
    assert_eq!(
        inclusion_path(&leaves[..5], 1).unwrap(),
        digests(&[
            ROOTS[0],
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ])
    );
    assert_eq!(
        consistency_path(&leaves, 1).unwrap(),
        digests(&[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ])
    );
    assert_eq!(
        consistency_path(&leaves, 6).unwrap(),
        digests(&[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[3],
        ])
    );
    assert_eq!(
        consistency_path(&leaves[..5], 2).unwrap(),
        digests(&[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ])
    );
}

#[test]
fn both_ways_of_building_give_the_tree_of_the_rfc() {
    for size in (0..=70).chain([127, 128, 129, 255, 256, 257, 1000, 1023, 1024, 1025]) {
        let leaves = leaves(size);
        let wanted = mth(&leaves);
        assert_eq!(root(&leaves), wanted, "{size}");
        let tree = Tree::new(leaves.clone());
        assert_eq!(tree.root(), wanted, "{size}");
        for index in (0..size as u64).step_by(if size > 70 { 97 } else { 1 }) {
            let path = inclusion_path(&leaves, index).unwrap();
            assert_eq!(tree.path(index).unwrap(), path, "{index} of {size}");
            let leaf = &leaves[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(index, size as u64, leaf, &path, &wanted), Ok(()));
        }
        for path in [tree.path(size as u64), inclusion_path(&leaves, size as u64)] {
            assert_eq!(path, Err(ProofError::Index { index: size as u64, size: size as u64 }));
        }
    }
}

#[test]
fn subtrees_are_taken_where_they_stand_on_their_own() {
    let leaves = leaves(45);
    let mut tree = Compact::new();
    for (height, from, to) in [(3, 0, 8), (3, 8, 16), (4, 16, 32), (0, 32, 33)] {
        tree.push_subtree(height, root(&leaves[from..to])).unwrap();
        assert_eq!((tree.size(), tree.root()), (to as u64, root(&leaves[..to])));
    }
    for height in [1, 3, 63, 64, u32::MAX] {
        assert_eq!(tree.push_subtree(height, leaves[0]), Err(TreeError::Unaligned { size: 33, height }));
    }
    for leaf in &leaves[33..40] {
        tree.push(*leaf);
    }
    tree.push_subtree(2, root(&leaves[40..44])).unwrap();
    tree.push(leaves[44]);
    assert_eq!(tree.root(), root(&leaves));
}

#[test]
fn a_large_tree_does_not_overflow() {
    let mut tree = Compact::new();
    tree.push_subtree(62, leaf_hash(b"")).unwrap();
    tree.push_subtree(62, leaf_hash(b"")).unwrap();
    let size = 1 << 63;
    assert_eq!(tree.push_subtree(0, leaf_hash(b"")), Err(TreeError::Unaligned { size, height: 0 }));
    let path = vec![leaf_hash(b""); 64];
    for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 63, u64::MAX), (0, 1 << 63)] {
        for length in 0..path.len() {
            assert!(verify_inclusion(index, size, &path[0], &path[..length], &path[0]).is_err());
        }
        for length in 0..path.len() {
            let (older, newer) = ((index, &path[0]), (size, &path[0]));
            assert!(verify_consistency(older, newer, &path[..length]).is_err());
        }
    }
}

#[test]
fn an_inclusion_that_is_not_so_is_refused_by_kind() {
    for size in [1, 2, 3, 5, 8, 13, 21, 64, 100] {
        let leaves = leaves(size);
        let (root, size) = (root(&leaves), size as u64);
        for (index, leaf) in (0..size).zip(&leaves) {
            let path = inclusion_path(&leaves, index).unwrap();
            let verify = |index, size, leaf: &_, path: &[_]| verify_inclusion(index, size, leaf, path, &root);
            let expected = path.len();
            assert_eq!(verify(size, size, leaf, &path), Err(ProofError::Index { index: size, size }));
            assert_eq!(verify(0, 0, leaf, &path), Err(ProofError::Index { index: 0, size: 0 }));
            let long = [path.clone(), vec![root]].concat();
            let found = expected + 1;
            assert_eq!(verify(index, size, leaf, &long), Err(ProofError::PathLength { expected, found }));
            if let Some((_, short)) = path.split_last() {
                let found = short.len();
                assert_eq!(verify(index, size, leaf, short), Err(ProofError::PathLength { expected, found }));
            }
            assert!(matches!(verify(index, size, &flipped(leaf), &path), Err(ProofError::Root { .. })));
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify(other, size, leaf, &path).is_err(), "{other} for {index} of {size}");
            }
            for at in 0..path.len() {
                let mut changed = path.clone();
                changed[at] = flipped(&changed[at]);
                assert!(matches!(verify(index, size, leaf, &changed), Err(ProofError::Root { .. })));
            }
        }
    }
}

#[test]
fn a_node_is_no_leaf() {
    let leaves = leaves(4);
    let (node, sibling) = (root(&leaves[..2]), root(&leaves[2..]));
    let verified = verify_inclusion(0, 4, &node, &[sibling], &root(&leaves));
    assert_eq!(verified, Err(ProofError::PathLength { expected: 2, found: 1 }));
}

#[test]
fn every_smaller_tree_is_consistent_and_no_other() {
    let leaves = leaves(40);
    let roots: Vec<Sha256Digest> = (0..=40).map(|size| root(&leaves[..size])).collect();
    for new in 0..=40 {
        for old in 0..=new {
            let path = consistency_path(&leaves[..new], old as u64).unwrap();
            let verify = |old_root: &_, new_root: &_, path: &[_]| {
                verify_consistency((old as u64, old_root), (new as u64, new_root), path)
            };
            assert_eq!(verify(&roots[old], &roots[new], &path), Ok(()), "{old} to {new}");
            let long = [path.clone(), vec![roots[0]]].concat();
            let length = verify(&roots[old], &roots[new], &long);
            assert_eq!(length, Err(ProofError::PathLength { expected: path.len(), found: path.len() + 1 }));
            if let Some((_, short)) = path.split_last() {
                assert!(matches!(
                    verify(&roots[old], &roots[new], short),
                    Err(ProofError::PathLength { .. })
                ));
            }
            // a root that is a whole subtree of the newer tree is not in the path, but only taken as given
            let given = old.is_power_of_two() && old < new;
            match verify(&flipped(&roots[old]), &roots[new], &path) {
                Err(ProofError::OlderRoot { .. }) if !given => {}
                Err(ProofError::Root { .. }) if given => {}
                other => panic!("{old} to {new}: {other:?}"),
            }
            if 0 < old && old < new {
                let forked = verify(&roots[old], &flipped(&roots[new]), &path);
                assert!(matches!(forked, Err(ProofError::Root { .. })), "{old} to {new}");
            }
            for at in 0..path.len() {
                let mut changed = path.clone();
                changed[at] = flipped(&changed[at]);
                assert!(verify(&roots[old], &roots[new], &changed).is_err());
            }
        }
        let older = new as u64 + 1;
        let order = ProofError::SizeOrder { older, newer: new as u64 };
        assert_eq!(consistency_path(&leaves[..new], older), Err(order));
        assert_eq!(verify_consistency((older, &roots[0]), (new as u64, &roots[new]), &[]), Err(order));
    }
}

#[test]
fn a_log_that_was_written_anew_is_not_consistent() {
    let leaves = leaves(11);
    let mut other = leaves.clone();
    other[3] = leaf_hash(b"slipped in");
    for old in 4..11_usize {
        let path = consistency_path(&other, old as u64).unwrap();
        let (before, after) = (root(&leaves[..old]), root(&other));
        assert!(verify_consistency((old as u64, &before), (11, &after), &path).is_err(), "{old}");
    }
}
