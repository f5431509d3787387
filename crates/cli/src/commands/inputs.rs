//! `init`, `ingest`, `feed add`, `feed check` and `allow-list add`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use comity_jobs::intake::Taken;
use comity_jobs::job_file::{Evidence, Feed};
use comity_jobs::steps::{self, FeedCheck};
use comity_jobs::summary::{count_text, plain};
use comity_jobs::{Case, Identity, run};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{open_case, print_json};
use crate::args::{self, AllowListAdd, FeedAdd, FeedOptions, Global, Ingest, Init};
use crate::progress::{Listener, listen_for_ctrl_c};
use crate::status::{self, Failure, Outcome, Status};
use crate::table::{Layout, terminal_width, wrapped};
use crate::text::shortened;

const BOLD: Style = Style::new().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();

pub(super) fn init(args: &Init, global: &Global) -> Outcome {
    let here = std::env::current_dir()?;
    let path = global.case.clone().unwrap_or(here);
    let identity = Identity {
        id: args.id.clone(),
        title: args.title.clone(),
        jurisdiction: Some(args.jurisdiction.to_string()),
        purpose: Some(args.purpose.clone()),
        members: Vec::new(),
    };
    let case = steps::init(&path, &identity)?;
    match global.json {
        true => print_json(&json!({ "case": case.path(), "id": case.identity().id }))?,
        false => {
            writeln!(anstream::stdout(), "case {:?} is at {}", args.id, plain(&path.display().to_string()))?
        }
    }
    Ok(Status::Done)
}

/// A table of a job file from what stands on the command line; the job file's own words refuse what is wrong.
fn declared<T: DeserializeOwned>(fields: Vec<(&str, Value)>) -> Result<T, Failure> {
    let stated = fields.into_iter().filter(|(_, value)| !value.is_null());
    let table: Map<String, Value> = stated.map(|(name, value)| (name.to_owned(), value)).collect();
    serde_json::from_value(Value::Object(table.clone())).map_err(|error| {
        // find the option that does not fit: the one without which the rest is accepted
        let culprit = table.keys().find(|name| {
            let mut others = table.clone();
            others.remove(*name);
            serde_json::from_value::<T>(Value::Object(others)).is_ok()
        });
        let option = culprit.map_or_else(String::new, |name| format!("--{}: ", name.replace('_', "-")));
        Failure::Usage(format!("{option}{error}"), None)
    })
}

fn known_format(format: Option<&String>, known: &[comity_jobs::show::FormatLine]) -> Result<(), Failure> {
    match format {
        Some(name) if name != "detect" && !known.iter().any(|f| f.name == name) => {
            let names: Vec<&str> = known.iter().map(|f| f.name).collect();
            let hint = format!("one of: {}", names.join(", "));
            Err(Failure::Usage(format!("format {name:?} is not known"), Some(hint)))
        }
        _ => Ok(()),
    }
}

pub(super) fn ingest(args: &Ingest, global: &Global) -> Outcome {
    known_format(args.format.as_ref(), &comity_jobs::show::formats().logs)?;
    if args.sha256.is_some() && args.files.len() > 1 {
        return Err(Failure::Usage(
            "--sha256 is the digest of one file".into(),
            Some("give one FILE".into()),
        ));
    }
    let basis: Vec<Value> = args.legal_basis.iter().map(|text| json!({ "instrument": text })).collect();
    let evidence: Evidence = declared(vec![
        ("path", json!([])),
        ("jurisdiction", json!(args.jurisdiction.to_string())),
        ("format", json!(args.format)),
        ("authority", json!(args.authority)),
        ("legal_basis", json!(basis)),
        ("purpose", json!(args.purpose)),
        ("tlp", json!(args.tlp)),
        ("pap", json!(args.pap)),
        ("time_zone", json!(args.time_zone)),
        ("clock_offset", json!(args.clock_offset)),
        ("clock_uncertainty", json!(args.clock_uncertainty)),
        ("exhibit", json!(args.exhibit)),
        ("sha256", json!(args.sha256)),
    ])?;
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let taken = steps::ingest(&case, &evidence, &args.files, args.keep_originals, &listener);
    listener.finish();
    told(&case, &taken?, global)
}

fn feed_fields<'a>(options: &FeedOptions, provider: &str) -> Vec<(&'a str, Value)> {
    vec![
        ("path", json!([])),
        ("provider", json!(provider)),
        ("format", json!(options.format)),
        ("kind", json!(options.kind)),
        ("widen_names", json!(options.widen_names)),
        ("allow_broad", json!(options.allow_broad)),
    ]
}

pub(super) fn feed_add(args: &FeedAdd, global: &Global) -> Outcome {
    known_format(args.options.format.as_ref(), &comity_jobs::show::formats().feeds)?;
    let mut fields = feed_fields(&args.options, &args.provider);
    fields.push(("tlp", json!(args.tlp)));
    fields.push(("terms", json!(args.terms)));
    fields.push(("confidence", json!(args.confidence)));
    let feed: Feed = declared(fields)?;
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let taken = steps::feed_add(&case, &feed, &args.files, &listener);
    listener.finish();
    told(&case, &taken?, global)
}

pub(super) fn allow_list_add(args: &AllowListAdd, global: &Global) -> Outcome {
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let taken = steps::allow_list_add(&case, &args.files, &listener);
    listener.finish();
    told(&case, &taken?, global)
}

/// Tells what was taken into the case.
fn told(case: &Case, taken: &Taken, global: &Global) -> Outcome {
    let (evidence, feeds) = (run::evidence_lines(&taken.evidence), run::feed_lines(&taken.feeds));
    let rejected =
        evidence.iter().map(|e| e.rejects).sum::<u64>() + feeds.iter().map(|f| f.rejected).sum::<u64>();
    let status = Status::of(rejected, &taken.problems);
    if global.json {
        let lists: Vec<Value> =
            taken.allow_lists.iter().map(|l| json!({ "id": l.id, "name": l.list.name })).collect();
        print_json(&json!({
            "case": case.path(), "evidence": evidence, "feeds": feeds, "allow_lists": lists, "problems": taken.problems,
        }))?;
        return Ok(status);
    }
    taken.problems.iter().for_each(status::warn);
    let mut out = anstream::stdout().lock();
    let room = terminal_width();
    let text = |n: u64| count_text(n);
    let rows: Vec<Vec<String>> = evidence
        .iter()
        .map(|e| {
            let id = e.id.short().to_string();
            vec![
                id,
                e.jurisdiction.clone(),
                plain(&e.path),
                e.format.clone(),
                text(e.records),
                text(e.events),
                text(e.rejects),
            ]
        })
        .collect();
    write_table(
        &mut out,
        &["evidence", "in", "path", "format", "records", "events", "rejects"],
        4,
        &rows,
        room,
    )?;
    let rows: Vec<Vec<String>> = feeds
        .iter()
        .map(|f| {
            let id = f.id.short().to_string();
            vec![
                id,
                plain(&f.provider),
                plain(&f.path),
                f.format.clone(),
                text(f.seen),
                text(f.accepted),
                text(f.rejected),
            ]
        })
        .collect();
    write_table(
        &mut out,
        &["feed", "provider", "path", "format", "seen", "accepted", "rejected"],
        4,
        &rows,
        room,
    )?;
    let rows: Vec<Vec<String>> =
        taken.allow_lists.iter().map(|l| vec![l.id.short().to_string(), plain(&l.list.name)]).collect();
    write_table(&mut out, &["allow-list", "name"], 2, &rows, room)?;
    out.flush()?;
    Ok(status)
}

/// Writes a table whose columns from `first_number` on hold numbers; nothing where it has no rows.
pub(super) fn write_table(
    out: &mut impl Write,
    header: &[&str],
    first_number: usize,
    rows: &[Vec<String>],
    room: usize,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let numbers = (0..header.len()).map(|at| at >= first_number).collect();
    let layout = Layout::fit(header, numbers, rows.iter(), room);
    layout.header(out, header)?;
    rows.iter().try_for_each(|row| layout.row(out, row))
}

pub(super) fn feed_check(args: &args::FeedCheck, global: &Global) -> Outcome {
    known_format(args.options.format.as_ref(), &comity_jobs::show::formats().feeds)?;
    let feed: Feed = declared(feed_fields(&args.options, "unnamed"))?;
    let check = steps::feed_check(&args.file, &feed)?;
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    check.rejects.iter().for_each(|r| *reasons.entry(r.reason.as_str()).or_default() += 1);
    match global.json {
        true => print_json(&check_json(args, &check, &reasons))?,
        false => print_check(args, &check, &reasons)?,
    }
    let sound = check.rejects.is_empty() && check.record.damage.is_none();
    Ok(if sound { Status::Done } else { Status::Incomplete })
}

fn check_json(args: &args::FeedCheck, check: &FeedCheck, reasons: &BTreeMap<&str, u64>) -> Value {
    let record = &check.record;
    let rejects = check.rejects.iter().take(args.show).map(|r| {
        json!({
            "record": r.record, "offset": r.offset, "length": r.length,
            "reason": r.reason.as_str(), "message": r.message, "text": r.text,
        })
    });
    json!({
        "path": args.file, "id": record.id, "format": record.format, "detected": record.detected,
        "seen": record.seen, "accepted": record.accepted, "rejected": record.rejected,
        "indicators": record.indicators, "kinds": check.kinds, "reasons": reasons,
        "rejects": rejects.collect::<Vec<_>>(), "damage": record.damage,
    })
}

fn print_check(args: &args::FeedCheck, check: &FeedCheck, reasons: &BTreeMap<&str, u64>) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let (record, room) = (&check.record, terminal_width());
    writeln!(out, "{BOLD}{}{BOLD:#}", plain(&args.file.display().to_string()))?;
    writeln!(
        out,
        "{} claims seen: {} accepted, {} rejected; {} distinct indicators; read as {}",
        count_text(record.seen),
        count_text(record.accepted),
        count_text(record.rejected),
        count_text(record.indicators),
        record.format
    )?;
    writeln!(out, "SHA-256 {}", record.id)?;
    if let Some(damage) = &record.damage {
        writeln!(out, "{YELLOW}damaged:{YELLOW:#} {}; what came before is read", plain(damage))?;
    }
    let counted = |counts: &BTreeMap<&str, u64>| -> Vec<Vec<String>> {
        let mut rows: Vec<(&str, u64)> = counts.iter().map(|(name, n)| (*name, *n)).collect();
        rows.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), *name));
        rows.into_iter().map(|(name, n)| vec![name.to_owned(), count_text(n)]).collect()
    };
    for (title, counts) in [("Indicators, by kind", &check.kinds), ("Refused, by reason", reasons)] {
        if !counts.is_empty() {
            writeln!(out, "\n{BOLD}{title}{BOLD:#}")?;
            let header = if title.starts_with("Ind") { ["kind", "indicators"] } else { ["reason", "claims"] };
            write_table(&mut out, &header, 1, &counted(counts), room)?;
        }
    }
    if !check.rejects.is_empty() {
        print_rejects(&mut out, args.show, check, room)?;
    }
    out.flush()
}

fn print_rejects(out: &mut impl Write, show: usize, check: &FeedCheck, room: usize) -> io::Result<()> {
    writeln!(out, "\n{BOLD}The first that were refused{BOLD:#}")?;
    for reject in check.rejects.iter().take(show) {
        let head = format!("  record {}: {}  ", reject.record, reject.reason);
        let text = shortened(&plain(reject.text.trim_end()), room.saturating_sub(head.len()));
        writeln!(out, "{head}{text}")?;
        wrapped(&plain(&reject.message), room.saturating_sub(6))
            .iter()
            .try_for_each(|l| writeln!(out, "      {l}"))?;
    }
    match check.rejects.len().saturating_sub(show) {
        0 => Ok(()),
        more => writeln!(out, "  {} more; --show N shows more of them", count_text(more as u64)),
    }
}
