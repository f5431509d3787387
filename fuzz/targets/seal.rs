//! The seal of a bag. The first byte says whether armour follows, or what is to be put into armour.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comity_fuzz::{bounded, node, officer, seeds};
use comity_provenance::seal::{open, seal};

const MESSAGE: &[u8] = b"0000  bagit.txt\n";
const NAMESPACE: &str = "comity-evidence";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |bytes: &[u8]| check(bytes));

fn inputs() -> Vec<Vec<u8>> {
    let texts = [
        seal(MESSAGE, &officer(), NAMESPACE),
        seal(MESSAGE, &node(), NAMESPACE),
        seal(MESSAGE, &officer(), "git"),
        seal(b"other", &officer(), NAMESPACE),
    ];
    let blobs = texts.iter().map(|text| {
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        [b"b", &STANDARD.decode(base64).unwrap()[..]].concat()
    });
    let armour = texts.iter().map(|text| [b"a", text.as_bytes()].concat());
    blobs.chain(armour).collect()
}

fn check(bytes: &[u8]) {
    let text = match bytes.split_first() {
        Some((b'b', blob)) => armour(blob),
        Some((_, text)) => String::from_utf8_lossy(text).into_owned(),
        None => return,
    };
    let opened = bounded((16 << 10) + 8 * text.len(), || open(&text, MESSAGE, NAMESPACE));
    if let Ok(key) = opened {
        let signer = [officer(), node()].into_iter().find(|signer| signer.public() == key);
        let signer = signer.expect("opened with a key whose holder never sealed");
        assert_eq!(text, seal(MESSAGE, &signer, NAMESPACE), "altered, and opened");
    }
}

/// PROTOCOL.sshsig, "Armored format", as `ssh-keygen` writes it: 70 columns.
fn armour(blob: &[u8]) -> String {
    let base64 = STANDARD.encode(blob).into_bytes();
    let lines = base64.chunks(70).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("{BEGIN}{}{END}", lines.collect::<String>())
}
