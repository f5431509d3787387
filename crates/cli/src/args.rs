//! The command line, as clap reads it. Doc comments here are the help that people see.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use comity_model::{Jurisdiction, Kind, Pap, Tlp};

/// Evidence and indicators from several jurisdictions to findings that another one can check.
///
/// comity takes logs that were seized or volunteered in several jurisdictions and indicator feeds from researchers,
/// reads both into Parquet, correlates them, and records what was run over which bytes, so that another jurisdiction
/// can run it again and get the same answer to the byte.
#[derive(Debug, Parser)]
#[command(
    name = "comity",
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "To begin:\n  comity run job.toml      does everything that a job file declares\n  comity help job          explains the job file",
    after_long_help = "To begin:
  comity run job.toml      does everything that a job file declares
  comity help job          explains the job file

Exit status:
  0  done
  1  failed
  2  wrong usage, or a wrong job file
  3  done, but some input was rejected or could not be read
  4  integrity failure: bytes are not what they are said to be
  5  refused by handling rules

A case is found by --case DIR, COMITY_CASE, or the nearest parent directory with a case.toml."
)]
pub(crate) struct Comity {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What holds for every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Global {
    /// Case directory; else the nearest parent with a case.toml (for `run`: what the job says)
    #[arg(long, value_name = "DIR", env = "COMITY_CASE", hide_env_values = true, global = true, value_hint = ValueHint::DirPath)]
    pub(crate) case: Option<PathBuf>,
    /// Print one JSON object on stdout instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Threads to use; else as many as the machine has
    #[arg(long, value_name = "N", env = "COMITY_THREADS", hide_env_values = true, global = true, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) threads: Option<u16>,
    /// Say nothing of progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more on stderr; twice for still more
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", hide_default_value = true)]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Do everything that a job file declares; safe to repeat
    ///
    /// Takes evidence, feeds and allow-lists into the case, correlates them, and prints what was found. What is done
    /// already is recognised and not done again: after a crash, a Ctrl-C or a full disk, give the same command again.
    /// A bad record or file does not stop the rest: it is rejected or reported, with its place, and the exit status is 3.
    #[command(after_help = "Examples:
  comity run job.toml
  comity run job.toml --case /cases/lantern
  comity run job.toml --json | jq .sightings

`comity help job` explains the job file.")]
    Run(Run),
    /// Make an empty case
    ///
    /// For work by hand: then `ingest`, `feed add` and `correlate`. `comity run` does all of it from a job file.
    #[command(after_help = "Example:
  comity init --case lantern.case --id 2026-014 --jurisdiction DE \\
      --purpose \"prosecution of computer fraud, file 5 Js 1/26\"")]
    Init(Init),
    /// Take logs into a case
    ///
    /// Each file becomes an evidence item, known by its SHA-256; the same bytes are stored once. The format is detected
    /// unless it is declared. Formats that need a column mapping (csv, ndjson) and the facts of acquisition (coverage,
    /// transfers, restrictions) are declared in a job file: `comity help job evidence`.
    #[command(after_help = "Examples:
  comity ingest --jurisdiction DE de/conn.log de/dns.log.gz
  comity ingest --jurisdiction JP --format suricata-eve --tlp amber eve.json
  comity ingest --jurisdiction NL --time-zone Europe/Amsterdam nl/*.log")]
    Ingest(Ingest),
    /// Check a feed, or add feeds to a case
    ///
    /// A feed is a snapshot of indicators from one provider. `check` tells a submitter what would be refused and why,
    /// and needs no case; `add` stores feeds.
    #[command(subcommand)]
    Feed(Feed),
    /// Add allow-lists to a case
    ///
    /// An allow-list names values known to be benign or too common. Sightings of them are marked, never dropped.
    #[command(subcommand)]
    AllowList(AllowList),
    /// Correlate all that a case holds
    ///
    /// Searches every indicator in every evidence item and runs the named correlations; all built-in ones where none is
    /// named. A run that was made before is recognised by its id and shown again.
    #[command(after_help = "Examples:
  comity correlate
  comity correlate cross-border not-seen

`comity correlations` lists them.")]
    Correlate(Correlate),
    /// Show the findings of a run again
    ///
    /// Prints the summary of a run that the case holds; of the last one where none is named.
    #[command(after_help = "Examples:
  comity findings
  comity findings 3f9a")]
    Findings(Findings),
    /// Run a run again from its originals, and compare
    ///
    /// Takes in the originals afresh, in a temporary directory, runs the same correlations, and compares every table by
    /// its logical digest. Exit status 0: equal; 4: not, and the first line that differs is printed.
    #[command(after_help = "Examples:
  comity reproduce              the last run
  comity reproduce 3f9a         the run whose id begins so")]
    Reproduce(Reproduce),
    /// Ask a case anything, in SQL; read-only
    ///
    /// Tables: events, observables, indicators, sightings, evidence, feeds, rejects, runs. `sightings` are those of the
    /// last run, or of --run. In CSV, text that a spreadsheet would take for a formula (beginning with = + - @, tab or
    /// carriage return) gets a leading apostrophe. JSON is an array of objects, times in RFC 3339 with microseconds.
    #[command(after_help = "Examples:
  comity sql \"select kind, count(*) as n from observables group by kind order by n desc\"
  comity sql --format csv \"select * from rejects\" > rejects.csv
  comity sql \"select column_name, data_type from information_schema.columns
              where table_name = 'events'\"")]
    Sql(Sql),
    /// List the formats of logs and feeds that comity reads
    Formats,
    /// List the correlations that comity brings along
    ///
    /// With a name, its SQL, to begin one of your own from.
    #[command(after_help = "Examples:
  comity correlations
  comity correlations first-seen > my-first-seen.sql")]
    Correlations(Correlations),
    /// Examine a case: locks, records, tables, leftovers
    ///
    /// Looks only. Recomputes what can be: digests of kept originals, ids of runs, logical digests of their tables.
    Doctor,
    /// Print completions for a shell
    #[command(after_help = "Examples:
  comity completions bash > ~/.local/share/bash-completion/completions/comity
  comity completions zsh > ~/.zfunc/_comity
  comity completions fish > ~/.config/fish/completions/comity.fish")]
    Completions(Completions),
    /// Write man pages into a directory
    #[command(after_help = "Example:
  comity man ~/.local/share/man/man1")]
    Man(Man),
    /// Explain a command, or the keys of a job file
    #[command(after_help = "Examples:
  comity help run
  comity help job                   all tables of a job file
  comity help job evidence          the keys of [[evidence]]
  comity help job evidence.tlp      one key")]
    Help(Help),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Job file, or a directory with a job.toml
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub(crate) job: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Identifier of the case, as the authority writes it
    #[arg(long)]
    pub(crate) id: String,
    /// Jurisdiction that runs the case, such as DE
    #[arg(long, value_name = "CC", value_parser = jurisdiction)]
    pub(crate) jurisdiction: Jurisdiction,
    /// What the processing is for, in a sentence
    #[arg(long, value_name = "TEXT")]
    pub(crate) purpose: String,
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// Log files; plain, gzip, zstd, xz or bzip2
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Jurisdiction that the evidence comes from, such as JP
    #[arg(long, value_name = "CC", value_parser = jurisdiction)]
    pub(crate) jurisdiction: Jurisdiction,
    /// Format (`comity formats`); else it is detected
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Authority that seized it or took it over
    #[arg(long, value_name = "TEXT")]
    pub(crate) authority: Option<String>,
    /// Law or treaty that it may be used under; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) legal_basis: Vec<String>,
    /// What it may be processed for, where narrower than the case
    #[arg(long, value_name = "TEXT")]
    pub(crate) purpose: Option<String>,
    /// Traffic Light Protocol: clear, green, amber, amber+strict, red
    #[arg(long, value_parser = token::<Tlp>)]
    pub(crate) tlp: Option<Tlp>,
    /// Permissible Actions Protocol: clear, green, amber, red
    #[arg(long, value_parser = token::<Pap>)]
    pub(crate) pap: Option<Pap>,
    /// Time zone of times that state none, such as Asia/Tokyo; else UTC
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// What the recorder's clock was fast (+) or slow (-), such as +2.5s
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) clock_offset: Option<String>,
    /// How far the true offset may be from that, such as 0.5s
    #[arg(long, value_name = "SPAN")]
    pub(crate) clock_uncertainty: Option<String>,
    /// Exhibit number
    #[arg(long)]
    pub(crate) exhibit: Option<String>,
    /// SHA-256 that the holder gave, checked; for one file
    #[arg(long, value_name = "DIGEST")]
    pub(crate) sha256: Option<String>,
    /// Keep a copy of every original in the case
    #[arg(long)]
    pub(crate) keep_originals: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Feed {
    /// Tell what would be refused of a feed, and why; stores nothing
    #[command(after_help = "Examples:
  comity feed check indicators.csv
  comity feed check --json bundle.json | jq .reasons")]
    Check(FeedCheck),
    /// Add feeds to a case
    #[command(after_help = "Example:
  comity feed add --provider \"Example CERT\" --tlp green phish.txt bundle.json")]
    Add(FeedAdd),
}

#[derive(Debug, Args)]
pub(crate) struct FeedOptions {
    /// Format (`comity formats`); else it is detected
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Kind of every value, where lines do not tell, such as domain-name
    #[arg(long, value_parser = token::<Kind>)]
    pub(crate) kind: Option<Kind>,
    /// Let names of STIX and MISP also meet the names under them
    #[arg(long)]
    pub(crate) widen_names: bool,
    /// Take networks shorter than /8 (/19 for IPv6) too
    #[arg(long)]
    pub(crate) allow_broad: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FeedCheck {
    /// The feed
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) options: FeedOptions,
    /// How many of the refused to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) show: usize,
}

#[derive(Debug, Args)]
pub(crate) struct FeedAdd {
    /// Feeds; for MISP also a feed directory
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,
    /// Who claims it; one name for all feeds of one provider
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: String,
    /// Traffic Light Protocol of claims that state none
    #[arg(long, value_parser = token::<Tlp>)]
    pub(crate) tlp: Option<Tlp>,
    /// Terms or licence that it was given under
    #[arg(long, value_name = "TEXT")]
    pub(crate) terms: Option<String>,
    /// Confidence of claims that state none, 0 to 100
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) confidence: Option<u8>,
    #[command(flatten)]
    pub(crate) options: FeedOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AllowList {
    /// Add allow-lists to a case
    #[command(after_help = "Example:
  comity allow-list add warninglists/lists/*/list.json")]
    Add(AllowListAdd),
}

#[derive(Debug, Args)]
pub(crate) struct AllowListAdd {
    /// MISP warninglists (JSON), or one value a line
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Correlate {
    /// Correlations to run; all where none is named
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Findings {
    /// Run whose id begins so; else the last
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Reproduce {
    /// Run whose id begins so; else the last
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// One SELECT; `-` reads it from stdin
    #[arg(value_name = "QUERY")]
    pub(crate) query: String,
    /// How to print the answer; with --json, json
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<AnswerFormat>,
    /// Run whose sightings are meant, by the beginning of its id; else the last
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
}

/// How to print an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For people: fits the terminal, long values shortened.
    Table,
    /// RFC 4180, with a header; formulas guarded.
    Csv,
    /// An array of objects.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Correlations {
    /// Print the SQL of this one
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Directory to write to; made where it is missing
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Help {
    /// A command, or `job` and a key
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Vec<String>,
}

fn jurisdiction(text: &str) -> Result<Jurisdiction, String> {
    text.parse().map_err(|_| "an ISO 3166-1 alpha-2 code is expected, such as DE or JP".to_owned())
}

fn token<T: std::str::FromStr<Err = comity_model::UnknownToken>>(text: &str) -> Result<T, String> {
    text.to_ascii_lowercase().parse().map_err(|e: comity_model::UnknownToken| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Comity::command().debug_assert();
    }
}
