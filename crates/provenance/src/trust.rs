//! Whom a verifier trusts: one file of its own in OpenSSH's `allowed_signers` format (ssh-keygen(1), ALLOWED
//! SIGNERS), so that `ssh-keygen -Y verify` reads the same file:
//!
//! ```text
//! # the node of the partner
//! node.lantern@lka.example namespaces="comity-node" ssh-ed25519 AAAA… comment
//! r.officer@lka.example namespaces="comity-evidence,comity-releaser",valid-after="20260101Z",valid-before="20270101Z" ssh-ed25519 AAAA…
//! ```
//!
//! A subset: what two readers could take differently is refused, with its line. So are patterns (`*`, `?`, `!`),
//! `cert-authority`, times without `Z` (OpenSSH reads them in the zone of the machine), escapes in quotes, and
//! namespaces that begin with `comity` and are none of ours. Other namespaces grant nothing here, and a line
//! that has no others may have a key of any algorithm. A line without `namespaces` grants nothing here, though
//! to `ssh-keygen` it grants all. `valid-before` is exclusive; `ssh-keygen` takes that one second too.

mod line;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use self::line::{check_principal, read_line, time_text};
use crate::{KeyError, PublicKey};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Seals bags.
    Evidence,
    /// Signs statements of the machine.
    Node,
    /// Signs checkpoints of the log whose origin is the principal.
    Log,
    /// Cosigns checkpoints.
    Witness,
    /// Signs erasure, membership and revocation.
    Custodian,
    /// Signs disclosures.
    Releaser,
    /// Signs disclosures of feeds.
    Submitter,
    /// Signs acts and verdicts.
    Analyst,
    /// Signs acts and verdicts, of others.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 9] = [
        Self::Evidence,
        Self::Node,
        Self::Log,
        Self::Witness,
        Self::Custodian,
        Self::Releaser,
        Self::Submitter,
        Self::Analyst,
        Self::Auditor,
    ];

    /// The SSHSIG namespace that stands for the role in the file.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Evidence => "comity-evidence",
            Self::Node => "comity-node",
            Self::Log => "comity-log",
            Self::Witness => "comity-witness",
            Self::Custodian => "comity-custodian",
            Self::Releaser => "comity-releaser",
            Self::Submitter => "comity-submitter",
            Self::Analyst => "comity-analyst",
            Self::Auditor => "comity-auditor",
        }
    }

    /// The role that a namespace stands for.
    pub fn of_namespace(namespace: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.namespace() == namespace)
    }
}

/// The name for people and records: the namespace without `comity-`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.namespace().trim_start_matches("comity-"))
    }
}

impl FromStr for Role {
    type Err = TrustProblem;

    fn from_str(name: &str) -> Result<Self, TrustProblem> {
        Self::of_namespace(&format!("comity-{name}")).ok_or_else(|| TrustProblem::Role(name.to_owned()))
    }
}

/// A line of the file that can't be taken.
#[derive(Debug, Error)]
#[error("line {line}: {problem}")]
pub struct TrustError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub problem: TrustProblem,
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum TrustProblem {
    /// A control character; most often the CR of a file from Windows.
    #[error("line has the control character {0:?}\nhint: save the file as plain text with LF line ends")]
    ControlCharacter(char),
    /// No principal, or one that could not be told from other text.
    #[error(
        "principal {0:?} is empty or has spaces, quotes or commas\nhint: write names such as r.officer@lka.example, with commas between and nothing else"
    )]
    Principal(String),
    /// A principal or namespace that stands for many.
    #[error("{0:?} is a pattern\nhint: list each name; `*`, `?` and `!` are not taken here")]
    Pattern(String),
    /// A quote that does not end, or a value that is not quoted or has escapes.
    #[error("options {0:?} are not written name=\"value\"\nhint: put each value between plain double quotes")]
    Quotes(String),
    /// An option that is not one of the three.
    #[error(
        "option {0:?} is not known\nhint: namespaces, valid-after and valid-before may stand here, once each"
    )]
    Option(String),
    /// A certificate authority.
    #[error("cert-authority is not taken\nhint: list the key of each signer instead")]
    CertAuthority,
    /// A namespace that looks like ours.
    #[error("namespace {0:?} is not known\nhint: they are {known}", known = known_namespaces())]
    Namespace(String),
    /// A name that is no role.
    #[error("role {0:?} is not known\nhint: the namespaces are {known}, each `comity-` and a role", known = known_namespaces())]
    Role(String),
    /// A time in the zone of whatever machine reads it.
    #[error("time {0:?} has no zone\nhint: write it in UTC, with Z at its end: \"{0}Z\"")]
    LocalTime(String),
    /// No time.
    #[error("time {0:?} is not a time after 1970\nhint: write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ")]
    Time(String),
    /// Bounds that no time lies between.
    #[error(
        "valid-before is not after valid-after, so the key would never be valid\nhint: exchange or correct the two"
    )]
    NeverValid,
    /// A line that ends before its key.
    #[error(
        "line has no key\nhint: write principals, options and key: who@where namespaces=\"comity-node\" ssh-ed25519 AAAA…"
    )]
    NoKey,
    /// A key that can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

fn known_namespaces() -> String {
    Role::ALL.map(Role::namespace).join(", ")
}

/// When a key is valid; seconds since 1970 UTC, without bound where absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub after: Option<i64>,
    /// The second after the last.
    pub before: Option<i64>,
}

/// One line that names a key we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    principals: Vec<String>,
    roles: BTreeSet<Role>,
    validity: Validity,
    key: PublicKey,
}

impl Entry {
    /// Makes an entry that can be written and read back.
    pub fn new(
        principals: Vec<String>,
        roles: BTreeSet<Role>,
        validity: Validity,
        key: PublicKey,
    ) -> Result<Self, TrustProblem> {
        if principals.is_empty() {
            return Err(TrustProblem::Principal(String::new()));
        }
        principals.iter().try_for_each(|principal| check_principal(principal))?;
        for seconds in [validity.after, validity.before].into_iter().flatten() {
            time_text(seconds).ok_or_else(|| TrustProblem::Time(seconds.to_string()))?;
        }
        if let Validity { after: Some(after), before: Some(before) } = validity
            && before <= after
        {
            return Err(TrustProblem::NeverValid);
        }
        Ok(Self { principals, roles, validity, key })
    }

    /// Who holds the key; of a log, its origin.
    pub fn principals(&self) -> &[String] {
        &self.principals
    }

    /// What the key may be used for.
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// When it may be used.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// The line, without a line end. Without roles it is empty: `ssh-keygen` would take such a line for every purpose.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.roles.is_empty() {
            return Ok(());
        }
        let namespaces: Vec<_> = self.roles.iter().map(|role| role.namespace()).collect();
        write!(f, "{} namespaces=\"{}\"", self.principals.join(","), namespaces.join(","))?;
        for (name, bound) in [("valid-after", self.validity.after), ("valid-before", self.validity.before)] {
            if let Some(time) = bound.and_then(time_text) {
                write!(f, ",{name}=\"{time}\"")?;
            }
        }
        write!(f, " {}", self.key)
    }
}

/// What the file says of a key, a role and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// This entry grants it.
    Trusted(&'a Entry),
    /// This entry grants it, from later on.
    NotYetValid(&'a Entry),
    /// This entry granted it, until earlier.
    Expired(&'a Entry),
    /// The key is in the file, for other purposes.
    WithoutRole,
    /// The key is not in the file: what it signs is a claim.
    Unknown,
}

/// The entries of the file, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustFile {
    entries: Vec<Entry>,
}

impl TrustFile {
    /// Reads the text of the file. One line that can't be taken refuses the file: a line that was meant to
    /// limit trust must not be passed over.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let mut entries = Vec::new();
        for (at, line) in text.split('\n').enumerate() {
            entries.extend(read_line(line).map_err(|problem| TrustError { line: at + 1, problem })?);
        }
        Ok(Self { entries })
    }

    /// All entries, also those that grant nothing.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a key may do this. `at` is seconds since 1970 UTC; without it, validity is not asked.
    pub fn standing(&self, key: &PublicKey, role: Role, at: Option<i64>) -> Standing<'_> {
        let mut standing = Standing::Unknown;
        for entry in self.entries.iter().filter(|entry| entry.key == *key) {
            let Validity { after, before } = entry.validity;
            let here = match at {
                _ if !entry.roles.contains(&role) => Standing::WithoutRole,
                Some(at) if after.is_some_and(|after| at < after) => Standing::NotYetValid(entry),
                Some(at) if before.is_some_and(|before| at >= before) => Standing::Expired(entry),
                _ => return Standing::Trusted(entry),
            };
            // the first line that comes nearest to granting it explains best
            if matches!(standing, Standing::Unknown | Standing::WithoutRole) {
                standing = here;
            }
        }
        standing
    }

    /// Who holds a key, in the order of the file; nobody where it is unknown.
    pub fn principals(&self, key: &PublicKey) -> Vec<&str> {
        let mut principals: Vec<&str> = Vec::new();
        for principal in self.entries.iter().filter(|entry| entry.key == *key).flat_map(Entry::principals) {
            if !principals.contains(&principal.as_str()) {
                principals.push(principal);
            }
        }
        principals
    }

    /// The entries whose keys may sign checkpoints of the log with this origin.
    pub fn log_keys(&self, origin: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| {
            entry.roles.contains(&Role::Log) && entry.principals.iter().any(|principal| principal == origin)
        })
    }

    /// The text of a file with the entries that grant anything.
    pub fn to_text(&self) -> String {
        let granting = self.entries.iter().filter(|entry| !entry.roles.is_empty());
        granting.map(|entry| format!("{entry}\n")).collect()
    }
}

impl FromIterator<Entry> for TrustFile {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_seed([seed; 32]).public()
    }

    fn problem(line: &str) -> TrustProblem {
        let text = format!("# a comment\n\n{line}\n");
        let error = TrustFile::parse(&text).expect_err(line);
        assert_eq!(error.line, 3);
        error.problem
    }

    #[test]
    fn a_file_is_read() {
        let (one, two) = (key(1), key(2));
        let text = format!(
            "# who\n  \t\n node@a.example namespaces=\"comity-node\" {one} node of A\n\
             a@b.example,b@b.example\tnamespaces=\"git,comity-evidence,comity-releaser\",valid-after=\"20260101Z\",valid-before=\"202701010000Z\" \t{two}\n\
             # last line without its end\ngit@b.example {two}"
        );
        let file = TrustFile::parse(&text).unwrap();
        assert_eq!(file.entries().len(), 3);
        assert_eq!(file.principals(&two), ["a@b.example", "b@b.example", "git@b.example"]);
        assert_eq!(file.principals(&key(3)), [""; 0]);
        assert_eq!(
            file.entries()[1].validity(),
            Validity { after: Some(1_767_225_600), before: Some(1_798_761_600) }
        );
        assert!(file.entries()[2].roles().is_empty());
    }

    #[test]
    fn standing_says_what_is_missing() {
        let text = format!(
            "a {k}\na namespaces=\"comity-node\",valid-after=\"20260101Z\",valid-before=\"20270101Z\" {k}\n",
            k = key(1)
        );
        let file = TrustFile::parse(&text).unwrap();
        let entry = &file.entries()[1];
        let node = |at| file.standing(&key(1), Role::Node, at);
        assert_eq!(node(Some(1_767_225_599)), Standing::NotYetValid(entry));
        assert_eq!(node(Some(1_767_225_600)), Standing::Trusted(entry));
        assert_eq!(node(Some(1_798_761_599)), Standing::Trusted(entry));
        assert_eq!(node(Some(1_798_761_600)), Standing::Expired(entry));
        assert_eq!(node(None), Standing::Trusted(entry));
        assert_eq!(file.standing(&key(1), Role::Log, None), Standing::WithoutRole);
        assert_eq!(file.standing(&key(2), Role::Node, None), Standing::Unknown);
    }

    #[test]
    fn one_of_several_lines_is_enough() {
        let text = format!(
            "a namespaces=\"comity-node\",valid-before=\"20260101Z\" {k}\na namespaces=\"comity-node\",valid-after=\"20270101Z\" {k}\n",
            k = key(1)
        );
        let file = TrustFile::parse(&text).unwrap();
        assert_eq!(
            file.standing(&key(1), Role::Node, Some(1_800_000_000)),
            Standing::Trusted(&file.entries()[1])
        );
        assert_eq!(
            file.standing(&key(1), Role::Node, Some(1_770_000_000)),
            Standing::Expired(&file.entries()[0])
        );
    }

    #[test]
    fn log_keys_are_those_of_the_origin() {
        let text = format!(
            "comity/c/1 namespaces=\"comity-log\" {}\ncomity/c/1 namespaces=\"comity-witness\" {}\n",
            key(1),
            key(2)
        );
        let file = TrustFile::parse(&text).unwrap();
        assert_eq!(file.log_keys("comity/c/1").map(Entry::key).collect::<Vec<_>>(), [&key(1)]);
        assert_eq!(file.log_keys("comity/c/2").count(), 0);
    }

    #[test]
    fn what_is_written_reads_back() {
        let validity = Validity { after: Some(1_767_225_601), before: Some(1_798_761_600) };
        let roles: BTreeSet<Role> = Role::ALL.into();
        let entry = |roles, validity| Entry::new(vec!["a@b".into(), "ć/1".into()], roles, validity, key(1));
        let file: TrustFile = [entry(roles.clone(), validity), entry(roles, Validity::default())]
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(TrustFile::parse(&file.to_text()).unwrap(), file);
        assert!(
            file.to_text().contains(",valid-after=\"20260101000001Z\",valid-before=\"20270101000000Z\" ")
        );
        let nothing: TrustFile = [entry(BTreeSet::new(), validity).unwrap()].into_iter().collect();
        assert_eq!(nothing.to_text(), "");
    }

    #[test]
    fn an_entry_that_would_not_read_back_is_not_made() {
        let entry = |principal: &str, after, before| {
            Entry::new(vec![principal.into()], [Role::Node].into(), Validity { after, before }, key(1))
        };
        for principal in ["", "a b", "a,b", "a\"", "#a", "a\n", "\u{feff}a"] {
            assert!(matches!(entry(principal, None, None), Err(TrustProblem::Principal(_))), "{principal:?}");
        }
        assert!(matches!(entry("a*", None, None), Err(TrustProblem::Pattern(_))));
        for seconds in [i64::MIN, -1, 0, i64::MAX] {
            assert!(matches!(entry("a", Some(seconds), None), Err(TrustProblem::Time(_))), "{seconds}");
        }
        assert!(matches!(entry("a", Some(7), Some(7)), Err(TrustProblem::NeverValid)));
        let nobody = Entry::new(Vec::new(), BTreeSet::new(), Validity::default(), key(1));
        assert!(matches!(nobody, Err(TrustProblem::Principal(_))));
    }

    #[test]
    fn wrong_lines_are_refused_by_kind() {
        let k = key(1);
        let with = |options: &str| problem(&format!("a {options} {k}"));
        assert!(matches!(problem(&format!("a {k}\r")), TrustProblem::ControlCharacter('\r')));
        assert!(matches!(problem(&format!("a,,b {k}")), TrustProblem::Principal(_)));
        assert!(matches!(problem(&format!("\"a b\" {k}")), TrustProblem::Principal(_)));
        assert!(matches!(problem(&format!("*@b.example {k}")), TrustProblem::Pattern(_)));
        assert!(matches!(problem(&format!("!a {k}")), TrustProblem::Pattern(_)));
        assert!(matches!(with("namespaces=\"comity-*\""), TrustProblem::Pattern(_)));
        assert!(matches!(with("namespaces=comity-node"), TrustProblem::Quotes(_)));
        assert!(matches!(with("namespaces=\"comity-node"), TrustProblem::Quotes(_)));
        assert!(matches!(with("namespaces=\"a\\\"b\""), TrustProblem::Quotes(_)));
        assert!(matches!(with("namespaces=\"a\"valid-after=\"20260101Z\""), TrustProblem::Quotes(_)));
        assert!(matches!(with("namespaces"), TrustProblem::Quotes(_)));
        assert!(matches!(with("Namespaces=\"comity-node\""), TrustProblem::Option(_)));
        assert!(matches!(with("namespaces=\"a\","), TrustProblem::Option(_)));
        assert!(matches!(with("namespaces=\"a\",namespaces=\"b\""), TrustProblem::Option(_)));
        assert!(matches!(with("no-touch-required"), TrustProblem::Option(_)));
        assert!(matches!(with("cert-authority"), TrustProblem::CertAuthority));
        assert!(matches!(with("namespaces=\"a\",cert-authority"), TrustProblem::CertAuthority));
        for namespaces in ["comity-nod", "comity-node, comity-log", "", "a,", "Comity-node"] {
            let found = with(&format!("namespaces=\"{namespaces}\""));
            assert!(matches!(found, TrustProblem::Namespace(_)), "{namespaces}: {found}");
        }
        assert!(matches!(problem("a"), TrustProblem::NoKey));
        assert!(matches!(problem("a namespaces=\"comity-node\""), TrustProblem::NoKey));
        assert!(matches!(problem("a ssh-ed25519"), TrustProblem::Key(KeyError::NotAPublicKey(_))));
    }

    #[test]
    fn times_have_a_zone() {
        let k = key(1);
        let with = |time: &str| problem(&format!("a valid-after=\"{time}\" {k}"));
        for local in ["20260101", "202601010000", "20260101000000"] {
            assert!(matches!(with(local), TrustProblem::LocalTime(_)), "{local}");
        }
        for wrong in
            ["", "Z", "2026Z", "20261301Z", "20260230Z", "202601012400Z", "20260101000060Z", "19700101Z"]
        {
            assert!(matches!(with(wrong), TrustProblem::Time(_)), "{wrong}");
        }
        assert!(matches!(with("2026-1-1Z"), TrustProblem::Time(_)));
        assert!(matches!(with("20270101Z\",valid-before=\"20260101Z"), TrustProblem::NeverValid));
    }

    #[test]
    fn keys_of_other_algorithms_are_for_others() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==";
        assert!(
            TrustFile::parse(&format!("a {rsa}\nb namespaces=\"git\" {rsa}\n")).unwrap().entries().is_empty()
        );
        let line = format!("a namespaces=\"comity-node\" {rsa}");
        assert!(matches!(problem(&line), TrustProblem::Key(KeyError::NotEd25519)));
    }

    #[test]
    fn errors_say_the_line_and_what_to_do() {
        let text = format!("\na namespaces=\"comity-node\",valid-before=\"20270101\" {}\n", key(1));
        assert_eq!(
            TrustFile::parse(&text).unwrap_err().to_string(),
            "line 2: time \"20270101\" has no zone\nhint: write it in UTC, with Z at its end: \"20270101Z\""
        );
    }

    #[test]
    fn roles_have_names() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
        assert!(matches!("comity-node".parse::<Role>(), Err(TrustProblem::Role(_))));
    }
}
