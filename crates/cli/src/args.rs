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
    /// Write the report of a run, one HTML page that can be read in court and printed
    #[command(after_help = "Examples:
  comity report                     report.html of the last run, here
  comity report 3f9a --out r.html")]
    Report(ReportArgs),
    /// Run a run or a bag again from its originals, and compare
    ///
    /// Takes in the originals afresh, in a temporary directory, runs the same correlations, and compares every table by
    /// its logical digest. Exit status 0: equal; 4: not, and the first line that differs is printed. Of a full bag the
    /// originals are those in it; of a findings bag they are your own: --evidence FILE…, known by their SHA-256.
    #[command(after_help = "Examples:
  comity reproduce                  the last run of the case
  comity reproduce 3f9a             the run whose id begins so
  comity reproduce lantern.bag --trust allowed_signers
  comity reproduce findings.bag --trust allowed_signers --evidence conn.log feeds/*.txt")]
    Reproduce(Reproduce),
    /// Make a package for a partner, or unpack one
    #[command(subcommand)]
    Bag(Bag),
    /// Check a bag, or the proof of a record, that somebody sent
    ///
    /// Climbs the ladder: intact, attributed, grounded, sound, reproduced, reproduced elsewhere. Whom you trust is said by
    /// your own file, in the format of OpenSSH's allowed_signers (docs/provenance.md); nothing in the bag adds to it. Nothing
    /// in the bag is run. Exit status 0: holds as far as was asked; 3: not all could be tried, or documents are of another
    /// version of comity; 4: something does not hold.
    #[command(after_help = "Examples:
  comity verify lantern.bag --trust allowed_signers
  comity verify lantern.bag --trust allowed_signers --level 5
  comity verify proof.jsonl --trust allowed_signers
  comity verify lantern.bag --trust allowed_signers --sign my_key --verdict verdict.intoto.jsonl")]
    Verify(Verify),
    /// Prove that a record lies in sealed evidence, without handing over the file
    #[command(after_help = "Examples:
  comity prove 17                   the record of the 17th sighting of the last run
  comity prove 5b1f:204 --out proof.jsonl
                                    record 204 of the evidence whose id begins so")]
    Prove(Prove),
    /// The case's append-only log
    #[command(subcommand)]
    Log(Log),
    /// Who may do what in the case
    #[command(subcommand)]
    Member(Member),
    /// Erase an evidence item or feed; its signed tombstone stays
    ///
    /// Removes what the item held, the secret of its salts, and the statements about it. Their entries stay in the log,
    /// and the erasure names them, so that what was disclosed before still verifies.
    #[command(after_help = "Example:
  comity erase 5b1f --reason \"retention ended, § 489 StPO\" --key custodian_key")]
    Erase(Erase),
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
pub(crate) struct ReportArgs {
    /// Run whose id begins so; else the last
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Where to; `-` is stdout
    #[arg(long, value_name = "FILE", default_value = "report.html", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Reproduce {
    /// Run whose id begins so, or a bag; else the last run
    #[arg(value_name = "RUN|BAG")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) trusting: Trusting,
    /// Your own copies of evidence and feeds, for a findings bag
    #[arg(long, value_name = "FILE", num_args = 1.., value_hint = ValueHint::FilePath)]
    pub(crate) evidence: Vec<PathBuf>,
    /// Run the SQL that came with the job too: read-only, over the tables alone
    #[arg(long)]
    pub(crate) their_sql: bool,
}

/// Whom a verifier trusts, and what it remembers.
#[derive(Debug, Args)]
pub(crate) struct Trusting {
    /// Your own trust file, in the format of OpenSSH's allowed_signers
    #[arg(long, value_name = "FILE", env = "COMITY_TRUST", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) trust: Option<PathBuf>,
    /// Certificates of the time-stamping authorities that you trust, PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tsa: Option<PathBuf>,
    /// Directory that remembers the checkpoints you accepted; else comity/checkpoints in your state directory
    #[arg(long, value_name = "DIR", env = "COMITY_MEMORY", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) memory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bag {
    /// Make a package
    ///
    /// findings: only the records that findings rest on, each with its proof. full: the evidence itself too. feed: what a
    /// researcher submits. The one who releases it signs and seals; the disclosure is stated and logged.
    #[command(after_help = "Examples:
  comity bag create --kind findings --recipient-name \"NPA Tokyo\" --key releaser_key lantern.bag
  comity bag create --kind full --recipient-name \"OM Rotterdam\" --key releaser_key --to age1… lantern.tar.age")]
    Create(BagCreate),
    /// Unpack a bag that came as one file, encrypted or not
    ///
    /// Only unpacks, safely; `comity verify` checks it.
    #[command(after_help = "Example:
  comity bag open lantern.tar.age --identity age_key lantern.bag")]
    Open(BagOpen),
    /// Put an RFC 3161 time stamp over the seal into a bag
    #[command(after_help = "Example:
  openssl ts -query -data lantern.bag/tagmanifest-sha256.txt.sig -sha256 -cert -out query.tsq
  (send query.tsq to a time-stamping authority; it answers with token.tsr)
  comity bag stamp lantern.bag token.tsr")]
    Stamp(BagStamp),
}

#[derive(Debug, Args)]
pub(crate) struct BagStamp {
    /// The bag
    #[arg(value_name = "BAG", value_hint = ValueHint::DirPath)]
    pub(crate) bag: PathBuf,
    /// The authority's answer
    #[arg(value_name = "TOKEN", value_hint = ValueHint::FilePath)]
    pub(crate) token: PathBuf,
}

/// What a bag holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BagKind {
    /// Evidence included.
    Full,
    /// Only the records that findings rest on, each proven.
    Findings,
    /// A researcher's submission.
    Feed,
}

#[derive(Debug, Args)]
pub(crate) struct BagCreate {
    /// What it holds
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: BagKind,
    /// Run whose id begins so; else the last
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Whom it is for; stated and logged
    #[arg(long, value_name = "TEXT")]
    pub(crate) recipient_name: String,
    /// Key of the member who releases it: a private key, or the public one of a key in an agent or on a token
    #[arg(long, value_name = "FILE", env = "COMITY_KEY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) key: PathBuf,
    /// Encrypt to this age recipient (age1…); may be repeated; writes one file
    #[arg(long = "to", value_name = "RECIPIENT")]
    pub(crate) recipients: Vec<String>,
    /// Write one tar file instead of a directory
    #[arg(long)]
    pub(crate) tar: bool,
    /// Where to: a directory, or a file with --tar or --to; must not be there yet
    #[arg(value_name = "OUT", value_hint = ValueHint::AnyPath)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BagOpen {
    /// The file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Where to; must not be there yet
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// File with the age identity to decrypt with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The bag (a directory), or a proof
    #[arg(value_name = "BAG|PROOF", value_hint = ValueHint::AnyPath)]
    pub(crate) what: PathBuf,
    #[command(flatten)]
    pub(crate) trusting: Trusting,
    /// Level to climb to; else 3, of a full bag 4, of a feed bag 2
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=5))]
    pub(crate) level: Option<u8>,
    /// Your own copies of evidence and feeds, for level 4 of a findings bag
    #[arg(long, value_name = "FILE", num_args = 1.., value_hint = ValueHint::FilePath)]
    pub(crate) evidence: Vec<PathBuf>,
    /// Run the SQL that came with the job too: read-only, over the tables alone
    #[arg(long)]
    pub(crate) their_sql: bool,
    /// New directory for the report and the other documents, made again from the statements and tables
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) documents: Option<PathBuf>,
    /// Your own copy of the statement of intake, for a proof
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) statement: Option<PathBuf>,
    /// Sign the verdict with this private key
    #[arg(long, value_name = "KEY", requires = "verdict", value_hint = ValueHint::FilePath)]
    pub(crate) sign: Option<PathBuf>,
    /// Where the signed verdict goes; without --sign, a verdict to check against the bag
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) verdict: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// Row of the sighting, 1-based, or EVIDENCE:RECORD
    #[arg(value_name = "SIGHTING")]
    pub(crate) sighting: String,
    /// Run whose sightings are meant; else the last
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Where to; else stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// List its entries, with what they state
    Show,
    /// Recompute it from the statements
    Verify,
    /// Prove that an entry lies in it (c2sp.org/tlog-proof)
    Prove(LogProve),
    /// Cosign a partner's checkpoint, as a witness that saw its log
    ///
    /// Refuses where the log is not a continuation of the one cosigned before. Give the cosigned file back to the partner,
    /// who takes it with `comity log witness`.
    #[command(after_help = "Example:
  comity log cosign partner/log/checkpoint --leaves partner/log/leaves --trust allowed_signers \\
      --name witness.npa.example --key witness_key > cosigned")]
    Cosign(LogCosign),
    /// Take a checkpoint of this case that a partner cosigned
    Witness(LogWitness),
}

#[derive(Debug, Args)]
pub(crate) struct LogProve {
    /// Index of the entry, 0-based
    #[arg(value_name = "INDEX")]
    pub(crate) index: u64,
}

#[derive(Debug, Args)]
pub(crate) struct LogCosign {
    /// The partner's checkpoint
    #[arg(value_name = "CHECKPOINT", value_hint = ValueHint::FilePath)]
    pub(crate) checkpoint: PathBuf,
    /// The entries of the partner's log, as a bag has them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) leaves: PathBuf,
    /// Your name as a witness
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Your private key
    #[arg(long, value_name = "FILE", env = "COMITY_KEY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) trusting: Trusting,
}

#[derive(Debug, Args)]
pub(crate) struct LogWitness {
    /// The cosigned checkpoint
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    /// Add a member; once there is a custodian, one has to sign
    #[command(after_help = "Example:
  comity member add --name r.officer@lka.example --organisation \"LKA Berlin\" \\
      --jurisdiction DE --role releaser --public-key ~/.ssh/id_ed25519.pub")]
    Add(MemberAdd),
    /// List the members
    ///
    /// With --allowed-signers, as lines for a partner's trust file. A partner must hear of these keys in another way than
    /// with the bag before it trusts them.
    List(MemberList),
    /// Revoke a member's key
    Revoke(MemberRevoke),
}

#[derive(Debug, Args)]
pub(crate) struct MemberAdd {
    /// Name, such as an e-mail address; without blanks
    #[arg(long)]
    pub(crate) name: String,
    /// Organisation
    #[arg(long, value_name = "TEXT")]
    pub(crate) organisation: String,
    /// Jurisdiction, such as DE
    #[arg(long, value_name = "CC", value_parser = jurisdiction)]
    pub(crate) jurisdiction: Jurisdiction,
    /// Role
    #[arg(long)]
    pub(crate) role: MemberRole,
    /// The member's public key, as OpenSSH writes it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) public_key: PathBuf,
    /// From when on the key is valid, RFC 3339 in UTC
    #[arg(long, value_name = "TIME")]
    pub(crate) valid_from: Option<String>,
    /// Until when, exclusive
    #[arg(long, value_name = "TIME")]
    pub(crate) valid_until: Option<String>,
    /// A custodian's private key
    #[arg(long, value_name = "FILE", env = "COMITY_KEY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MemberRole {
    /// Holds the evidence; decides on erasure and membership.
    Custodian,
    /// Runs correlations.
    Analyst,
    /// Submits feeds.
    Submitter,
    /// Releases packages.
    Releaser,
    /// Watches.
    Auditor,
}

#[derive(Debug, Args)]
pub(crate) struct MemberList {
    /// As lines for a partner's trust file
    #[arg(long)]
    pub(crate) allowed_signers: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MemberRevoke {
    /// The member's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Since when the key is compromised: what it signed from then on does not count
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// A custodian's private key
    #[arg(long, value_name = "FILE", env = "COMITY_KEY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// Evidence item or feed whose id begins so
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Why; stated in the tombstone
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// A custodian's private key
    #[arg(long, value_name = "FILE", env = "COMITY_KEY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) key: PathBuf,
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
