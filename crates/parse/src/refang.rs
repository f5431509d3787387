//! Undoes defanging: `hxxp://evil[.]com` is read as `http://evil.com` (MATCHING.md, "Refanging").
//! For feeds and reports only; evidence is read as it is.
//!
//! | part | written as |
//! |---|---|
//! | scheme | `hxxp` `hxtp` `htxp` `h**p` `httx` `hpp` `meow`, each with `s`, any case; `fxp`; `[http]` `h[tt]p` |
//! | `://` | `[:]//` `[://]` `:\\` `:__` |
//! | dot | `[.]` `(.)` `{.}` `<.>`, the same around `dot`, blanks inside or around; `\.` `^.`; ` dot ` ` DOT ` between labels; fullwidth `．` `。` `・` |
//! | at | `[@]` `(@)` `{@}`, the same around `at` |
//! | colon | `[:]` |
//! | anything | one bracketed letter or digit inside a word: `ev[i]l.com` |
//! | comma | for a dot, inside four numbers only |
//!
//! Hidden text (base64, hex) is not decoded. What stays unclear (`evil,com`, `evil[.com`,
//! `http__evil.com`) is left as it is, or is a finding whose value is a reject.

use std::borrow::Cow;

use comity_model::canonical::{self, Found, observe, trimmed};
use comity_model::{Kind, Observe, Reason, Reject};

use crate::extract::{Candidate, Shape, candidates, has_public_suffix};
use crate::feed::value::{is_file_name, shown};

/// Something in a text that is or looks like an indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Offset of the first byte in the text as given.
    pub offset: usize,
    /// Length in the text as given, bytes.
    pub length: usize,
    /// The text as found.
    pub found: String,
    /// The text refanged.
    pub refanged: String,
    /// Kind that the text has; that of the canonical value where there is one.
    pub kind: Kind,
    /// Canonical value, or why the text is no indicator.
    pub value: Result<String, Reject>,
    /// Whether the text had been defanged.
    pub defanged: bool,
    /// Whether it is part of another finding: the host of a URL, the domain of a mail address, the
    /// address of an address with a port.
    pub derived: bool,
}

/// Finds the indicators of a report or other free text, in order of appearance.
pub fn find(text: &str) -> Vec<Finding> {
    let refanged = Refanged::read(text, false);
    let mut findings = Vec::new();
    candidates(&refanged.text, &mut |candidate| {
        let start = refanged.before(candidate.offset);
        let end = refanged.after(candidate.offset + candidate.text.len());
        let found = text.get(start..end).unwrap_or("");
        let base = Finding {
            offset: start,
            length: end - start,
            found: found.to_owned(),
            refanged: candidate.text.to_owned(),
            kind: Kind::Url,
            value: Ok(String::new()),
            defanged: found != candidate.text,
            derived: false,
        };
        conclude(candidate, base, &mut findings);
    });
    findings
}

/// A cell of a feed, refanged; borrowed where there is nothing to undo. Blanks around it are cut.
pub fn value(text: &str) -> Cow<'_, str> {
    let text = trimmed(text);
    // no colon, no scheme
    if text.bytes().all(|byte| !may_defang(byte)) {
        return Cow::Borrowed(text);
    }
    let refanged = Refanged::read(text, true);
    if refanged.edits.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(refanged.text) }
}

/// Bytes without which a word is as it was meant, save for its scheme.
fn may_defang(byte: u8) -> bool {
    matches!(byte, b'[' | b'(' | b'{' | b'<' | b'\\' | b'^' | b' ' | b',' | b':' | b'*' | 0x80..)
}

/// Turns a candidate into findings.
fn conclude(candidate: Candidate<'_>, base: Finding, findings: &mut Vec<Finding>) {
    let text = candidate.text;
    let mut give = |kind: Kind, text: &str, derived: bool| {
        let mut finding = Finding { derived, ..base.clone() };
        (finding.kind, finding.value) = match canonical::indicator(kind, text) {
            Ok(canonical) => (canonical.kind, Ok(canonical.value)),
            Err(reject) => (kind, Err(reject)),
        };
        findings.push(finding);
    };
    let mut parts: Vec<Found> = Vec::new();
    match candidate.shape {
        Shape::Url => {
            give(Kind::Url, text, false);
            observe(Observe::Url, text, &mut |found| parts.extend(Some(found).filter(|found| found.derived)));
        }
        Shape::Email => {
            give(Kind::EmailAddr, text, false);
            observe(Observe::Email, text, &mut |found| {
                parts.extend(Some(found).filter(|found| found.derived))
            });
        }
        Shape::AddressPort { address } => {
            give(Kind::IpPort, text, false);
            give(family(address), address, true);
        }
        Shape::Address => give(family(text), text, false),
        Shape::Network { .. } if text.contains(':') => give(Kind::Ipv6Net, text, false),
        Shape::Network { .. } => give(Kind::Ipv4Net, text, false),
        Shape::Hash(kind) => give(kind, text, false),
        Shape::Cve => give(Kind::Cve, text, false),
        Shape::Name | Shape::HostPath if hides_scheme(text) => {
            let why = format!("{:?} may be a URL or a name with underscores", shown(text));
            findings.push(unclear(base, why));
        }
        Shape::HostPath if !base.defanged && !is_known_host(text) => {}
        Shape::HostPath => give(Kind::Url, text, false),
        Shape::UnknownSuffix if !base.defanged => {}
        Shape::NameOrFile if !base.defanged => {
            findings.push(unclear(base, format!("{:?} may be a name or a file", shown(text))));
        }
        Shape::UnknownSuffix if is_file_name(text) => {
            findings.push(unclear(base, format!("{:?} looks like a file name", shown(text))));
        }
        // nobody defangs what is no indicator
        Shape::Name | Shape::NameOrFile | Shape::UnknownSuffix => give(Kind::DomainName, text, false),
    }
    for part in parts {
        give_part(findings, &part);
    }
}

/// Adds the host or domain of the finding just made.
fn give_part(findings: &mut Vec<Finding>, part: &Found) {
    let Some(mut finding) = findings.last().cloned() else { return };
    finding.derived = true;
    (finding.kind, finding.value) = match canonical::indicator(part.kind, &part.value) {
        Ok(canonical) => (canonical.kind, Ok(canonical.value)),
        Err(reject) => (part.kind, Err(reject)),
    };
    findings.push(finding);
}

fn unclear(base: Finding, why: String) -> Finding {
    Finding { kind: Kind::DomainName, value: Err(Reject::new(Reason::Ambiguous, why)), ..base }
}

/// Whether the host of a URL without a scheme is an address or stands under a public suffix.
fn is_known_host(text: &str) -> bool {
    let host = text.split(['/', ':']).next().unwrap_or("");
    has_public_suffix(host) || host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn family(address: &str) -> Kind {
    if address.contains(':') { Kind::Ipv6Addr } else { Kind::Ipv4Addr }
}

/// Whether a word begins like `http__evil.com`.
pub(crate) fn hides_scheme(text: &str) -> bool {
    text.split_once("__").is_some_and(|(scheme, _)| known_scheme(scheme).is_some())
}

/// One stretch that was written differently.
#[derive(Debug)]
struct Edit {
    in_start: usize,
    in_end: usize,
    out_start: usize,
    out_end: usize,
}

/// A refanged text and how its offsets relate to those of the text as given.
#[derive(Debug, Default)]
struct Refanged {
    text: String,
    edits: Vec<Edit>,
}

impl Refanged {
    /// Reads a text; `cell` says that it is one value rather than prose.
    fn read(text: &str, cell: bool) -> Self {
        let mut reader = Reader { text, at: 0, out: Self::default(), cell, backslashes: false, query: false };
        while let Some(c) = reader.rest().chars().next() {
            reader.step(c);
        }
        reader.out
    }

    /// Offset in the text as given of what begins at `out`.
    fn before(&self, out: usize) -> usize {
        let edit = self.edits.partition_point(|edit| edit.out_end <= out);
        match self.edits.get(edit) {
            Some(inside) if inside.out_start <= out => inside.in_start,
            _ => self.moved(edit, out),
        }
    }

    /// Offset in the text as given of what ends at `out`.
    fn after(&self, out: usize) -> usize {
        let edit = self.edits.partition_point(|edit| edit.out_start < out);
        match edit.checked_sub(1).and_then(|last| self.edits.get(last)) {
            Some(inside) if out <= inside.out_end => inside.in_end,
            _ => self.moved(edit, out),
        }
    }

    fn moved(&self, edit: usize, out: usize) -> usize {
        match edit.checked_sub(1).and_then(|last| self.edits.get(last)) {
            Some(last) => last.in_end + (out - last.out_end),
            None => out,
        }
    }
}

/// Most bytes that a scheme and what separates it from the host take, brackets included.
const LONGEST_SCHEME: usize = 24;

/// Reads a text from left to right.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: Refanged,
    cell: bool,
    /// Whether the word's scheme was followed by backslashes, so that they all mean slashes.
    backslashes: bool,
    /// Whether the word has come to a query, where brackets are the URL's own.
    query: bool,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn step(&mut self, c: char) {
        if c.is_whitespace() {
            self.backslashes = false;
            self.query = false;
        }
        self.query |= matches!(c, '?' | '=');
        let mark = match c {
            '[' | '(' | '{' | '<' => self.scheme().or_else(|| self.bracket()),
            '\\' | '^' => self.escaped(),
            ' ' => self.spaced(),
            '．' | '。' | '・' | '｡' => self.wide(c),
            '0'..='9' => self.quad(),
            'h' | 'H' | 'm' | 'M' | 'f' | 'F' => self.scheme(),
            _ => None,
        };
        match mark {
            Some((length, text)) => self.replace(length, &text),
            None => {
                self.out.text.push(c);
                self.at += c.len_utf8();
            }
        }
    }

    fn replace(&mut self, length: usize, text: &str) {
        let same = self.rest().get(..length) == Some(text);
        let out_start = self.out.text.len();
        self.out.text.push_str(text);
        if !same {
            let out_end = self.out.text.len();
            self.out.edits.push(Edit { in_start: self.at, in_end: self.at + length, out_start, out_end });
        }
        self.at += length;
    }

    /// The last character put out.
    fn last(&self) -> Option<char> {
        self.out.text.chars().next_back()
    }

    /// Whether what was put out ends in the midst of an indicator.
    fn inside(&self) -> bool {
        self.last()
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '@' | '/' | '+'))
    }

    /// A scheme at the beginning of a word, with what separates it from the host.
    fn scheme(&mut self) -> Option<(usize, String)> {
        if self.last().is_some_and(char::is_alphanumeric) {
            return None;
        }
        let rest = self.rest().as_bytes();
        let bytes = rest.get(..LONGEST_SCHEME).unwrap_or(rest);
        let mut name = String::new();
        let mut at = 0;
        let mut depth = 0i32;
        let skip = |at: &mut usize, depth: &mut i32| {
            while let Some(step) = bytes.get(*at).and_then(bracket_step) {
                *depth += step;
                *at += 1;
            }
        };
        skip(&mut at, &mut depth);
        while let Some(byte) = bytes.get(at).filter(|byte| byte.is_ascii_alphabetic() || **byte == b'*') {
            name.push(char::from(byte.to_ascii_lowercase()));
            at += 1;
            skip(&mut at, &mut depth);
            if name.len() > 6 {
                return None;
            }
        }
        let scheme = known_scheme(&name)?;
        if bytes.get(at) != Some(&b':') {
            return None;
        }
        at += 1;
        skip(&mut at, &mut depth);
        let slash = *bytes.get(at).filter(|byte| matches!(byte, b'/' | b'\\' | b'_'))?;
        at += 1;
        skip(&mut at, &mut depth);
        if bytes.get(at) != Some(&slash) {
            return None;
        }
        at += 1;
        while depth > 0 && bytes.get(at).and_then(bracket_step) == Some(-1) {
            depth -= 1;
            at += 1;
        }
        if depth != 0 {
            return None;
        }
        self.backslashes = slash == b'\\';
        Some((at, format!("{scheme}://")))
    }

    /// A bracketed mark, or one bracketed character.
    fn bracket(&self) -> Option<(usize, String)> {
        let rest = self.rest();
        let closing = match rest.bytes().next()? {
            b'[' => b']',
            b'(' => b')',
            b'{' => b'}',
            _ => b'>',
        };
        let length = rest.bytes().take(8).position(|byte| byte == closing)?;
        let inner = rest.get(1..length)?;
        let after = rest.get(length + 1..)?;
        let meant = match inner.trim() {
            "." => ".",
            "@" => "@",
            ":" => ":",
            "://" => "://",
            "/" if closing == b']' => "/",
            word if word.eq_ignore_ascii_case("dot") => ".",
            word if word.eq_ignore_ascii_case("at") => "@",
            one if closing == b']' && self.is_letter_inside(one, after) => one,
            _ => return None,
        };
        if !self.inside() {
            return None;
        }
        let blanks = usize::from(matches!(meant, "." | "@") && after.starts_with(' '));
        let next = after.get(blanks..)?.chars().next()?;
        let is_letter = meant.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let goes_on = (is_letter && next == '.')
            || next.is_alphanumeric()
            || matches!(next, '[' | '(' | '{' | '<' | '/' | ':' | '\\' | '_' | '-');
        (goes_on && (blanks == 0 || next.is_alphanumeric())).then(|| (length + 1 + blanks, meant.to_owned()))
    }

    /// Whether a bracketed character is a letter or digit of the word around it.
    fn is_letter_inside(&self, one: &str, after: &str) -> bool {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        !self.query
            && one.len() == 1
            && one.chars().all(|c| c.is_ascii_alphanumeric())
            && self.last().is_some_and(word)
            && after.chars().next().is_some_and(|c| word(c) || c == '[')
    }

    /// `\.` and `^.` between labels; backslashes for slashes.
    fn escaped(&self) -> Option<(usize, String)> {
        let mut after = self.rest().chars().skip(1);
        if after.next() == Some('.') {
            let goes_on = after.next().is_some_and(char::is_alphanumeric);
            return (goes_on && self.inside()).then(|| (2, ".".to_owned()));
        }
        (self.backslashes && self.rest().starts_with('\\')).then(|| (1, "/".to_owned()))
    }

    /// ` dot ` between labels, and a blank before a bracketed dot or at.
    fn spaced(&mut self) -> Option<(usize, String)> {
        if !self.last().is_some_and(char::is_alphanumeric) {
            return None;
        }
        let rest = self.rest();
        if let Some(after) = rest.strip_prefix(" dot ").or_else(|| rest.strip_prefix(" DOT ")) {
            return after.chars().next().filter(|c| c.is_alphanumeric()).map(|_| (5, ".".to_owned()));
        }
        if !matches!(rest.as_bytes().get(1), Some(b'[' | b'(' | b'{')) {
            return None;
        }
        self.at += 1;
        let mark = self.bracket();
        self.at -= 1;
        mark.filter(|(_, text)| matches!(text.as_str(), "." | "@")).map(|(length, text)| (length + 1, text))
    }

    /// A wide dot between ASCII letters or digits.
    fn wide(&self, c: char) -> Option<(usize, String)> {
        let next = self.rest().chars().nth(1)?;
        let between =
            self.last().is_some_and(|last| last.is_ascii_alphanumeric()) && next.is_ascii_alphanumeric();
        between.then(|| (c.len_utf8(), ".".to_owned()))
    }

    /// Four numbers with commas for dots; in prose two dots must be there, since four
    /// numbers with commas are a list.
    fn quad(&self) -> Option<(usize, String)> {
        if self.last().is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | ',' | '-')) {
            return None;
        }
        let bytes = self.rest().as_bytes();
        let (mut at, mut commas, mut dots) = (0, 0, 0);
        let mut text = String::new();
        for part in 0..4 {
            if part > 0 {
                match bytes.get(at) {
                    Some(b',') => commas += 1,
                    Some(b'.') => dots += 1,
                    _ => return None,
                }
                text.push('.');
                at += 1;
            }
            let digits = bytes.iter().skip(at).take(4).take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=3).contains(&digits) {
                return None;
            }
            text.extend(bytes.iter().skip(at).take(digits).map(|byte| char::from(*byte)));
            at += digits;
        }
        let ends = match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'.' | b','), Some(next)) => !next.is_ascii_digit(),
            (Some(next), _) => !next.is_ascii_alphanumeric(),
            (None, _) => true,
        };
        (ends && commas > 0 && (self.cell || dots > 1)).then_some((at, text))
    }
}

/// Change of depth that a bracket makes; `None` for all else.
fn bracket_step(byte: &u8) -> Option<i32> {
    match byte {
        b'[' | b'(' => Some(1),
        b']' | b')' => Some(-1),
        _ => None,
    }
}

/// The scheme that a defanged one stands for.
fn known_scheme(name: &str) -> Option<&'static str> {
    const PLAIN: [&str; 8] = ["http", "hxxp", "hxtp", "htxp", "h**p", "httx", "hpp", "meow"];
    if PLAIN.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Some("http");
    }
    match name.strip_suffix(['s', 'S']) {
        Some(stem) if PLAIN.iter().any(|known| stem.eq_ignore_ascii_case(known)) => Some("https"),
        Some(stem) if stem.eq_ignore_ascii_case("fxp") || stem.eq_ignore_ascii_case("ftp") => Some("ftps"),
        _ if name.eq_ignore_ascii_case("fxp") || name.eq_ignore_ascii_case("ftp") => Some("ftp"),
        _ => None,
    }
}
