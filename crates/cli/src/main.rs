//! `comity`: arguments, messages, progress and exit status. What is done, is done by `comity-jobs`.

mod args;
mod commands;
mod progress;
mod status;
mod summary;
mod table;
mod text;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Color, Comity, Global};
use status::Failure;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let comity = match parse() {
        Ok(comity) => comity,
        Err(error) => {
            // help and version come this way too; a closed pipe is no failure
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let global = &comity.global;
    prepare(global);
    let outcome = threads(global).and_then(|()| commands::perform(comity.command.as_ref(), global));
    match outcome {
        Ok(status) => status.code(),
        Err(failure) => status::report(&failure, global.json).code(),
    }
}

fn parse() -> Result<Comity, clap::Error> {
    Comity::from_arg_matches(&command().try_get_matches()?)
}

/// The command line as clap knows it, with the version of this build.
fn command() -> clap::Command {
    let commit = comity_jobs::run::COMMIT.unwrap_or("unknown");
    let version: &'static str = format!("{} (commit {commit})", env!("CARGO_PKG_VERSION")).leak();
    Comity::command().version(version)
}

fn prepare(global: &Global) {
    match global.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let level = match global.verbose {
        0 => return,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let colors = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    tracing_subscriber::fmt().with_max_level(level).with_ansi(colors).with_writer(std::io::stderr).init();
}

fn threads(global: &Global) -> Result<(), Failure> {
    match global.threads {
        Some(count) => Ok(comity_jobs::use_threads(usize::from(count))?),
        None => Ok(()),
    }
}
