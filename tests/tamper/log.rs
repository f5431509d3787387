//! Level 1: the log, its heads, and those who cosign them.

use std::fs;

use comity_provenance::log::{Checkpoint, SignedCheckpoint};
use comity_provenance::{Sha256Digest, merkle};

use crate::forge::{CHECKPOINT, Forge, LEAVES, STATEMENTS, WITNESSED};
use crate::statements::COSIGNED_S;
use crate::trial::{Row, inside, lie};

/// What was never different until now, to one who saw the log before.
fn remembered(
    what: &'static str,
    kind: &'static str,
    before: &'static str,
    change: fn(&mut Forge<'_>),
) -> Row {
    lie(what, kind, 1, move |t| {
        t.seen_before(before);
        t.inside(change);
    })
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = entries();
    rows.extend(heads());
    rows.extend(witnesses());
    rows
}

/// Another purpose makes another statement, and so another log.
fn other_history(bag: &mut Forge<'_>) {
    let at = bag.find("membership", 2);
    bag.change(at, |value| value["predicate"]["purpose"] = "another".into());
}

/// Other bytes that say the same.
fn as_they_stand(
    what: &'static str,
    kind: &'static str,
    path: &'static str,
    change: fn(String) -> String,
) -> Row {
    inside(what, kind, move |bag| {
        bag.finish();
        bag.as_they_stand = true;
        bag.disclosed = false;
        let text = change(bag.text(path));
        bag.put(path, text);
    })
}

fn entries() -> Vec<Row> {
    vec![
        inside("a removed log entry", "not-logged", |bag| {
            bag.finish();
            bag.disclosed = false;
            let index = bag.said[3].at[0];
            bag.leaves.remove(index);
        }),
        inside("a log entry of another signature", "not-logged", |bag| {
            let index = bag.said[3].at[0];
            let digit = if bag.leaves[index].contains("sha256:0") { "sha256:1" } else { "sha256:0" };
            let (_, rest) = bag.leaves[index].split_at("sha256:0".len());
            bag.leaves[index] = format!("{digit}{rest}");
        }),
        inside("a reordered log entry", "statement-order", |bag| {
            let (a, b) = (bag.said[2].at[0], bag.said[3].at[0]);
            bag.leaves.swap(a, b);
        }),
        inside("an entry that no statement belongs to", "statement-missing", |bag| {
            let mut value = bag.said[bag.find("membership", 0)].value();
            value["predicate"]["purpose"] = "unknown".into();
            let last = bag.said.len() - 1;
            bag.insert(last, &value, &["node"]);
            bag.said.remove(last);
        }),
        remembered("a removed log entry, its statement too", "log-forked", "findings", |bag| {
            let at = bag.find("membership", 1);
            bag.remove(at);
        }),
        remembered("log entries and statements reordered", "log-forked", "findings", |bag| {
            let (a, b) = (bag.find("membership", 0), bag.find("membership", 1));
            let (first, second) = (bag.said[a].at[0], bag.said[b].at[0]);
            bag.leaves.swap(first, second);
            bag.said.swap(a, b);
        }),
        remembered("a rolled-back log that went on in another way", "log-forked", "later", |bag| {
            let last = bag.said.len() - 1;
            bag.change(last, |value| value["predicate"]["purpose"] = "another".into());
        }),
        lie("a rolled-back log, to one who remembers heads alone", "checkpoint-older-unproven", 1, |t| {
            t.seen_before("later");
            for entry in fs::read_dir(t.dir.join("memory")).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|end| end == "leaves") {
                    fs::remove_file(path).unwrap();
                }
            }
            t.inside(|bag| {
                let last = bag.said.len() - 1;
                bag.change(last, |value| value["predicate"]["purpose"] = "another".into());
            });
        }),
        remembered("a forked log of the same size", "log-forked", "findings", other_history),
        remembered("a forked log that grew", "log-forked", "findings", |bag| {
            other_history(bag);
            let mut value = bag.said[bag.find("membership", 0)].value();
            value["predicate"]["purpose"] = "more".into();
            let last = bag.said.len() - 1;
            bag.insert(last, &value, &["node", "custodian"]);
        }),
        inside("entries that are no text", "not-text", |bag| {
            let index = bag.said[3].at[0];
            bag.finish();
            bag.as_they_stand = true;
            let mut bytes = bag.files[LEAVES].clone();
            bytes[index] = 0xff;
            bag.put(LEAVES, bytes);
        }),
        as_they_stand("entries whose lines end as another system's do", "log-form", LEAVES, |text| {
            text.replace('\n', "\r\n")
        }),
        as_they_stand("entries without their last line end", "log-form", LEAVES, |text| {
            text.trim_end().into()
        }),
        as_they_stand("an empty line after the entries", "log-form", LEAVES, |text| text + "\n"),
        as_they_stand("statements whose lines end as another system's do", "envelope", STATEMENTS, |text| {
            text.replace('\n', "\r\n")
        }),
        as_they_stand("statements without their last line end", "envelope", STATEMENTS, |text| {
            text.trim_end().into()
        }),
        as_they_stand("an empty line after the statements", "envelope", STATEMENTS, |text| text + "\n"),
        as_they_stand("a statement with a blank before it", "envelope", STATEMENTS, |text| {
            format!(" {text}")
        }),
        as_they_stand("a statement spelled in another way", "envelope", STATEMENTS, |text| {
            text.replacen("payloadType", "p\\u0061yloadType", 1)
        }),
        inside("no statements", "envelope", |bag| {
            bag.finish();
            bag.as_they_stand = true;
            bag.disclosed = false;
            bag.put(STATEMENTS, "\n");
        }),
    ]
}

/// The head is signed by a key, over an origin, a size and a root.
fn head(what: &'static str, kind: &'static str, key: &'static str, change: fn(&mut Checkpoint)) -> Row {
    lie(what, kind, 1, move |t| {
        t.inside(|bag| {
            bag.finish();
            bag.as_they_stand = true;
            let mut head = bag.head(bag.leaves.len()).checkpoint().clone();
            change(&mut head);
            let signed = SignedCheckpoint::sign(head, bag.fixture.keys.named(key)).unwrap();
            bag.put(CHECKPOINT, signed.to_string());
        });
    })
}

fn heads() -> Vec<Row> {
    let form = |what: &'static str, change: fn(String) -> String| {
        lie(what, "checkpoint-form", 1, move |t| {
            t.inside(|bag| {
                bag.finish();
                bag.as_they_stand = true;
                let text = change(bag.text(CHECKPOINT));
                bag.put(CHECKPOINT, text);
            });
        })
    };
    vec![
        lie("a stale checkpoint", "log-root", 1, |t| {
            t.inside(|bag| {
                bag.finish();
                bag.as_they_stand = true;
                let stale = bag.head(bag.leaves.len() - 1);
                bag.put(CHECKPOINT, stale.to_string());
            });
        }),
        head("a head with another root", "log-root", "log", |head| head.root = Sha256Digest::of(b"")),
        head("a head of more entries", "log-root", "log", |head| head.size += 1),
        head("a head of no entries", "log-root", "log", |head| {
            (head.size, head.root) = (0, merkle::root(&[]));
        }),
        head("a head by nobody that is known", "log-unknown", "stranger", |_| {}),
        head("a head by the machine's key", "log-unknown", "node", |_| {}),
        head("a head of another log", "log-unknown", "log", |head| head.origin = "comity/2026-015/0".into()),
        inside("no head", "payload-missing", |bag| {
            bag.finish();
            bag.as_they_stand = true;
            bag.files.remove(CHECKPOINT);
        }),
        form("a head with a line more", |text| text.replacen("\n\n", "\nmore\n\n", 1)),
        form("a head without its signature", |text| text.split_once("\n\n").unwrap().0.to_owned() + "\n\n"),
        form("a head with a terminal escape", |text| format!("\u{1b}[31m{text}")),
        form("a head signed twice by one", |text| {
            let signature = text.lines().last().unwrap().to_owned();
            format!("{text}{signature}\n")
        }),
    ]
}

fn witnesses() -> Vec<Row> {
    vec![
        inside("a cosigned head of another history", "witnessed-elsewhere", |bag| {
            let here = bag.leaves.clone();
            bag.leaves.swap(0, 1);
            bag.cosign("witness", "witness.example", 5, COSIGNED_S);
            bag.leaves = here;
        }),
        inside("a cosigned head of more entries than there are", "witnessed-elsewhere", |bag| {
            bag.leaves.push("more".into());
            bag.cosign("witness", "witness.example", bag.leaves.len(), COSIGNED_S);
            bag.leaves.pop();
        }),
        inside("a cosigned head of another log", "witnessed-elsewhere", |bag| {
            let mut head = bag.head(5).checkpoint().clone();
            head.origin = "comity/2026-015/0".into();
            let mut signed = SignedCheckpoint::sign(head, bag.fixture.keys.named("log")).unwrap();
            signed.cosign("witness.example", bag.fixture.keys.named("witness"), COSIGNED_S).unwrap();
            bag.put(WITNESSED, signed.to_string());
        }),
        inside("a cosigned head that is none", "checkpoint-form", |bag| bag.put(WITNESSED, "\u{202e}\n")),
    ]
}
