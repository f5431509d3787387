//! Finds observables in free text: addresses, names, URLs, mail addresses, hashes (MATCHING.md,
//! "Which fields are observables": free-text messages are scanned by the extractor).
//!
//! One pass, no backtracking: the text is cut into chunks at blanks, quotes and angle brackets; a
//! chunk with `://` gives a URL; what is left is cut into words, and each word is looked at whole.
//! Since only whole words count, no part of `1.2.3.4.5`, `999.1.1.1` or a longer run of hex digits
//! is found.
//!
//! ```text
//! Failed password for root from 203.0.113.7 port 22 ssh2       -> ipv4-addr 203.0.113.7
//! connect from mail.example.com[198.51.100.4]:25               -> domain-name, ipv4-addr
//! client=a@example.com; dest=http://example.com/x?a=1, blocked -> email-addr, url, domain-name
//! ```
//!
//! Known holes, all on the side of evidence as it is written: a name needs a real public suffix,
//! so `host.lan` and `sshd.service` are none; two labels that end like a common file name
//! (`readme.md`, `setup.sh`) and components of paths are none; `evil.com.br` is one. A network
//! (`192.0.2.0/24`, host bits zero) is no observable, `192.0.2.7/24` is the address of an
//! interface. All-digit words are never hashes: they are counters and trace numbers.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use comity_model::canonical::{Found, observe};
use comity_model::{Kind, Observe};

/// Hands every observable that stands in `text` to `found`: its canonical value, and the text as it
/// stands; in order of appearance, each value once. What is part of another value (the host of a URL)
/// stands nowhere of its own: its value is given twice. Does not refang: evidence is read as it is.
pub fn observables(text: &str, found: &mut dyn FnMut(Kind, &str, &str)) {
    let mut seen: HashSet<(Kind, String)> = HashSet::new();
    let mut give = |kind: Kind, value: String, as_found: Option<&str>| {
        let entry = (kind, value);
        if !seen.contains(&entry) {
            found(entry.0, &entry.1, as_found.unwrap_or(&entry.1));
            seen.insert(entry);
        }
    };
    candidates(text, &mut |candidate| {
        let rule = match candidate.shape {
            Shape::Url => Observe::Url,
            Shape::Email => Observe::Email,
            Shape::Address | Shape::AddressPort { .. } => Observe::Address,
            Shape::Name => Observe::One(Kind::DomainName),
            Shape::Hash(kind) => {
                return give(kind, candidate.text.to_ascii_lowercase(), Some(candidate.text));
            }
            Shape::Network { host_bits: true, .. } => Observe::Address,
            Shape::Network { .. }
            | Shape::HostPath
            | Shape::NameOrFile
            | Shape::UnknownSuffix
            | Shape::Cve => return,
        };
        let text = match candidate.shape {
            Shape::AddressPort { address } | Shape::Network { address, .. } => address,
            _ => candidate.text,
        };
        observe(rule, text, &mut |Found { kind, value, derived }| {
            give(kind, value, (!derived).then_some(text));
        });
    });
}

/// What a piece of text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape<'a> {
    /// `scheme://…`
    Url,
    /// A name or address with a path but no scheme. The host is a candidate of its own.
    HostPath,
    /// `local@domain`
    Email,
    /// An address.
    Address,
    /// An address with a port.
    AddressPort {
        /// The address without port and brackets.
        address: &'a str,
    },
    /// An address with a prefix length.
    Network {
        /// The address without the length.
        address: &'a str,
        /// Whether it has bits behind the length, as the address of an interface has.
        host_bits: bool,
    },
    /// A name under a public suffix.
    Name,
    /// A name that is as likely a file's: `readme.md`.
    NameOrFile,
    /// Dotted labels under no public suffix.
    UnknownSuffix,
    /// A digest in hex, its kind told by its length.
    Hash(Kind),
    /// A CVE identifier.
    Cve,
}

/// A piece of text that looks like an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    /// Offset of its first byte.
    pub(crate) offset: usize,
    /// The text.
    pub(crate) text: &'a str,
    /// What it looks like.
    pub(crate) shape: Shape<'a>,
}

/// Hands every candidate in `text` to `take`, in order of appearance. Linear in the text.
pub(crate) fn candidates<'a>(text: &'a str, take: &mut dyn FnMut(Candidate<'a>)) {
    let bytes = text.as_bytes();
    let has_urls = memchr::memmem::find(bytes, b"://").is_some();
    let mut scan = Scan { text, take, paths_end: 0 };
    if !has_urls {
        return scan.words(0, bytes.len());
    }
    let mut at = 0;
    while at < bytes.len() {
        let start = at + bytes.iter().skip(at).take_while(|byte| ends_chunk(**byte)).count();
        let end = start + bytes.iter().skip(start).take_while(|byte| !ends_chunk(**byte)).count();
        let mut scan = Scan { text, take, paths_end: 0 };
        if has_urls {
            scan.chunk(start, end)
        } else {
            scan.words(start, end)
        }
        at = end.max(at + 1);
    }
}

/// Whether a byte can stand in nothing that is looked for.
fn ends_chunk(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | 0x7f)
}

/// Longest scheme that is looked for, bytes.
const LONGEST_SCHEME: usize = 20;

/// A text under scan.
struct Scan<'a, 'f> {
    text: &'a str,
    take: &'f mut dyn FnMut(Candidate<'a>),
    /// End of the last host with a path: what lies in a path is no other one, and is not read twice.
    paths_end: usize,
}

impl<'a> Scan<'a, '_> {
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    fn give(&mut self, start: usize, end: usize, shape: Shape<'a>) {
        let text = self.slice(start, end);
        (self.take)(Candidate { offset: start, text, shape });
    }

    /// Reads a stretch without blanks: its URLs, and the words before, between and after them.
    fn chunk(&mut self, start: usize, end: usize) {
        let mut at = start;
        for slashes in memchr::memmem::find_iter(self.slice(start, end).as_bytes(), b"://") {
            let slashes = start + slashes;
            if slashes < at {
                continue; // inside the URL before
            }
            let Some(scheme) = self.scheme(at, slashes) else { continue };
            let url_end = self.url_end(slashes + 3, end);
            if url_end > slashes + 3 {
                self.words(at, scheme);
                self.give(scheme, url_end, Shape::Url);
                at = url_end;
            }
        }
        self.words(at, end);
    }

    /// Where the scheme that ends at `slashes` begins, not before `floor`.
    fn scheme(&self, floor: usize, slashes: usize) -> Option<usize> {
        let before = self.text.as_bytes().get(floor..slashes)?;
        let length = before
            .iter()
            .rev()
            .take(LONGEST_SCHEME + 1)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            .count();
        let run = before.get(before.len() - length..)?;
        let lead = run.iter().take_while(|byte| !byte.is_ascii_alphabetic()).count();
        (length <= LONGEST_SCHEME && lead < length).then_some(slashes - length + lead)
    }

    /// Where a URL ends whose host begins at `start`: before a bracket that the URL did not open,
    /// before a separator that is followed by another URL, and without trailing punctuation.
    fn url_end(&self, start: usize, end: usize) -> usize {
        let bytes = self.text.as_bytes();
        let (mut round, mut square, mut curly) = (0u32, 0u32, 0u32);
        let mut at = start;
        while at < end {
            let stop = match bytes.get(at) {
                Some(b'\\' | b'|') => true,
                Some(b'(') => open(&mut round),
                Some(b'[') => open(&mut square),
                Some(b'{') => open(&mut curly),
                Some(b')') => close(&mut round),
                Some(b']') => close(&mut square),
                Some(b'}') => close(&mut curly),
                Some(b',' | b';') => self.scheme_follows(at + 1, end),
                _ => false,
            };
            if stop {
                break;
            }
            at += 1;
        }
        let kept =
            self.slice(start, at).trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '…', '”', '’', '»']);
        start + kept.len()
    }

    /// Whether `scheme://` begins at `at`.
    fn scheme_follows(&self, at: usize, end: usize) -> bool {
        let rest = self.text.as_bytes().get(at..end).unwrap_or_default();
        let length = rest.iter().take(LONGEST_SCHEME).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        length > 0 && rest.get(length..).is_some_and(|rest| rest.starts_with(b"://"))
    }

    /// Cuts a stretch into words.
    fn words(&mut self, start: usize, end: usize) {
        let bytes = self.text.as_bytes();
        let mut at = start;
        while at < end {
            let mut word = Word { start: at, dots: 0, colons: 0, ats: 0 };
            while let Some(&byte) = bytes.get(at).filter(|_| at < end) {
                match byte {
                    b'.' => word.dots += 1,
                    b':' => word.colons += 1,
                    b'@' => word.ats += 1,
                    b'-' | b'_' | b'%' | b'+' => {}
                    _ if byte.is_ascii_alphanumeric() => {}
                    0x80.. => match self.slice(at, end).chars().next() {
                        Some(c) if c.is_alphanumeric() || c == char::REPLACEMENT_CHARACTER => {
                            at += c.len_utf8() - 1;
                        }
                        _ => break,
                    },
                    _ => break,
                }
                at += 1;
            }
            if at - word.start > 3 {
                self.word(word, at);
            }
            let step = self.slice(at, end).chars().next().map_or(1, char::len_utf8);
            at += step;
        }
    }

    fn word(&mut self, word: Word, end: usize) {
        if word.ats > 0 {
            self.mail(word.start, end);
        } else if word.colons > 0 {
            self.colons(word.start, end);
        } else if word.dots > 0 || end - word.start >= 32 {
            self.plain(word.start, end);
        } else if end - word.start >= 13 {
            self.cve(word.start, end);
        }
    }

    /// A word with `@`.
    fn mail(&mut self, start: usize, end: usize) {
        let text = self.slice(start, end);
        if let Some((local, domain)) = text.split_once('@') {
            let local_start = local.rfind(':').map_or(0, |at| at + 1);
            let domain = domain.split(':').next().unwrap_or("").trim_end_matches(TRIMMED);
            let local_ok = (1..=64).contains(&(local.len() - local_start)) && !domain.contains('@');
            if local_ok && has_public_suffix(domain) {
                let stop = start + local.len() + 1 + domain.len();
                return self.give(start + local_start, stop, Shape::Email);
            }
        }
        let mut at = start;
        for part in text.split('@') {
            self.colons(at, at + part.len());
            at += part.len() + 1;
        }
    }

    /// A word with `:`: an IPv6 address, or parts.
    fn colons(&mut self, start: usize, end: usize) {
        let text = self.slice(start, end);
        if text.len() >= 3 {
            let tail = text.split_once(':').map_or(text, |(_, tail)| tail);
            for whole in [text, tail] {
                let kept = whole.strip_suffix(':').filter(|rest| !rest.ends_with(':')).unwrap_or(whole);
                let kept = kept.trim_matches(['.', '-', '_', '+']);
                if is_ipv6(kept) {
                    let from = start + (text.len() - whole.len());
                    return self.address(from, from + kept.len());
                }
            }
        }
        let mut at = start;
        for part in text.split(':') {
            self.plain(at, at + part.len());
            at += part.len() + 1;
        }
    }

    /// A word with neither `@` nor `:`.
    fn plain(&mut self, start: usize, end: usize) {
        let text = self.slice(start, end);
        let kept = text.trim_start_matches(LEADING);
        let start = start + (text.len() - kept.len());
        let kept = kept.trim_end_matches(TRIMMED);
        let end = start + kept.len();
        if let Some(kind) = hash_kind(kept) {
            self.give(start, end, Shape::Hash(kind));
        } else if kept.parse::<Ipv4Addr>().is_ok() {
            self.address(start, end);
        } else if let Some((first, last)) = kept.split_once('-').filter(|(a, b)| are_ipv4(a, b)) {
            self.give(start, start + first.len(), Shape::Address);
            self.give(end - last.len(), end, Shape::Address);
        } else if let Some(shape) = self.name(start, end) {
            self.give(start, end, shape);
            self.host_path(start, end);
        }
    }

    /// An address, and what its surroundings make of it.
    fn address(&mut self, start: usize, end: usize) {
        let address = self.slice(start, end);
        let rest = self.slice(end, self.text.len());
        if let Some(digits) = rest.strip_prefix('/').map(leading_digits).filter(|digits| !digits.is_empty()) {
            let stop = end + 1 + digits.len();
            if ends_word(self.text.as_bytes().get(stop)) && digits.len() <= 3 {
                return match host_bits(address, digits) {
                    Some(host_bits) => self.give(start, stop, Shape::Network { address, host_bits }),
                    None => self.give(start, end, Shape::Address),
                };
            }
        }
        if let Some((first, last)) = self.with_port(start, end) {
            return self.give(first, last, Shape::AddressPort { address });
        }
        self.give(start, end, Shape::Address);
        self.host_path(start, end);
    }

    /// Where an address with a port begins and ends: `1.2.3.4:80`, `[2001:db8::1]:80`.
    fn with_port(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let bytes = self.text.as_bytes();
        let six = bytes.get(start..end)?.contains(&b':');
        let bracketed = start > 0 && bytes.get(start - 1) == Some(&b'[') && bytes.get(end) == Some(&b']');
        let (first, after) = match (six, bracketed) {
            (false, _) => (start, end),
            (true, true) => (start - 1, end + 1),
            (true, false) => return None,
        };
        let digits = leading_digits(self.slice(after, self.text.len()).strip_prefix(':')?);
        let last = after + 1 + digits.len();
        let port: u16 = digits.parse().ok()?;
        (port > 0 && ends_word(bytes.get(last))).then_some((first, last))
    }

    /// A path right after a host makes a URL without a scheme.
    fn host_path(&mut self, start: usize, end: usize) {
        let bytes = self.text.as_bytes();
        let slash = match bytes.get(end) {
            Some(b'/') => end,
            Some(b':') => {
                let digits = leading_digits(self.slice(end + 1, self.text.len()));
                end + 1 + digits.len()
            }
            _ => return,
        };
        if bytes.get(slash) != Some(&b'/') || start < self.paths_end {
            return;
        }
        let stretch = self.text.as_bytes().get(slash..).unwrap_or_default();
        let length = stretch.iter().take_while(|byte| !ends_chunk(**byte)).count();
        let stop = self.url_end(slash, slash + length);
        self.paths_end = slash + length;
        if stop > slash + 1 {
            self.give(start, stop, Shape::HostPath);
        }
    }

    /// A word as a name: under a public suffix and no component of a path.
    fn name(&self, start: usize, end: usize) -> Option<Shape<'a>> {
        let bytes = self.text.as_bytes();
        let text = self.slice(start, end);
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        if matches!(before, Some(b'/' | b'\\')) || !has_labels(text) {
            return None;
        }
        if !has_public_suffix(text) {
            return Some(Shape::UnknownSuffix);
        }
        let with_port = bytes.get(end) == Some(&b':') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        Some(if is_file_like(text) && !with_port { Shape::NameOrFile } else { Shape::Name })
    }

    fn cve(&mut self, start: usize, end: usize) {
        let text = self.slice(start, end);
        let kept = text.trim_matches(['-', '_', '+']);
        if is_cve(kept) {
            let start = start + (text.len() - text.trim_start_matches(['-', '_', '+']).len());
            self.give(start, start + kept.len(), Shape::Cve);
        }
    }
}

/// Characters cut from the front of a word; an underscore may begin a name.
const LEADING: [char; 4] = ['.', '-', '+', '%'];
/// Characters cut from the end of a word.
const TRIMMED: [char; 5] = ['.', '-', '_', '+', '%'];

/// A word's beginning and what it holds.
struct Word {
    start: usize,
    dots: u32,
    colons: u32,
    ats: u32,
}

fn open(depth: &mut u32) -> bool {
    *depth += 1;
    false
}

/// Whether a closing bracket was never opened.
fn close(depth: &mut u32) -> bool {
    match depth.checked_sub(1) {
        Some(less) => {
            *depth = less;
            false
        }
        None => true,
    }
}

fn leading_digits(text: &str) -> &str {
    let length = text.bytes().take(6).take_while(u8::is_ascii_digit).count();
    text.get(..length).unwrap_or("")
}

/// Whether a number can end before this byte.
fn ends_word(byte: Option<&u8>) -> bool {
    byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'/' | 0x80..))
}

fn are_ipv4(first: &str, last: &str) -> bool {
    first.parse::<Ipv4Addr>().is_ok() && last.parse::<Ipv4Addr>().is_ok()
}

/// Whether a text is an IPv6 address, and not rather a MAC-48 or EUI-64 number or two words of
/// hex letters (`dead::beef`), which a programmer wrote.
fn is_ipv6(text: &str) -> bool {
    let plausible = text.len() >= 3
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.parse::<Ipv6Addr>().is_ok();
    plausible && (text.contains("::") || text.split(':').any(|group| group.len() != 2))
}

/// Whether an address has bits behind a prefix length; `None` where that is no length of a network
/// of several addresses.
fn host_bits(address: &str, digits: &str) -> Option<bool> {
    let length: u32 = digits.parse().ok()?;
    if let Ok(four) = address.parse::<Ipv4Addr>() {
        return (length < 32).then(|| u64::from(u32::from(four)) << (32 + length) != 0);
    }
    let six = u128::from(address.parse::<Ipv6Addr>().ok()?);
    (length < 128).then(|| six << length != 0)
}

/// Kind of a digest by its length, where a text is one: hex, with a letter among the digits.
pub(crate) fn hash_kind(text: &str) -> Option<Kind> {
    let kind = match text.len() {
        32 => Kind::FileMd5,
        40 => Kind::FileSha1,
        64 => Kind::FileSha256,
        128 => Kind::FileSha512,
        _ => return None,
    };
    let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && text.bytes().any(|byte| byte.is_ascii_alphabetic())).then_some(kind)
}

pub(crate) fn is_cve(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is = |part: Option<&str>, test: fn(&str) -> bool| part.is_some_and(test);
    is(parts.next(), |part| part.eq_ignore_ascii_case("cve"))
        && is(parts.next(), |part| part.len() == 4 && all_digits(part))
        && is(parts.next(), |part| part.len() >= 4 && all_digits(part))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is dotted labels of which the last begins with no digit.
fn has_labels(text: &str) -> bool {
    let Some((_, last)) = text.rsplit_once('.') else { return false };
    let is_label = |label: &str| {
        let is_mark = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || byte >= 0x80;
        !label.is_empty() && label.bytes().all(is_mark)
    };
    let last_ok = last.len() >= 2 && !last.starts_with(|c: char| c.is_ascii_digit());
    last_ok && text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether a text is dotted labels under a suffix that the public suffix list knows.
pub(crate) fn has_public_suffix(text: &str) -> bool {
    has_labels(text) && {
        let lower = text.to_lowercase();
        psl::suffix(lower.as_bytes()).is_some_and(|suffix| suffix.is_known())
    }
}

/// Whether a name has two labels of which the last is better known as an ending of file names.
/// Large top-level domains (`pl`, `rs`, `in`, `ai`, `app`, `com`) are left out: a country's names
/// weigh more than its scripts.
pub(crate) fn is_file_like(name: &str) -> bool {
    const ENDINGS: [&str; 16] = [
        "bz",
        "cab",
        "gz",
        "md",
        "mk",
        "mov",
        "properties",
        "ps",
        "pub",
        "py",
        "sh",
        "so",
        "target",
        "vi",
        "zip",
        "zone",
    ];
    name.split_once('.')
        .is_some_and(|(_, last)| ENDINGS.iter().any(|ending| last.eq_ignore_ascii_case(ending)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shapes(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        candidates(text, &mut |found| {
            assert_eq!(text.get(found.offset..found.offset + found.text.len()), Some(found.text));
            let shape = match found.shape {
                Shape::Url => "url",
                Shape::HostPath => "path",
                Shape::Email => "mail",
                Shape::Address => "addr",
                Shape::AddressPort { .. } => "port",
                Shape::Network { host_bits: true, .. } => "host",
                Shape::Network { .. } => "net",
                Shape::Name => "name",
                Shape::NameOrFile | Shape::UnknownSuffix => return,
                Shape::Hash(kind) => kind.as_str(),
                Shape::Cve => "cve",
            };
            all.push(format!("{shape} {}", found.text));
        });
        all
    }

    const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

    #[test]
    fn addresses_stand_whole() {
        let cases: &[(&str, &[&str])] = &[
            ("from 203.0.113.7 port 22", &["addr 203.0.113.7"]),
            ("rhost=203.0.113.7  user=root", &["addr 203.0.113.7"]),
            (
                "getaddrinfo for ns.example.com [203.0.113.7] failed",
                &["name ns.example.com", "addr 203.0.113.7"],
            ),
            ("(203.0.113.7), 198.51.100.9.", &["addr 203.0.113.7", "addr 198.51.100.9"]),
            ("203.0.113.7:443", &["port 203.0.113.7:443"]),
            ("a=203.0.113.7:443;", &["port 203.0.113.7:443"]),
            ("203.0.113.7:443abc", &["addr 203.0.113.7"]),
            ("203.0.113.7-203.0.113.9", &["addr 203.0.113.7", "addr 203.0.113.9"]),
            ("root@203.0.113.7", &["addr 203.0.113.7"]),
            ("/203.0.113.7:80", &["port 203.0.113.7:80"]),
            (
                "192.0.2.0/24 192.0.2.7/24 192.0.2.7/32",
                &["net 192.0.2.0/24", "host 192.0.2.7/24", "addr 192.0.2.7"],
            ),
            ("1.2.3.4.5 999.1.1.1 01.2.3.4 1.2.3 v1.2.3.4 1.2.3.4-beta", &[]),
            ("[2001:db8::1]:443 from 2001:db8::2: closed", &["port [2001:db8::1]:443", "addr 2001:db8::2"]),
            ("[IPv6:2001:db8::1]", &["addr 2001:db8::1"]),
            ("::ffff:203.0.113.7", &["addr ::ffff:203.0.113.7"]),
            ("fe80::1%eth0 12:34:56 00:11:22:33:44:55 00:11:22:33:44:55:66:77 dead::beef a::b", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(shapes(text), *expected, "{text}");
        }
    }

    #[test]
    fn names_need_a_public_suffix_and_are_no_files() {
        let cases: &[(&str, &[&str])] = &[
            ("query evil.com, then a.evil.co.uk.", &["name evil.com", "name a.evil.co.uk"]),
            ("evil.com:443", &["name evil.com"]),
            ("_dmarc.example.com", &["name _dmarc.example.com"]),
            ("www.evil.sh evil.sh:443 evil.pl", &["name www.evil.sh", "name evil.sh", "name evil.pl"]),
            ("started sshd.service, read readme.md, setup.sh, host.lan, a..com", &[]),
            ("/var/www/example.com C:\\tmp\\example.com", &[]),
            ("münchen.de", &["name münchen.de"]),
            ("“evil.com”", &["name evil.com"]),
            ("expyuzz4wqqyqhjn.onion", &["name expyuzz4wqqyqhjn.onion"]),
            ("q=http%3A%2F%2Fevil.com", &[]),
            ("evil.com/gate.php?id=1)", &["name evil.com", "path evil.com/gate.php?id=1"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shapes(text), *expected, "{text}");
        }
    }

    #[test]
    fn urls_end_where_a_person_would_end_them() {
        let cases: &[(&str, &[&str])] = &[
            ("(see http://evil.com/a).", &["url http://evil.com/a"]),
            ("http://evil.com/a,", &["url http://evil.com/a"]),
            ("http://evil.com/a_(b)", &["url http://evil.com/a_(b)"]),
            ("<http://evil.com/a>;", &["url http://evil.com/a"]),
            ("url=http://[2001:db8::1]:8080/x", &["url http://[2001:db8::1]:8080/x"]),
            ("http://a.com,http://b.com", &["url http://a.com", "url http://b.com"]),
            ("http://a.com/?u=http://b.com/", &["url http://a.com/?u=http://b.com/"]),
            ("1.2.3.4 GET hxxp://a.com", &["addr 1.2.3.4", "url hxxp://a.com"]),
            ("http://user:pw@evil.com/", &["url http://user:pw@evil.com/"]),
            ("a http:// b ://c.com", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(shapes(text), *expected, "{text}");
        }
    }

    #[test]
    fn mail_addresses_and_hashes() {
        let cases: Vec<(String, Vec<String>)> = vec![
            (
                "from=<user@example.com>, to:a.b+c@example.org.".into(),
                vec!["mail user@example.com".into(), "mail a.b+c@example.org".into()],
            ),
            ("user@localhost user@host.lan".into(), vec![]),
            (format!("SHA1={SHA1},x"), vec![format!("file-sha1 {SHA1}")]),
            (format!("sha1:{SHA1}"), vec![format!("file-sha1 {SHA1}")]),
            (format!("{SHA1}0 a{SHA1} {SHA1}.exe"), vec![]),
            ("0".repeat(32), vec![]),
            ("CVE-2021-44228 cve-2021-1".into(), vec!["cve CVE-2021-44228".into()]),
        ];
        for (text, expected) in cases {
            assert_eq!(shapes(&text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            shapes(&text);
        }

        #[test]
        fn any_text_of_marks_is_read(text in "[a-z0-9.:/@\\[\\](){},;% é・-]{0,60}") {
            shapes(&text);
        }

        #[test]
        fn an_address_is_found_between_any_delimiters(a: [u8; 4], before in "[ =(\\[<\"]", after in "[ )\\]>\",;]") {
            let address = Ipv4Addr::from(a).to_string();
            prop_assert_eq!(shapes(&format!("x{before}{address}{after}y")), vec![format!("addr {address}")]);
        }
    }
}
