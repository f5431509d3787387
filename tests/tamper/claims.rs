//! What is no bag: verdicts, proofs of single records, heads to be cosigned, archives.

use std::fs;

use comity_provenance::{Envelope, Sha256Digest};
use serde_json::{Value, json};

use crate::forge::{Forge, TAG_MANIFEST};
use crate::trial::{Row, Trial, claim};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = verdicts();
    rows.extend(proofs());
    rows.extend(cosigned());
    rows
}

/// Writes a verdict, and has it checked.
fn verdict(t: &mut Trial<'_>, signer: &str, change: fn(&mut Value)) {
    t.outside(|_| {});
    let bag = t.bag("findings");
    let mut value = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": TAG_MANIFEST, "digest": { "sha256": Sha256Digest::of(&bag.files[TAG_MANIFEST]) } }],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": { "result": "PASSED", "configuration": [], "passedTests": ["0 intact"] },
    });
    change(&mut value);
    let payload = serde_json::to_vec(&value).unwrap();
    let envelope = Envelope::sign(payload, &[t.fixture.keys.named(signer)]).unwrap();
    fs::write(t.dir.join("verdict"), envelope.to_line().unwrap() + "\n").unwrap();
    t.command.extend(["--verdict".to_owned(), "DIR/verdict".to_owned()]);
}

fn verdicts() -> Vec<Row> {
    let given = |what: &'static str, kind: &'static str, signer: &'static str, change: fn(&mut Value)| {
        claim(what, kind, move |t| verdict(t, signer, change))
    };
    vec![
        given("a verdict for another bag", "verdict-elsewhere", "auditor", |value| {
            value["subject"][0]["digest"]["sha256"] = "0".repeat(64).into();
        }),
        given("a verdict by nobody that is known", "unknown-signer", "stranger", |_| {}),
        given("a verdict by the machine", "wrong-role", "node", |_| {}),
        given("a verdict that is none", "statement-form", "auditor", |value| {
            value["predicateType"] = "https://in-toto.io/attestation/test-result/v0.2".into();
        }),
        claim("a verdict that was changed", "unknown-signer", |t| {
            verdict(t, "auditor", |_| {});
            let line = fs::read_to_string(t.dir.join("verdict")).unwrap();
            let mut envelope = Envelope::parse(line.trim_end().as_bytes()).unwrap();
            let text = String::from_utf8(envelope.payload).unwrap().replace("0 intact", "4 intact");
            envelope.payload = text.into_bytes();
            fs::write(t.dir.join("verdict"), envelope.to_line().unwrap()).unwrap();
        }),
        claim("a verdict of hostile text", "envelope", |t| {
            verdict(t, "auditor", |_| {});
            fs::write(t.dir.join("verdict"), "{\"\u{1b}[31m\u{202e}\":1}").unwrap();
        }),
    ]
}

/// Makes a proof of a record of the access log, changes its lines, and has it checked.
fn proof(t: &mut Trial<'_>, change: impl FnOnce(&Forge<'_>, &mut Vec<String>)) {
    let bag = t.bag("findings");
    let id = crate::records::item(&bag, "access.log");
    let proof = t.dir.join("proof");
    let case = t.dir.join("case");
    crate::fixture::copy(&t.fixture.path("case"), &case);
    let words = format!("prove --case {} {id}:1 --out {}", case.display(), proof.display());
    t.fixture.comity(&words).exits(0);
    let mut lines: Vec<String> = fs::read_to_string(&proof).unwrap().lines().map(str::to_owned).collect();
    change(&bag, &mut lines);
    fs::write(&proof, lines.join("\n") + "\n").unwrap();
    t.command = ["verify", "DIR/proof", "--trust", "TRUST"].map(str::to_owned).to_vec();
}

fn proofs() -> Vec<Row> {
    let of_record = |what: &'static str, kind: &'static str, change: fn(&mut Value)| {
        claim(what, kind, move |t| {
            proof(t, |_, lines| {
                let mut value = serde_json::from_str(&lines[1]).unwrap();
                change(&mut value);
                lines[1] = value.to_string();
            });
        })
    };
    let of_lines = |what: &'static str, kind: &'static str, change: fn(&Forge<'_>, &mut Vec<String>)| {
        claim(what, kind, move |t| proof(t, change))
    };
    vec![
        of_record("a proof that is said to be of another record", "proof-false", |record| {
            record["record"] = "2".into()
        }),
        of_record("a proof with another salt", "proof-false", |record| {
            record["salt"] = "0".repeat(32).into()
        }),
        of_record("a proof with a longer salt", "proof-form", |record| {
            record["salt"] = "0".repeat(34).into()
        }),
        of_record("a proof with another offset", "proof-false", |record| record["offset"] = "7".into()),
        of_lines("a proof of nothing", "proof-form", |_, lines| lines.truncate(1)),
        of_lines("a proof without its statement", "envelope", |_, lines| drop(lines.remove(0))),
        of_lines("a proof under the statement of another item", "proof-false", |bag, lines| {
            let other = crate::records::item(bag, "conn.log");
            lines[0].clone_from(&bag.said[bag.collection("evidence", &other)].line);
        }),
        of_lines("a proof under a statement that is no collection", "statement-form", |bag, lines| {
            lines[0].clone_from(&bag.said[bag.find("membership", 0)].line);
        }),
        of_lines("a proof under a changed statement", "signature-false", |_, lines| {
            let mut envelope = Envelope::parse(lines[0].as_bytes()).unwrap();
            let text = String::from_utf8(envelope.payload).unwrap().replace("\"NL\"", "\"FR\"");
            envelope.payload = text.replace("2026-014", "2026-015").into_bytes();
            lines[0] = envelope.to_line().unwrap();
        }),
        of_lines("a proof signed by nobody that is known", "unknown-signer", |bag, lines| {
            let envelope = Envelope::parse(lines[0].as_bytes()).unwrap();
            let key = bag.fixture.keys.named("stranger");
            lines[0] = Envelope::sign(envelope.payload, &[key]).unwrap().to_line().unwrap();
        }),
        of_lines("a proof signed by one who may not", "wrong-role", |bag, lines| {
            let envelope = Envelope::parse(lines[0].as_bytes()).unwrap();
            let key = bag.fixture.keys.named("releaser");
            lines[0] = Envelope::sign(envelope.payload, &[key]).unwrap().to_line().unwrap();
        }),
        claim("a proof stated after its key had ended", "expired-key", |t| {
            t.limit("node.", "valid-before=\"20260301Z\"");
            proof(t, |_, _| {});
        }),
    ]
}

/// Has the log's head cosigned by the witness.
fn cosign(t: &mut Trial<'_>, change: impl FnOnce(&mut Forge<'_>)) {
    let mut bag = t.bag("findings");
    change(&mut bag);
    bag.finish();
    bag.write(&t.place());
    let key = t.fixture.path("witness").to_str().unwrap().to_owned();
    let words = [
        "log",
        "cosign",
        "BAG/data/log/checkpoint",
        "--leaves",
        "BAG/data/log/leaves",
        "--trust",
        "TRUST",
        "--memory",
        "DIR/memory",
        "--name",
        "witness.example",
        "--key",
        &key,
    ];
    t.command = words.map(str::to_owned).to_vec();
}

fn cosigned() -> Vec<Row> {
    let changed = |what: &'static str, kind: &'static str, change: fn(&mut Forge<'_>)| {
        claim(what, kind, move |t| cosign(t, change))
    };
    vec![
        claim("a forked log to be cosigned", "log-forked", |t| {
            t.seen_before("findings");
            cosign(t, |bag| bag.change(0, |value| value["predicate"]["purpose"] = "another".into()));
        }),
        changed("a head to be cosigned that its entries do not lead to", "log-root", |bag| {
            bag.finish();
            bag.as_they_stand = true;
            let stale = bag.head(3).to_string();
            bag.leaves.swap(0, 1);
            let swapped: String = bag.leaves.iter().map(|leaf| format!("{leaf}\n")).collect();
            bag.put(crate::forge::LEAVES, swapped);
            bag.put(crate::forge::CHECKPOINT, stale);
        }),
        claim("a head of an unknown log to be cosigned", "log-unknown", |t| {
            t.trust = t
                .trust
                .lines()
                .filter(|line| !line.contains("comity-log"))
                .map(|l| format!("{l}\n"))
                .collect();
            cosign(t, |_| {});
        }),
        claim("a head to be cosigned by one who is no witness", "wrong-role", |t| {
            t.trust = t.trust.replace("comity-witness", "comity-auditor");
            cosign(t, |_| {});
        }),
    ]
}
