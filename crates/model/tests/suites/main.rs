//! Cases of other projects' test suites (`shared/data/suites`), each disagreement argued next to the
//! rule that makes it and counted exactly. Skipped, with a message, where `shared` is absent.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests, which may both")]

mod idna;
mod misp_cidr;
mod psl;
mod zeek_intel;

use std::path::PathBuf;

use comity_model::canonical::{Found, observe};
use comity_model::{Kind, Observe};
use serde_json::Value;

/// A file of the shared test data, `None` (with a message) where there is none.
fn shared(path: &str) -> Option<String> {
    let tried = [
        std::env::var_os("COMITY_SHARED").map(PathBuf::from),
        Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"))),
        Some(PathBuf::from("/work/shared")),
    ];
    let text = tried.into_iter().flatten().find_map(|root| std::fs::read_to_string(root.join(path)).ok());
    if text.is_none() {
        println!("skipped: shared/{path} is absent (set COMITY_SHARED)");
    }
    text
}

/// The rows of a suite that are not contested.
fn suite(name: &str) -> Option<Vec<Value>> {
    let text = shared(&format!("data/suites/{name}"))?;
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    Some(rows.filter(|row| row.get("contested").is_none_or(|contested| contested == false)).collect())
}

/// What a text in a field with this rule gives.
fn observed(rule: Observe, text: &str) -> Vec<Found> {
    let mut all = Vec::new();
    observe(rule, text, &mut |found| all.push(found));
    all
}

/// The name that a text is, as a log shows it.
fn name(text: &str) -> Option<String> {
    observed(Observe::One(Kind::DomainName), text).pop().map(|found| found.value)
}
