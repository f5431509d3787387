//! What people see: help, tables that fit, colours, completions and man pages.

use std::fs;

use crate::common::{ACCESS, Scratch, lantern_job};

#[test]
fn everything_fits_80_columns() {
    let scratch = Scratch::new();
    scratch.lantern("case").exits(3);
    let commands: &[&[&str]] = &[
        &["run", &lantern_job(), "--case", "case", "-q"],
        &["sql", "--case", "case", "select * from sightings"],
        &["sql", "--case", "case", "select id, path, jurisdiction, records from evidence"],
        &["formats"],
        &["correlations"],
        &["help", "job", "evidence"],
        &["feed", "check", &lantern_job().replace("job.toml", "feeds/northlight.txt")],
        &[],
    ];
    for arguments in commands {
        let out = scratch.comity_with(&[("COLUMNS", "80")], arguments).out;
        assert!(!out.is_empty(), "{arguments:?}");
        // paths and digests stay whole, so that they can be copied
        let fixed = |line: &str| {
            line.starts_with("Tables ")
                || line.starts_with("Case ")
                || line.contains("--case ")
                || line.starts_with("/")
        };
        for line in out.lines().filter(|line| !fixed(line)) {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
    }
}

#[test]
fn the_summary_answers_first() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS.repeat(3));
    scratch.small_job("access.log", "");
    let out = scratch.comity(&["run", "job.toml"]).exits(0).out;
    let lines: Vec<&str> = out.lines().filter(|l| !l.is_empty()).take(3).collect();
    assert_eq!(lines[0], "t");
    assert_eq!(lines[1], "Found: 3 sightings of 1 indicator value (DE 3).");
    assert_eq!(lines[2], "First: 2026-02-03 04:05:06Z in DE, ipv4-addr 198.51.100.7.");
    assert_eq!(scratch.comity(&["findings", "--case", "case"]).exits(0).out.lines().next(), Some("t"));
}

#[test]
fn long_values_are_whole_where_there_is_room() {
    let scratch = Scratch::new();
    let run = scratch.lantern("case").exits(3).json();
    let digest = run["outputs"][0]["logical_sha256"].as_str().unwrap();
    let shown =
        |columns: &str| scratch.comity_with(&[("COLUMNS", columns)], &["findings", "--case", "case"]).out;
    assert!(shown("160").contains(digest));
    assert!(!shown("80").contains(digest) && shown("80").contains('…'));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let scratch = Scratch::new();
    scratch.write("access.log", ACCESS);
    scratch.small_job("access.log", "");
    let escapes = |variables: &[(&str, &str)], color: &str| {
        let ran = scratch.comity_with(variables, &["run", "job.toml", "--color", color]).exits(0);
        ran.out.contains('\u{1b}')
    };
    assert!(!escapes(&[], "auto"), "piped");
    assert!(!escapes(&[("NO_COLOR", "1")], "auto"));
    assert!(!escapes(&[("CLICOLOR_FORCE", "1")], "never"));
    assert!(escapes(&[("NO_COLOR", "1")], "always"), "the command line's word wins");
    let error = scratch.comity_with(&[("NO_COLOR", "1")], &["run", "none.toml"]).exits(2).err;
    assert!(error.starts_with("error: none.toml"), "{error}");
}

#[test]
fn text_from_outside_can_not_drive_the_terminal() {
    let scratch = Scratch::new();
    scratch.write("evil\u{1b}[31m.txt", "198.51.100.7\n\u{1b}]0;owned\u{7}\n");
    let ran = scratch.comity(&["feed", "check", "evil\u{1b}[31m.txt"]);
    assert!(!ran.out.contains('\u{1b}') && ran.out.contains("\\u{1b}"), "{}", ran.out);
    let ran = scratch.comity(&["run", "no\u{1b}[31m.toml"]).exits(2);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
}

#[test]
fn a_pipe_is_not_flooded() {
    let scratch = Scratch::new();
    for n in 0..60 {
        scratch.write(&format!("logs/{n}.log"), ACCESS.replace("/a", &format!("/{n}")));
    }
    scratch.small_job("logs/*.log", "");
    let ran = scratch.comity(&["run", "job.toml"]).exits(0);
    let lines = ran.err.lines().count();
    assert!(lines <= 25, "{lines} lines:\n{}", ran.err);
    assert!(ran.err.ends_with("62 parts in all\n"), "{}", ran.err);
    assert_eq!(scratch.comity(&["run", "job.toml", "-q"]).exits(0).err, "");
    let verbose = scratch.comity(&["run", "job.toml", "--json", "-v"]).exits(0);
    assert!(verbose.err.contains("logs/0.log") && verbose.out.starts_with('{'));
}

#[test]
fn help_teaches() {
    let scratch = Scratch::new();
    let begin = scratch.comity(&[]).exits(0).out;
    assert!(begin.contains("comity run job.toml") && begin.contains("comity help job"));
    let help = scratch.comity(&["--help"]).exits(0).out;
    assert!(help.contains("Exit status:"), "{help}");
    for line in help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty()) {
        let Some(name) = line.strip_prefix("  ").and_then(|l| l.split(' ').next()).filter(|n| !n.is_empty())
        else {
            continue;
        };
        let text = scratch.comity(&[name, "--help"]).exits(0).out;
        assert!(text.contains("Usage: comity"), "{name}: {text}");
        assert_eq!(scratch.comity(&["help", name]).exits(0).out.lines().next(), text.lines().next());
        let teaches = ["Example", "Commands:"].iter().any(|word| text.contains(word));
        assert!(teaches || ["formats", "doctor"].contains(&name), "{name} has no example");
    }
    let key = scratch.comity(&["help", "job", "evidence[0].tlp"]).exits(0).out;
    assert!(key.contains("Traffic Light Protocol") && key.contains("amber+strict"), "{key}");
    assert!(scratch.comity(&["help", "job"]).exits(0).out.contains("[[evidence]]"));
    scratch.comity(&["help", "job", "evidence.tpl"]).exits(2).says(&["no key \"evidence.tpl\"", "tlp"]);
    let version = scratch.comity(&["--version"]).exits(0).out;
    assert!(version.starts_with("comity ") && version.contains("commit"), "{version}");
}

#[test]
fn completions_and_man_pages_are_made() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(scratch.comity(&["completions", shell]).exits(0).out.contains("reproduce"), "{shell}");
    }
    scratch.comity(&["man", "pages"]).exits(0);
    let page = |name: &str| fs::read_to_string(scratch.path("pages").join(name)).unwrap();
    assert!(page("comity.1").contains(".TH comity 1"));
    assert!(page("comity-feed-check.1").contains("feed"));
    assert!(page("comity-run.1").contains("job.toml"));
}
