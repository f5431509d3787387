//! `bag`, `verify`, and `reproduce` of a bag: what is handed to a partner, and what a partner checks.

use std::io::{self, Write};
use std::path::Path;

use clap::builder::styling::{AnsiColor, Style};
use comity_jobs::bag::{self, BagKind, Created, Order};
use comity_jobs::summary::{count_text, plain};
use comity_jobs::verify::{self, Ask, Caution, Ladder, State, Step};
use comity_jobs::{members, sending};
use serde_json::{Value, json};

use super::{custody, open_case, print_json};
use crate::args::{self, BagCreate, BagOpen, BagStamp, Global, Reproduce, Trusting, Verify};
use crate::progress::{Listener, listen_for_ctrl_c};
use crate::status::{Failure, Outcome, Status};
use crate::table::{terminal_width, wrapped};

const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();

pub(super) fn create(args: &BagCreate, global: &Global) -> Outcome {
    let kind = match args.kind {
        args::BagKind::Full => BagKind::Full,
        args::BagKind::Findings => BagKind::Findings,
        args::BagKind::Feed => BagKind::Feed,
    };
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let one_file = args.tar || !args.recipients.is_empty();
    let order = Order {
        kind,
        run: args.run.as_deref(),
        recipient: &args.recipient_name,
        key: &args.key,
        out: &args.out,
    };
    let created = match one_file {
        true => sending::create(&case, &order, &args.recipients, &listener),
        false => bag::create(&case, &order, &listener),
    };
    listener.finish();
    let created = created?;
    match global.json {
        true => print_json(&created)?,
        false => print_created(&created, one_file)?,
    }
    Ok(Status::Done)
}

fn print_created(created: &Created, one_file: bool) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let place = plain(&created.bag.display().to_string());
    writeln!(out, "{BOLD}{place}{BOLD:#}: a {} bag, sealed", created.kind)?;
    writeln!(out, "  {} files, {} bytes", count_text(created.files), count_text(created.bytes))?;
    if created.records > 0 {
        writeln!(out, "  {} records and indicators, each with its proof", count_text(created.records))?;
    }
    match &created.tlp {
        Some(tlp) => writeln!(out, "  TLP:{}", tlp.as_str().to_uppercase())?,
        None => writeln!(out, "  not marked with a TLP")?,
    }
    writeln!(
        out,
        "  SHA-256 of its tag manifest, to be told in another way:\n  {}",
        created.tagmanifest_sha256
    )?;
    match one_file {
        true => writeln!(out, "Next: comity bag open {place} DIR")?,
        false => writeln!(out, "Next: comity verify {place} --trust FILE")?,
    }
    out.flush()
}

pub(super) fn open(args: &BagOpen, global: &Global) -> Outcome {
    let opened = sending::open(&args.file, &args.out, args.identity.as_deref());
    let files = opened?;
    let place = plain(&args.out.display().to_string());
    match global.json {
        true => print_json(&json!({ "bag": args.out, "files": files }))?,
        false => writeln!(
            anstream::stdout(),
            "{place}: {} files unpacked, not yet checked\nNext: comity verify {place} --trust FILE",
            count_text(files)
        )?,
    }
    Ok(Status::Done)
}

pub(super) fn stamp(args: &BagStamp, global: &Global) -> Outcome {
    sending::stamp(&args.bag, &args.token)?;
    match global.json {
        true => print_json(&json!({ "bag": args.bag, "stamped": true }))?,
        false => writeln!(anstream::stdout(), "the token lies beside the seal; --tsa FILE has it checked")?,
    }
    Ok(Status::Done)
}

pub(super) fn verify(args: &Verify, global: &Global) -> Outcome {
    let trust = args.trusting.trust.as_deref();
    if args.what.is_file() {
        if bag_file(&args.what)? {
            let hint = "`comity bag open FILE DIR` unpacks it".to_owned();
            return Err(Failure::Usage(format!("{}: is a bag in one file", args.what.display()), Some(hint)));
        }
        return custody::verify_proof(&args.what, args.statement.as_deref(), trust, global);
    }
    if let (Some(verdict), None, Some(trust)) = (&args.verdict, &args.sign, trust) {
        return check_verdict(verdict, &args.what, trust, global);
    }
    climb(&args.what, &args.trusting, args.level, &args.evidence, args.their_sql, global, &|ladder| {
        if let (Some(dir), None) = (&args.documents, ladder.fault()) {
            verify::write_documents(ladder, dir)?;
        }
        let (Some(key), Some(file)) = (&args.sign, &args.verdict) else { return Ok(()) };
        let line = verify::signed_verdict(ladder, &members::private_key(key)?)?;
        Ok(members::write_out(file, line.as_bytes())?)
    })
}

/// Whether a file begins as a tar or an age file does.
fn bag_file(path: &Path) -> Result<bool, Failure> {
    Ok(sending::is_packed(path)?)
}

fn check_verdict(file: &Path, bag: &Path, trust: &Path, global: &Global) -> Outcome {
    match verify::check_verdict(file, bag, &verify::read_trust(trust)?)? {
        Err(fault) => Ok(custody::wrong(&fault, global)?),
        Ok(verdict) => {
            match global.json {
                true => print_json(&verdict)?,
                false => writeln!(
                    anstream::stdout(),
                    "{} says of this bag: {}\n  holds: {}",
                    plain(&verdict.by),
                    if verdict.passed { "nothing failed" } else { "something failed" },
                    plain(&verdict.holds.join(", "))
                )?,
            }
            Ok(Status::Done)
        }
    }
}

/// A bag run again from the evidence.
pub(super) fn reproduce(args: &Reproduce, bag: &Path, global: &Global) -> Outcome {
    climb(bag, &args.trusting, Some(4), &args.evidence, args.their_sql, global, &|_| Ok(()))
}

fn climb(
    bag: &Path,
    trusting: &Trusting,
    level: Option<u8>,
    evidence: &[std::path::PathBuf],
    their_sql: bool,
    global: &Global,
    then: &dyn Fn(&Ladder) -> Result<(), Failure>,
) -> Outcome {
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let memory = custody::memory_of(trusting)?;
    let ask = Ask {
        bag,
        trust: trusting.trust.as_deref(),
        authority: trusting.tsa.as_deref(),
        memory: Some(&memory),
        level,
        evidence,
        their_sql,
    };
    let ladder = verify::verify(&ask, &listener);
    listener.finish();
    let ladder = ladder?;
    then(&ladder)?;
    let status = match ladder.fault() {
        Some(_) => Status::Integrity,
        None if ladder.is_short() => Status::Incomplete,
        None => Status::Done,
    };
    match global.json {
        true => print_json(&with_fault(&ladder)?)?,
        false => print_ladder(&ladder)?,
    }
    Ok(status)
}

/// The ladder as JSON, with its fault where scripts look for it.
fn with_fault(ladder: &Ladder) -> io::Result<Value> {
    let mut value = serde_json::to_value(ladder)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("fault".into(), json!(ladder.fault()));
    }
    Ok(value)
}

fn print_ladder(ladder: &Ladder) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{BOLD}{}{BOLD:#}", plain(&ladder.bag.display().to_string()))?;
    let says = |name: &str, value: Option<String>| value.map(|v| format!("{name} {v}"));
    let about = [
        says("kind", ladder.kind.map(str::to_owned)),
        says("case", ladder.case.clone()),
        says("run", ladder.run_id.map(|id| id.short())),
    ];
    let about: Vec<String> = about.into_iter().flatten().collect();
    if !about.is_empty() {
        writeln!(out, "  it says: {}", plain(&about.join(", ")))?;
    }
    let room = terminal_width();
    for step in &ladder.steps {
        print_step(&mut out, step, room)?;
    }
    match ladder.reached.and_then(|level| ladder.steps.get(usize::from(level))) {
        Some(step) => {
            let but = if ladder.caution.is_some() { ", but for its documents" } else { "" };
            writeln!(out, "{BOLD}Reached: level {}, {}{but}.{BOLD:#}", step.level, step.name)?;
            let never = format!("This can't show {}.", step.never);
            wrapped(&never, room).into_iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        None => writeln!(out, "{BOLD}Reached: no level. Rely on nothing in it.{BOLD:#}")?,
    }
    ladder.caution.iter().try_for_each(|caution| print_caution(&mut out, caution, room))?;
    out.flush()
}

fn print_caution(out: &mut impl Write, caution: &Caution, room: usize) -> io::Result<()> {
    writeln!(out, "{RED}CAUTION: documents in this bag were not checked.{RED:#}")?;
    writeln!(out, "  said to be made by comity {}", plain(&caution.made_by))?;
    writeln!(out, "  this is comity {}, which makes them otherwise", caution.this)?;
    for path in &caution.documents {
        writeln!(out, "  {RED}do not rest on {path}{RED:#}")?;
    }
    let rest = "They are as they were disclosed, but may say anything. `--documents DIR` makes them again from the \
        statements and tables.";
    wrapped(rest, room).into_iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn print_step(out: &mut impl Write, step: &Step, room: usize) -> io::Result<()> {
    let (style, word) = match step.state {
        State::Holds => (GREEN, "holds"),
        State::Fails(_) => (RED, "FAILS"),
        State::NotTried(_) => (YELLOW, "not tried"),
    };
    writeln!(out, "  {} {:21}{style}{word}{style:#}", step.level, step.name)?;
    let mut say = |text: &str| {
        let lines = wrapped(&plain(text), room.saturating_sub(6).max(20));
        lines.into_iter().try_for_each(|line| writeln!(out, "      {line}"))
    };
    match &step.state {
        State::Holds => {
            say(step.establishes)?;
            step.notes.iter().try_for_each(|note| say(&format!("- {note}")))
        }
        State::Fails(fault) => say(&format!("{}: {}", fault.kind, fault.message)),
        State::NotTried(why) => say(why),
    }
}
