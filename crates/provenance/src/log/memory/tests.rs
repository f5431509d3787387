use super::*;
use crate::merkle::{consistency_path, leaf_hash, root};

const ORIGIN: &str = "comity/c/00000000";

fn leaves(count: u8) -> Vec<Sha256Digest> {
    (0..count).map(|at| leaf_hash(&[at])).collect()
}

fn at(leaves: &[Sha256Digest], size: usize) -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: size as u64, root: root(&leaves[..size]) }
}

/// The same log up to leaf 5, another one from there.
fn forked() -> Vec<Sha256Digest> {
    let mut leaves = leaves(20);
    leaves[5] = leaf_hash(b"another");
    leaves
}

#[test]
fn leaves_show_how_a_checkpoint_stands() {
    let all = leaves(20);
    let shown = |accepted: &[usize], size: usize, given: usize| {
        let accepted: Vec<Checkpoint> = accepted.iter().map(|size| at(&all, *size)).collect();
        standing(&accepted, &at(&all, size), Shown::Leaves(&all[..given])).unwrap()
    };
    assert_eq!(shown(&[], 7, 7), Standing::New);
    assert_eq!(shown(&[7], 7, 7), Standing::Known);
    assert_eq!(shown(&[3, 7, 0], 12, 12), Standing::Extends);
    assert_eq!(shown(&[3, 7, 12], 7, 7), Standing::Older);
    assert_eq!(shown(&[3, 12], 7, 7), Standing::OlderUnproven);
    assert_eq!(shown(&[3, 12], 7, 11), Standing::OlderUnproven);
    assert_eq!(shown(&[3, 12], 7, 12), Standing::Older);
    assert_eq!(shown(&[12, 15], 7, 13), Standing::Older);
    assert_eq!(shown(&[12], 0, 0), Standing::OlderUnproven);
}

#[test]
fn leaves_show_a_fork() {
    let (ours, theirs) = (leaves(20), forked());
    let shown = |accepted: &[usize], size: usize| {
        let accepted: Vec<Checkpoint> = accepted.iter().map(|size| at(&ours, *size)).collect();
        standing(&accepted, &at(&theirs, size), Shown::Leaves(&theirs)).unwrap()
    };
    assert_eq!(shown(&[7], 12), Standing::Fork);
    assert_eq!(shown(&[3, 7], 12), Standing::Fork);
    assert_eq!(shown(&[7], 7), Standing::Fork);
    assert_eq!(shown(&[3, 12], 12), Standing::Fork);
    // they part after leaf 5
    assert_eq!(shown(&[3], 12), Standing::Extends);
    assert_eq!(shown(&[5], 5), Standing::Known);
    // rolled back, and on another way: larger ones do not bear it out
    assert_eq!(shown(&[3, 12], 7), Standing::OlderUnproven);
}

#[test]
fn leaves_of_another_checkpoint_show_nothing() {
    let (ours, theirs) = (leaves(20), forked());
    let (accepted, seen) = ([at(&ours, 7)], at(&ours, 12));
    let other = standing(&accepted, &seen, Shown::Leaves(&theirs));
    assert!(matches!(other, Err(ProofError::Root { .. })));
    let few = standing(&accepted, &seen, Shown::Leaves(&ours[..11]));
    assert_eq!(few, Err(ProofError::LeafCount { expected: 12, found: 11 }));
    let few = standing(&[], &Checkpoint { size: u64::MAX, ..seen }, Shown::Leaves(&ours));
    assert_eq!(few, Err(ProofError::LeafCount { expected: u64::MAX, found: 20 }));
}

#[test]
fn a_path_shows_how_a_checkpoint_stands() {
    let all = leaves(20);
    let accepted = [at(&all, 3), at(&all, 12)];
    let path = |older: u64, newer: usize| consistency_path(&all[..newer], older).unwrap();
    let shown = |size, path: &[Sha256Digest]| standing(&accepted, &at(&all, size), Shown::Path(path));
    assert_eq!(standing(&[], &at(&all, 7), Shown::Path(&[])), Ok(Standing::New));
    assert_eq!(shown(12, &[]), Ok(Standing::Known));
    assert_eq!(shown(20, &path(12, 20)), Ok(Standing::Extends));
    assert_eq!(shown(7, &path(7, 12)), Ok(Standing::Older));
    assert_eq!(shown(3, &[]), Ok(Standing::Older));
    assert_eq!(shown(7, &[]), Ok(Standing::OlderUnproven));
    assert_eq!(shown(7, &path(7, 20)), Ok(Standing::OlderUnproven));
    // a path that does not hold is no fork, but nothing to go by either
    assert!(matches!(shown(20, &[]), Err(ProofError::PathLength { .. })));
    assert!(matches!(shown(20, &path(11, 20)), Err(ProofError::PathLength { .. })));
    let theirs = at(&forked(), 20);
    let path = consistency_path(&forked(), 12).unwrap();
    let other = standing(&accepted, &theirs, Shown::Path(&path));
    assert!(matches!(other, Err(ProofError::OlderRoot { .. })));
    assert_eq!(standing(&accepted, &at(&forked(), 12), Shown::Path(&[])), Ok(Standing::Fork));
}

#[test]
fn each_log_is_remembered_for_itself() {
    let all = leaves(20);
    let other = Checkpoint { origin: "comity/c/11111111".to_owned(), ..at(&forked(), 12) };
    let seen = at(&all, 12);
    assert_eq!(standing(&[other], &seen, Shown::Leaves(&all)), Ok(Standing::New));
}
