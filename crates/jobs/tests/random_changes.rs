//! Ten thousand random changes of one byte each, anywhere in a sealed bag: every one is noticed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use comity_jobs::bag::{self, BagKind, Order};
use comity_jobs::members::{self, Member, MemberRole};
use comity_jobs::progress::Silent;
use comity_jobs::verify::{self, Ask};
use comity_jobs::{Case, job_file, run};
use comity_provenance::SecretKey;

const CHANGES: u32 = 10_000;
const SEED: u64 = 0x636f_6d69_7479;

/// xorshift64*: the same changes everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}

/// A findings bag of a small job, and the trust file of one who trusts its maker.
fn bag(dir: &Path) -> (PathBuf, PathBuf) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-data/operation-lantern");
    let text = "[case]\nid = \"t\"\njurisdiction = \"NL\"\npurpose = \"test\"\n\
        [[evidence]]\npath = \"nl/access.log\"\njurisdiction = \"NL\"\n\
        [[feed]]\npath = \"feeds/northlight.txt\"\nprovider = \"Northlight Research\"\n";
    let job = job_file::read("job.toml", text, &sample).unwrap();
    run::run(&job, &dir.join("case"), &Silent).unwrap();
    let key = SecretKey::from_seed([7; 32]);
    fs::write(dir.join("key"), key.to_openssh("releaser").unwrap().as_bytes()).unwrap();
    let member = Member {
        name: "r@example.org".into(),
        organisation: "An Authority".into(),
        jurisdiction: "NL".into(),
        role: MemberRole::Releaser,
        key: key.public(),
        valid_from: None,
        valid_until: None,
    };
    members::add(&Case::open(&dir.join("case")).unwrap(), &member, None, &Silent).unwrap();
    let case = Case::open(&dir.join("case")).unwrap();
    fs::write(dir.join("trust"), members::trust_text(&case).unwrap()).unwrap();
    let (key, out) = (dir.join("key"), dir.join("bag"));
    let order = Order { kind: BagKind::Findings, run: None, recipient: "a partner", key: &key, out: &out };
    bag::create(&case, &order, &Silent).unwrap();
    (out, dir.join("trust"))
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (bag, trust) = bag(dir.path());
    let ask = Ask {
        bag: &bag,
        trust: Some(&trust),
        authority: None,
        memory: None,
        level: Some(0),
        evidence: &[],
        their_sql: false,
    };
    assert_eq!(verify::verify(&ask, &Silent).unwrap().reached, Some(0), "the bag is sound before");
    let mut all = Vec::new();
    files(&bag, &mut all);
    all.sort();
    let sizes: Vec<usize> = all.iter().map(|f| fs::read(f).unwrap().len()).collect();
    let total: usize = sizes.iter().sum();
    let mut random = Random(SEED);
    println!("{CHANGES} changes over {} files, {total} bytes, seed {SEED:#x}", all.len());
    for change in 0..CHANGES {
        let mut at = random.below(total);
        let file =
            sizes.iter().position(|size| at.checked_sub(*size).map(|rest| at = rest).is_none()).unwrap();
        let mut bytes = fs::read(&all[file]).unwrap();
        let (before, flip) = (bytes[at], u8::try_from(1 + random.below(255)).unwrap());
        bytes[at] ^= flip;
        fs::write(&all[file], &bytes).unwrap();
        let ladder = verify::verify(&ask, &Silent).unwrap();
        let fault = ladder.fault();
        assert!(
            fault.is_some() && ladder.reached.is_none(),
            "change {change}: {} byte {at}: {before:#04x} to {:#04x} was not noticed",
            all[file].display(),
            before ^ flip
        );
        bytes[at] = before;
        fs::write(&all[file], &bytes).unwrap();
    }
}
