//! `formats`, `correlations` and `doctor`.

use std::io::Write;

use clap::builder::styling::{AnsiColor, Style};
use comity_jobs::doctor::{self, Check, State};
use comity_jobs::show::{self, FormatLine};
use comity_jobs::summary::plain;
use serde_json::json;

use super::{open_case, print_json};
use crate::args::{Correlations, Global};
use crate::progress::{Listener, listen_for_ctrl_c};
use crate::status::{Failure, Outcome, Status};
use crate::table::{definitions, terminal_width};

const BOLD: Style = Style::new().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();

pub(super) fn formats(global: &Global) -> Outcome {
    let formats = show::formats();
    if global.json {
        print_json(&formats)?;
        return Ok(Status::Done);
    }
    let mut out = anstream::stdout().lock();
    let room = terminal_width();
    for (title, lines) in [("Logs", &formats.logs), ("Feeds", &formats.feeds)] {
        writeln!(out, "{BOLD}{title}{BOLD:#}")?;
        let rows: Vec<(String, String)> = lines.iter().map(|f| (f.name.to_owned(), title_of(f))).collect();
        definitions(&mut out, &rows, room)?;
        writeln!(out)?;
    }
    writeln!(out, "All may be plain, gzip, zstd, xz or bzip2. Formats are detected unless declared.")?;
    out.flush()?;
    Ok(Status::Done)
}

fn title_of(format: &FormatLine) -> String {
    match format.needs_mapping {
        true => format!("{} (needs a mapping)", format.title),
        false => format.title.to_owned(),
    }
}

pub(super) fn correlations(args: &Correlations, global: &Global) -> Outcome {
    let all = show::correlations();
    let mut out = anstream::stdout().lock();
    if let Some(name) = &args.name {
        let Some(one) = all.iter().find(|c| c.name == name) else {
            let names: Vec<&str> = all.iter().map(|c| c.name).collect();
            let hint = format!("one of: {}", names.join(", "));
            return Err(Failure::Usage(format!("correlation {name:?} is not known"), Some(hint)));
        };
        match global.json {
            true => print_json(one)?,
            false if one.sql.is_empty() => {
                writeln!(out, "-- {}: the merge itself; it has no SQL", one.title)?
            }
            false => write!(out, "{}", one.sql)?,
        }
    } else if global.json {
        print_json(&json!({ "correlations": all }))?;
    } else {
        let rows: Vec<(String, String)> =
            all.iter().map(|c| (c.name.to_owned(), c.title.to_owned())).collect();
        definitions(&mut out, &rows, terminal_width())?;
        writeln!(out, "\nA job without [[correlation]] runs all. With a name, this prints its SQL.")?;
    }
    out.flush()?;
    Ok(Status::Done)
}

pub(super) fn doctor(global: &Global) -> Outcome {
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let checks = doctor::examine(&case, &Listener::new(global))?;
    let has = |state: State| checks.iter().any(|c| c.state == state);
    let status = match () {
        () if has(State::Integrity) => Status::Integrity,
        () if has(State::Broken) => Status::Failed,
        () => Status::Done,
    };
    match global.json {
        true => {
            print_json(&json!({ "case": case.path(), "sound": status == Status::Done, "checks": checks }))?
        }
        false => print_checks(&checks)?,
    }
    Ok(status)
}

fn print_checks(checks: &[Check]) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    for check in checks {
        let (style, word) = match check.state {
            State::Sound => (Style::new(), "ok"),
            State::Note => (YELLOW, "note"),
            State::Broken => (RED, "broken"),
            State::Integrity => (RED, "ALTERED"),
        };
        writeln!(out, "{style}{word:8}{style:#}{}: {}", check.what, plain(&check.message))?;
    }
    out.flush()
}
