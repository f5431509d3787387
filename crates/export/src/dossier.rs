//! What an export is made from: the facts of a case, of one run over it, and of the bag they go into.
//!
//! Everything here is a claim of whoever recorded it, and its texts are hostile: paths, names and cells
//! come from logs, feeds and partners. The exports take them as they are and make them harmless.

use comity_model::Tlp;

/// All that the exports of one bag are made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dossier {
    /// The case.
    pub case: CaseFacts,
    /// SHA-256 of the run's definition; absent from a feed bag.
    pub run_id: Option<String>,
    /// What the bag holds.
    pub kind: BagKind,
    /// The program that made the run.
    pub tool: Tool,
    /// OpenSSH fingerprint of the node's key, `SHA256:…`.
    pub node: Option<String>,
    /// Evidence items of the run.
    pub evidence: Vec<EvidenceFacts>,
    /// Feeds of the run, or the feeds submitted.
    pub feeds: Vec<FeedFacts>,
    /// Allow-lists of the run.
    pub allow_lists: Vec<AllowListFacts>,
    /// Correlations of the run.
    pub correlations: Vec<CorrelationFacts>,
    /// Tables that the run wrote.
    pub outputs: Vec<OutputFacts>,
    /// When the run started and finished (RFC 3339), by the node's clock.
    pub run_times: Option<(String, String)>,
    /// Every file under the bag's `data/`.
    pub files: Vec<FileFacts>,
    /// What the run came to, for people.
    pub summary: Summary,
}

/// The three kinds of bag (PROVENANCE.md §5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BagKind {
    /// Evidence included.
    #[default]
    Full,
    /// Only the records that findings rest on, each proven.
    Findings,
    /// A researcher's submission.
    Feed,
}

impl BagKind {
    /// The name, as in `Comity-Bag-Kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Findings => "findings",
            Self::Feed => "feed",
        }
    }
}

/// A case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseFacts {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: Option<String>,
    /// Whose case it is.
    pub jurisdiction: String,
    /// What its evidence may be used for.
    pub purpose: String,
}

/// The program that made a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tool {
    /// Version of comity.
    pub version: String,
    /// Source commit, where the build knew it.
    pub commit: Option<String>,
}

/// An evidence item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceFacts {
    /// SHA-256 of the bytes as received.
    pub id: String,
    /// Path it was handed in as.
    pub path: String,
    /// Size as received.
    pub bytes: u64,
    /// How the bytes as received are compressed; `plain` where they are not.
    pub codec: String,
    /// SHA-256 of the decompressed stream, in which offsets count.
    pub stream_sha256: String,
    /// Log format.
    pub format: String,
    /// What a record is, with its version.
    pub framing: String,
    /// Whose it is.
    pub jurisdiction: String,
    /// Who handed it in.
    pub authority: Option<String>,
    /// Under which law.
    pub legal_basis: Option<String>,
    /// Marking.
    pub tlp: Option<Tlp>,
    /// When it came in (RFC 3339), by the recorder's clock.
    pub received_at: String,
    /// Records: events and rejects.
    pub records: u64,
    /// Records understood.
    pub events: u64,
    /// Records not understood.
    pub rejects: u64,
    /// Headers, comments and blank lines.
    pub headers: u64,
    /// Root of the record tree.
    pub record_root: Option<String>,
}

/// A feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedFacts {
    /// SHA-256 of the bytes as received.
    pub id: String,
    /// Path it was handed in as.
    pub path: String,
    /// Who claims it.
    pub provider: String,
    /// Feed format.
    pub format: String,
    /// Marking.
    pub tlp: Option<Tlp>,
    /// When it came in (RFC 3339), by the recorder's clock.
    pub received_at: String,
    /// Claims read.
    pub seen: u64,
    /// Claims understood.
    pub accepted: u64,
    /// Claims not understood.
    pub rejected: u64,
    /// Indicators: equal claims joined.
    pub indicators: u64,
}

/// An allow-list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowListFacts {
    /// SHA-256 of its bytes.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A correlation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorrelationFacts {
    /// Its name.
    pub name: String,
    /// SHA-256 of its SQL.
    pub sql_sha256: String,
}

/// A table that a run wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputFacts {
    /// Its name.
    pub name: String,
    /// Path under the bag's `data/`: `results/sightings.parquet`.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Digest of its meaning, `comity-rows/v1`.
    pub logical_sha256: String,
}

/// A file of the bag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// Path under the bag's `data/`.
    pub path: String,
    /// Its size; absent where the file is made after the export.
    pub bytes: Option<u64>,
    /// Its SHA-256; absent where the file is made after the export.
    pub sha256: Option<String>,
}

/// What a run came to: lines that answer first, then sections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Title of the case.
    pub title: String,
    /// What was found, where, first when, how sure.
    pub answer: Vec<String>,
    /// The details.
    pub sections: Vec<Section>,
}

/// A titled table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Title.
    pub title: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Which columns hold numbers, from 0.
    pub numbers: Vec<usize>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// A line under the table; empty for none.
    pub note: String,
}

impl Dossier {
    /// The strictest marking of what the run used; absent where nothing is marked.
    pub fn strictest(&self) -> Option<Tlp> {
        self.evidence.iter().filter_map(|e| e.tlp).chain(self.feeds.iter().filter_map(|f| f.tlp)).max()
    }
}
