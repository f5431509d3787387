//! Level 1: files, definition and documents against what the statements tell.

use serde_json::json;

use crate::forge::{DEFINITION, Forge, RO_CRATE};
use crate::trial::{Row, inside, lie};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = documents();
    rows.extend(definitions());
    rows.extend(untold());
    rows.extend(tables());
    rows
}

fn documents() -> Vec<Row> {
    let replaced = |what: &'static str, path: &'static str, from: &'static str, to: &'static str| {
        lie(what, "document-differs", 1, move |t| t.inside(|bag| bag.replace(path, from, to)))
    };
    let report = "data/report.html";
    vec![
        replaced("a report that contradicts its tables", report, "198.51.100.7", "198.51.100.8"),
        replaced("a script in the report", report, "</body>", "<script>alert(1)</script></body>"),
        replaced(
            "an image in the report that is fetched",
            report,
            "</body>",
            "<img src=\"http://192.0.2.1/\"></body>",
        ),
        replaced("a guide that leads astray", "data/VERIFY.md", "sha256sum", "true || sha256sum"),
        replaced(
            "a case file that contradicts the statements",
            "data/case.jsonld",
            "198.51.100.7",
            "198.51.100.8",
        ),
        inside("a description that contradicts the bag", "document-differs", |bag| {
            bag.finish();
            bag.replace(RO_CRATE, "Findings of a run", "Findings of no run");
            bag.described = false;
        }),
        inside("a description that is missing", "payload-missing", |bag| {
            bag.finish();
            bag.files.remove(RO_CRATE);
            bag.described = false;
        }),
        inside("a report that is missing", "payload-missing", |bag| drop(bag.files.remove(report))),
    ]
}

fn definitions() -> Vec<Row> {
    let redefined = |what: &'static str, kind: &'static str, change: fn(&mut serde_json::Value)| {
        lie(what, kind, 1, move |t| t.inside(|bag| bag.change_definition(change)))
    };
    vec![
        inside("a definition changed, the run's id not", "definition-changed", |bag| {
            bag.replace(DEFINITION, "\"prosecution\"", "\"persecution\"");
        }),
        redefined("a definition changed, its id too: another marking", "definition-changed", |definition| {
            definition["evidence"][0]["tlp"] = "clear".into();
        }),
        redefined(
            "a definition changed, its id too: another jurisdiction",
            "definition-changed",
            |definition| {
                definition["evidence"][0]["jurisdiction"] = "FR".into();
            },
        ),
        redefined("a definition changed, its id too: a field more", "definition-changed", |definition| {
            definition["note"] = "x".into();
        }),
        redefined(
            "a definition changed, its id too: other settings of a reading",
            "not-stated",
            |definition| {
                definition["evidence"][0]["settings"]["clock_offset_us"] = 1.into();
            },
        ),
        redefined("a definition changed, its id too: a feed less", "definition-changed", |definition| {
            definition["feeds"].as_array_mut().unwrap().pop();
        }),
        redefined(
            "a definition changed, its id too: evidence that nobody handed in",
            "not-stated",
            |definition| {
                definition["evidence"][0]["id"] = "0".repeat(64).into();
            },
        ),
        redefined("a definition with a parameter of no type", "definition-form", |definition| {
            definition["correlations"][0]["parameters"] = json!({ "x": 0.5 });
        }),
        inside("a duplicate JSON key in the definition", "definition-form", |bag| {
            let text = bag.text(DEFINITION);
            bag.redefine(text.replacen('{', "{\n  \"schema\": \"comity-run/v0\",", 1).into_bytes());
        }),
        inside("a query swapped for another", "query-changed", |bag| {
            let other = bag.files["data/verify/not-seen.sql"].clone();
            bag.put("data/verify/first-seen.sql", other);
        }),
        inside("hostile SQL in the place of a query", "query-changed", |bag| {
            bag.put("data/verify/hosts.sql", "COPY (SELECT 1) TO '/tmp/owned'; DROP TABLE sightings; --");
        }),
        inside("a query that is missing", "payload-missing", |bag| {
            bag.files.remove("data/verify/first-seen.sql");
        }),
        inside("a run that depended on something else", "definition-changed", |bag| {
            let at = bag.find("correlate", 0);
            bag.change(at, |value| {
                let depended = &mut value["predicate"]["buildDefinition"]["resolvedDependencies"];
                depended[0]["digest"]["sha256"] = "0".repeat(64).into();
            });
        }),
        inside("a run that depended on less", "definition-changed", |bag| {
            let at = bag.find("correlate", 0);
            bag.change(at, |value| {
                let depended = &mut value["predicate"]["buildDefinition"]["resolvedDependencies"];
                depended.as_array_mut().unwrap().remove(0);
            });
        }),
        inside("an allow-list under another name", "definition-changed", |bag| {
            let id = bag.first("data/inputs/allow-lists/");
            let at = bag.collection("allow-lists", id.split('/').nth(3).unwrap());
            bag.change_record(at, "allow-list.json", |record| record["name"] = "another".into());
        }),
    ]
}

fn untold() -> Vec<Row> {
    vec![
        inside("a run that no statement tells of", "run-not-stated", |bag| {
            bag.withhold(bag.find("correlate", 0))
        }),
        inside("a reading that no statement tells of", "not-stated", |bag| {
            bag.withhold(bag.find("normalise", 0))
        }),
    ]
}

fn tables() -> Vec<Row> {
    let table = |name: &str| format!("data/results/{name}.parquet");
    vec![
        lie("a table swapped for another", "table-swapped", 1, move |t| {
            t.inside(|bag| {
                let (a, b) = (table("first-seen"), table("hosts"));
                let (first, second) = (bag.files[&a].clone(), bag.files[&b].clone());
                bag.put(&a, second);
                bag.put(&b, first);
            });
        }),
        lie("a table more than the run made", "table-extra", 1, move |t| {
            t.inside(|bag| {
                let bytes = bag.files[&table("hosts")].clone();
                bag.put(&table("guests"), bytes);
            });
        }),
        lie("a table less than the run made", "table-missing", 1, move |t| {
            t.inside(|bag| drop(bag.files.remove(&table("first-seen"))));
        }),
        lie("a table that a full bag may not leave out", "table-missing", 1, move |t| {
            t.inside_of("full", |bag| drop(bag.files.remove(&table("not-seen"))));
        }),
        lie("a table that is none", "table-unreadable", 1, move |t| {
            t.inside(|bag| swap_table(bag, "hosts", b"PAR1 this is no table PAR1".to_vec()));
        }),
        lie("a table that is cut", "table-unreadable", 1, move |t| {
            t.inside(|bag| {
                let mut bytes = bag.files[&table("hosts")].clone();
                bytes.truncate(bytes.len() - 20);
                swap_table(bag, "hosts", bytes);
            });
        }),
    ]
}

/// Puts other bytes in the place of a table; everything says that they are what the run made.
pub(crate) fn swap_table(bag: &mut Forge<'_>, name: &str, bytes: Vec<u8>) {
    use comity_provenance::Sha256Digest;
    let path = format!("data/results/{name}.parquet");
    let old = &bag.files[&path];
    let (old_digest, old_bytes) = (Sha256Digest::of(old).to_string(), old.len());
    let (new_digest, new_bytes) = (Sha256Digest::of(&bytes).to_string(), bytes.len());
    bag.put(&path, bytes);
    bag.rename(&old_digest, &new_digest);
    let run = bag.find("correlate", 0);
    bag.change(run, |value| {
        for subject in value["subject"].as_array_mut().unwrap() {
            if subject["name"] == format!("results/{name}.parquet") {
                assert_eq!(subject["annotations"]["bytes"], old_bytes.to_string());
                subject["annotations"]["bytes"] = new_bytes.to_string().into();
            }
        }
    });
}
