//! Bags, proofs and verdicts as a hostile partner would send them, one lie each: `comity` says which, and at
//! which level of the ladder (PROVENANCE.md §6), by exit status 4.
//!
//! Outsiders change bytes. Insiders hold every key of the sender but those of the verifier's trust file that are
//! not theirs, and sign again whatever follows from their lie, so that nothing but the lie is wrong: on a bag
//! ([`forge`]), or in the case, from which the program itself then makes the bag ([`falsified`]).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod claims;
mod documents;
mod falsified;
mod fixture;
mod forge;
mod honest;
mod log;
mod package;
mod records;
mod seals;
mod statements;
mod tables;
mod trial;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fixture::Fixture;
use trial::Row;

/// Threads that try rows; most of a row is waiting for the disk.
const AT_ONCE: usize = 4;

#[test]
fn every_lie_is_told_by_its_kind_and_level() {
    let fixture = Fixture::of_process();
    let rows: Vec<Row> = [
        honest::rows(),
        package::rows(&fixture),
        seals::rows(),
        statements::rows(),
        log::rows(),
        documents::rows(),
        records::rows(),
        tables::rows(),
        claims::rows(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // one row that can't be made says so, as the others do
                    let tried = catch_unwind(AssertUnwindSafe(|| row.tried(&fixture)));
                    if let Err(why) = tried.unwrap_or_else(|_| Err("panics, see above".into())) {
                        wrong.lock().unwrap().push(format!("{}: {why}", row.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let mut names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows.len(), "each row has a name of its own");
    println!("{} rows", rows.len());
    assert!(rows.len() >= 60, "{} rows", rows.len());
}
