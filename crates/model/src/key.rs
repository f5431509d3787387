//! Sort keys: byte strings whose order makes every kind of indicator a point or a range of the
//! observables index (DESIGN.md §3, "Observables").
//!
//! | kind | key |
//! |---|---|
//! | addresses | 16 bytes, big-endian; IPv4 as `::ffff:a.b.c.d` |
//! | names | labels reversed, each followed by a zero byte: `www.example.com` is `com\0example\0www\0`, so a name and all under it share a prefix |
//! | URLs | host, port, path and query as written, a zero byte, the scheme: with and without a scheme are neighbours |
//! | all else | the canonical value's bytes |
//!
//! Every span is either one key or all keys with one prefix (a CIDR block is a prefix of bits), which
//! is why any two are nested or apart. Canonical names and URLs hold no zero byte.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::canonical::{default_port, ip_port_parts, write_quad};
use crate::{Claim, Kind};

/// Key of an observable.
///
/// `value` must be canonical for `kind`.
pub fn of_observable(kind: Kind, value: &str) -> Vec<u8> {
    let mut key = Vec::new();
    write_observable(kind, value, &mut key);
    key
}

/// Writes [the key of an observable](of_observable) behind what stands in `out`.
pub fn write_observable(kind: Kind, value: &str, out: &mut Vec<u8>) {
    match kind {
        Kind::Ipv4Addr | Kind::Ipv6Addr => out.extend(address_bytes(value).into_iter().flatten()),
        Kind::DomainName => write_name(value, out),
        Kind::Url => {
            let (scheme, rest) = split_scheme(value);
            write_url(rest, scheme.unwrap_or(""), out);
        }
        _ => out.extend_from_slice(value.as_bytes()),
    }
}

/// Writes the canonical value that a key was made of behind what stands in `out`; `None` where it was
/// made of none.
pub fn write_value(kind: Kind, key: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if matches!(kind, Kind::Ipv4Addr | Kind::Ipv6Addr) {
        let six = Ipv6Addr::from(<[u8; 16]>::try_from(key).ok()?);
        match (kind, six.to_ipv4_mapped()) {
            (Kind::Ipv4Addr, Some(four)) => write_quad(four.octets(), out),
            _ => out.extend_from_slice(six.to_string().as_bytes()),
        }
        return Some(());
    }
    std::str::from_utf8(key).ok()?;
    match kind {
        Kind::DomainName => {
            for (at, label) in key.strip_suffix(&[0])?.rsplit(|byte| *byte == 0).enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b"." });
                out.extend_from_slice(label);
            }
        }
        Kind::Url => {
            let mut parts = key.rsplitn(2, |byte| *byte == 0);
            let (scheme, rest) = (parts.next()?, parts.next()?);
            if !scheme.is_empty() {
                out.extend_from_slice(scheme);
                out.extend_from_slice(b"://");
            }
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(key),
    }
    Some(())
}

/// A half-open range of keys of one observable kind: `lo <= key < hi`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Kind of the observables.
    pub kind: Kind,
    /// First key inside.
    pub lo: Vec<u8>,
    /// First key past the end; for a single key it is `lo` with a zero byte appended.
    pub hi: Vec<u8>,
}

impl Span {
    /// The one key.
    fn one(kind: Kind, key: Vec<u8>) -> Self {
        let mut hi = Vec::with_capacity(key.len() + 1);
        hi.extend_from_slice(&key);
        hi.push(0);
        Self { kind, lo: key, hi }
    }

    /// All keys that begin with `prefix`; its last byte is below 0xff.
    fn under(kind: Kind, prefix: Vec<u8>) -> Self {
        let mut hi = prefix.clone();
        if let Some(last) = hi.last_mut() {
            *last = last.saturating_add(1);
        }
        Self { kind, lo: prefix, hi }
    }

    /// The addresses from `first` to `last`, both inside.
    fn between(kind: Kind, first: u128, last: u128) -> Self {
        let hi = last.to_be_bytes().into_iter().chain([0]).collect();
        Self { kind, lo: first.to_be_bytes().to_vec(), hi }
    }

    /// Whether a key of an observable of the span's kind lies inside.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.lo.as_slice() <= key && key < self.hi.as_slice()
    }
}

/// What a claim says of the keys that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed<'a> {
    /// Kind.
    pub kind: Kind,
    /// Canonical value.
    pub value: &'a str,
    /// [`Claim::exact_only`].
    pub exact_only: bool,
    /// [`Claim::prefix`].
    pub prefix: bool,
}

impl<'a> From<&'a Claim> for Claimed<'a> {
    fn from(claim: &'a Claim) -> Self {
        let Claim { kind, exact_only, prefix, .. } = *claim;
        Self { kind, value: &claim.value, exact_only, prefix }
    }
}

/// The spans that an indicator covers; spans of one indicator never overlap, and spans of any two
/// indicators of one kind are nested or apart, so a sweep needs only a stack.
///
/// Empty for kinds that are searched for in text (`substring`, `regex`) and for `stix-pattern`.
///
/// Two kinds need a second look from the caller, since the index can't say all:
/// - an `ip-port` has the span of its address; the port must be that of the same endpoint in the
///   same record ([`ip_port_parts`]);
/// - a URL `prefix` has spans that hold every scheme; [`url_scheme_agrees`] must hold too.
pub fn of_claim<'a>(claim: impl Into<Claimed<'a>>) -> Vec<Span> {
    let mut spans = Vec::new();
    each_span(claim.into(), &mut Vec::new(), |kind, lo, hi| {
        spans.push(Span { kind, lo: lo.to_vec(), hi: hi.to_vec() });
    });
    spans
}

/// Hands over kind, first key and first key past the end of each span [that an indicator covers](of_claim).
/// Nearly all have one, which lies in `scratch`.
pub fn each_span(claim: Claimed<'_>, scratch: &mut Vec<u8>, mut put: impl FnMut(Kind, &[u8], &[u8])) {
    let Claimed { kind, value, exact_only, prefix } = claim;
    let spans = match kind {
        Kind::Ipv4Net | Kind::Ipv6Net => network(value).map(|(first, last)| blocks(first, last)),
        Kind::IpRange => range(value).map(|(first, last)| blocks(first, last)),
        Kind::Url => Some(of_url_claim(value, prefix)),
        Kind::Substring | Kind::Regex | Kind::StixPattern => None,
        Kind::IpPort | Kind::Ipv4Addr | Kind::Ipv6Addr => {
            let address = if kind == Kind::IpPort {
                ip_port_parts(value).map(|(address, _)| address)
            } else {
                Some(value)
            };
            if let Some(address) = address.and_then(|address| address.parse::<IpAddr>().ok()) {
                let mut keys = [0; 17];
                keys[..16].copy_from_slice(&number(address).to_be_bytes());
                put(family(address), &keys[..16], &keys);
            }
            None
        }
        kind => {
            scratch.clear();
            write_observable(kind, value, scratch);
            let length = scratch.len();
            scratch.extend_from_within(..);
            match scratch.last_mut() {
                // all names under it too: each begins with its key, whose last byte is zero
                Some(last) if kind == Kind::DomainName && !exact_only => *last += 1,
                _ => scratch.push(0),
            }
            let (lo, hi) = scratch.split_at(length);
            put(kind, lo, hi);
            None
        }
    };
    spans.iter().flatten().for_each(|Span { kind, lo, hi }| put(*kind, lo, hi));
}

/// Key of an address given as canonical text; `None` where it is none.
pub fn address_bytes(value: &str) -> Option<[u8; 16]> {
    value.parse().ok().map(|address| number(address).to_be_bytes())
}

/// Whether a URL claim's scheme (and with it the port) allows an observed URL that lies in one of the
/// claim's spans: equal schemes, or the log gave none; a claim without a scheme is one of http and
/// https. Both values canonical. Holds for every observable in the spans of a claim without `prefix`.
pub fn url_scheme_agrees(claim_value: &str, observable_value: &str) -> bool {
    let (scheme, rest) = split_scheme(observable_value);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    forms(claim_value).iter().any(|form| {
        let claimed = form.rest.split(['/', '?']).next().unwrap_or(&form.rest);
        form.scheme == scheme.unwrap_or("") && claimed == authority
    })
}

/// A spelling of a URL claim that an observable may have.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Form<'a> {
    /// Host, port, path and query.
    rest: String,
    /// Scheme; empty for an observable without one.
    scheme: &'a str,
}

/// The spellings that mean what a URL claim means: its own, and the one of a log that gives host and
/// path but no scheme. Without a scheme it is http or https, so a port written out may be the default
/// that canonical URLs leave away: `example.com:80/a` meets `http://example.com/a`.
fn forms(value: &str) -> BTreeSet<Form<'_>> {
    let (scheme, rest) = split_scheme(value);
    let mut forms = BTreeSet::from([Form { rest: rest.to_owned(), scheme: "" }]);
    if let Some(scheme) = scheme {
        forms.insert(Form { rest: rest.to_owned(), scheme });
        return forms;
    }
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    for scheme in ["http", "https"] {
        let host = default_port(scheme).and_then(|port| authority.strip_suffix(&format!(":{port}")));
        forms.insert(Form { rest: format!("{}{path}", host.unwrap_or(authority)), scheme });
    }
    forms
}

fn of_url_claim(value: &str, prefix: bool) -> Vec<Span> {
    let forms = forms(value);
    if !prefix {
        return forms.iter().map(|form| Span::one(Kind::Url, of_url(&form.rest, form.scheme))).collect();
    }
    let rests: BTreeSet<&str> = forms.iter().map(|form| form.rest.as_str()).collect();
    rests.into_iter().flat_map(under_url).collect()
}

/// All URLs that go on from `rest` at a boundary: its end, `/`, `?`; inside a query, its end or `&`.
fn under_url(rest: &str) -> Vec<Span> {
    let followed_by = |boundary: u8| {
        let mut prefix = rest.as_bytes().to_vec();
        prefix.push(boundary);
        Span::under(Kind::Url, prefix)
    };
    match (rest.as_bytes().last(), rest.contains('?')) {
        (Some(b'/' | b'?' | b'&'), _) => vec![Span::under(Kind::Url, rest.as_bytes().to_vec())],
        (_, true) => [0, b'&'].map(followed_by).into(),
        (_, false) => [0, b'/', b'?'].map(followed_by).into(),
    }
}

fn split_scheme(value: &str) -> (Option<&str>, &str) {
    match value.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', ':', '?']) => (Some(scheme), rest),
        _ => (None, value),
    }
}

fn of_url(rest: &str, scheme: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(rest.len() + 1 + scheme.len());
    write_url(rest, scheme, &mut key);
    key
}

fn write_url(rest: &str, scheme: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(rest.as_bytes());
    out.push(0);
    out.extend_from_slice(scheme.as_bytes());
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    for label in name.as_bytes().rsplit(|byte| *byte == b'.') {
        out.extend_from_slice(label);
        out.push(0);
    }
}

const fn family(address: IpAddr) -> Kind {
    if address.is_ipv4() { Kind::Ipv4Addr } else { Kind::Ipv6Addr }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// First and last address of canonical network text.
fn network(value: &str) -> Option<(IpAddr, IpAddr)> {
    let (first, length) = value.split_once('/')?;
    let (first, length): (IpAddr, u32) = (first.parse().ok()?, length.parse().ok()?);
    let host = if first.is_ipv4() { 32_u32 } else { 128 }.checked_sub(length)?;
    Some((first, of_number(number(first) | low(host), first)))
}

/// First and last address of canonical range text.
fn range(value: &str) -> Option<(IpAddr, IpAddr)> {
    let (first, last) = value.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// The fewest CIDR blocks from `first` to `last`, as spans; none where they are of two families.
fn blocks(first: IpAddr, last: IpAddr) -> Vec<Span> {
    let kind = family(first);
    let (mut at, end) = (number(first), number(last));
    let mut spans = Vec::new();
    if first.is_ipv4() != last.is_ipv4() {
        return spans;
    }
    while at <= end {
        let mut host = at.trailing_zeros();
        while low(host) > end - at {
            host -= 1;
        }
        let block_last = at | low(host);
        spans.push(Span::between(kind, at, block_last));
        match block_last.checked_add(1) {
            Some(next) => at = next,
            None => break,
        }
    }
    spans
}

/// The address of a key, of the family of `like`.
fn of_number(bits: u128, like: IpAddr) -> IpAddr {
    let six = Ipv6Addr::from_bits(bits);
    match (like, six.to_ipv4_mapped()) {
        (IpAddr::V4(_), Some(four)) => IpAddr::V4(four),
        _ => IpAddr::V6(six),
    }
}

/// A number with that many low bits set.
fn low(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1)
}
