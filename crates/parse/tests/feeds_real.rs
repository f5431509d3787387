//! Real feeds (see `../shared/data/SOURCES.md`): nothing panics, everything seen is accounted for, and
//! the counts of the ground truth come out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use comity_model::{Claim, Kind, Reject};
use comity_parse::feed::{self, ClaimSink, FeedOptions, Place};
use comity_parse::log::Sample;

/// The directory of shared data; prints why a test is skipped where there is none.
fn shared() -> Option<PathBuf> {
    let candidates = [
        std::env::var_os("COMITY_SHARED").map(PathBuf::from),
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")),
        Some(PathBuf::from("/work/shared")),
    ];
    let found = candidates.into_iter().flatten().find(|path| path.join("data").is_dir());
    if found.is_none() {
        println!("skipped: no shared data; set COMITY_SHARED");
    }
    found.map(|path| path.join("data"))
}

fn bytes(path: &Path) -> Vec<u8> {
    let raw = std::fs::read(path).unwrap();
    if !path.extension().is_some_and(|ending| ending == "gz") {
        return raw;
    }
    let mut all = Vec::new();
    flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut all).unwrap();
    all
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { all.push(path) }
        }
    }
    all.sort();
    all
}

#[derive(Default)]
struct Heap {
    claims: Vec<(Place, Claim)>,
    rejects: Vec<(Place, Reject, String)>,
}

impl ClaimSink for Heap {
    fn accept(&mut self, place: Place, claim: Claim) {
        self.claims.push((place, claim));
    }

    fn reject(&mut self, place: Place, reject: Reject, text: &str) {
        self.rejects.push((place, reject, text.to_owned()));
    }
}

fn read(format: &str, bytes: &[u8]) -> Heap {
    let mut heap = Heap::default();
    let format = feed::by_name(format).unwrap();
    (format.read)(bytes, &FeedOptions::default(), &mut heap).unwrap();
    heap
}

impl Heap {
    fn values(&self, kinds: &[Kind]) -> BTreeSet<&str> {
        let wanted = self.claims.iter().filter(|(_, claim)| kinds.contains(&claim.kind));
        wanted.map(|(_, claim)| claim.value.as_str()).collect()
    }

    fn reasons(&self) -> BTreeMap<&'static str, usize> {
        let mut all = BTreeMap::new();
        for (_, reject, _) in &self.rejects {
            *all.entry(reject.reason.as_str()).or_default() += 1;
        }
        all
    }
}

#[test]
fn every_real_feed_is_read() {
    let Some(data) = shared() else { return };
    let mut by_folder: BTreeMap<String, (usize, usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for path in files(&data.join("feeds")) {
        let bytes = bytes(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let head = &bytes[..bytes.len().min(65536)];
        let detected = feed::detect(&Sample { name, head }).map_or("none", |format| format.name);
        let folder = path.strip_prefix(data.join("feeds")).unwrap().iter().next().unwrap().to_string_lossy();
        let mut heap = Heap::default();
        if let Some(format) = feed::by_name(detected) {
            (format.read)(&bytes, &FeedOptions::default(), &mut heap).unwrap();
        }
        let entry = by_folder.entry(format!("{folder} {detected}")).or_default();
        entry.0 += 1;
        entry.1 += heap.claims.len();
        for (reason, count) in heap.reasons() {
            *entry.2.entry(reason).or_default() += count;
        }
    }
    for (folder, (files, accepted, reasons)) in by_folder {
        println!("{folder}: {files} files, {accepted} accepted, {reasons:?}");
    }
}

const ADDRESSES: &[Kind] = &[Kind::Ipv4Addr, Kind::Ipv6Addr];

#[test]
fn lists_of_addresses_come_out_whole() {
    let Some(data) = shared() else { return };
    let ipsum = read("plain", &bytes(&data.join("feeds/ipsum/ipsum.txt.gz")));
    assert_eq!((ipsum.claims.len(), ipsum.rejects.len()), (120_430, 0));
    let scanners = read("plain", &bytes(&data.join("feeds/maltrail-a/mass_scanner.txt")));
    println!("mass_scanner rejects: {:?}", scanners.rejects);
    let both = [ipsum.values(ADDRESSES), scanners.values(ADDRESSES)];
    assert_eq!([both[0].len(), both[1].len()], [120_430, 18_835]);
    assert_eq!(both[0].intersection(&both[1]).count(), 2418);
    let feodo = read("csv", &bytes(&data.join("feeds/feodo-csv/ipblocklist.csv")));
    assert_eq!((feodo.claims.len(), feodo.rejects.len()), (28, 0));
    assert!(feodo.claims.iter().all(|(_, claim)| claim.kind == Kind::IpPort && claim.valid_from.is_some()));
}

#[test]
fn trails_of_malware() {
    let Some(data) = shared() else { return };
    let mut all = Heap::default();
    for path in files(&data.join("feeds/maltrail-a/malware")) {
        let heap = read("plain", &bytes(&path));
        all.claims.extend(heap.claims);
        all.rejects.extend(heap.rejects);
    }
    println!("{:?}", all.reasons());
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, claim) in &all.claims {
        kinds.entry(claim.kind.as_str()).or_default().insert(&claim.value);
    }
    for (kind, values) in &kinds {
        println!("{kind}: {}", values.len());
    }
    if let Some(out) = std::env::var_os("FEEDS_OUT") {
        let names: Vec<&str> = all.values(&[Kind::DomainName]).into_iter().collect();
        std::fs::write(&out, names.join("\n")).unwrap();
        let rejects: Vec<String> = all.rejects.iter().map(|(_, r, t)| format!("{}\t{t}\t{}", r.reason, r.message)).collect();
        std::fs::write(Path::new(&out).with_extension("rejects"), rejects.join("\n")).unwrap();
    }
}
