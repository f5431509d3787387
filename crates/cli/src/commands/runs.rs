//! `run`, `correlate`, `findings` and `reproduce`.

use std::io::Write;
use std::path::Path;

use comity_jobs::job_file::{self, Job};
use comity_jobs::reproduce::{self, TableVerdict, Verdict};
use comity_jobs::run::Report;
use comity_jobs::summary::plain;
use comity_jobs::{show, steps};

use super::{custody, open_case, packages, print_json};
use crate::args::{Correlate, Findings, Global, ReportArgs, Reproduce, Run};
use crate::progress::{Listener, listen_for_ctrl_c};
use crate::status::{Failure, Outcome, Status};
use crate::summary;

pub(super) fn run(args: &Run, global: &Global) -> Outcome {
    let job = read_job(&args.job)?;
    let case = global.case.clone().unwrap_or_else(|| job.case_dir());
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let report = comity_jobs::run::run(&job, &case, &listener);
    listener.finish();
    shown(&report?, global)
}

/// Reads a job file; a directory stands for the `job.toml` in it.
fn read_job(path: &Path) -> Result<Job, Failure> {
    let file = if path.is_dir() { path.join("job.toml") } else { path.to_owned() };
    let shown = file.display().to_string();
    let wrong = |what: &str, hint: &str| Failure::Usage(format!("{shown}: {what}"), Some(hint.to_owned()));
    let bytes = std::fs::read(&file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            wrong("no such job file", "`comity help job` shows one to begin with")
        }
        _ => wrong(&format!("can't be read: {e}"), "check its owner and mode"),
    })?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        wrong(&format!("is not UTF-8 from byte {at} on"), "a job file is TOML, which is UTF-8 text")
    })?;
    let base_dir = file.parent().unwrap_or(Path::new(""));
    Ok(job_file::read(&shown, &text, base_dir).map_err(comity_jobs::JobError::from)?)
}

pub(super) fn correlate(args: &Correlate, global: &Global) -> Outcome {
    let known: Vec<&str> = show::correlations().iter().map(|c| c.name).collect();
    if let Some(name) = args.names.iter().find(|n| !known.contains(&n.as_str())) {
        let hint = format!("one of: {}; your own are declared in a job file", known.join(", "));
        return Err(Failure::Usage(format!("correlation {name:?} is not known"), Some(hint)));
    }
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let report = steps::correlate(&case, &args.names, &listener);
    listener.finish();
    shown(&report?, global)
}

pub(super) fn findings(args: &Findings, global: &Global) -> Outcome {
    let case = open_case(global)?;
    shown(&show::findings(&case, args.run.as_deref(), &Listener::new(global))?, global)?;
    Ok(Status::Done)
}

pub(super) fn report(args: &ReportArgs, global: &Global) -> Outcome {
    let case = open_case(global)?;
    let page = show::report_page(&case, args.run.as_deref(), &Listener::new(global))?;
    if args.out.as_os_str() == "-" {
        return custody::give(None, page.as_bytes());
    }
    custody::give(Some(&args.out), page.as_bytes())?;
    match global.json {
        true => print_json(&serde_json::json!({ "report": args.out }))?,
        false => {
            writeln!(anstream::stdout(), "{}: open it in a browser", plain(&args.out.display().to_string()))?
        }
    }
    Ok(Status::Done)
}

fn shown(report: &Report, global: &Global) -> Outcome {
    match global.json {
        true => print_json(report)?,
        false => summary::print(report)?,
    }
    Ok(Status::of(report.rejected(), &report.problems))
}

pub(super) fn reproduce(args: &Reproduce, global: &Global) -> Outcome {
    if let Some(bag) = args.run.as_deref().map(Path::new).filter(|path| path.join("bagit.txt").exists()) {
        return packages::reproduce(args, bag, global);
    }
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let verdict = reproduce::again(&case, args.run.as_deref(), &listener);
    listener.finish();
    let verdict = verdict?;
    let equal = verdict.is_equal();
    if global.json {
        let mut value = serde_json::to_value(&verdict).map_err(std::io::Error::from)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("equal".into(), equal.into());
        }
        print_json(&value)?;
    } else {
        print_verdict(&verdict, equal)?;
    }
    Ok(if equal { Status::Done } else { Status::Integrity })
}

fn print_verdict(verdict: &Verdict, equal: bool) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    let tables = verdict.tables.len();
    match equal {
        true => writeln!(out, "Equal: run {} was reproduced, {tables} tables of {tables}.", verdict.run_id)?,
        false => writeln!(out, "Not equal: run {} was not reproduced.", verdict.run_id)?,
    }
    if verdict.found_run_id != verdict.run_id {
        writeln!(out, "  definition: recorded {}", verdict.run_id)?;
        writeln!(out, "              found    {}", verdict.found_run_id)?;
        writeln!(
            out,
            "  inputs, settings or program are not the same; differ first in: {}",
            plain(&verdict.definition_difference)
        )?;
    }
    for table in &verdict.tables {
        let word = if table.is_equal() { "equal" } else { "DIFFERS" };
        writeln!(out, "  {word:8} {:20} {}", plain(&table.name), table.recorded)?;
        if !table.is_equal() {
            difference(&mut out, table)?;
        }
    }
    verdict.problems.iter().try_for_each(|p| writeln!(out, "  problem: {}", plain(p)))?;
    out.flush()
}

fn difference(out: &mut impl Write, table: &TableVerdict) -> std::io::Result<()> {
    let digest = |d: Option<comity_jobs::Sha256Digest>| d.map_or("none".to_owned(), |d| d.to_string());
    if table.stored != Some(table.recorded) {
        writeln!(out, "           stored   {}: not what the record says", digest(table.stored))?;
    }
    if table.found != Some(table.recorded) {
        writeln!(out, "           made now {}", digest(table.found))?;
    }
    table.difference.iter().try_for_each(|d| writeln!(out, "           {}", plain(d)))
}
