//! One feed: original bytes to indicators and rejects.

use std::path::Path;

use comity_model::{Claim, Reason, Reject};
use comity_parse::feed::{self, ClaimSink, FeedFormat, Place};
use comity_parse::log::Sample;
use comity_provenance::logical::{Lines, in_time};
use comity_provenance::record_tree::{BlockTree, ChunkTree, Salts, TreeBuilder, leaf};
use comity_store::case::FeedRecord;
use comity_store::durable::Stage;
use comity_store::feed::{Claims, INDICATORS_FILE, MAX_CLAIM_BYTES};
use comity_store::record_tree;
use comity_store::source::{self, Damage, plain_name};
use comity_store::tables::{self, RejectRow, excerpt};
use rayon::prelude::*;
use serde_json::json;

use crate::JobError;
use crate::custody::{FEED_TABLES, FileDigest, file_digests};
use crate::job_file::Feed;
use crate::reproduce::read_lines;

/// Largest feed that is read, decompressed bytes.
pub const MAX_FEED_BYTES: u64 = 4 << 30;

/// What must be equal for stored indicators to be taken as done work.
pub fn settings(declared: &Feed, format: &str) -> serde_json::Value {
    json!({
        "readers": crate::ingest::READER_VERSION,
        "tables": comity_model::canonical::TABLE_VERSIONS,
        "format": format,
        "mapping": declared.mapping,
        "kind": declared.kind,
        "widen_names": declared.widen_names,
        "allow_broad": declared.allow_broad,
        "confidence": declared.confidence,
    })
}

/// A feed, read but not stored.
#[derive(Debug)]
pub struct ReadFeed {
    /// Claims that were accepted.
    pub claims: Claims,
    /// Claims that were not.
    pub rejects: Vec<RejectRow>,
    /// What the feed was read as; `indicators` is not yet known.
    pub record: FeedRecord,
}

/// Reads a feed.
///
/// # Errors
/// Where the file can't be read, or its format can't be told or does not fit its options.
pub fn read(path: &Path, declared: &Feed) -> Result<ReadFeed, JobError> {
    let original = source::read_all(path, MAX_FEED_BYTES)?;
    let bytes = original.bytes.as_slice();
    let name = plain_name(path);
    let sample = Sample { name: &name, head: bytes.get(..64 << 10).unwrap_or(bytes) };
    let mut detected: Vec<(&'static FeedFormat, u8)> =
        feed::FEED_FORMATS.iter().map(|f| (f, (f.detect)(&sample))).filter(|(_, score)| *score > 0).collect();
    detected.sort_by_key(|(format, score)| (std::cmp::Reverse(*score), format.name));
    let format = match declared.declared_format() {
        Some(name) => feed::by_name(name).ok_or_else(|| JobError::UnknownFormat { name: name.to_owned() })?,
        None => match detected.first() {
            Some((format, _)) => format,
            None if bytes.is_empty() => &feed::FEED_FORMATS[0],
            None => return Err(JobError::Undetected { path: path.to_owned(), best: None }),
        },
    };
    let confidence = declared.confidence.map(|c| c.percent());
    let mut sink = Sink { claims: Claims::with_room(bytes.len()), rejects: Vec::new(), confidence };
    let (digests, read) =
        rayon::join(|| original.digests(), || (format.read)(bytes, &declared.feed_options(), &mut sink));
    read.map_err(|e| JobError::Options { path: path.to_owned(), format: format.name, message: e.message })?;
    let damage = original.damage.as_ref();
    if let Some(damage) = damage {
        sink.rejects.push(damaged(damage, bytes.len() as u64));
    }
    let (accepted, rejected) = (sink.claims.accepted(), sink.rejects.len() as u64);
    let record = FeedRecord {
        id: digests.sha256,
        format: format.name.to_owned(),
        declared_format: declared.declared_format().map(str::to_owned),
        detected: detected.iter().map(|(f, score)| (f.name.to_owned(), *score)).collect(),
        settings: settings(declared, format.name),
        bytes: digests.bytes,
        damage: damage.map(|d| match d {
            Damage::Stream(message) | Damage::Limit(message) => message.clone(),
        }),
        seen: accepted + rejected,
        accepted,
        rejected,
        indicators: 0,
    };
    Ok(ReadFeed { claims: sink.claims, rejects: sink.rejects, record })
}

fn damaged(damage: &Damage, at: u64) -> RejectRow {
    let (reason, message) = match damage {
        Damage::Stream(message) => (Reason::DamagedStream, message),
        Damage::Limit(message) => (Reason::Decompression, message),
    };
    RejectRow { record: 0, offset: at, length: 0, reason, message: message.clone(), text: String::new() }
}

/// Writes a feed's tables into a stage; `secret` salts the tree over its indicators. Gives the digests of the tables.
///
/// # Errors
/// Where the disk refuses.
pub fn write(
    feed: ReadFeed,
    stage: &Stage,
    secret: [u8; 32],
) -> Result<(FeedRecord, BlockTree, Vec<FileDigest>), JobError> {
    let mut record = feed.record;
    let sorted = feed.claims.sorted(record.id);
    record.indicators = sorted.indicators() as u64;
    let tables = || {
        let mut table = comity_store::feed::writer(stage)?;
        sorted.groups().try_for_each(|group| table.group(&group?))?;
        table.finish()?;
        let name = comity_store::evidence::REJECTS_FILE;
        let batch = tables::rejects_batch(&feed.rejects)?;
        tables::write(stage.create(name)?, &stage.path().join(name), &tables::rejects_schema(), &[batch])?;
        record_tree::write_secret(stage, &secret)?;
        file_digests(stage, FEED_TABLES)
    };
    let (files, tree) = rayon::join(tables, || tree(sorted.lines()?.map(Ok), &secret));
    Ok((record, tree?, files?))
}

/// The logical lines of a feed's indicators.
pub(crate) fn indicator_lines(feed: &Path) -> Result<Lines, JobError> {
    read_lines("indicators", &feed.join(INDICATORS_FILE))
}

/// The tree over the indicators of a feed that was read.
pub(crate) fn tree_of(feed: ReadFeed, secret: &[u8; 32]) -> Result<BlockTree, JobError> {
    tree(feed.claims.sorted(feed.record.id).lines()?.map(Ok), secret)
}

/// The tree over the indicators of a feed of the case.
///
/// # Errors
/// Where its files do not read.
pub(crate) fn stored_tree(feed: &Path) -> Result<BlockTree, JobError> {
    let secret = record_tree::secret(feed)?.unwrap_or_default();
    tree(std::iter::once(indicator_lines(feed)), &secret)
}

/// The tree over logical lines, sorted: a record is a line, offsets count in their text. No line of a part comes
/// before one of the part before it.
fn tree(
    parts: impl Iterator<Item = Result<Lines, JobError>>,
    secret: &[u8; 32],
) -> Result<BlockTree, JobError> {
    const LINES: usize = 4 * 1024;
    let (salts, mut tree, mut offset) = (Salts::new(secret), TreeBuilder::new(), 0);
    for lines in parts {
        let lines = lines?;
        let sorted = lines.sorted();
        let mut chunks = Vec::new();
        let mut first = tree.records();
        for some in sorted.chunks(LINES) {
            chunks.push((first, offset, some));
            first += some.len() as u64;
            offset += some.iter().map(|line| line.len() as u64).sum::<u64>();
        }
        let hash = |(first, offset, some)| chunk(&salts, first, offset, some);
        let chunks: Vec<ChunkTree> = chunks.into_par_iter().map(hash).collect();
        chunks.into_iter().try_for_each(|chunk| tree.append(chunk))?;
    }
    Ok(tree.finish())
}

fn chunk(salts: &Salts, first: u64, mut offset: u64, lines: &[&[u8]]) -> ChunkTree {
    let mut tree = ChunkTree::new(first);
    for (index, line) in (first..).zip(in_time(lines)) {
        tree.push(offset, leaf(&salts.salt(index), offset, line.strip_suffix(b"\n").unwrap_or(line)));
        offset += line.len() as u64;
    }
    tree
}

#[derive(Debug)]
struct Sink {
    claims: Claims,
    rejects: Vec<RejectRow>,
    confidence: Option<u8>,
}

impl ClaimSink for Sink {
    fn accept(&mut self, place: Place, mut claim: Claim) {
        if claim.value.len().max(claim.original.len()) > MAX_CLAIM_BYTES {
            let why = format!("value is longer than {MAX_CLAIM_BYTES} bytes");
            return self.reject(place, Reject::new(Reason::TooLong, why), &claim.original);
        }
        claim.confidence = claim.confidence.or(self.confidence);
        self.claims.push(claim);
    }

    fn reject(&mut self, place: Place, reject: Reject, text: &str) {
        self.rejects.push(RejectRow {
            record: place.record,
            offset: place.offset,
            length: place.length,
            reason: reject.reason,
            message: reject.message,
            text: excerpt(text.as_bytes()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_longer_than_any_value_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("list.txt");
        let url =
            |length: usize| format!("{}\n", "http://a.example/x".repeat(length / 18 + 1).split_at(length).0);
        std::fs::write(&path, url(MAX_CLAIM_BYTES) + &url(MAX_CLAIM_BYTES + 1)).unwrap();
        let declared = serde_json::from_value(json!({"path": "list.txt", "provider": "p"})).unwrap();
        let read = read(&path, &declared).unwrap();
        assert_eq!((read.claims.accepted(), read.rejects.len()), (1, 1));
        assert_eq!((read.rejects[0].record, read.rejects[0].reason), (2, Reason::TooLong));
    }
}
