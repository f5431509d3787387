//! What a verifier remembers: the checkpoints that it accepted of each log.

use super::Checkpoint;
use crate::Sha256Digest;
use crate::merkle::{self, Compact, ProofError};

/// How a checkpoint stands to those that were accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The first of its log.
    New,
    /// The latest that was accepted.
    Known,
    /// Larger than all that were accepted, and continues them.
    Extends,
    /// Smaller than the latest, and accepted before or shown to be continued by one that was: an archived
    /// bag stays valid.
    Older,
    /// Smaller than the latest, and nothing shows that it is of the same history.
    OlderUnproven,
    /// Not of the same history. Both checkpoints are the proof.
    Fork,
}

/// What shows how two checkpoints stand to each other.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// Leaf hashes from the first on, those of the checkpoint and perhaps more.
    Leaves(&'a [Sha256Digest]),
    /// Consistency path between the checkpoint and the largest that was accepted, whichever is larger;
    /// empty where there is none.
    Path(&'a [Sha256Digest]),
}

/// Says how a checkpoint, whose signature was verified, stands to those of its log that were accepted.
/// Fails where what is shown does not belong to the checkpoint; that is no fork.
pub fn standing(
    accepted: &[Checkpoint],
    seen: &Checkpoint,
    shown: Shown<'_>,
) -> Result<Standing, ProofError> {
    let known: Vec<&Checkpoint> = accepted.iter().filter(|one| one.origin == seen.origin).collect();
    if known.iter().any(|one| one.size == seen.size && one.root != seen.root) {
        return Ok(Standing::Fork);
    }
    let latest = known.iter().max_by_key(|one| one.size);
    let continued = match shown {
        Shown::Leaves(leaves) => match by_leaves(&known, seen, leaves)? {
            Found::Fork => return Ok(Standing::Fork),
            Found::Continued => true,
            Found::Nothing => false,
        },
        Shown::Path(path) => match latest {
            Some(latest) if latest.size > seen.size => between(seen, latest, path).is_ok(),
            Some(latest) if latest.size < seen.size => between(latest, seen, path).map(|()| false)?,
            _ => false,
        },
    };
    Ok(match latest {
        None => Standing::New,
        Some(latest) if latest.size < seen.size => Standing::Extends,
        Some(latest) if latest.size == seen.size => Standing::Known,
        Some(_) if continued || known.contains(&seen) => Standing::Older,
        Some(_) => Standing::OlderUnproven,
    })
}

fn between(older: &Checkpoint, newer: &Checkpoint, path: &[Sha256Digest]) -> Result<(), ProofError> {
    merkle::verify_consistency((older.size, &older.root), (newer.size, &newer.root), path)
}

enum Found {
    /// A smaller checkpoint does not have these leaves.
    Fork,
    /// A larger checkpoint has these leaves.
    Continued,
    Nothing,
}

/// Walks the leaves once, past the sizes of all checkpoints.
fn by_leaves(known: &[&Checkpoint], seen: &Checkpoint, leaves: &[Sha256Digest]) -> Result<Found, ProofError> {
    let mut by_size = [known, &[seen]].concat();
    by_size.sort_by_key(|one| one.size);
    let (mut tree, mut rest) = (Compact::new(), leaves);
    let mut found = Found::Nothing;
    for one in by_size {
        let more = usize::try_from(one.size - tree.size()).ok();
        let Some((here, after)) = more.and_then(|more| rest.split_at_checked(more)) else { break };
        here.iter().for_each(|leaf| tree.push(*leaf));
        rest = after;
        match tree.root() {
            root if one.size == seen.size && root != seen.root => {
                return Err(ProofError::Root { expected: seen.root, found: root });
            }
            root if one.size < seen.size && root != one.root => found = Found::Fork,
            root if one.size > seen.size && root == one.root && !matches!(found, Found::Fork) => {
                found = Found::Continued;
            }
            _ => {}
        }
    }
    if tree.size() < seen.size {
        return Err(ProofError::LeafCount { expected: seen.size, found: leaves.len() as u64 });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
