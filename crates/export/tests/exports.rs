//! What is exported: the same bytes as before, of use to a machine, harmless whatever the texts are.
//! `UPDATE_GOLDEN=1 cargo test -p comity-export` writes the goldens; read them as prose.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use comity_export::{Dossier, case_jsonld, report_html, ro_crate, verify_md};
use common::{HOSTILE, filled, hostile, lantern, submission};
use proptest::prelude::*;
use serde_json::Value;

fn all(dossier: &Dossier) -> [(&'static str, String); 4] {
    [
        ("VERIFY.md", verify_md(dossier)),
        ("case.jsonld", case_jsonld(dossier)),
        ("report.html", report_html(dossier)),
        ("ro-crate-metadata.json", ro_crate(dossier)),
    ]
}

fn graph(json: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(json).unwrap();
    document["@graph"].as_array().unwrap().clone()
}

/// Every text in a JSON value, and every value of `@id` where a node is only named.
fn walk(value: &Value, texts: &mut Vec<String>, named: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| walk(item, texts, named)),
        Value::Object(object) => {
            if let (1, Some(Value::String(id))) = (object.len(), object.get("@id")) {
                named.insert(id.clone());
            }
            object.values().for_each(|item| walk(item, texts, named));
        }
        _ => {}
    }
}

#[test]
fn exports_are_those_of_the_goldens() {
    for (name, text) in all(&hostile()) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert!(text == golden, "{}: UPDATE_GOLDEN=1 cargo test -p comity-export", path.display());
    }
}

#[test]
fn machines_get_the_texts_as_they_are() {
    for json in [case_jsonld(&hostile()), ro_crate(&hostile())] {
        let (mut texts, mut named) = (Vec::new(), BTreeSet::new());
        graph(&json).iter().for_each(|node| walk(node, &mut texts, &mut named));
        for field in ["case-title", "evidence-path", "list-name"] {
            assert!(texts.iter().any(|text| text.contains(&format!("{field} {HOSTILE}"))), "{field}");
        }
    }
}

#[test]
fn people_get_every_field() {
    let html = report_html(&hostile());
    let shown = html_escape::unescaped(&html);
    let fields = [
        "summary-title",
        "case-id",
        "case-jurisdiction",
        "case-purpose",
        "run-started",
        "run-finished",
        "run-id",
        "node",
        "tool-version",
        "tool-commit",
        "section-title",
        "section-header",
        "section-cell",
        "section-more",
        "section-note",
        "evidence-id",
        "evidence-path",
        "evidence-codec",
        "evidence-stream",
        "evidence-format",
        "evidence-framing",
        "evidence-jurisdiction",
        "evidence-authority",
        "evidence-legal-basis",
        "evidence-received",
        "evidence-root",
        "feed-id",
        "feed-path",
        "feed-provider",
        "feed-format",
        "feed-received",
        "list-id",
        "list-name",
        "correlation-name",
        "correlation-sql",
        "output-name",
        "output-path",
        "output-sha256",
        "output-logical",
    ];
    for field in fields {
        let text = format!("{field} {}", comity_export::plain(HOSTILE));
        assert!(shown.contains(&text), "{field}");
    }
}

/// The five references that askama's escaper writes.
mod html_escape {
    pub(super) fn unescaped(html: &str) -> String {
        let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
        named.iter().fold(html.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

#[test]
fn every_node_of_case_is_named_by_a_uuid_and_known() {
    for dossier in [lantern(), submission(), hostile()] {
        let nodes = graph(&case_jsonld(&dossier));
        let ids: BTreeSet<String> = nodes.iter().map(|n| n["@id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), nodes.len(), "an id twice");
        let (mut texts, mut named) = (Vec::new(), BTreeSet::new());
        nodes.iter().for_each(|node| walk(node, &mut texts, &mut named));
        assert!(named.is_subset(&ids), "{:?}", named.difference(&ids));
        for id in ids {
            let uuid: Vec<&str> = id.rsplitn(6, '-').collect();
            assert_eq!([12, 4, 4, 4, 8], [0, 1, 2, 3, 4].map(|at| uuid[at].len()), "{id}");
            assert!(uuid[2].starts_with('5') && uuid[1].starts_with(['8', '9', 'a', 'b']), "{id}");
        }
    }
}

#[test]
fn the_crate_describes_every_file_once() {
    for dossier in [lantern(), submission()] {
        let nodes = graph(&ro_crate(&dossier));
        let parts = |node: &Value| -> Vec<String> {
            let parts = node["hasPart"].as_array().unwrap().iter();
            parts.map(|part| part["@id"].as_str().unwrap().to_owned()).collect()
        };
        let root = nodes.iter().find(|node| node["@id"] == "./").unwrap();
        let mut paths: Vec<String> = dossier.files.iter().map(|file| file.path.clone()).collect();
        paths.retain(|path| path != "ro-crate-metadata.json");
        paths.sort();
        assert_eq!(parts(root), paths);
        for path in &paths {
            assert_eq!(nodes.iter().filter(|node| node["@id"] == path.as_str()).count(), 1, "{path}");
        }
        let (mut texts, mut named) = (Vec::new(), BTreeSet::new());
        nodes.iter().for_each(|node| walk(node, &mut texts, &mut named));
        named.retain(|id| !id.starts_with("https://w3id.org/ro/crate/"));
        let ids: BTreeSet<String> = nodes.iter().map(|n| n["@id"].as_str().unwrap().to_owned()).collect();
        assert!(named.is_subset(&ids), "{:?}", named.difference(&ids));
    }
}

#[test]
fn guides_fit_the_kind_of_bag() {
    let (findings, full, feed) = (verify_md(&lantern()), verify_md(&hostile()), verify_md(&submission()));
    assert!(findings.contains("### 6. The records") && !findings.contains("The originals"));
    assert!(full.contains("### 6. The originals") && !full.contains("The records and"));
    assert!(feed.contains("### 5. The originals") && !feed.contains("comity reproduce"));
    for guide in [findings, full, feed] {
        let fences = guide.lines().filter(|line| line.starts_with("```")).count();
        assert!(fences.is_multiple_of(2), "an open block");
        assert!(!guide.contains("\n\n\n") && guide.ends_with(".\n"), "line ends");
    }
}

/// Names of the tags of a page, in order; a text that is not escaped would add one.
fn tags(html: &str) -> Vec<String> {
    let names = html.split('<').skip(1);
    names.map(|tag| tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect()).collect()
}

/// Characters that a text outside of JSON's and HTML's escapes must not have.
fn hides(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn assert_harmless(text: &str) {
    let (dossier, usual) = (filled(text), filled("x"));
    for ((name, found), (_, expected)) in all(&dossier).iter().zip(&all(&usual)) {
        assert!(!found.to_ascii_lowercase().contains("<script"), "{name}");
        assert!(!found.contains(hides), "{name}: {:?}", found.chars().find(|c| hides(*c)));
        assert_eq!(found.lines().count(), expected.lines().count(), "{name}: lines");
    }
    assert_eq!(tags(&report_html(&dossier)), tags(&report_html(&usual)), "tags");
    for (json, usual) in
        [(case_jsonld(&dossier), case_jsonld(&usual)), (ro_crate(&dossier), ro_crate(&usual))]
    {
        assert_eq!(graph(&json).len(), graph(&usual).len());
    }
    let (guide, usual) = (verify_md(&dossier), verify_md(&usual));
    assert!(
        guide.lines().zip(usual.lines()).skip(3).all(|(a, b)| a == b),
        "the text is in the first sentence only"
    );
}

#[test]
fn hostile_text_is_harmless() {
    assert_harmless(HOSTILE);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_is_harmless(text in any::<String>(), near in "[<>&\"'`\\\\#|*_\\[\\]{}%\\-\u{0}-\u{20}\u{202e}a-c]{0,40}") {
        assert_harmless(&text);
        assert_harmless(&near);
    }

    #[test]
    fn equal_facts_are_equal_bytes(text in any::<String>()) {
        prop_assert_eq!(all(&filled(&text)), all(&filled(&text)));
    }
}
