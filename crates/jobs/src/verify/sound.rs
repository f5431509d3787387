//! Level 3: the sightings follow from the disclosed records and indicators, and the tables hold nothing else.

use std::path::Path;

use comity_provenance::logical::Lines;
use comity_store::tables;

use super::attributed::{Attributed, Run};
use super::grounded::Grounded;
use super::intact::Intact;
use super::{Climbed, Fault};
use crate::rematch;
use crate::reproduce::read_lines;

/// The table that all others follow from.
const SIGHTINGS: &str = "sightings";

/// The tables in the bag are tables as comity writes them, with the digests that the run's statement gives, and no byte
/// that no column claims.
pub(crate) fn canonical(intact: &Intact, run: &Run) -> Climbed<()> {
    for output in &run.told.outputs {
        let path = format!("data/results/{}.parquet", output.table);
        if !intact.has(&path) {
            continue;
        }
        let file = intact.checked.dir().join(&path);
        let hidden = |what: String| Fault::new("table-hidden-bytes", format!("{path}: {what}"));
        if let Some(what) = tables::unclaimed(&file).map_err(crate::JobError::from)? {
            return Err(hidden(what).into());
        }
        let lines = read_lines(&output.table, &file)?;
        if lines.digest() != output.logical_sha256 || lines.rows() as u64 != output.rows {
            let message =
                format!("{path}: its rows are not those that the run's statement gives the digest of");
            return Err(Fault::new("table-digest", message).into());
        }
    }
    Ok(())
}

/// Matches again, and compares with the sightings and the tables in the bag.
pub(crate) fn check(
    intact: &Intact,
    told: &Attributed,
    run: &Run,
    grounded: &Grounded,
    scratch: &Path,
) -> Climbed<Vec<String>> {
    let own: Vec<_> =
        run.own().into_iter().filter(|q| intact.has(&format!("data/results/{}.parquet", q.name))).collect();
    let again = rematch::again(&told.named, &grounded.disclosed, &own, scratch)?;
    // the sightings first: what is wrong with them is wrong with all tables that follow from them
    let mut tables: Vec<_> = again.iter().collect();
    tables.sort_by_key(|(table, _)| *table != SIGHTINGS);
    for (table, found) in tables {
        let path = format!("data/results/{table}.parquet");
        let stored = read_lines(table, &intact.checked.dir().join(&path))?;
        let kind = if table == SIGHTINGS { "sightings-differ" } else { "table-differs" };
        differs(&path, &stored, found, kind)?;
    }
    let mut notes =
        vec![format!("{} tables follow from what is disclosed: {}", again.len(), names(again.keys()))];
    let theirs = run.theirs();
    if !theirs.is_empty() {
        notes.push(format!("not run, since their SQL came with the job: {}", theirs.join(", ")));
    }
    let held_back: Vec<&str> = run
        .told
        .outputs
        .iter()
        .map(|o| o.table.as_str())
        .filter(|t| !intact.has(&format!("data/results/{t}.parquet")))
        .collect();
    if !held_back.is_empty() {
        notes.push(format!("not in this bag, since they name what was not seen: {}", held_back.join(", ")));
    }
    Ok(notes)
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A fault that says which line two tables part at.
pub(crate) fn differs(path: &str, stored: &Lines, found: &Lines, kind: &'static str) -> Climbed<()> {
    let Some(difference) = stored.first_difference(found) else { return Ok(()) };
    let line = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let what = match (difference.ours, difference.theirs) {
        (Some(ours), None) => format!("only in the bag: {}", line(ours)),
        (None, Some(theirs)) => format!("only when made again: {}", line(theirs)),
        (ours, theirs) => {
            format!(
                "in the bag {}, made again {}",
                ours.map(line).unwrap_or_default(),
                theirs.map(line).unwrap_or_default()
            )
        }
    };
    Err(Fault::new(kind, format!("{path}: {what}")).into())
}
