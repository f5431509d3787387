//! One line of `statements.intoto.jsonl`: the envelope, its signatures, its entries in the log.

#![no_main]

use comity_fuzz::{bounded, custodian, node, samples, seeds};
use comity_provenance::{Envelope, log};

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |line: &[u8]| check(line));

fn inputs() -> Vec<Vec<u8>> {
    let (node, custodian) = (node(), custodian());
    let mut inputs: Vec<Vec<u8>> = vec![signed(b"", &[&node]), signed(b"x", &[&custodian, &node])];
    inputs.extend(samples::statements().iter().map(|payload| signed(payload.as_bytes(), &[&node])));
    inputs.push(inputs[0].iter().flat_map(|byte| format!("\\u{byte:04x}").into_bytes()).collect());
    inputs
}

fn signed(payload: &[u8], keys: &[&comity_provenance::SecretKey]) -> Vec<u8> {
    Envelope::sign(payload.to_vec(), keys).unwrap().to_line().unwrap().into_bytes()
}

fn check(line: &[u8]) {
    let Ok(envelope) = bounded((16 << 10) + 8 * line.len(), || Envelope::parse(line)) else { return };
    let written = envelope.to_line().unwrap();
    assert!(written.len() <= line.len(), "longer than what was read");
    assert_eq!(Envelope::parse(written.as_bytes()).unwrap(), envelope);
    assert!((1..=16).contains(&envelope.signatures.len()));
    for key in [node(), custodian()] {
        if let Some(signature) = envelope.signed_by(&key.public()) {
            assert_eq!(signature.sig, key.sign(&samples::pae(&envelope.payload)), "forged");
        }
    }
    let leaves = log::leaves_of(&envelope, "urn:x").unwrap();
    let text: String = leaves.iter().map(|leaf| format!("{leaf}\n")).collect();
    assert_eq!(log::parse_leaves(&text).unwrap(), leaves);
}
