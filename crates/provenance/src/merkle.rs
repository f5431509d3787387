//! Merkle trees of RFC 6962 §2.1: roots, paths and their verification (as in RFC 9162 §2.1.3 and §2.1.4).
//!
//! A leaf is SHA-256(0x00 ‖ entry), a node SHA-256(0x01 ‖ left ‖ right); the left of two subtrees holds the
//! largest power of two of leaves that is smaller than all; the root of no leaves is SHA-256 of nothing.
//! Indexes are 0-based. A path runs from the leaf's sibling to the child of the root and has exactly the
//! length that index and size imply; any other is refused before anything is hashed.

use thiserror::Error;

use crate::{Sha256Digest, Sha256Hasher};

/// Why a proof does not hold, or can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// A leaf that the tree does not have.
    #[error("proof: leaf {index} is not in a tree of {size}")]
    Index {
        /// 0-based index of the leaf.
        index: u64,
        /// Number of leaves.
        size: u64,
    },
    /// A tree that would have grown to be smaller.
    #[error("proof: a tree of {older} leaves does not grow to {newer}")]
    SizeOrder {
        /// Leaves of the tree that is said to be older.
        older: u64,
        /// Leaves of the tree that is said to be newer.
        newer: u64,
    },
    /// A path that is not as long as index and size imply.
    #[error("proof: path has {found} hashes, not {expected}")]
    PathLength {
        /// Length implied.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// Other leaves than those of the tree.
    #[error("proof: {found} leaves are given, not {expected}")]
    LeafCount {
        /// Leaves of the tree, or of the part of it that is wanted.
        expected: u64,
        /// Leaves found.
        found: u64,
    },
    /// Hashes that lead to another root.
    #[error("proof: leads to the root {found}, not {expected}")]
    Root {
        /// Root that was to be shown.
        expected: Sha256Digest,
        /// Root found.
        found: Sha256Digest,
    },
    /// Hashes that lead to another root of the older tree.
    #[error("proof: leads to the older root {found}, not {expected}")]
    OlderRoot {
        /// Root that was to be shown.
        expected: Sha256Digest,
        /// Root found.
        found: Sha256Digest,
    },
}

/// Why a tree can't be built so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// A subtree that would not stand on its own in the whole tree.
    #[error("tree: a subtree of 2^{height} leaves does not begin at leaf {size}")]
    Unaligned {
        /// Leaves so far.
        size: u64,
        /// Levels above the leaves.
        height: u32,
    },
    /// A part that does not continue the tree.
    #[error("tree: leaf {found} follows, not {expected}")]
    NotNext {
        /// 0-based index of the leaf that is next.
        expected: u64,
        /// 0-based index of the first leaf of the part.
        found: u64,
    },
}

/// Hash of a leaf entry.
pub fn leaf_hash(entry: &[u8]) -> Sha256Digest {
    let mut hasher = Sha256Hasher::default();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.finish()
}

/// Hash of a node over its two children.
pub fn node_hash(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Sha256Digest::of(&bytes)
}

/// A tree that only grows, held as the roots of its perfect subtrees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compact {
    size: u64,
    /// One for each bit of `size` that is set, the largest subtree first.
    peaks: Vec<Sha256Digest>,
}

impl Compact {
    /// Makes the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Sha256Digest) {
        self.push_aligned(0, leaf);
    }

    /// Appends 2^`height` leaves by the root of their subtree. It must begin at a multiple of its size.
    pub fn push_subtree(&mut self, height: u32, root: Sha256Digest) -> Result<(), TreeError> {
        // 63: the size of the tree stays a u64
        if height >= 63 || self.size >> 63 != 0 || self.size.trailing_zeros() < height {
            return Err(TreeError::Unaligned { size: self.size, height });
        }
        self.push_aligned(height, root);
        Ok(())
    }

    fn push_aligned(&mut self, height: u32, root: Sha256Digest) {
        let (mut node, mut level) = (root, height);
        while self.size >> level & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            node = node_hash(&left, &node);
            level += 1;
        }
        self.peaks.push(node);
        self.size += 1 << height;
    }

    /// The root.
    pub fn root(&self) -> Sha256Digest {
        let from_the_right = self.peaks.iter().rev().copied();
        from_the_right.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| Sha256Digest::of(b""))
    }
}

/// A tree with all its nodes in memory, for many paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// From the leaves up. A last node without a sibling is on the next level as it is, which gives the
    /// same tree as the RFC's splitting from the top.
    levels: Vec<Vec<Sha256Digest>>,
}

impl Tree {
    /// Builds the tree over the hashes of its leaves.
    pub fn new(leaves: Vec<Sha256Digest>) -> Self {
        let mut levels = Vec::new();
        let mut level = leaves;
        while level.len() > 1 {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => node_hash(left, right),
                alone => alone[0],
            });
            let above = above.collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Self { levels }
    }

    /// Hashes of the leaves.
    pub fn leaves(&self) -> &[Sha256Digest] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The root.
    pub fn root(&self) -> Sha256Digest {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_else(|| Sha256Digest::of(b""))
    }

    /// The inclusion path of a leaf.
    pub fn path(&self, index: u64) -> Result<Vec<Sha256Digest>, ProofError> {
        let mut at = place(index, self.leaves().len())?;
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(at ^ 1));
            at /= 2;
        }
        Ok(path)
    }
}

/// The root over the hashes of leaves.
pub fn root(leaves: &[Sha256Digest]) -> Sha256Digest {
    let mut tree = Compact::new();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree.root()
}

/// The inclusion path of one leaf. [`Tree`] is cheaper for many.
pub fn inclusion_path(leaves: &[Sha256Digest], index: u64) -> Result<Vec<Sha256Digest>, ProofError> {
    let mut at = place(index, leaves.len())?;
    let mut path = Vec::new();
    let mut rest = leaves;
    while rest.len() > 1 {
        let (left, right) = split(rest);
        if at < left.len() {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            (rest, at) = (right, at - left.len());
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency path between the first `older` leaves and all of them (RFC 6962 §2.1.2).
pub fn consistency_path(leaves: &[Sha256Digest], older: u64) -> Result<Vec<Sha256Digest>, ProofError> {
    let newer = leaves.len();
    let mut old = usize::try_from(older)
        .ok()
        .filter(|&old| old <= newer)
        .ok_or(ProofError::SizeOrder { older, newer: newer as u64 })?;
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    // whether `rest` is, so far, all of the older tree: its root is then known to who verifies
    let mut whole = true;
    let mut rest = leaves;
    while old < rest.len() {
        let (left, right) = split(rest);
        if old <= left.len() {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            (rest, old, whole) = (right, old - left.len(), false);
        }
    }
    if !whole {
        path.push(root(rest));
    }
    path.reverse();
    Ok(path)
}

/// Checks that the leaf is the one with this index in the tree of this size and root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Sha256Digest,
    path: &[Sha256Digest],
    root: &Sha256Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (inner, border) = shape(index, size);
    check_length(path, inner + border)?;
    let (inside, outside) = path.split_at(inner);
    let found = up_the_border(up(*leaf, inside, index), outside);
    if found == *root { Ok(()) } else { Err(ProofError::Root { expected: *root, found }) }
}

/// Checks that the newer tree begins with all leaves of the older one, in their order.
pub fn verify_consistency(
    older: (u64, &Sha256Digest),
    newer: (u64, &Sha256Digest),
    path: &[Sha256Digest],
) -> Result<(), ProofError> {
    let ((old_size, old_root), (new_size, new_root)) = (older, newer);
    if old_size > new_size {
        return Err(ProofError::SizeOrder { older: old_size, newer: new_size });
    }
    let older_is = |found: Sha256Digest| {
        if found == *old_root { Ok(()) } else { Err(ProofError::OlderRoot { expected: *old_root, found }) }
    };
    if old_size == 0 || old_size == new_size {
        check_length(path, 0)?;
        return older_is(if old_size == 0 { Sha256Digest::of(b"") } else { *new_root });
    }
    // the last leaf of the older tree, and the perfect subtree that ends with it and is in both trees
    let last = old_size - 1;
    let common = old_size.trailing_zeros();
    let (inner, border) = shape(last, new_size);
    let inner = inner - common as usize;
    let path_has_common = !old_size.is_power_of_two();
    check_length(path, usize::from(path_has_common) + inner + border)?;
    let (begin, rest) = match path.split_first() {
        Some((first, rest)) if path_has_common => (*first, rest),
        _ => (*old_root, path),
    };
    let (inside, outside) = rest.split_at(inner);
    let place = last >> common;
    let from_the_left = inside.iter().enumerate().filter(|(level, _)| place >> level & 1 == 1);
    let found_old = from_the_left.fold(begin, |node, (_, left)| node_hash(left, &node));
    older_is(up_the_border(found_old, outside))?;
    let found = up_the_border(up(begin, inside, place), outside);
    if found == *new_root { Ok(()) } else { Err(ProofError::Root { expected: *new_root, found }) }
}

fn place(index: u64, leaves: usize) -> Result<usize, ProofError> {
    let at = usize::try_from(index).ok().filter(|&at| at < leaves);
    at.ok_or(ProofError::Index { index, size: leaves as u64 })
}

/// Splits leaves, at least two, as the RFC does: the largest power of two that is smaller goes left.
fn split(leaves: &[Sha256Digest]) -> (&[Sha256Digest], &[Sha256Digest]) {
    leaves.split_at(1 << (leaves.len() - 1).ilog2())
}

/// How many hashes a path has below the level where it meets the tree's right border, and from there on,
/// where all siblings are to the left.
const fn shape(index: u64, size: u64) -> (usize, usize) {
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let above = match index.checked_shr(inner) {
        Some(above) => above,
        None => 0,
    };
    (inner as usize, above.count_ones() as usize)
}

const fn check_length(path: &[Sha256Digest], expected: usize) -> Result<(), ProofError> {
    if path.len() == expected { Ok(()) } else { Err(ProofError::PathLength { expected, found: path.len() }) }
}

fn up(node: Sha256Digest, siblings: &[Sha256Digest], place: u64) -> Sha256Digest {
    siblings.iter().enumerate().fold(node, |node, (level, sibling)| match place >> level & 1 {
        0 => node_hash(&node, sibling),
        _ => node_hash(sibling, &node),
    })
}

fn up_the_border(node: Sha256Digest, siblings: &[Sha256Digest]) -> Sha256Digest {
    siblings.iter().fold(node, |node, left| node_hash(left, &node))
}

#[cfg(test)]
mod tests;
