//! One line of the file: `principals [options] key [comment]`.

use std::collections::BTreeSet;

use jiff::tz::Offset;

use super::{Entry, Role, TrustProblem, Validity};
use crate::{KeyError, PublicKey};

const BLANK: [char; 2] = [' ', '\t'];

pub(super) fn read_line(line: &str) -> Result<Option<Entry>, TrustProblem> {
    if let Some(c) = line.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(TrustProblem::ControlCharacter(c));
    }
    let line = line.trim_matches(BLANK);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (principals, rest) = line.split_once(BLANK).unwrap_or((line, ""));
    let principals: Vec<String> = principals.split(',').map(str::to_owned).collect();
    principals.iter().try_for_each(|principal| check_principal(principal))?;
    let rest = rest.trim_start_matches(BLANK);
    if rest.is_empty() {
        return Err(TrustProblem::NoKey);
    }
    let (word, after_word) = split_word(rest)?;
    let (options, key) = match word {
        key_type if is_key_type(key_type) => (Options::default(), rest),
        options => (Options::read(options)?, after_word),
    };
    if key.is_empty() {
        return Err(TrustProblem::NoKey);
    }
    let key: PublicKey = match key.replace('\t', " ").parse() {
        Ok(key) => key,
        // such a line is for others
        Err(KeyError::NotEd25519) if options.roles.is_empty() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let validity = Validity { after: options.after, before: options.before };
    Entry::new(principals, options.roles, validity, key).map(Some)
}

/// The text up to a blank outside quotes, and what follows.
fn split_word(text: &str) -> Result<(&str, &str), TrustProblem> {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        !quoted && BLANK.contains(&c)
    });
    if quoted {
        return Err(TrustProblem::Quotes(text.to_owned()));
    }
    let (word, rest) = end.and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""));
    Ok((word, rest.trim_start_matches(BLANK)))
}

/// Whether a word begins a key, so that there are no options. No option begins like an algorithm.
fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-", "webauthn-"].iter().any(|prefix| word.starts_with(prefix))
}

pub(super) fn check_principal(principal: &str) -> Result<(), TrustProblem> {
    if principal.contains(['*', '?', '!']) {
        return Err(TrustProblem::Pattern(principal.to_owned()));
    }
    // U+FEFF at the start of a file is a byte-order mark, which no editor shows
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | ',' | '\u{feff}');
    if principal.is_empty() || principal.starts_with('#') || principal.contains(bad) {
        return Err(TrustProblem::Principal(principal.to_owned()));
    }
    Ok(())
}

#[derive(Default)]
struct Options {
    roles: BTreeSet<Role>,
    after: Option<i64>,
    before: Option<i64>,
}

impl Options {
    fn read(text: &str) -> Result<Self, TrustProblem> {
        let mut options = Self::default();
        let mut seen = BTreeSet::new();
        let mut rest = text;
        loop {
            let (name, value, after) = split_option(rest)?;
            if !seen.insert(name) {
                return Err(TrustProblem::Option(name.to_owned()));
            }
            match name {
                "namespaces" => options.roles = roles(value)?,
                "valid-after" => options.after = Some(time(value)?),
                "valid-before" => options.before = Some(time(value)?),
                _ => return Err(TrustProblem::Option(name.to_owned())),
            }
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => break,
                None => return Err(TrustProblem::Quotes(text.to_owned())),
            }
        }
        Ok(options)
    }
}

/// Name and value of the first option, and what follows it.
fn split_option(text: &str) -> Result<(&str, &str, &str), TrustProblem> {
    let name = text.split(['=', ',']).next().unwrap_or_default();
    if name == "cert-authority" {
        return Err(TrustProblem::CertAuthority);
    }
    let quoted = text.strip_prefix(name).and_then(|rest| rest.strip_prefix("=\""));
    match quoted.and_then(|quoted| quoted.split_once('"')) {
        Some((value, rest)) if !value.contains('\\') => Ok((name, value, rest)),
        Some(_) => Err(TrustProblem::Quotes(text.to_owned())),
        None if ["namespaces", "valid-after", "valid-before"].contains(&name) => {
            Err(TrustProblem::Quotes(text.to_owned()))
        }
        None => Err(TrustProblem::Option(name.to_owned())),
    }
}

fn roles(namespaces: &str) -> Result<BTreeSet<Role>, TrustProblem> {
    let mut roles = BTreeSet::new();
    for namespace in namespaces.split(',') {
        if namespace.contains(['*', '?', '!']) {
            return Err(TrustProblem::Pattern(namespace.to_owned()));
        }
        // a slip in one of ours must not pass for a namespace of others
        let looks_like_ours = namespace.trim().to_ascii_lowercase().starts_with("comity");
        match Role::of_namespace(namespace) {
            Some(role) => drop(roles.insert(role)),
            None if looks_like_ours || namespace.is_empty() => {
                return Err(TrustProblem::Namespace(namespace.to_owned()));
            }
            None => {}
        }
    }
    Ok(roles)
}

/// Seconds since 1970 of `YYYYMMDD[HHMM[SS]]Z`.
fn time(text: &str) -> Result<i64, TrustProblem> {
    let wrong = || TrustProblem::Time(text.to_owned());
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    if digits.len() == text.len() {
        return Err(TrustProblem::LocalTime(text.to_owned()));
    }
    let padded = format!("{digits:0<14}");
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &padded).map_err(|_| wrong())?;
    let seconds = Offset::UTC.to_timestamp(civil).map_err(|_| wrong())?.as_second();
    // not so for a second 60
    if time_text(seconds) == Some(format!("{padded}Z")) { Ok(seconds) } else { Err(wrong()) }
}

/// `YYYYMMDDHHMMSSZ`; none for times up to 1970, which are no bound to `ssh-keygen`.
pub(super) fn time_text(seconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(seconds).ok().filter(|_| seconds > 0)?;
    Some(Offset::UTC.to_datetime(time).strftime("%Y%m%d%H%M%SZ").to_string())
}
