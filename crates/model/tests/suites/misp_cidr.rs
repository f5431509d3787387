//! MISP's tests of networks: validity, and which network of a list holds an address.

use comity_model::canonical::indicator;
use comity_model::{Claim, Kind, Observe, key};
use serde_json::Value;

use super::{observed, suite};

/// 16 cases. Two differ in spelling alone: MISP returns `1.2.3.4/32` for the address `1.2.3.4`; in
/// comity a network of one address is that address, so that both claims are one indicator.
#[test]
fn validity_and_containment() {
    let Some(rows) = suite("misp-cidr.jsonl") else { return };
    let mut spelt_as_network = 0;
    for row in &rows {
        let (args, expected) = (&row["input"]["args"], &row["expected"]["checks"][0]["value"]);
        if row["input"]["function"] == "cidr_validate" {
            let text = args[0].as_str().unwrap();
            assert_eq!(indicator(Kind::Ipv4Net, text).is_ok(), expected.as_bool().unwrap(), "{text:?}");
            continue;
        }
        let found = holder(args[0].as_array().unwrap(), args[1].as_str().unwrap());
        if let (Some(expected), Some(found)) = (expected.as_str(), &found)
            && expected == format!("{found}/32")
        {
            spelt_as_network += 1;
            continue;
        }
        assert_eq!(found.as_deref(), expected.as_str(), "{args}");
    }
    assert_eq!((rows.len(), spelt_as_network), (16, 2));
}

/// The canonical form of the first network of a list that holds an address.
fn holder(networks: &[Value], address: &str) -> Option<String> {
    let seen = observed(Observe::Address, address).pop().unwrap();
    let key = key::of_observable(seen.kind, &seen.value);
    networks.iter().find_map(|network| {
        let text = network.as_str().unwrap();
        let canonical = indicator(Kind::Ipv4Net, text).unwrap();
        let spans = key::of_claim(&Claim::new(canonical.kind, canonical.value.clone(), text));
        spans.iter().any(|span| span.kind == seen.kind && span.contains(&key)).then_some(canonical.value)
    })
}
