//! Real feeds (see `../shared/data/SOURCES.md`): nothing panics, everything seen is accounted for, and
//! the counts of the ground truth come out.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking and say what they skip"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use comity_model::allow_list::{AllowList, AllowLists, Matching};
use comity_model::{Claim, Kind, Reason, Reject};
use comity_parse::feed::{self, ClaimSink, FeedOptions, Place};
use comity_parse::log::Sample;
use comity_parse::{allow_list, extract};

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
    if path.extension().is_none_or(|ending| ending != "gz") {
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

/// How many records of a feed make claims, counted without its reader.
fn stated(format: &str, bytes: &[u8]) -> usize {
    let lines = || {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        bytes.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).trim().to_owned())
    };
    let json = || serde_json::from_slice::<serde_json::Value>(bytes);
    match format {
        "plain" => {
            lines().filter(|l| !l.is_empty() && !l.starts_with(['#', ';']) && !l.starts_with("//")).count()
        }
        "zeek-intel" => lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count(),
        "csv" => lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count() - 1,
        // a text that is no JSON is one reject
        "misp" => json().map_or(1, |value| attributes(&value)),
        "stix" => json().map_or(1, |value| {
            let objects = value.get("objects").and_then(|list| list.as_array().cloned()).unwrap_or_default();
            objects.iter().filter(|object| object["type"] == "indicator").count()
        }),
        _ => 0,
    }
}

/// How many attributes and proposals stand anywhere in a JSON text.
fn attributes(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => items.iter().map(attributes).sum(),
        serde_json::Value::Object(object) => object
            .iter()
            .map(|(key, value)| {
                let here = matches!(key.as_str(), "Attribute" | "ShadowAttribute");
                attributes(value) + if here { value.as_array().map_or(0, Vec::len) } else { 0 }
            })
            .sum(),
        _ => 0,
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
        let seen: BTreeSet<u64> = heap
            .claims
            .iter()
            .map(|(place, _)| place)
            .chain(heap.rejects.iter().map(|r| &r.0))
            .map(|p| p.record)
            .collect();
        assert_eq!(seen.len(), stated(detected, &bytes), "{}", path.display());
        if detected == "plain" {
            assert_eq!(heap.claims.len() + heap.rejects.len(), seen.len(), "{}", path.display());
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

/// The claims and rejects of `maltrail-a/malware`, read once for all tests.
fn malware_trails(data: &Path) -> &'static Heap {
    static ALL: OnceLock<Heap> = OnceLock::new();
    ALL.get_or_init(|| read_malware_trails(data))
}

fn read_malware_trails(data: &Path) -> Heap {
    let mut all = Heap::default();
    for path in files(&data.join("feeds/maltrail-a/malware")) {
        let heap = read("plain", &bytes(&path));
        all.claims.extend(heap.claims);
        all.rejects.extend(heap.rejects);
    }
    all
}

/// D08 counts 473 215 names, 998 addresses and 116 766 `address:port` by shape alone. We accept the
/// same, save for 7 names and 23 ports, each refused with its reason; none changes D09, D10 or D17.
#[test]
fn d08_trails_of_malware() {
    let Some(data) = shared() else { return };
    let all = malware_trails(&data);
    println!("{:?}", all.reasons());
    let truth = truth(&data, "D08-maltrail-a-size");
    assert_eq!(all.values(ADDRESSES).len(), truth["ips"]);
    let names = all.values(&[Kind::DomainName]).len();
    let refused = |reason: Reason, text: &str| {
        all.rejects.iter().any(|(_, reject, found)| reject.reason == reason && found == text)
    };
    // endings of file names that are no top-level domains
    for name in ["94.1dovnc.exe", "bensgaming.scr", "dogcsdogcs.js", "hbn1vou74.php", "rat.exe"] {
        assert!(refused(Reason::Ambiguous, name), "{name}");
    }
    // `*.mm` is a rule of the public suffix list
    assert!(refused(Reason::PublicSuffix, "judicical.mm"));
    // a label of 75 characters
    let long = "lockbitapt280e8defa5377018b093b5b90de0f2957f7062144c83a09a56bba1fe4eda932ce.onion";
    assert!(refused(Reason::Malformed, long));
    assert_eq!(names + 7, truth["domains"]);
    // ports 0, above 65535 or with leading zeros
    let ports: BTreeSet<&str> = all
        .rejects
        .iter()
        .filter(|(_, reject, _)| reject.message.starts_with("ip-port"))
        .map(|(_, _, text)| text.as_str())
        .collect();
    // it takes no IPv6 address with a port for one; we take 3
    let six = |value: &&&str| value.starts_with('[');
    let ours = all.values(&[Kind::IpPort]);
    assert_eq!(ours.iter().filter(six).count(), 3);
    assert_eq!(ours.len() - 3 + ports.len(), truth["ip_port"]);
}

/// MISP lists of the given types, with the folder's name in place of the list's own.
fn warninglists(data: &Path, types: &[Matching]) -> Vec<AllowList> {
    let mut all = Vec::new();
    for path in files(&data.join("allowlists/misp-warninglists-a")) {
        let mut list = allow_list::read("", &bytes(&path)).unwrap();
        list.name = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(list.rejects, [], "{}", list.name);
        all.extend(Some(list).filter(|list| types.contains(&list.matching)));
    }
    all
}

/// How many values each list names, and how many are named by any.
fn named<'v>(
    lists: &AllowLists,
    kind: Kind,
    values: impl IntoIterator<Item = &'v str>,
) -> (BTreeMap<String, u64>, u64) {
    let mut by_list: BTreeMap<String, u64> = BTreeMap::new();
    let mut any = 0;
    let mut names = Vec::new();
    for value in values {
        names.clear();
        lists.naming(kind, value, &mut names);
        any += u64::from(!names.is_empty());
        for name in &names {
            *by_list.entry((*name).to_owned()).or_default() += 1;
        }
    }
    (by_list, any)
}

/// The result of a ground truth.
fn truth(data: &Path, id: &str) -> serde_json::Value {
    let all: Vec<serde_json::Value> =
        serde_json::from_slice(&bytes(&data.join("ground_truth/ground_truth.json"))).unwrap();
    all.into_iter().find(|entry| entry["id"] == id).unwrap()["result"].clone()
}

#[test]
fn d16_networks_over_addresses() {
    let Some(data) = shared() else { return };
    let lists = AllowLists::new(warninglists(&data, &[Matching::Cidr]));
    let ipsum = read("plain", &bytes(&data.join("feeds/ipsum/ipsum.txt.gz")));
    let (by_list, any) = named(&lists, Kind::Ipv4Addr, ipsum.values(ADDRESSES));
    let truth = truth(&data, "D16-warninglists-a-over-ipsum");
    assert_eq!(serde_json::to_value(by_list).unwrap(), truth["by_list"]);
    assert_eq!(any, truth["covered_by_any"]);
}

#[test]
fn d17_names_over_names() {
    let Some(data) = shared() else { return };
    let lists = warninglists(&data, &[Matching::String, Matching::Hostname]);
    let sorts: BTreeMap<String, Matching> =
        lists.iter().map(|list| (list.name.clone(), list.matching)).collect();
    let lists = AllowLists::new(lists);
    let trails = malware_trails(&data);
    let (by_list, any) = named(&lists, Kind::DomainName, trails.values(&[Kind::DomainName]));
    let by_list: BTreeMap<String, u64> =
        by_list.into_iter().map(|(name, count)| (format!("{name}:{}", sorts[&name]), count)).collect();
    let truth = truth(&data, "D17-warninglists-a-over-maltrail-a-domains");
    assert_eq!(serde_json::to_value(by_list).unwrap(), truth["by_list"]);
    assert_eq!(any, truth["covered_by_any"]);
}

/// D05 counts lines by any IPv4 literal in them; each is found, as often as it stands.
#[test]
fn d05_every_address_of_a_log_is_found() {
    let Some(data) = shared() else { return };
    let ipsum = read("plain", &bytes(&data.join("feeds/ipsum/ipsum.txt.gz")));
    let listed = ipsum.values(ADDRESSES);
    let log = bytes(&data.join("logs/syslog-loghub/OpenSSH/OpenSSH_2k.log"));
    let mut by_indicator: BTreeMap<String, u64> = BTreeMap::new();
    for line in String::from_utf8(log).unwrap().lines() {
        let mut found = BTreeSet::new();
        extract::observables(line, &mut |kind, value, _| {
            assert!(found.insert((kind, value.to_owned())), "{value} twice in {line}");
        });
        // whole words: the front of `5.36.59.76.dsl.example.net` is no address but part of a name
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'));
        for address in words.filter_map(|word| word.trim_end_matches('.').parse::<std::net::Ipv4Addr>().ok())
        {
            assert!(found.contains(&(Kind::Ipv4Addr, address.to_string())), "{address} in {line}");
        }
        for (_, value) in found.iter().filter(|(_, value)| listed.contains(value.as_str())) {
            *by_indicator.entry(value.clone()).or_default() += 1;
        }
    }
    let truth = truth(&data, "D05-ipsum-x-openssh");
    assert_eq!(serde_json::to_value(&by_indicator).unwrap(), truth["lines_by_indicator"]);
}
