//! Allow-lists: values known to be benign or too common, matched on observables as MISP defines its
//! warninglists (MISP/misp-warninglists, `schema.json`). A list marks, it never hides.
//!
//! | matching | an entry names |
//! |---|---|
//! | `string` | the equal value, without case |
//! | `substring` | every value that holds it, without case |
//! | `hostname` | the name and every name under it; of a URL or mail address, its host |
//! | `cidr` | every address inside |
//! | `regex` | every value in which it is found |
//!
//! Entries are made canonical first (lower case, A-labels, one spelling of addresses), so that they
//! meet canonical values. One that is none of its list's sort is kept apart with the reason.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::canonical::{Found, compile_regex, observe};
use crate::tokens::tokens;
use crate::{Kind, Observe, Reason, Reject};

tokens! {
    /// How the entries of a list name values.
    Matching, "matching", {
        /// The equal value.
        String = "string",
        /// Every value that holds the entry.
        Substring = "substring",
        /// The name and every name under it.
        Hostname = "hostname",
        /// Every address inside the network.
        Cidr = "cidr",
        /// Every value in which the expression is found.
        Regex = "regex",
    }
}

/// One list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowList {
    /// Name, as sightings show it.
    pub name: String,
    /// How its entries name values.
    pub matching: Matching,
    /// Kinds of value that it speaks of; `None`: all.
    pub kinds: Option<Vec<Kind>>,
    /// Canonical entries, sorted, each once.
    pub entries: Vec<String>,
    /// Entries that could not be used, as written, with the reason.
    pub rejects: Vec<(String, Reject)>,
}

/// Name of the built-in list of the digests of no bytes at all.
pub const EMPTY_FILE_HASHES: &str = "comity/empty-file-hashes";

impl AllowList {
    /// Makes a list of entries as written.
    pub fn new<'e>(
        name: impl Into<String>,
        matching: Matching,
        kinds: Option<Vec<Kind>>,
        entries: impl IntoIterator<Item = &'e str>,
    ) -> Self {
        let mut list = Self { name: name.into(), matching, kinds, entries: Vec::new(), rejects: Vec::new() };
        for entry in entries {
            match canonical_entry(matching, entry.trim()) {
                Ok(canonical) => list.entries.push(canonical),
                Err(reject) => list.rejects.push((entry.to_owned(), reject)),
            }
        }
        list.entries.sort_unstable();
        list.entries.dedup();
        list
    }

    /// The digests of an empty file: MD5, SHA-1, SHA-256 and SHA-512.
    pub fn empty_file_hashes() -> Self {
        let kinds = vec![Kind::FileMd5, Kind::FileSha1, Kind::FileSha256, Kind::FileSha512];
        let entries = [
            "d41d8cd98f00b204e9800998ecf8427e",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ];
        Self::new(EMPTY_FILE_HASHES, Matching::String, Some(kinds), entries)
    }
}

/// The form of an entry that meets canonical values.
fn canonical_entry(matching: Matching, entry: &str) -> Result<String, Reject> {
    let bad = |why: &str| Err(Reject::new(Reason::Malformed, format!("{matching} entry {entry:?} {why}")));
    if entry.is_empty() {
        return bad("is empty");
    }
    match matching {
        Matching::Substring => Ok(entry.to_lowercase()),
        Matching::String => Ok(canonical_string(entry)),
        Matching::Hostname => match hostname(entry) {
            Some(name) => Ok(name),
            None => bad("is no name"),
        },
        Matching::Cidr => match Range::read(entry) {
            Some(range) => Ok(range.to_string()),
            None => bad("is neither a network nor an address"),
        },
        Matching::Regex => {
            let pattern = undelimited(entry);
            match compile_regex(&pattern) {
                Ok(_) => Ok(pattern),
                Err(_) => {
                    Err(Reject::new(Reason::BadPattern, format!("regex entry {entry:?} is not supported")))
                }
            }
        }
    }
}

/// The first observable that a text gives by a rule.
fn observed(rule: Observe, text: &str) -> Option<String> {
    let mut first = None;
    observe(rule, text, &mut |Found { value, .. }| {
        first.get_or_insert(value);
    });
    first
}

fn canonical_string(entry: &str) -> String {
    let canonical = if entry.contains("://") {
        observed(Observe::Url, entry)
    } else if entry.contains('@') {
        observed(Observe::Email, entry)
    } else if entry.parse::<IpAddr>().is_ok() || !entry.is_ascii() {
        observed(Observe::Host, entry)
    } else {
        None
    };
    canonical.unwrap_or_else(|| entry.to_owned()).to_lowercase()
}

/// A name without the dot or star that lists put before it; an address stays one, met exactly.
fn hostname(entry: &str) -> Option<String> {
    let bare = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')).unwrap_or(entry);
    let is_label =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    observed(Observe::Host, bare)
        .or_else(|| (!bare.is_empty() && is_label(bare)).then(|| bare.to_ascii_lowercase()))
}

/// A regular expression without PHP's delimiters; `/…/i` becomes `(?i)…`.
fn undelimited(entry: &str) -> String {
    match entry.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
        Some((pattern, flags)) if flags.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            let case = if flags.contains('i') { "(?i)" } else { "" };
            format!("{case}{pattern}")
        }
        _ => entry.to_owned(),
    }
}

/// Addresses of one family from first to last, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    six: bool,
    first: u128,
    last: u128,
}

impl Range {
    /// Reads a network or an address. IPv4-mapped ones fold to IPv4, as observables do.
    fn read(text: &str) -> Option<Self> {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.trim().parse().ok()?;
        let (bits, six, number) = match address {
            IpAddr::V4(four) => (32, false, u128::from(u32::from(four))),
            IpAddr::V6(six) => (128, true, u128::from(six)),
        };
        let length: u32 = length.map_or(Some(bits), |length| length.trim().parse().ok())?;
        let host = u128::MAX.checked_shr(128 - bits.checked_sub(length)?).unwrap_or(0);
        let (first, last) = (number & !host, number | host);
        const MAPPED: u128 = 0xffff_0000_0000;
        if six && length >= 96 && first >> 32 == MAPPED >> 32 {
            return Some(Self { six: false, first: first - MAPPED, last: last - MAPPED });
        }
        Some(Self { six, first, last })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host_bits = (self.first ^ self.last).count_ones();
        match u32::try_from(self.first) {
            Ok(four) if !self.six => write!(f, "{}/{}", Ipv4Addr::from(four), 32 - host_bits),
            _ => write!(f, "{}/{}", Ipv6Addr::from(self.first), 128 - host_bits),
        }
    }
}

/// Number of a list.
type Id = u32;

/// Many lists, compiled for millions of questions.
#[derive(Debug)]
pub struct AllowLists {
    names: Vec<String>,
    /// Bit set of kinds that each list speaks of.
    kinds: Vec<u64>,
    strings: HashMap<String, Vec<Id>>,
    hostnames: HashMap<String, Vec<Id>>,
    /// Lists that hold an address, by the first address of a stretch up to the next entry: for IPv4
    /// and IPv6 apart, since `::/64` holds every IPv4-mapped address and names none of them.
    networks: [Vec<(u128, Vec<Id>)>; 2],
    substrings: Vec<(String, Id)>,
    regexes: Vec<(regex::Regex, Id)>,
}

impl AllowLists {
    /// Compiles lists, the built-in one among them.
    pub fn new(lists: Vec<AllowList>) -> Self {
        let mut lists = lists;
        lists.push(AllowList::empty_file_hashes());
        lists.sort_by(|a, b| a.name.cmp(&b.name));
        let mut all = Self {
            names: Vec::new(),
            kinds: Vec::new(),
            strings: HashMap::new(),
            hostnames: HashMap::new(),
            networks: [Vec::new(), Vec::new()],
            substrings: Vec::new(),
            regexes: Vec::new(),
        };
        let mut ranges: Vec<(Range, Id)> = Vec::new();
        for (id, list) in (0..).zip(lists) {
            all.kinds.push(
                list.kinds.map_or(u64::MAX, |kinds| kinds.into_iter().fold(0, |set, kind| set | bit(kind))),
            );
            all.names.push(list.name);
            for entry in list.entries {
                match list.matching {
                    Matching::String => all.strings.entry(entry).or_default().push(id),
                    Matching::Hostname => all.hostnames.entry(entry).or_default().push(id),
                    Matching::Substring => all.substrings.push((entry, id)),
                    Matching::Cidr => ranges.extend(Range::read(&entry).map(|range| (range, id))),
                    Matching::Regex => {
                        all.regexes.extend(compile_regex(&entry).ok().map(|regex| (regex, id)))
                    }
                }
            }
        }
        all.networks = [false, true].map(|six| {
            stretches(
                ranges
                    .iter()
                    .filter(|(range, _)| range.six == six)
                    .map(|(range, id)| (range.first, range.last, *id)),
            )
        });
        all
    }

    /// Whether no list was given but the built-in one.
    pub fn is_empty(&self) -> bool {
        self.names.len() <= 1
    }

    /// Adds the names of every list that names this canonical value, in the order of names.
    pub fn naming<'a>(&'a self, kind: Kind, value: &str, out: &mut Vec<&'a str>) {
        if self.kinds.iter().all(|kinds| kinds & bit(kind) == 0) {
            return;
        }
        let mut ids: Vec<Id> = Vec::new();
        let lower;
        let value = if value.bytes().any(|byte| byte.is_ascii_uppercase()) || !value.is_ascii() {
            lower = value.to_lowercase();
            lower.as_str()
        } else {
            value
        };
        ids.extend(self.strings.get(value).into_iter().flatten());
        match kind {
            Kind::Ipv4Addr | Kind::Ipv6Addr => self.naming_address(value, &mut ids),
            Kind::DomainName => self.naming_name(value, &mut ids),
            Kind::Url if !self.hostnames.is_empty() => {
                let mut host = None;
                observe(Observe::Url, value, &mut |found| host = Some(found.value).filter(|_| found.derived));
                self.naming_name(&host.unwrap_or_default(), &mut ids);
            }
            Kind::EmailAddr => {
                self.naming_name(value.rsplit_once('@').map_or("", |(_, name)| name), &mut ids)
            }
            _ => {}
        }
        ids.extend(
            self.substrings.iter().filter(|(part, _)| value.contains(part.as_str())).map(|(_, id)| *id),
        );
        ids.extend(self.regexes.iter().filter(|(regex, _)| regex.is_match(value)).map(|(_, id)| *id));
        ids.sort_unstable();
        ids.dedup();
        let at = |id: Id| usize::try_from(id).unwrap_or(usize::MAX);
        let speaks = |id: &Id| self.kinds.get(at(*id)).is_some_and(|kinds| kinds & bit(kind) != 0);
        out.extend(
            ids.into_iter().filter(speaks).filter_map(|id| self.names.get(at(id))).map(String::as_str),
        );
    }

    fn naming_name(&self, name: &str, ids: &mut Vec<Id>) {
        let mut rest = Some(name).filter(|name| !name.is_empty());
        while let Some(suffix) = rest {
            ids.extend(self.hostnames.get(suffix).into_iter().flatten());
            rest = suffix.split_once('.').map(|(_, parent)| parent);
        }
    }

    fn naming_address(&self, address: &str, ids: &mut Vec<Id>) {
        ids.extend(self.hostnames.get(address).into_iter().flatten());
        let Some(Range { six, first, .. }) = Range::read(address) else { return };
        let [four_networks, six_networks] = &self.networks;
        let networks = if six { six_networks } else { four_networks };
        let after = networks.partition_point(|(start, _)| *start <= first);
        if let Some((_, lists)) = after.checked_sub(1).and_then(|at| networks.get(at)) {
            ids.extend(lists);
        }
    }
}

fn bit(kind: Kind) -> u64 {
    1 << (kind as u64)
}

/// Cuts ranges that may overlap into stretches, each with the lists that hold all of it. A stretch
/// reaches to the next one's start.
fn stretches(ranges: impl Iterator<Item = (u128, u128, Id)>) -> Vec<(u128, Vec<Id>)> {
    // at each address: lists that begin (+1) or have ended (-1) there
    let mut changes: BTreeMap<u128, Vec<(Id, i64)>> = BTreeMap::new();
    for (first, last, id) in ranges {
        changes.entry(first).or_default().push((id, 1));
        if let Some(after) = last.checked_add(1) {
            changes.entry(after).or_default().push((id, -1));
        }
    }
    let mut open: BTreeMap<Id, i64> = BTreeMap::new();
    let mut all = Vec::with_capacity(changes.len());
    for (start, changes) in changes {
        for (id, change) in changes {
            *open.entry(id).or_default() += change;
        }
        open.retain(|_, count| *count > 0);
        all.push((start, open.keys().copied().collect()));
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naming(lists: Vec<AllowList>, kind: Kind, value: &str) -> Vec<String> {
        let mut out = Vec::new();
        let lists = AllowLists::new(lists);
        lists.naming(kind, value, &mut out);
        out.into_iter().map(str::to_owned).collect()
    }

    fn lists() -> Vec<AllowList> {
        vec![
            AllowList::new(
                "nets",
                Matching::Cidr,
                None,
                ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7", "x"],
            ),
            AllowList::new("wide", Matching::Cidr, None, ["192.0.0.0/16", "192.0.2.128/25", "::/64"]),
            AllowList::new(
                "hosts",
                Matching::Hostname,
                None,
                [".example.com", "Bücher.example", "203.0.113.1", "*."],
            ),
            AllowList::new(
                "exact",
                Matching::String,
                None,
                ["Example.org", "HTTP://example.com", ".example.net"],
            ),
            AllowList::new("parts", Matching::Substring, Some(vec![Kind::Url]), ["/login"]),
            AllowList::new("regexes", Matching::Regex, None, ["/^ms[0-9]+\\./i", "(?=x)"]),
        ]
    }

    #[test]
    fn each_way_of_matching() {
        let cases: &[(Kind, &str, &[&str])] = &[
            (Kind::Ipv4Addr, "192.0.2.1", &["nets", "wide"]),
            (Kind::Ipv4Addr, "192.0.2.200", &["nets", "wide"]),
            (Kind::Ipv4Addr, "192.0.3.0", &["wide"]),
            (Kind::Ipv4Addr, "192.1.0.0", &[]),
            (Kind::Ipv4Addr, "198.51.100.7", &["nets"]),
            (Kind::Ipv4Addr, "203.0.113.1", &["hosts"]),
            (Kind::Ipv6Addr, "2001:db8::1", &["nets"]),
            (Kind::DomainName, "example.com", &["hosts"]),
            (Kind::DomainName, "a.b.example.com", &["hosts"]),
            (Kind::DomainName, "notexample.com", &[]),
            (Kind::DomainName, "www.xn--bcher-kva.example", &["hosts"]),
            (Kind::DomainName, "example.org", &["exact"]),
            (Kind::DomainName, "www.example.org", &[]),
            (Kind::DomainName, "example.net", &[]),
            (Kind::DomainName, "ms12.invalid", &["regexes"]),
            (Kind::Url, "http://example.com/", &["exact", "hosts"]),
            (Kind::Url, "http://other.invalid/login", &["parts"]),
            (Kind::FilePath, "/login", &[]),
            (Kind::EmailAddr, "a@mail.example.com", &["hosts"]),
            (Kind::FileMd5, "d41d8cd98f00b204e9800998ecf8427e", &[EMPTY_FILE_HASHES]),
            (Kind::FileImphash, "d41d8cd98f00b204e9800998ecf8427e", &[]),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(naming(lists(), *kind, value), *expected, "{value}");
        }
        assert_eq!(lists().iter().map(|list| list.rejects.len()).collect::<Vec<_>>(), [1, 0, 1, 0, 0, 1]);
    }

    proptest! {
        #[test]
        fn stretches_name_what_a_scan_names(
            ranges in proptest::collection::vec((0u32..300, 0u32..40, 0u32..5), 0..20),
            address in 0u32..350,
        ) {
            let ranges: Vec<(u128, u128, Id)> =
                ranges.into_iter().map(|(first, more, id)| (first.into(), (first + more).into(), id)).collect();
            let address = u128::from(address);
            let mut expected: Vec<Id> =
                ranges.iter().filter(|(first, last, _)| (*first..=*last).contains(&address)).map(|range| range.2).collect();
            expected.sort_unstable();
            expected.dedup();
            let stretches = stretches(ranges.into_iter());
            let at = stretches.partition_point(|(start, _)| *start <= address);
            let found = at.checked_sub(1).map(|at| stretches[at].1.clone()).unwrap_or_default();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn an_entry_is_canonical_once(entry in "[a-zA-Z0-9.:/é-]{1,20}") {
            for matching in [Matching::String, Matching::Hostname, Matching::Cidr] {
                let list = AllowList::new("x", matching, None, [entry.as_str()]);
                let again = AllowList::new("x", matching, None, list.entries.iter().map(String::as_str));
                prop_assert_eq!(&again.entries, &list.entries);
            }
        }
    }
}
