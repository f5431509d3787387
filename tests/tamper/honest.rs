//! What looks odd and must hold all the same.

use serde_json::json;

use crate::forge::SEAL;
use crate::statements::{COSIGNED_S, long_ago};
use crate::trial::{Row, holds};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        holds("a findings bag as it was made", 3, |t| t.outside(|_| {})),
        holds("a full bag as it was made", 4, |t| t.outside_of("full", |_| {})),
        holds("a feed bag as it was made", 2, |t| t.outside_of("feed", |_| {})),
        holds("a bag that was signed again without a lie", 3, |t| t.inside(|_| {})),
        holds("a falsified case without a falsehood", 3, |t| t.falsified("findings", |_| {})),
        holds("an archived bag with an older checkpoint, accepted before", 3, |t| {
            t.seen_before("findings");
            t.seen_before("later");
            t.shown = Some("older than one");
            t.outside(|_| {});
        }),
        holds("an archived bag with an older checkpoint, seen first after a later one", 3, |t| {
            t.seen_before("later");
            t.outside(|_| {});
        }),
        holds("a valid tombstone", 3, |t| {
            t.shown = Some("were erased, by a signed tombstone");
            t.outside_of("later", |_| {});
        }),
        holds("a key that ended, and a witness that saw the statement before", 3, |t| {
            t.limit("custodian", "valid-before=\"20260301Z\"");
            t.shown = Some("a witness saw the first");
            t.inside(|bag| {
                long_ago(bag);
                let size = bag.said[bag.find("membership", 3)].at[1] + 1;
                bag.cosign("witness", "witness.example", size, COSIGNED_S);
            });
        }),
        holds("hostile text in every field that people fill in", 3, |t| {
            // the fixture's job has it; nothing of it may come through raw
            t.outside(|bag| {
                for path in
                    ["data/report.html", "data/case.jsonld", "data/ro-crate-metadata.json", "data/VERIFY.md"]
                {
                    let text = bag.text(path);
                    for raw in ["<script>alert", "<img src=x", "\u{1b}", "\u{202e}", "\u{61c}"] {
                        assert!(!text.contains(raw), "{path} has a raw {raw:?}");
                    }
                }
            });
        }),
        holds("a statement of a partner's own that says nothing here", 3, |t| {
            t.inside(|bag| {
                let at = bag.find("collection", 0);
                let mut value = bag.said[at].value();
                value["predicate"]["eventType"] = json!("review");
                value["predicate"].as_object_mut().unwrap().remove("details");
                let last = bag.said.len() - 1;
                bag.insert(last, &value, &["node"]);
            });
        }),
        holds("a time stamp that nobody asked to be checked is said to be unchecked", 3, |t| {
            t.shown = Some("has a time stamp");
            t.outside(|bag| bag.put(&format!("{SEAL}.tsr"), "no token"));
        }),
    ]
}
