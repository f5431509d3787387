//! Level 1: files, definition and documents against what the statements tell.

use serde_json::json;

use crate::fixture::Fixture;
use crate::forge::{DEFINITION, Forge, RO_CRATE};
use crate::records::item;
use crate::trial::{Row, cautions, holds, inside, lie};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = documents();
    rows.extend(definitions());
    rows.extend(untold());
    rows.extend(tables());
    rows.extend(unaccounted());
    rows.extend(other_versions());
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

/// Files that no statement accounts for; the disclosure, the manifests and the description agree about them.
fn unaccounted() -> Vec<Row> {
    let more = |what: &'static str, which: &'static str, path: fn(&Forge<'_>) -> String| {
        lie(what, "payload-extra", 1, move |t| {
            t.inside_of(which, |bag| {
                let path = path(bag);
                bag.put(&path, "x\n");
            });
        })
    };
    vec![
        more("a query that nobody ran", "findings", |_| "data/verify/zzz.sql".into()),
        more("a file that no bag has", "findings", |_| "data/read-me.html".into()),
        more("an attestation more", "findings", |_| "data/attestations/more.intoto.jsonl".into()),
        more("a file more beside the log", "findings", |_| "data/log/notes".into()),
        more("records of an item that no run used", "findings", |_| {
            format!("data/records/{}.jsonl", "0".repeat(64))
        }),
        more("indicators of a feed that no run used", "findings", |_| {
            format!("data/indicators/{}.jsonl", "0".repeat(64))
        }),
        more("an original in a findings bag", "findings", |bag| {
            format!("data/inputs/evidence/{}/original", item(bag, "conn.log"))
        }),
        more("records in a full bag", "full", |bag| format!("data/records/{}.jsonl", item(bag, "conn.log"))),
        more("an original that no run used", "full", |_| {
            format!("data/inputs/evidence/{}/original", "0".repeat(64))
        }),
        more("an allow-list that no run used", "full", |_| {
            format!("data/inputs/allow-lists/{}/original", "0".repeat(64))
        }),
        more("a file more beside an original", "full", |bag| {
            format!("data/inputs/evidence/{}/original.txt", item(bag, "conn.log"))
        }),
        more("a secret of no feed", "feed", |_| {
            format!("data/inputs/feeds/{}/record-salts.secret", "0".repeat(64))
        }),
        more("a report in a feed bag", "feed", |_| "data/report.html".into()),
        more("a definition in a feed bag", "feed", |_| DEFINITION.into()),
        inside("a table under another ending", "table-extra", |bag| {
            let bytes = bag.files.remove("data/results/hosts.parquet").unwrap();
            bag.put("data/results/hosts", bytes);
        }),
    ]
}

const REPORT: &str = "data/report.html";

/// The disclosure names another version of comity, or none, as what made the bag.
fn made_by(bag: &mut Forge<'_>, version: Option<&str>) {
    let last = bag.said.len() - 1;
    bag.change(last, |value| match version {
        Some(version) => value["predicate"]["method"]["version"] = version.into(),
        None => drop(value["predicate"].as_object_mut().unwrap().remove("method")),
    });
}

/// Documents of another version can't be made again: that is said, and never passed over.
fn other_versions() -> Vec<Row> {
    let other = |bag: &mut Forge<'_>| made_by(bag, Some("0.0.9 (5f1c22d)"));
    vec![
        cautions("a report of another version that is not as this one makes it", &[REPORT], move |t| {
            t.shown = Some("do not rest on data/report.html");
            t.inside(|bag| {
                other(bag);
                bag.replace(REPORT, "<h2>", "<h2 class=\"old\">");
            });
        }),
        cautions(
            "documents of another version that are not as this one makes them",
            &["data/VERIFY.md", REPORT, "data/case.jsonld", RO_CRATE],
            move |t| {
                t.shown = Some("made by comity 0.0.9 (5f1c22d)");
                t.inside(|bag| {
                    other(bag);
                    for path in ["data/VERIFY.md", REPORT, "data/case.jsonld"] {
                        bag.files.get_mut(path).unwrap().push(b'\n');
                    }
                    bag.finish();
                    bag.described = false;
                    bag.files.get_mut(RO_CRATE).unwrap().push(b'\n');
                });
            },
        ),
        cautions("another version whose name turns the terminal", &[REPORT], |t| {
            t.inside(|bag| {
                made_by(bag, Some("0.1.0 \u{1b}[2J\u{202e} Reached: level 5"));
                bag.replace(REPORT, "198.51.100.7", "198.51.100.8");
            });
        }),
        cautions("a guide of another version in a feed bag", &["data/VERIFY.md"], move |t| {
            t.inside_of("feed", |bag| {
                other(bag);
                bag.files.get_mut("data/VERIFY.md").unwrap().push(b'\n');
            });
        }),
        holds("documents of another version that are as this one makes them", 3, move |t| t.inside(other)),
        lie("a report of another version that is missing", "payload-missing", 1, move |t| {
            t.inside(|bag| {
                other(bag);
                bag.files.remove(REPORT);
            });
        }),
        lie(
            "a report of another version, changed since it was disclosed",
            "disclosure-content",
            1,
            move |t| {
                t.inside(|bag| {
                    other(bag);
                    bag.finish();
                    bag.disclosed = false;
                    bag.replace(REPORT, "198.51.100.7", "198.51.100.8");
                });
            },
        ),
        inside("a report that contradicts its tables, by no version", "document-differs", |bag| {
            made_by(bag, None);
            bag.replace(REPORT, "198.51.100.7", "198.51.100.8");
        }),
        inside("a report that contradicts its tables, by another program", "document-differs", |bag| {
            let last = bag.said.len() - 1;
            bag.change(last, |value| value["predicate"]["method"]["tool"] = "Comity".into());
            bag.replace(REPORT, "198.51.100.7", "198.51.100.8");
        }),
    ]
}

/// Whoever can't rest on the documents in a bag has them made again; not of a bag that does not hold.
#[test]
fn documents_are_made_again() {
    let fixture = Fixture::of_process();
    let place = tempfile::tempdir_in(fixture.path("")).unwrap();
    let verified = |name: &str, bag: &Forge<'_>| {
        let (dir, made) = (place.path().join(name), place.path().join(format!("{name}-documents")));
        bag.write(&dir);
        let words = format!(
            "verify {0} --trust DIR/mine --memory {0}-memory --documents {1}",
            dir.display(),
            made.display()
        );
        (fixture.comity(&words), made)
    };
    std::fs::write(fixture.path("mine"), &fixture.trust).unwrap();
    let honest = Forge::of(&fixture, "findings");
    let (ran, _) = verified("honest", &honest);
    ran.exits(0);
    let mut lying = Forge::of(&fixture, "findings");
    made_by(&mut lying, Some("0.0.9 (5f1c22d)"));
    lying.replace(REPORT, "198.51.100.7", "198.51.100.8");
    lying.finish();
    let (ran, made) = verified("lying", &lying);
    ran.exits(3);
    assert_eq!(std::fs::read(made.join("report.html")).unwrap(), honest.files[REPORT], "as it was");
    lying.replace(DEFINITION, "prosecution", "persecution");
    lying.finish();
    let (ran, made) = verified("false", &lying);
    ran.exits(4);
    assert!(!made.exists());
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
