//! Level 0: whose seal it is, and over what.

use comity_provenance::seal;

use crate::forge::{Forge, SEAL, TAG_MANIFEST};
use crate::trial::{Row, lie};

fn sealed(what: &'static str, kind: &'static str, change: fn(&mut Forge<'_>)) -> Row {
    lie(what, kind, 0, move |t| t.outside(change))
}

pub(crate) fn rows() -> Vec<Row> {
    let text = |what: &'static str, kind: &'static str, change: fn(String) -> String| {
        lie(what, kind, 0, move |t| {
            t.outside(|bag| {
                let changed = change(bag.text(SEAL));
                bag.put(SEAL, changed);
            });
        })
    };
    vec![
        sealed("no seal", "unsealed", |bag| drop(bag.files.remove(SEAL))),
        sealed("a time stamp without a seal", "unsealed", |bag| {
            let bytes = bag.files.remove(SEAL).unwrap();
            bag.put(&format!("{SEAL}.tsr"), bytes);
        }),
        sealed("a seal by nobody that is known", "unknown-signer", |bag| {
            bag.sealer = "stranger";
            bag.seal();
        }),
        sealed("a seal by one who may not seal", "wrong-role", |bag| {
            bag.sealer = "auditor";
            bag.seal();
        }),
        sealed("a seal by one who may seal feeds only", "wrong-role", |bag| {
            bag.sealer = "submitter";
            bag.seal();
        }),
        sealed("a seal by the machine", "wrong-role", |bag| {
            bag.sealer = "node";
            bag.seal();
        }),
        sealed("a seal made for another namespace", "wrong-namespace", |bag| {
            bag.namespace = "file";
            bag.seal();
        }),
        lie("a seal of another bag", "seal-false", 0, |t| {
            let other = t.bag("full").files.remove(SEAL).unwrap();
            t.outside(|bag| bag.put(SEAL, other));
        }),
        lie("a seal by a key that has ended", "expired-key", 0, |t| {
            t.limit("releaser", "valid-before=\"20260301Z\"");
            t.outside(|_| {});
        }),
        lie("a seal by a key that is not valid yet", "expired-key", 0, |t| {
            t.limit("releaser", "valid-after=\"21260301Z\"");
            t.outside(|_| {});
        }),
        text("a line more after the seal", "seal-altered", |text| text + "\n"),
        text("a note before the seal", "seal-altered", |text| format!("note\n{text}")),
        text("a seal in other lines", "seal-altered", |text| text.replacen("U1NI", "U1NI\n", 1)),
        text("a seal of another kind of armour", "seal-malformed", |text| text.replace("SSH", "PGP")),
        text("no base64 in the seal", "seal-malformed", |text| text.replacen("U1NI", "U1N~", 1)),
        sealed("a seal that is no text", "seal-malformed", |bag| bag.put(SEAL, [0xff, 0xfe])),
        sealed("a seal by another kind of key", "seal-key", |bag| {
            let key = bag.fixture.keys.named("releaser");
            let armour = seal::seal(&bag.files[TAG_MANIFEST], key, "comity-evidence");
            bag.put(SEAL, other_algorithm(&armour));
        }),
    ]
}

/// The armour with another name of an algorithm, as long as the right one.
fn other_algorithm(armour: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let (begin, end) = ("-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n");
    let body: String = armour.replace(begin, "").replace(end, "").split_whitespace().collect();
    let mut blob = STANDARD.decode(body).unwrap();
    let at = blob.windows(11).position(|window| window == b"ssh-ed25519").unwrap();
    blob[at..at + 11].copy_from_slice(b"ssh-ed25518");
    let text: Vec<char> = STANDARD.encode(blob).chars().collect();
    let lines: Vec<String> = text.chunks(70).map(|line| line.iter().collect()).collect();
    format!("{begin}{}\n{end}", lines.join("\n"))
}
