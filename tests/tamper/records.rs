//! Level 2: records, indicators and inputs against what was committed to at intake.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comity_provenance::record_tree::{ProvenRecord, leaf};
use serde_json::{Value, json};

use crate::forge::{Forge, RO_CRATE};
use crate::trial::{Row, lie};

/// The id of the evidence item that was handed in from a file of this name.
pub(crate) fn item(bag: &Forge<'_>, file: &str) -> String {
    let of_file = |at: &usize| {
        let value = bag.said[*at].value();
        let record = crate::forge::content(&value["predicate"]["records"][0]).unwrap();
        let intake: Value = serde_json::from_slice(&record).unwrap();
        intake["path"].as_str().is_some_and(|path| path.ends_with(file))
    };
    let collections = (0..bag.said.len()).filter(|at| crate::forge::is(&bag.said[*at].value(), "collection"));
    let at = collections.into_iter().find(of_file).unwrap();
    let subject = bag.said[at].value()["subject"][0]["name"].as_str().unwrap().to_owned();
    subject.split_once('/').unwrap().1.to_owned()
}

/// The file with the proven records of `file`.
pub(crate) fn records(bag: &Forge<'_>, file: &str) -> String {
    format!("data/records/{}.jsonl", item(bag, file))
}

/// Changes the n-th line of a file of proven records.
pub(crate) fn change_line(bag: &mut Forge<'_>, path: &str, nth: usize, change: impl FnOnce(&mut Value)) {
    // in the order that they are written in
    let text = bag.text(path);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut value: Value = serde_json::from_str(&lines[nth]).unwrap();
    change(&mut value);
    let fields = ["record", "offset", "length", "salt", "bytes", "path", "context"];
    let mut members: Vec<String> = fields
        .iter()
        .filter(|field| !value[**field].is_null())
        .map(|field| format!("\"{field}\":{}", value[*field]))
        .collect();
    let more = value.as_object().unwrap().iter().filter(|(key, _)| !fields.contains(&key.as_str()));
    members.extend(more.map(|(key, value)| format!("\"{key}\":{value}")));
    lines[nth] = format!("{{{}}}", members.join(","));
    bag.put(path, lines.join("\n") + "\n");
}

/// A proof changed, of the last record of a log.
fn proof(what: &'static str, kind: &'static str, change: fn(&mut Value)) -> Row {
    lie(what, kind, 2, move |t| {
        t.inside(|bag| {
            let path = records(bag, "conn.log");
            let last = bag.text(&path).lines().count() - 1;
            change_line(bag, &path, last, change);
        });
    })
}

/// Lines changed, of a log.
fn lines(what: &'static str, kind: &'static str, change: fn(&mut Vec<String>)) -> Row {
    lie(what, kind, 2, move |t| {
        t.inside(|bag| {
            let path = records(bag, "conn.log");
            let mut lines: Vec<String> = bag.text(&path).lines().map(str::to_owned).collect();
            change(&mut lines);
            bag.put(&path, lines.join("\n") + "\n");
        });
    })
}

fn flip(text: &Value, nth: usize) -> Value {
    let mut text: Vec<char> = text.as_str().unwrap().chars().collect();
    text[nth] = if text[nth] == '0' { '1' } else { '0' };
    text.into_iter().collect::<String>().into()
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = proofs();
    rows.extend(inputs());
    rows.extend(commitments());
    rows
}

fn proofs() -> Vec<Row> {
    vec![
        proof("a proof for another record", "proof-false", |record| record["record"] = "9".into()),
        proof("a proof for a record that there is not", "proof-false", |record| {
            record["record"] = "99".into()
        }),
        proof("a proof for record 0", "proof-false", |record| record["record"] = "0".into()),
        proof("another salt", "proof-false", |record| record["salt"] = flip(&record["salt"], 3)),
        proof("another salt length", "proof-form", |record| {
            record["salt"] = format!("{}00", record["salt"].as_str().unwrap()).into();
        }),
        proof("another offset", "proof-false", |record| record["offset"] = "1".into()),
        proof("another length", "proof-form", |record| record["length"] = "1".into()),
        proof("a byte shifted between salt and record", "proof-form", |record| {
            record["salt"] = record["salt"].as_str().unwrap().chars().take(30).collect::<String>().into();
        }),
        proof("other bytes of a record", "proof-false", |record| {
            let text =
                String::from_utf8(STANDARD.decode(record["bytes"].as_str().unwrap()).unwrap()).unwrap();
            record["bytes"] = STANDARD.encode(text.replace("203.0.113.9", "203.0.113.8")).into();
        }),
        proof("another path", "proof-false", |record| record["path"][0] = flip(&record["path"][0], 0)),
        proof("a shorter path", "proof-false", |record| drop(record["path"].as_array_mut().unwrap().pop())),
        proof("a longer path", "proof-false", |record| {
            record["path"].as_array_mut().unwrap().push("0".repeat(64).into());
        }),
        proof("a path without end", "proof-form", |record| record["path"] = vec!["0".repeat(64); 65].into()),
        proof("a field more in a proof", "proof-form", |record| record["note"] = "x".into()),
        proof("a record number with a leading zero", "proof-form", |record| {
            record["record"] = format!("0{}", record["record"].as_str().unwrap()).into();
        }),
        lines("a duplicate JSON key in a proof", "proof-form", |lines| {
            lines[0] = lines[0].replacen('{', "{\"record\":\"2\",", 1);
        }),
        lines("a record twice", "proof-form", |lines| lines.insert(1, lines[0].clone())),
        lie("records without their last line end", "proof-form", 2, |t| {
            t.inside(|bag| {
                let path = records(bag, "conn.log");
                bag.files.get_mut(&path).unwrap().pop();
            });
        }),
        lines("records in another order", "proof-form", |lines| lines.swap(0, 1)),
        lines("a line that is no proof", "proof-form", |lines| {
            lines.push("<script>\u{1b}[31m\u{202e}".into())
        }),
        lie("a context record swapped", "proof-false", 2, |t| {
            t.inside(|bag| {
                let path = records(bag, "conn.log");
                let header = |line: &str| {
                    let value: Value = serde_json::from_str(line).unwrap();
                    STANDARD.decode(value["bytes"].as_str().unwrap()).unwrap().starts_with(b"#fields")
                };
                let nth = bag.text(&path).lines().position(header).unwrap();
                change_line(bag, &path, nth, |record| {
                    let bytes = STANDARD.decode(record["bytes"].as_str().unwrap()).unwrap();
                    let text = String::from_utf8(bytes).unwrap();
                    let text = text.replace("orig_h", "X").replace("resp_h", "orig_h").replace('X', "resp_h");
                    record["bytes"] = STANDARD.encode(text).into();
                });
            });
        }),
        lie("the records of another item", "proof-false", 2, |t| {
            t.inside(|bag| {
                let other = bag.files[&records(bag, "access.log")].clone();
                let path = records(bag, "conn.log");
                bag.put(&path, other);
            });
        }),
        lie("another indicator", "proof-false", 2, |t| {
            t.inside(|bag| {
                let path = bag.first("data/indicators/");
                change_line(bag, &path, 0, |record| {
                    let text = String::from_utf8(STANDARD.decode(record["bytes"].as_str().unwrap()).unwrap())
                        .unwrap();
                    let text = text.replace("ipv4-addr", "ipv6-addr");
                    record["bytes"] = STANDARD.encode(text).into();
                });
            });
        }),
    ]
}

fn inputs() -> Vec<Row> {
    let original = |shelf: &'static str, what: &'static str, which: &'static str| {
        lie(what, "input-swapped", 2, move |t| {
            t.inside_of(which, |bag| {
                let path = bag.first(&format!("data/inputs/{shelf}/"));
                bag.files.get_mut(&path).unwrap().push(b'\n');
            });
        })
    };
    vec![
        original("allow-lists", "an allow-list swapped", "findings"),
        original("evidence", "an original with a line more", "full"),
        original("feeds", "a feed with a line more", "feed"),
        lie("an allow-list that is missing", "payload-missing", 2, |t| {
            t.inside(|bag| {
                let path = bag.first("data/inputs/allow-lists/");
                bag.files.remove(&path);
                described_as_absent(bag, &path, "two", "Allow-list");
            });
        }),
        lie("the same evidence under two names", "input-swapped", 2, |t| {
            t.inside_of("full", |bag| {
                let original =
                    |bag: &Forge<'_>, file| format!("data/inputs/evidence/{}/original", item(bag, file));
                let bytes = bag.files[&original(bag, "conn.log")].clone();
                let path = original(bag, "access.log");
                bag.put(&path, bytes);
            });
        }),
        lie("an original that is missing", "payload-missing", 2, |t| {
            t.inside_of("full", |bag| {
                let path = format!("data/inputs/evidence/{}/original", item(bag, "conn.log"));
                bag.files.remove(&path);
                described_as_absent(bag, &path, "conn.log", "Evidence item");
            });
        }),
        lie("another secret of the salts", "root-differs", 2, |t| {
            t.inside_of("full", |bag| {
                let path = format!("data/inputs/evidence/{}/record-salts.secret", item(bag, "conn.log"));
                bag.put(&path, format!("{}\n", "0".repeat(64)));
            });
        }),
        lie("a secret that is none", "proof-form", 2, |t| {
            t.inside_of("full", |bag| {
                let path = format!("data/inputs/evidence/{}/record-salts.secret", item(bag, "conn.log"));
                bag.put(&path, "secret\n");
            });
        }),
        lie("another secret of a feed", "root-differs", 2, |t| {
            t.inside_of("feed", |bag| {
                let path = bag.files.keys().find(|path| path.ends_with(".secret")).unwrap().clone();
                bag.put(&path, format!("{}\n", "0".repeat(64)));
            });
        }),
    ]
}

fn commitments() -> Vec<Row> {
    let tree = |what: &'static str, kind: &'static str, which: &'static str, change: fn(&mut Value)| {
        lie(what, kind, 2, move |t| {
            t.inside_of(which, |bag| {
                let at = bag.collection("evidence", &item(bag, "access.log"));
                let mut old = Value::Null;
                bag.change(at, |value| {
                    let tree = &mut value["predicate"]["details"]["recordTree"];
                    old = tree["root"].clone();
                    change(tree);
                });
                let new = bag.said[at].value()["predicate"]["details"]["recordTree"]["root"].clone();
                bag.rename(old.as_str().unwrap(), new.as_str().unwrap());
            });
        })
    };
    vec![
        tree("a root of something else", "proof-false", "findings", |tree| {
            tree["root"] = "0".repeat(64).into()
        }),
        tree("a root of more records", "proof-false", "findings", |tree| tree["records"] = "400".into()),
        tree("a root that the original does not lead to", "root-differs", "full", |tree| {
            tree["root"] = "0".repeat(64).into();
        }),
        tree("a number of records that the original does not have", "root-differs", "full", |tree| {
            tree["records"] = "400".into();
        }),
        lie("indicators that nobody committed to", "not-committed", 2, |t| {
            t.inside(|bag| {
                let path = bag.first("data/indicators/");
                let at = bag.collection("feeds", path.split(['/', '.']).nth(2).unwrap());
                bag.change(at, |value| {
                    value["predicate"]["details"]["recordTree"]["framing"] = "comity-rows/v2".into();
                });
            });
        }),
        lie("a framing that nobody knows", "framing-unknown", 2, |t| {
            t.inside_of("full", |bag| {
                let id = item(bag, "access.log");
                let framing = "lines/v1";
                for at in 0..bag.said.len() {
                    let value = bag.said[at].value();
                    if value["subject"][0]["name"].as_str().is_some_and(|name| name.contains(&id)) {
                        let old = value["predicate"]["details"]["recordTree"]["framing"].as_str();
                        assert!(old.is_none_or(|old| old == framing), "{old:?}");
                    }
                }
                bag.rename(framing, "words/v1");
            });
        }),
        lie("an indicator that is none", "indicator-form", 2, |t| {
            t.inside(|bag| {
                let path = bag.first("data/indicators/");
                let id = path.split(['/', '.']).nth(2).unwrap().to_owned();
                let bytes = b"<script>\t\x1b[31m".to_vec();
                let root = leaf(&[7; 16], 0, &bytes);
                let record = ProvenRecord {
                    record: 1,
                    offset: 0,
                    salt: [7; 16],
                    bytes,
                    path: Vec::new(),
                    context: false,
                };
                bag.put(&path, record.to_line().unwrap() + "\n");
                let at = bag.collection("feeds", &id);
                bag.change(at, |value| {
                    value["predicate"]["details"]["recordTree"] =
                        json!({ "framing": "comity-rows/v1", "records": "1", "root": root });
                });
            });
        }),
    ]
}

/// Has `ro-crate-metadata.json` say of an input that it is not in the bag.
fn described_as_absent(bag: &mut Forge<'_>, path: &str, name: &str, what: &str) {
    let parts: Vec<&str> = path.split('/').collect();
    let (shelf, id) = (parts[2], parts[3]);
    let mut document: Value = serde_json::from_slice(&bag.files[RO_CRATE]).unwrap();
    let graph = document["@graph"].as_array_mut().unwrap();
    let action = graph.iter().position(|node| node["@type"] == "CreateAction").unwrap();
    let here = format!("#{shelf}/{id}");
    for used in graph[action]["object"].as_array_mut().unwrap() {
        if used["@id"] == path.strip_prefix("data/").unwrap() {
            *used = json!({ "@id": here });
        }
    }
    let description = format!("{what}, not in the bag");
    let node = json!({ "@id": here, "@type": "CreativeWork", "description": description, "name": name, "sha256": id });
    graph.insert(action, node);
    bag.put(RO_CRATE, serde_json::to_string_pretty(&document).unwrap());
}
