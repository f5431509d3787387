//! The commands, a function each.

mod custody;
mod guide;
mod inputs;
mod looks;
mod packages;
mod runs;
mod shell;
mod sql;

use std::io::{self, Write};

use comity_jobs::{Case, JobError, steps};
use serde::Serialize;

use crate::args::{AllowList, Bag, Command, Feed, Global, Log, Member};
use crate::status::Outcome;

/// Does what a command asks for.
pub(crate) fn perform(command: Option<&Command>, global: &Global) -> Outcome {
    let Some(command) = command else { return guide::begin() };
    match command {
        Command::Run(args) => runs::run(args, global),
        Command::Correlate(args) => runs::correlate(args, global),
        Command::Findings(args) => runs::findings(args, global),
        Command::Reproduce(args) => runs::reproduce(args, global),
        Command::Report(args) => runs::report(args, global),
        Command::Bag(Bag::Create(args)) => packages::create(args, global),
        Command::Bag(Bag::Open(args)) => packages::open(args, global),
        Command::Bag(Bag::Stamp(args)) => packages::stamp(args, global),
        Command::Verify(args) => packages::verify(args, global),
        Command::Prove(args) => custody::prove(args, global),
        Command::Log(Log::Show) => custody::log_show(global),
        Command::Log(Log::Verify) => custody::log_verify(global),
        Command::Log(Log::Prove(args)) => custody::log_prove(args, global),
        Command::Log(Log::Cosign(args)) => custody::log_cosign(args, global),
        Command::Log(Log::Witness(args)) => custody::log_witness(args, global),
        Command::Member(Member::Add(args)) => custody::member_add(args, global),
        Command::Member(Member::List(args)) => custody::member_list(args, global),
        Command::Member(Member::Revoke(args)) => custody::member_revoke(args, global),
        Command::Erase(args) => custody::erase(args, global),
        Command::Init(args) => inputs::init(args, global),
        Command::Ingest(args) => inputs::ingest(args, global),
        Command::Feed(Feed::Add(args)) => inputs::feed_add(args, global),
        Command::Feed(Feed::Check(args)) => inputs::feed_check(args, global),
        Command::AllowList(AllowList::Add(args)) => inputs::allow_list_add(args, global),
        Command::Sql(args) => sql::ask(args, global),
        Command::Formats => looks::formats(global),
        Command::Correlations(args) => looks::correlations(args, global),
        Command::Doctor => looks::doctor(global),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::man(args),
        Command::Help(args) => guide::help(args, global),
    }
}

/// The case that the command works on.
fn open_case(global: &Global) -> Result<Case, JobError> {
    let here = std::env::current_dir().unwrap_or_else(|_| ".".into());
    steps::open(global.case.as_deref(), &here)
}

/// Prints one line of JSON.
fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}
