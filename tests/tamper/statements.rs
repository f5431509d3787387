//! Level 1: what is said, by whom, when.

use comity_provenance::{Envelope, Sha256Digest};
use serde_json::{Value, json};

use crate::forge::{Forge, change_record, put_content};
use crate::trial::{Row, inside, lie};

/// 2026-02-10, when a witness cosigned.
pub(crate) const COSIGNED_S: u64 = 1_770_681_600;
/// A key ends.
const ENDED: &str = "valid-before=\"20260301Z\"";

/// The auditor's membership, which the custodian signed, is said to be of 2026-02-01.
pub(crate) fn long_ago(bag: &mut Forge<'_>) {
    let at = bag.find("membership", 3);
    bag.change(at, |value| value["predicate"]["time"] = "2026-02-01T00:00:00Z".into());
}

/// One more than the index of the last entry of the custodian's signature.
fn size_with(bag: &Forge<'_>) -> usize {
    bag.said[bag.find("membership", 3)].at[1] + 1
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = signers();
    rows.extend(times());
    rows.extend(acts());
    rows.extend(forms());
    rows.extend(envelopes());
    rows
}

fn signers() -> Vec<Row> {
    let by = |what: &'static str, kind: &'static str, signer: &'static str| {
        lie(what, kind, 1, move |t| t.inside(|bag| bag.signed_by(bag.find("collection", 0), &[signer])))
    };
    vec![
        by("a statement by nobody that is known", "unknown-signer", "stranger"),
        by("a statement of the machine's by an officer", "wrong-role", "releaser"),
        by("a statement by the log's key", "wrong-role", "log"),
        inside("a statement that its signer did not sign", "signature-false", |bag| {
            let at = bag.find("collection", 1);
            let mut envelope = Envelope::parse(bag.said[at].line.as_bytes()).unwrap();
            envelope.signatures[0].sig[5] ^= 1;
            bag.take(at, &envelope);
        }),
        inside("a signature taken from another statement", "signature-false", |bag| {
            let other = Envelope::parse(bag.said[bag.find("collection", 0)].line.as_bytes()).unwrap();
            let at = bag.find("collection", 1);
            let mut envelope = Envelope::parse(bag.said[at].line.as_bytes()).unwrap();
            envelope.signatures = other.signatures;
            bag.take(at, &envelope);
        }),
        inside("a signature under the name of one who did not sign", "signature-false", |bag| {
            let at = bag.find("collection", 1);
            let mut envelope = Envelope::parse(bag.said[at].line.as_bytes()).unwrap();
            let mut second = envelope.signatures[0].clone();
            second.keyid = bag.fixture.keys.named("custodian").public().fingerprint();
            second.sig[0] ^= 1;
            envelope.signatures.push(second);
            bag.take(at, &envelope);
        }),
        inside("a member that the machine added alone, when there was a custodian", "wrong-role", |bag| {
            bag.signed_by(bag.find("membership", 3), &["node"]);
        }),
        inside("a member that a releaser added", "wrong-role", |bag| {
            bag.signed_by(bag.find("membership", 3), &["node", "releaser"]);
        }),
        lie("an erasure that no custodian signed", "wrong-role", 1, |t| {
            t.inside_of("later", |bag| bag.signed_by(bag.find("erasure", 0), &["node"]));
        }),
        lie("a self-granted role", "wrong-role", 1, |t| {
            t.inside_of("later", |bag| {
                // added first, when the machine alone may add members; then it acts as custodian
                let first = bag.find("membership", 0);
                let mut value = bag.said[first].value();
                let key = bag.fixture.keys.named("stranger").public();
                value["subject"][0]["digest"]["sha256"] = Sha256Digest::of(&key.wire()).to_string().into();
                change_record(&mut value, "member.json", |member| {
                    member["name"] = "mallory".into();
                    member["role"] = "custodian".into();
                    member["key"] = key.to_string().into();
                });
                bag.insert(first, &value, &["node"]);
                let erasure = bag.find("erasure", 0);
                bag.signed_by(erasure, &["node", "stranger"]);
                // the entries moved by one
                for at in [erasure, bag.said.len() - 1] {
                    bag.change(at, |value| {
                        for list in ["leaves", "withheld"] {
                            let ranges = value.pointer_mut(&format!("/predicate/details/{list}"));
                            let ranges = ranges.and_then(Value::as_array_mut).into_iter().flatten();
                            ranges.for_each(|range| *range = moved(range));
                        }
                    });
                }
            });
        }),
    ]
}

/// A range of the log, one further on.
fn moved(range: &Value) -> Value {
    let (first, last) = range.as_str().unwrap().split_once('-').unwrap();
    let next = |number: &str| number.parse::<u64>().unwrap() + 1;
    format!("{}-{}", next(first), next(last)).into()
}

fn times() -> Vec<Row> {
    let witnessed = |what: &'static str, witness: &'static str, name: &'static str, time_s: u64| {
        lie(what, "expired-unwitnessed", 1, move |t| {
            t.limit("custodian", ENDED);
            t.inside(|bag| {
                long_ago(bag);
                bag.cosign(witness, name, size_with(bag), time_s);
            });
        })
    };
    vec![
        lie("a statement later than its key", "expired-key", 1, |t| {
            t.limit("node.", ENDED);
            t.inside(|_| {});
        }),
        lie("a statement earlier than its key", "expired-key", 1, |t| {
            t.limit("custodian", "valid-after=\"20260301Z\"");
            t.inside(long_ago);
        }),
        lie("a statement dated ahead, into the time of a key that is not valid yet", "expired-key", 1, |t| {
            t.limit("custodian", "valid-after=\"21000101Z\"");
            t.inside(|bag| {
                let at = bag.find("membership", 3);
                bag.change(at, |value| value["predicate"]["time"] = "2100-02-01T00:00:00Z".into());
            });
        }),
        lie("a statement backdated with an expired key", "expired-unwitnessed", 1, |t| {
            t.limit("custodian", ENDED);
            t.inside(long_ago);
        }),
        witnessed("an untrusted witness", "stranger", "witness.example", COSIGNED_S),
        witnessed(
            "a witness that is trusted for something else",
            "auditor",
            "auditor@lka.example",
            COSIGNED_S,
        ),
        witnessed("a witness that looked too late", "witness", "witness.example", 1_772_323_200),
        witnessed("a witness under another name", "witness", "other.example", COSIGNED_S),
        lie("a witness that saw the log before the statement", "expired-unwitnessed", 1, |t| {
            t.limit("custodian", ENDED);
            t.inside(|bag| {
                long_ago(bag);
                bag.cosign("witness", "witness.example", size_with(bag) - 2, COSIGNED_S);
            });
        }),
        lie("a signature added late", "signature-late", 1, |t| {
            t.limit("custodian", ENDED);
            t.inside(|bag| {
                // the machine's signature is witnessed in time, the custodian's comes after its key had ended
                long_ago(bag);
                bag.finish();
                bag.disclosed = false;
                let at = bag.find("membership", 3);
                let entry = bag.leaves.remove(bag.said[at].at[1]);
                bag.leaves.push(entry);
                let seen = bag.said[at].at[0] + 1;
                bag.cosign("witness", "witness.example", seen, COSIGNED_S);
            });
        }),
        lie("a witness whose own key had ended", "expired-unwitnessed", 1, |t| {
            t.limit("custodian", ENDED);
            t.limit("witness", "valid-before=\"20260209Z\"");
            t.inside(|bag| {
                long_ago(bag);
                bag.cosign("witness", "witness.example", size_with(bag), COSIGNED_S);
            });
        }),
    ]
}

fn acts() -> Vec<Row> {
    vec![
        lie("swapped statements", "statement-order", 1, |t| {
            t.inside(|bag| {
                let (a, b) = (bag.find("collection", 0), bag.find("collection", 1));
                bag.said.swap(a, b);
            });
        }),
        inside("a statement twice", "statement-order", |bag| {
            let copy = bag.said[1].clone();
            bag.said.insert(1, copy);
        }),
        inside("a statement that is missing", "statement-missing", |bag| {
            let at = bag.find("membership", 0);
            bag.said.remove(at);
        }),
        inside("a bag that nobody disclosed", "no-disclosure", |bag| {
            bag.said.pop();
            bag.disclosed = false;
        }),
        inside("a disclosure of another kind of bag", "disclosure-content", |bag| {
            let last = bag.said.len() - 1;
            bag.change(last, |value| value["predicate"]["details"]["kind"] = "full".into());
        }),
        inside("a disclosure of another run", "disclosure-content", |bag| {
            let last = bag.said.len() - 1;
            bag.change(last, |value| value["predicate"]["details"]["run"] = "0".repeat(64).into());
        }),
        inside("a disclosure that does not name a file", "disclosure-content", |bag| {
            bag.disclosed = false;
            let last = bag.said.len() - 1;
            bag.change(last, |value| drop(value["subject"].as_array_mut().unwrap().pop()));
        }),
        inside("a disclosure that names another file", "disclosure-content", |bag| {
            bag.disclosed = false;
            let last = bag.said.len() - 1;
            bag.change(last, |value| value["subject"][0]["name"] = "data/other".into());
        }),
        inside("a file put in after the disclosure", "disclosure-content", |bag| {
            bag.disclosed = false;
            bag.put("data/report.html", "<p>guilty</p>");
        }),
        inside("a statement of another case", "other-case", |bag| {
            let at = bag.find("membership", 1);
            bag.change(at, |value| value["predicate"]["caseId"] = "2026-015".into());
        }),
        inside("a run of another case", "other-case", |bag| {
            let at = bag.find("correlate", 0);
            bag.change(at, |value| {
                value["predicate"]["buildDefinition"]["externalParameters"]["caseId"] = "2026-015".into();
            });
        }),
        inside("a bag that says to be of another case", "other-case", |bag| {
            bag.replace("bag-info.txt", "External-Identifier: 2026-014", "External-Identifier: 2026-015");
        }),
        inside("a second root", "second-root", |bag| {
            let at = bag.find("collection", 0);
            let mut value = bag.said[at].value();
            value["predicate"]["details"]["recordTree"]["root"] = "0".repeat(64).into();
            bag.insert(bag.said.len() - 1, &value, &["node"]);
        }),
        inside("a second run under the same id", "second-run", |bag| {
            let mut value = bag.said[bag.find("correlate", 0)].value();
            value["predicate"]["buildDefinition"]["internalParameters"]["nonce"] = "0".repeat(32).into();
            bag.insert(bag.said.len() - 1, &value, &["node"]);
        }),
        lie("an officer whose key was revoked as stolen", "revoked-key", 1, |t| {
            t.inside(|bag| revoke(bag, "releaser", Some("2026-01-01T00:00:00Z"), "custodian"));
        }),
        inside("an officer whose key was revoked", "revoked-key", |bag| {
            revoke(bag, "releaser", None, "custodian");
        }),
        inside("a revocation that a later one would soften", "revoked-key", |bag| {
            revoke(bag, "releaser", Some("2026-01-01T00:00:00Z"), "custodian");
            revoke(bag, "releaser", Some("2126-01-01T00:00:00Z"), "custodian");
        }),
        lie("a statement backdated with a stolen key", "expired-unwitnessed", 1, |t| {
            t.trust = t.trust.replace("\"comity-auditor\"", "\"comity-auditor,comity-custodian\"");
            t.inside(|bag| {
                long_ago(bag);
                revoke(bag, "custodian", Some("2026-02-15T00:00:00Z"), "auditor");
            });
        }),
        lie("a statement backdated with a stolen key, after its revocation", "revoked-key", 1, |t| {
            t.trust = t.trust.replace("\"comity-auditor\"", "\"comity-auditor,comity-custodian\"");
            t.inside(|bag| {
                bag.signed_by(bag.find("membership", 3), &["node", "auditor"]);
                revoke(bag, "custodian", Some("2026-02-15T00:00:00Z"), "auditor");
                let mut value = bag.said[bag.find("membership", 3)].value();
                value["predicate"]["time"] = "2026-02-01T00:00:00Z".into();
                bag.insert(bag.said.len() - 1, &value, &["node", "custodian"]);
            });
        }),
    ]
}

/// Puts in a revocation, before the disclosure.
pub(crate) fn revoke(bag: &mut Forge<'_>, whose: &str, since: Option<&str>, by: &'static str) {
    let at = bag.find("membership", 3);
    let mut value = bag.said[at].value();
    let key = bag.fixture.keys.named(whose).public();
    value["subject"][0]["digest"]["sha256"] = Sha256Digest::of(&key.wire()).to_string().into();
    let predicate = value["predicate"].as_object_mut().unwrap();
    predicate.insert("eventType".into(), "revocation".into());
    predicate.remove("records");
    predicate.extend(since.map(|since| ("details".to_owned(), json!({ "since": since }))));
    bag.insert(bag.said.len() - 1, &value, &["node", by]);
}

/// Changes the text of a payload.
fn rewritten(what: &'static str, from: &'static str, to: &'static str) -> Row {
    lie(what, "statement-form", 1, move |t| {
        t.inside(|bag| {
            let at = bag.find("collection", 0);
            let text = String::from_utf8(bag.said[at].payload.clone()).unwrap();
            assert!(text.contains(from), "{text} has no {from:?}");
            bag.said[at].payload = text.replacen(from, to, 1).into_bytes();
            bag.sign(at);
        });
    })
}

fn forms() -> Vec<Row> {
    vec![
        rewritten("a duplicate JSON key", "\"caseId\":", "\"caseId\":\"2026-015\",\"caseId\":"),
        rewritten(
            "a duplicate JSON key in other letters",
            "\"caseId\":",
            "\"c\\u0061seId\":\"2026-015\",\"caseId\":",
        ),
        rewritten("an unknown field", "\"caseId\":", "\"note\":\"x\",\"caseId\":"),
        rewritten("a number that readers round", "\"caseId\":\"2026-014\"", "\"caseId\":9007199254740993"),
        inside("a number of rows with a zero before it", "statement-form", |bag| {
            let at = bag.find("correlate", 0);
            bag.change(at, |value| {
                let rows = &mut value["subject"][0]["annotations"]["rows"];
                *rows = format!("0{}", rows.as_str().unwrap()).into();
            });
        }),
        rewritten("another type of statement", "in-toto.io/Statement/v1", "in-toto.io/Statement/v2"),
        rewritten(
            "a predicate that nobody knows",
            "urn:comity:custody-event:v1",
            "urn:comity:custody-event:v2",
        ),
        rewritten("a type of event that is none", "\"eventType\":\"collection\"", "\"eventType\":\"gift\""),
        inside("a time in another zone", "statement-form", |bag| {
            let at = bag.find("collection", 0);
            bag.change(at, |value| value["predicate"]["time"] = "2026-11-25T10:00:00+09:00".into());
        }),
        rewritten(
            "an event that its details do not fit",
            "\"eventType\":\"collection\"",
            "\"eventType\":\"hold\"",
        ),
        inside("JSON that is nested without end", "statement-form", |bag| {
            let at = bag.find("collection", 0);
            let text = String::from_utf8(bag.said[at].payload.clone()).unwrap();
            let deep = format!("\"caveats\":{}{},\"caseId\":", "[".repeat(100_000), "]".repeat(100_000));
            bag.said[at].payload = text.replacen("\"caseId\":", &deep, 1).into_bytes();
            bag.sign(at);
        }),
        inside("a record that its digest does not fit", "statement-form", |bag| {
            let at = bag.find("collection", 0);
            bag.change(at, |value| {
                value["predicate"]["records"][0]["digest"]["sha256"] = "0".repeat(64).into()
            });
        }),
        inside("a record that lacks what it must have", "statement-form", |bag| {
            let at = bag.find("collection", 0);
            bag.change_record(at, "intake.json", |record| {
                drop(record.as_object_mut().unwrap().remove("jurisdiction"))
            });
        }),
        inside("a duplicate JSON key in a record", "statement-form", |bag| {
            let at = bag.find("collection", 0);
            bag.change(at, |value| {
                let record = &mut value["predicate"]["records"][0];
                let text = String::from_utf8(crate::forge::content(record).unwrap()).unwrap();
                put_content(record, text.replacen('{', "{\"jurisdiction\":\"XX\",", 1).as_bytes());
            });
        }),
        inside("evidence under a name that is not its digest", "statement-form", |bag| {
            let at = bag.find("collection", 0);
            bag.change(at, |value| value["subject"][0]["digest"]["sha256"] = "0".repeat(64).into());
        }),
        inside("two subjects of one name", "statement-form", |bag| {
            let at = bag.find("correlate", 0);
            bag.change(at, |value| {
                let first = value["subject"][0].clone();
                value["subject"].as_array_mut().unwrap().push(first);
            });
        }),
        inside("a table without its digest", "statement-form", |bag| {
            let at = bag.find("correlate", 0);
            bag.change(at, |value| {
                value["subject"][0]["annotations"].as_object_mut().unwrap().remove("logicalSha256");
            });
        }),
        inside("a verdict among the statements", "statement-form", |bag| {
            let value = json!({
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{ "name": "tagmanifest-sha256.txt", "digest": { "sha256": "0".repeat(64) } }],
                "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
                "predicate": { "result": "PASSED", "configuration": [] },
            });
            bag.insert(bag.said.len() - 1, &value, &["node"]);
        }),
        inside("a guessable statement without its nonce", "statement-form", |bag| {
            let at = bag.find("normalise", 0);
            bag.change(at, |value| {
                value["predicate"]["buildDefinition"]["internalParameters"] = json!({});
            });
        }),
    ]
}

fn envelopes() -> Vec<Row> {
    let line = |what: &'static str, change: fn(&str) -> String| {
        lie(what, "envelope", 1, move |t| {
            t.inside(|bag| bag.said[1].line = change(&bag.said[1].line));
        })
    };
    vec![
        line("one signer twice under two keyids", |line| {
            let (begin, rest) = line.split_once("[{\"keyid\":\"").unwrap();
            let (keyid, sig) = rest.split_once('"').unwrap();
            let sig = sig.trim_end_matches("]}");
            let other = keyid.chars().rev().collect::<String>().replace(":652AHS", "");
            format!("{begin}[{{\"keyid\":\"{keyid}\"{sig},{{\"keyid\":\"SHA256:{}\"{sig}]}}", fitting(&other))
        }),
        line("one signer twice under one keyid", |line| {
            let (begin, rest) = line.split_once("\"signatures\":[").unwrap();
            let signature = rest.trim_end_matches("]}");
            format!("{begin}\"signatures\":[{signature},{signature}]}}")
        }),
        line("a duplicate JSON key in an envelope", |line| line.replacen('{', "{\"payload\":\"e30=\",", 1)),
        line("another payload type", |line| line.replacen("vnd.in-toto+json", "vnd.other+json", 1)),
        line("an envelope that nobody signed", |line| {
            format!("{}[]}}", line.split_once("[{\"keyid\"").unwrap().0)
        }),
        line("base64 with something in its last bits", |line| {
            line.replacen("==\"", "=\"", 1).replacen("\"sig\":\"", "\"sig\":\"=", 1)
        }),
        line("a line that is no envelope", |_| "<script>alert(1)</script>\u{1b}[31m\u{202e}".into()),
        line("an empty line", |_| String::new()),
        line("a signature of another length", |line| line.replacen("\"sig\":\"", "\"sig\":\"AAAA", 1)),
    ]
}

/// Base64 of 32 bytes, out of base64 letters in another order.
fn fitting(letters: &str) -> String {
    let mut text: String = letters.chars().take(42).collect();
    text.push('A');
    text
}
