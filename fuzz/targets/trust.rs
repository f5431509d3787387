//! The trust file, and keys alone: a `.pub` file, a private key's file.

#![no_main]

use comity_fuzz::{bounded, node, officer, seeds, witness};
use comity_provenance::trust::{Entry, Role, Standing, TrustFile};
use comity_provenance::{PublicKey, SecretKey};

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |bytes: &[u8]| check(bytes));

fn inputs() -> Vec<Vec<u8>> {
    let (node, officer, witness) = (node().public(), officer().public(), witness().public());
    let file = format!(
        "# of the partner\n\nnode@a.example,b namespaces=\"comity-node,git\" {node} comment\n\
         \tr@a.example\tvalid-after=\"20260101Z\",namespaces=\"comity-evidence,comity-releaser\",valid-before=\"202701011200Z\" {officer}\n\
         comity/2026-014/5f1c22d0 namespaces=\"comity-log\" {node}\n\
         w@a.example namespaces=\"comity-witness\",valid-before=\"20271231235959Z\" {witness}\n\
         other@a.example ecdsa-sha2-nistp256 AAAA\nnobody {node}\n\
         x namespaces=\"comity-custodian,comity-submitter,comity-analyst,comity-auditor\" {officer}\n"
    );
    let lines = file.lines().map(|line| line.as_bytes().to_vec());
    let private = SecretKey::from_seed([1; 32]).to_openssh("node").unwrap().as_bytes().to_vec();
    lines.chain([private, node.to_string().into(), file.clone().into_bytes()]).collect()
}

fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = text.parse::<PublicKey>() {
        check_key(text, key);
    }
    if let Ok(key) = SecretKey::from_openssh(text) {
        let written = key.to_openssh("comment").unwrap();
        assert_eq!(SecretKey::from_openssh(&written).unwrap().public(), key.public());
    }
    let Ok(file) = bounded((16 << 10) + 64 * text.len(), || TrustFile::parse(text)) else { return };
    let granting: Vec<&Entry> = file.entries().iter().filter(|entry| !entry.roles().is_empty()).collect();
    let written = file.to_text();
    let again = TrustFile::parse(&written).unwrap();
    assert!(again.entries().iter().eq(granting), "read otherwise than it was written");
    assert_eq!(again.to_text(), written);
    for entry in file.entries() {
        check_standing(&file, entry.key());
    }
}

fn check_key(text: &str, key: PublicKey) {
    let mut words = text.trim().split(' ').filter(|word| !word.is_empty());
    let line = format!("{} {}", words.next().unwrap(), words.next().unwrap());
    assert_eq!(key.to_string(), line, "one key has two lines");
    assert_eq!(PublicKey::from_wire(&key.wire()).unwrap(), key);
}

/// What the file says of a key at the bounds of its lines is what some line says.
fn check_standing(file: &TrustFile, key: &PublicKey) {
    let of_key: Vec<&Entry> = file.entries().iter().filter(|entry| entry.key() == key).collect();
    let bounds = of_key.iter().flat_map(|entry| [entry.validity().after, entry.validity().before]).flatten();
    for at in bounds.flat_map(|bound| [bound - 1, bound]).chain([0]) {
        for role in Role::ALL {
            let grants = |entry: &&Entry| {
                let validity = entry.validity();
                entry.roles().contains(&role)
                    && validity.after.is_none_or(|after| after <= at)
                    && validity.before.is_none_or(|before| at < before)
            };
            let wanted = of_key.iter().copied().find(grants);
            match file.standing(key, role, Some(at)) {
                Standing::Trusted(entry) => assert_eq!(Some(entry), wanted),
                _ => assert_eq!(wanted, None),
            }
        }
    }
}
