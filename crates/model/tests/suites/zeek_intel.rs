//! Zeek's intelligence framework: items, a seen value, and which types of item match.

use std::collections::BTreeSet;

use comity_model::canonical::indicator;
use comity_model::{Claim, Kind, Observe, key};
use serde_json::Value;

use super::{observed, suite};

/// An item of a feed or a script.
struct Item {
    zeek_type: String,
    source: String,
    claim: Claim,
}

/// 24 cases, 19 equal. In 4 a script filters or removes the item before the value is seen
/// (`filter_item`, `Intel::remove`): comity matches a snapshot, whole, and hides nothing. In one,
/// updated-match, the value is seen before the second feed is read, so Zeek names one source; a
/// snapshot has no before and after, and comity names all who claim it.
#[test]
fn matches() {
    let Some(rows) = suite("zeek-intel-flat.jsonl") else { return };
    let (mut equal, mut removed_by_script, mut more_sources) = (0, 0, 0);
    for row in &rows {
        let expected = &row["expected"];
        let (types, sources) = met(&row["input"]);
        let (want_types, want_sources) = (texts(&expected["match_types"]), texts(&expected["sources"]));
        let scripted = row["caveat"].as_str().is_some();
        if types == want_types && sources == want_sources {
            equal += 1;
        } else if scripted && want_types.is_empty() {
            removed_by_script += 1;
        } else {
            assert!(types == want_types && sources.is_superset(&want_sources), "{row}");
            more_sources += 1;
        }
    }
    assert_eq!((rows.len(), equal, removed_by_script, more_sources), (24, 19, 4, 1));
}

/// Types and sources of the items that the seen value meets, tried one by one.
fn met(input: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let seen = &input["seen"];
    let (rule, text) = match seen["indicator_type"].as_str() {
        Some("Intel::EMAIL") => (Observe::Email, &seen["indicator"]),
        _ => (Observe::Address, &seen["host"]),
    };
    let keys: Vec<_> = observed(rule, text.as_str().unwrap())
        .into_iter()
        .map(|found| (found.kind, key::of_observable(found.kind, &found.value)))
        .collect();
    let items = items(input).into_iter().filter(|item| {
        let spans = key::of_claim(&item.claim);
        keys.iter().any(|(kind, key)| spans.iter().any(|span| span.kind == *kind && span.contains(key)))
    });
    items.map(|item| (item.zeek_type, item.source)).unzip()
}

fn items(input: &Value) -> Vec<Item> {
    let feeds = input["feeds"].as_object().unwrap().values().flat_map(|text| {
        text.as_str().unwrap().lines().skip(1).map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            item(columns[0], columns[1], columns[2])
        })
    });
    let inserted = input["inserted_items"].as_array().unwrap().iter().map(|inserted| {
        let source = inserted["meta"].as_str().unwrap().trim_start_matches("[$source=\"");
        item(inserted["indicator"].as_str().unwrap(), inserted["indicator_type"].as_str().unwrap(), source)
    });
    feeds.chain(inserted).collect()
}

fn item(text: &str, zeek_type: &str, source: &str) -> Item {
    let kind = match zeek_type {
        "Intel::ADDR" => Kind::Ipv4Addr,
        "Intel::SUBNET" => Kind::Ipv4Net,
        "Intel::EMAIL" => Kind::EmailAddr,
        other => panic!("{other}"),
    };
    let canonical = indicator(kind, text).unwrap();
    let claim = Claim::new(canonical.kind, canonical.value, text);
    Item { zeek_type: zeek_type.to_owned(), source: source.to_owned(), claim }
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}
