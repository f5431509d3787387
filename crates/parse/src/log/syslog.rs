//! What the two forms of syslog share: the priority, and putting the parts.

use std::borrow::Cow;

use comity_model::{Class, Field, Reject};

use super::RecordSink;
use super::put::{To, put};

/// The parts of a record that both forms have; empty where absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// Facility times eight plus severity, 0 to 191.
    pub(super) priority: Option<u8>,
    pub(super) host: &'a str,
    pub(super) program: &'a str,
    pub(super) message: Cow<'a, str>,
}

/// `<34>` at the beginning, if it is there, and what follows; `None` where it is broken.
pub(super) fn priority(text: &str) -> Option<(Option<u8>, &str)> {
    let Some(rest) = text.strip_prefix('<') else { return Some((None, text)) };
    let (digits, rest) = rest.split_once('>')?;
    let value = digits.parse::<u8>().ok().filter(|&value| value <= 191)?;
    (digits.len() <= 3 && !digits.starts_with('+')).then_some((Some(value), rest))
}

/// Programs whose messages are of log-ins and other authentication.
const AUTH_PROGRAMS: &[&str] = &[
    "gdm",
    "login",
    "pam",
    "polkitd",
    "remote",
    "rlogin",
    "rshd",
    "sshd",
    "su",
    "sudo",
    "systemd-logind",
    "telnetd",
];

const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

impl Parts<'_> {
    pub(super) fn put(&self, sink: &mut dyn RecordSink) -> Result<(), Reject> {
        let program = self.program.split(['(', '-', '[']).next().unwrap_or_default();
        // facilities 4 and 10 are security and authorisation
        let by_facility = self.priority.is_some_and(|value| matches!(value / 8, 4 | 10));
        let is_auth = by_facility || AUTH_PROGRAMS.contains(&program);
        sink.class(if is_auth { Class::Auth } else { Class::Other });
        let severity = self.priority.and_then(|value| SEVERITIES.get(usize::from(value % 8)));
        put(To::Field(Field::Severity), severity.copied().unwrap_or_default(), sink)?;
        put(To::Field(Field::Device), self.host, sink)?;
        put(To::Field(Field::Service), self.program, sink)?;
        put(To::Field(Field::Message), &self.message, sink)
    }
}
