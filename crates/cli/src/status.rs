//! How a command ends: its exit status, and the message for people where it failed.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use comity_jobs::JobError;
use comity_jobs::intake::Problem;
use comity_jobs::summary::plain;
use serde_json::json;

/// Exit status; scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// 0
    Done,
    /// 1
    Failed,
    /// 2: wrong usage, or a wrong job file.
    Usage,
    /// 3: done, but some input was rejected or could not be read.
    Incomplete,
    /// 4: bytes are not what they are said to be.
    Integrity,
    /// 5: refused by handling rules.
    Refused,
    /// 130, as shells have it for Ctrl-C.
    Interrupted,
}

impl Status {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Integrity => 4,
            Self::Refused => 5,
            Self::Interrupted => 130,
        })
    }

    /// What inputs and their problems come to.
    pub(crate) fn of(rejected: u64, problems: &[Problem]) -> Self {
        match problems {
            all if all.iter().any(|p| p.integrity) => Self::Integrity,
            [] if rejected == 0 => Self::Done,
            _ => Self::Incomplete,
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The job failed.
    Job(JobError),
    /// The words on the command line do not fit; a hint, where there is one.
    Usage(String, Option<String>),
    /// Output could not be written.
    Write(io::Error),
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// What a command gives.
pub(crate) type Outcome = Result<Status, Failure>;

const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Says why a command failed, and gives its status. A closed pipe is no failure: the reader has enough.
pub(crate) fn report(failure: &Failure, json: bool) -> Status {
    let (message, hint, status) = match failure {
        Failure::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => return Status::Done,
        Failure::Write(error) => (format!("output can't be written: {error}"), None, Status::Failed),
        Failure::Usage(message, hint) => (message.clone(), hint.clone(), Status::Usage),
        Failure::Job(error) => (error.to_string(), error.hint(), status_of(error)),
    };
    // the message of a job file carries its hint
    let (message, hint) = match message.split_once("\nhint: ") {
        Some((message, own)) => (message.to_owned(), Some(own.to_owned())),
        None => (message, hint),
    };
    if json {
        // people who asked for JSON read it there; a closed stdout changes nothing
        let _ = writeln!(io::stdout(), "{}", json!({ "error": message, "hint": hint }));
    }
    say(RED, "error", &message, hint.as_deref());
    status
}

/// Says something that went wrong with a part while the rest was done.
pub(crate) fn warn(problem: &Problem) {
    let (message, own) = match problem.message.split_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (problem.message.as_str(), None),
    };
    say(YELLOW, "warning", message, own.or(problem.hint.as_deref()));
}

/// Says what does not hold.
pub(crate) fn fault(fault: &comity_jobs::verify::Fault) {
    say(RED, "error", &format!("{}: {}", fault.kind, fault.message), None);
}

fn say(style: Style, word: &str, message: &str, hint: Option<&str>) {
    let mut err = anstream::stderr().lock();
    // where stderr is closed, nobody is there to be told
    let _ = writeln!(err, "{style}{word}:{style:#} {}", plain(message));
    if let Some(hint) = hint {
        let _ = writeln!(err, "  {CYAN}hint:{CYAN:#} {}", plain(hint));
    }
}

fn status_of(error: &JobError) -> Status {
    match error {
        JobError::JobFile(_) | JobError::UnknownFormat { .. } | JobError::Text { .. } => Status::Usage,
        JobError::Refused { .. } => Status::Refused,
        JobError::Interrupted => Status::Interrupted,
        other if other.is_integrity_failure() => Status::Integrity,
        _ => Status::Failed,
    }
}
