//! Tells the program which commit it was built from: `COMITY_COMMIT` where that is set (a packager's
//! build without the repository), else what git says; without either the commit is not known.

use std::path::Path;
use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|t| !t.is_empty())
}

fn main() {
    println!("cargo::rerun-if-env-changed=COMITY_COMMIT");
    // the log of HEAD grows with every commit, checkout and reset
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|p| Path::new(p).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    let commit = std::env::var("COMITY_COMMIT").ok().or_else(|| git(&["rev-parse", "HEAD"]));
    if let Some(commit) = commit {
        println!("cargo::rustc-env=COMITY_COMMIT={commit}");
    }
}
