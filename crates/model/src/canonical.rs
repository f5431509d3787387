//! Canonical forms: one spelling per value, so that meeting is equality of keys (MATCHING.md,
//! "Canonical form"). Every form is idempotent: the canonical form of a canonical value is itself.
//!
//! | text | as | canonical |
//! |---|---|---|
//! | `::ffff:192.0.2.7` | `ipv6-addr` | `ipv4-addr` `192.0.2.7` |
//! | `192.0.2.7/24` | `ipv4-net` | `192.0.2.0/24` |
//! | `WWW.Bücher.example.` | `domain-name` | `www.xn--bcher-kva.example` |
//! | `HTTP://u:p@Example.COM:80/a/%2e./%7eb?y=1&x=2#top` | `url`, observed | `http://example.com/~b?y=1&x=2` |
//!
//! Two doors, since a wrong claim costs more than an unread one. [`indicator`] is strict and gives a
//! reason for each refusal; [`observe`] never refuses, it finds nothing. A text that holds U+FFFD
//! came from bytes that were not UTF-8: what stood there is not known, so it is no value at all.

use crate::{Kind, Observe, Reason, Reject};

mod address;
mod crypto;
mod hash;
mod keccak;
mod mail;
mod name;
mod path;
mod pattern;
mod token;
mod url;

pub use address::{ip_port_parts, quad, write_quad};
pub use pattern::compile as compile_regex;
pub(crate) use url::default_port;

/// Versions of the tables that canonical forms depend on, for the definition of a run: two builds
/// with other tables may read a name differently. `unicode` is the version behind `idna`, in its
/// `icu_properties_data`; `psl` holds the public suffix list of its release.
pub const TABLE_VERSIONS: &[(&str, &str)] = &[("idna", "1.1.0"), ("psl", "2.1.247"), ("unicode", "18.0.0")];

/// An observable found in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Kind of the value; an observable kind.
    pub kind: Kind,
    /// Canonical value.
    pub value: String,
    /// Whether it is part of another value (the host of a URL, the domain of a mail address, the
    /// last component of a path).
    pub derived: bool,
}

/// How wide a network an indicator may claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Breadth {
    /// At most an IPv4 /8 or an IPv6 /19.
    #[default]
    Limited,
    /// Any; the job insists.
    Any,
}

/// Canonical form of an indicator's value, with the rules for indicators: stricter than for
/// observables, since a wrong claim costs more than an unread one.
///
/// # Errors
/// A reject with its reason where the text is no such value or is too broad to claim anything.
pub fn indicator(kind: Kind, text: &str) -> Result<Canonical, Reject> {
    indicator_within(kind, text, Breadth::Limited)
}

/// [`indicator`] with the breadth that the job allows networks and ranges.
///
/// # Errors
/// As [`indicator`].
pub fn indicator_within(kind: Kind, text: &str, breadth: Breadth) -> Result<Canonical, Reject> {
    let found = if is_damaged(text) {
        Err(Flaw::malformed("holds U+FFFD: it was not read from valid UTF-8"))
    } else {
        claimed(kind, trimmed(text), breadth)
    };
    found.map_err(|flaw| Reject::new(flaw.reason, format!("{kind} {:?} {}", shown(text), flaw.why)))
}

/// What [`indicator`] gives for a name or an IPv4 address that is canonical as it stands, seen in one
/// pass; `None` where that can't be told so soon.
pub fn plain(kind: Kind, text: &str) -> Option<Canonical> {
    match kind {
        Kind::DomainName if name::is_plain(text) => name::registered(text.to_owned()).ok(),
        Kind::Ipv4Addr | Kind::Ipv6Addr | Kind::Ipv4Net | Kind::Ipv6Net => {
            quad(text).filter(|four| !four.is_unspecified())?;
            Some(Canonical::new(Kind::Ipv4Addr, text.to_owned()))
        }
        _ => None,
    }
}

/// A canonical value and what was noted on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// Kind; may be narrower than the one asked for (a `/32` becomes an address, an IPv4-mapped
    /// address an IPv4 one).
    pub kind: Kind,
    /// Canonical value.
    pub value: String,
    /// Whether names under it must not be met (a private public suffix such as `github.io`).
    pub exact_only: bool,
    /// What the canonical value no longer says, where it was worth saying.
    pub note: Option<Note>,
}

/// A part of an indicator's text that its canonical value leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// A network was written with host bits, `192.0.2.7/24`.
    HostBitsCleared,
    /// A URL named a user, `http://user:password@host/`.
    UserInfoRemoved,
}

impl Canonical {
    fn new(kind: Kind, value: String) -> Self {
        Self { kind, value, exact_only: false, note: None }
    }
}

/// The observables that a text in a field with this rule gives, handed to `found`; none where
/// the text is no such value. Never refuses.
///
/// A derived value follows the value that it is part of.
pub fn observe(rule: Observe, text: &str, found: &mut dyn FnMut(Found)) {
    let text = trimmed(text);
    match rule {
        Observe::Nothing | Observe::Extracted => {}
        Observe::Address | Observe::One(Kind::Ipv4Addr | Kind::Ipv6Addr) => {
            observe_address(text, found);
        }
        Observe::Host => {
            if !observe_address(text, found)
                && let Ok(value) = name::seen(text)
            {
                found(Found { kind: Kind::DomainName, value, derived: false });
            }
        }
        _ if is_damaged(text) => {}
        Observe::Url => observe_url(text, found),
        Observe::Email => observe_mail(text, found),
        Observe::Path => observe_path(text, found),
        Observe::One(Kind::Url) => observe_url(text, found),
        Observe::One(Kind::EmailAddr) => observe_mail(text, found),
        Observe::One(Kind::FilePath) => observe_path(text, found),
        Observe::One(kind) => {
            if let Some(value) = observed(kind, text) {
                found(Found { kind, value, derived: false });
            }
        }
    }
}

/// A text without the blanks around it. Nearly none has any, and one that begins and ends with a mark
/// of ASCII has none.
#[inline]
pub fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] => text,
        _ => text.trim(),
    }
}

/// What is wrong with a text; the phrase completes "domain-name "x" …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flaw {
    reason: Reason,
    why: &'static str,
}

impl Flaw {
    const fn new(reason: Reason, why: &'static str) -> Self {
        Self { reason, why }
    }

    const fn malformed(why: &'static str) -> Self {
        Self { reason: Reason::Malformed, why }
    }
}

/// The host of a URL, the domain of a mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    kind: Kind,
    value: String,
}

fn claimed(kind: Kind, text: &str, breadth: Breadth) -> Result<Canonical, Flaw> {
    if text.is_empty() {
        return Err(Flaw::malformed("is empty"));
    }
    match kind {
        Kind::Ipv4Addr | Kind::Ipv6Addr | Kind::Ipv4Net | Kind::Ipv6Net => address::network(text, breadth),
        Kind::IpRange => address::range(text, breadth),
        Kind::IpPort => address::ip_port(text),
        Kind::DomainName => name::claimed(text),
        Kind::Url => url::claimed(text),
        Kind::EmailAddr => Ok(Canonical::new(kind, mail::read(text)?.value)),
        Kind::FileName => {
            let kind = if path::has_separator(text) { Kind::FilePath } else { kind };
            Ok(Canonical::new(
                kind,
                if kind == Kind::FilePath { path::path(text)? } else { path::name(text)? },
            ))
        }
        Kind::FilePath => Ok(Canonical::new(kind, path::path(text)?)),
        _ => Ok(Canonical::new(kind, single(kind, text)?)),
    }
}

/// Canonical form of a value of a kind for which indicators and observables have the same rules.
fn single(kind: Kind, text: &str) -> Result<String, Flaw> {
    match kind {
        Kind::FileMd5
        | Kind::FileSha1
        | Kind::FileSha256
        | Kind::FileSha512
        | Kind::FileImphash
        | Kind::Ja3
        | Kind::Ja3s
        | Kind::CertSha1
        | Kind::CertSha256 => hash::digest(kind, text),
        Kind::FileSsdeep => hash::ssdeep(text),
        Kind::Ja4 => hash::ja4(text),
        Kind::CertSerial => hash::serial(text),
        Kind::RegistryKey => path::registry_key(text),
        Kind::Asn => token::asn(text),
        Kind::Cve => token::cve(text),
        Kind::CryptoAddress => crypto::address(text),
        Kind::Regex => pattern::regex(text),
        Kind::FileName => path::name(text),
        Kind::UserAgent | Kind::Mutex | Kind::Substring | Kind::StixPattern => Ok(text.to_owned()),
        Kind::Ipv4Addr
        | Kind::Ipv6Addr
        | Kind::Ipv4Net
        | Kind::Ipv6Net
        | Kind::IpRange
        | Kind::IpPort
        | Kind::DomainName
        | Kind::Url
        | Kind::EmailAddr
        | Kind::FilePath => Err(Flaw::malformed("has rules of its own")),
    }
}

fn observed(kind: Kind, text: &str) -> Option<String> {
    if text.is_empty() || !kind.is_observable() {
        return None;
    }
    match kind {
        Kind::DomainName => name::seen(text).ok(),
        _ => single(kind, text).ok(),
    }
}

fn observe_address(text: &str, found: &mut dyn FnMut(Found)) -> bool {
    let Some(address) = address::observed(text) else { return false };
    found(Found { kind: address.kind, value: address.value, derived: false });
    true
}

fn observe_url(text: &str, found: &mut dyn FnMut(Found)) {
    let Ok(seen) = url::observed(text) else { return };
    if let Some(value) = seen.value {
        found(Found { kind: Kind::Url, value, derived: false });
    }
    if let Some(host) = seen.host {
        found(Found { kind: host.kind, value: host.value, derived: true });
    }
}

fn observe_mail(text: &str, found: &mut dyn FnMut(Found)) {
    let Ok(mail) = mail::read(text) else { return };
    found(Found { kind: Kind::EmailAddr, value: mail.value, derived: false });
    found(Found { kind: mail.domain.kind, value: mail.domain.value, derived: true });
}

fn observe_path(text: &str, found: &mut dyn FnMut(Found)) {
    let path = path::path(text).ok();
    let derived = path.is_some();
    if let Some(value) = path {
        found(Found { kind: Kind::FilePath, value, derived: false });
    }
    if let Ok(value) = path::name(text) {
        found(Found { kind: Kind::FileName, value, derived });
    }
}

/// Whether a text came from bytes that were not UTF-8.
fn is_damaged(text: &str) -> bool {
    !text.is_ascii() && text.contains(char::REPLACEMENT_CHARACTER)
}

/// The beginning of a text, for a message.
fn shown(text: &str) -> String {
    const LIMIT: usize = 120;
    let mut shown: String = text.chars().take(LIMIT).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
