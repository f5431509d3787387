//! Level 1: what a bag says, by signers who are known and may be hostile. The input is a script, one line
//! for each thing that befalls a log:
//!
//! ```text
//! nc {…}      a statement, signed by the node and the custodian (r: the officer; x: nobody known)
//! -           an entry whose statement is not presented
//! s           the last two entries change places
//! w 17…       the witness cosigns at this time, in seconds
//! ```

#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use comity_fuzz::{bounded, custodian, log, node, officer, samples, seeds, witness};
use comity_provenance::attribution::{Held, Presented, attribute};
use comity_provenance::log::{Checkpoint, SignedCheckpoint, leaves_of};
use comity_provenance::statement::{Details, Predicate, Ranges, Statement};
use comity_provenance::trust::{Role, TrustFile};
use comity_provenance::{Envelope, SecretKey, Sha256Digest, merkle};

const ORIGIN: &str = "comity/2026-014/5f1c22d0";
/// 2026-12-01.
const NOW_S: i64 = 1_796_083_200;

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |script: &[u8]| check(script));

static TRUST: LazyLock<TrustFile> = LazyLock::new(|| {
    let text = format!(
        "node namespaces=\"comity-node\",valid-after=\"20260101Z\" {}\n\
         {ORIGIN} namespaces=\"comity-log\" {}\n\
         r namespaces=\"comity-evidence,comity-releaser\",valid-before=\"20261101Z\" {}\n\
         w namespaces=\"comity-witness\" {}\n\
         c namespaces=\"comity-custodian,comity-submitter\" {}\n",
        node().public(),
        log().public(),
        officer().public(),
        witness().public(),
        custodian().public()
    );
    TrustFile::parse(&text).unwrap()
});

fn disclosure(withheld: &str) -> String {
    let details = format!(r#""details":{{"kind":"findings","withheld":[{withheld}]}}"#);
    samples::custody("disclosure", "releaser", "data/report.html", Sha256Digest::of(b""), &[&details])
}

fn inputs() -> Vec<Vec<u8>> {
    let samples = samples::statements();
    let (collection, erasure, membership, revocation) = (&samples[0], &samples[5], &samples[6], &samples[7]);
    let run = samples::provenance();
    [
        format!("n {collection}\nn {run}\nnr {}\nw 1772355700", disclosure("")),
        format!("-\nn {membership}\nnc {erasure}\nnr {}\nw 1772355700", disclosure("")),
        format!("n {collection}\n-\n-\nnr {}\nw 1772355700", disclosure(r#""1-2""#)),
        format!("nc {collection}\n-\ns\nnr {}\nw 1790000000", disclosure(r#""2-2""#)),
        format!("nc {collection}\ns\nnc {revocation}\n-\nn {}", disclosure(r#""0-18446744073709551615""#)),
    ]
    .map(String::into_bytes)
    .to_vec()
}

#[derive(Default)]
struct Told {
    statements: Vec<(Envelope, Statement)>,
    leaves: Vec<String>,
    witnessed: Option<SignedCheckpoint>,
}

fn check(script: &[u8]) {
    let Some(told) = std::str::from_utf8(script).ok().and_then(tell) else { return };
    let checkpoint = sign(&told.leaves);
    let presented = Presented {
        statements: &told.statements,
        leaves: &told.leaves,
        checkpoint: &checkpoint,
        witnessed: told.witnessed.as_ref(),
        sealer: officer().public(),
        releases: Role::Releaser,
    };
    let held = Held { trust: &TRUST, remembered: &[], later: &[], now_s: NOW_S };
    let judged = bounded((64 << 10) + 16 * script.len(), || attribute(&presented, &held));
    let Ok(attributed) = judged else { return };
    assert_eq!((attributed.withheld, attributed.erased), unsaid(&told));
    let (last, _) = told.statements.last().unwrap();
    assert!(last.signed_by(&node().public()).is_some(), "disclosed, and not by the node");
}

fn tell(script: &str) -> Option<Told> {
    let mut told = Told::default();
    for line in script.lines().take(16) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("-", _) => told.leaves.push(format!("an entry, {}", told.leaves.len())),
            ("s", _) => {
                let last = told.leaves.len().checked_sub(1)?;
                told.leaves.swap(last, last.checked_sub(1)?);
            }
            ("w", time) => {
                let mut signed = sign(&told.leaves);
                signed.cosign("w", &witness(), time.parse().ok()?).ok()?;
                told.witnessed = Some(signed);
            }
            (signers, payload) => told.statement(signers, payload)?,
        }
    }
    Some(told)
}

impl Told {
    fn statement(&mut self, signers: &str, payload: &str) -> Option<()> {
        let statement = Statement::parse(payload.as_bytes()).ok()?;
        let keys: Vec<SecretKey> = signers.chars().map(key).collect::<Option<_>>()?;
        let keys: Vec<&SecretKey> = keys.iter().collect();
        let envelope = Envelope::sign(payload.as_bytes().to_vec(), &keys).ok()?;
        let leaves = leaves_of(&envelope, statement.predicate.type_uri()).ok()?;
        self.leaves.extend(leaves.iter().map(ToString::to_string));
        self.statements.push((envelope, statement));
        Some(())
    }
}

fn key(signer: char) -> Option<SecretKey> {
    match signer {
        'n' => Some(node()),
        'c' => Some(custodian()),
        'r' => Some(officer()),
        'x' => Some(SecretKey::from_seed([9; 32])),
        _ => None,
    }
}

fn sign(leaves: &[String]) -> SignedCheckpoint {
    let hashes: Vec<Sha256Digest> = leaves.iter().map(|leaf| merkle::leaf_hash(leaf.as_bytes())).collect();
    let checkpoint =
        Checkpoint { origin: ORIGIN.to_owned(), size: leaves.len() as u64, root: merkle::root(&hashes) };
    SignedCheckpoint::sign(checkpoint, &log()).unwrap()
}

/// How many entries have no statement here, withheld and erased; each must be named by a statement.
fn unsaid(told: &Told) -> (u64, u64) {
    let of = |(envelope, statement): &(Envelope, Statement)| {
        leaves_of(envelope, statement.predicate.type_uri()).unwrap()
    };
    let said: BTreeSet<String> = told.statements.iter().flat_map(of).map(|leaf| leaf.to_string()).collect();
    let (mut withheld, mut erased) = (Ranges::default(), Vec::new());
    for (_, statement) in &told.statements {
        let Predicate::Custody(event) = &statement.predicate else { continue };
        match &event.details {
            // the last is the bag's own
            Details::Disclosure { withheld: ranges, .. } => withheld = ranges.clone(),
            Details::Erasure { leaves, .. } => erased.push(leaves),
            _ => {}
        }
    }
    let mut counts = (0, 0);
    for (index, _) in (0..).zip(&told.leaves).filter(|(_, leaf)| !said.contains(*leaf)) {
        if erased.iter().any(|ranges| ranges.contains(index)) {
            counts.1 += 1;
        } else {
            assert!(withheld.contains(index), "entry {index} has no statement, and nothing says why");
            counts.0 += 1;
        }
    }
    counts
}
