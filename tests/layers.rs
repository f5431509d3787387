//! Holds the layers of the workspace (DESIGN.md §5, the table in ARCHITECTURE.md): which of our crates
//! may use which, what each must stay clear of, and that every dependency has a reason.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// A row of the table: a crate, those of ours that it may use, and what it must not name itself.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    must_not: &'static [&'static str],
}

/// Crates that put rows into columns.
const COLUMNS: &[&str] = &["arrow", "parquet", "datafusion"];
/// Crates that speak to people or the outside.
const PEOPLE: &[&str] = &["clap", "indicatif", "comfy-table", "anstream", "tracing-subscriber", "ctrlc"];
/// Crates that read a clock or give random numbers.
const CHANCE: &[&str] = &["rand", "getrandom", "uuid", "chrono", "time"];

const LAYERS: &[Layer] = &[
    Layer {
        name: "comity-model",
        may_use: &[],
        must_not: &["arrow", "parquet", "datafusion", "rayon", "tokio", "jiff"],
    },
    Layer {
        name: "comity-parse",
        may_use: &["comity-model"],
        must_not: &["arrow", "parquet", "datafusion", "tokio", "glob"],
    },
    Layer {
        name: "comity-provenance",
        may_use: &["comity-model"],
        must_not: &["arrow", "parquet", "datafusion", "rayon", "tokio"],
    },
    Layer {
        name: "comity-store",
        may_use: &["comity-model", "comity-provenance"],
        must_not: &["datafusion", "tokio", "jiff"],
    },
    Layer {
        name: "comity-correlate",
        may_use: &["comity-model", "comity-store"],
        must_not: &["parquet", "tempfile", "jiff"],
    },
    Layer {
        name: "comity-export",
        may_use: &["comity-model"],
        must_not: &["arrow", "parquet", "datafusion", "rayon", "tokio", "jiff", "tempfile", "glob"],
    },
    Layer {
        name: "comity-jobs",
        may_use: &[
            "comity-model",
            "comity-parse",
            "comity-provenance",
            "comity-store",
            "comity-correlate",
            "comity-export",
        ],
        must_not: &["datafusion", "parquet", "tokio"],
    },
    Layer {
        name: "comity",
        may_use: &["comity-jobs", "comity-model"],
        must_not: &["arrow", "parquet", "datafusion", "tokio", "rayon"],
    },
];

/// Names of the crates that each crate of the workspace depends on, tests not counted.
fn workspace() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--no-deps", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let shipped = dependencies.filter(|d| d["kind"] != "dev").map(|d| text(&d["name"]));
            (text(&package["name"]), shipped.collect())
        })
        .collect()
}

#[test]
fn arrows_only_go_up_the_table() {
    let found = workspace();
    let known: BTreeSet<&str> = LAYERS.iter().map(|layer| layer.name).collect();
    let crates: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(crates, known, "a new crate needs a row here and in ARCHITECTURE.md");
    for layer in LAYERS {
        for dependency in &found[layer.name] {
            let ours = known.contains(dependency.as_str());
            let allowed = !ours || layer.may_use.contains(&dependency.as_str());
            assert!(allowed, "{} must not use {dependency}: it may use {:?}", layer.name, layer.may_use);
            let banned = layer.must_not.contains(&dependency.as_str());
            assert!(!banned, "{} must not depend on {dependency}", layer.name);
        }
    }
}

#[test]
fn each_concern_has_one_home() {
    let found = workspace();
    let users = |dependency: &str| -> Vec<&str> {
        found.iter().filter(|(_, uses)| uses.contains(dependency)).map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(users("datafusion"), ["comity-correlate"], "only one crate knows the query engine");
    assert_eq!(users("parquet"), ["comity-store"], "only one crate knows the files' format");
    for dependency in PEOPLE {
        assert!(users(dependency).iter().all(|name| *name == "comity"), "{dependency} is the command line's");
    }
    for name in ["comity-model", "comity-parse", "comity-provenance"] {
        let impure: Vec<&&str> = COLUMNS.iter().chain(CHANCE).filter(|d| found[name].contains(**d)).collect();
        assert!(impure.is_empty(), "{name} is pure, but depends on {impure:?}");
    }
}

/// The table is in the document that people read, too.
#[test]
fn the_document_names_every_crate() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    for layer in LAYERS {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", layer.name)));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {}", layer.name));
        let cell = row.split('|').nth(3).unwrap_or_default();
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        let short: Vec<&str> = layer.may_use.iter().map(|name| name.trim_start_matches("comity-")).collect();
        assert_eq!(named, short, "{}: third column of {row}", layer.name);
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let mut inside = false;
    let mut above = "";
    let mut seen = 0;
    for line in manifest.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if inside && line.contains('=') && !line.starts_with('#') {
            seen += 1;
            let name = line.split(['=', ' ']).next().unwrap_or_default();
            // a path dependency is ours, and its reason is the table of layers
            let ours = line.contains("path = \"crates/");
            // a comment on its line, or sentences right above it
            let beside = line.rsplit_once('#').is_some_and(|(_, reason)| reason.trim().len() >= 2);
            let reason = beside || above.starts_with("# ") && above.ends_with('.');
            assert!(ours || reason, "{name} has no reason in [workspace.dependencies]");
        }
        above = line;
    }
    assert!(seen > 20, "only {seen} dependencies found");
}
