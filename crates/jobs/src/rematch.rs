//! Level 3 of the ladder: matching the disclosed records against the disclosed indicators again.
//!
//! Records are read with their context, in their order, by the reader and settings that the statements
//! name, into tables in a scratch directory; then the same merge and the same built-in queries run over them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comity_model::Reject;
use comity_parse::log::{self, Outcome};
use comity_provenance::logical::Lines;
use comity_provenance::record_tree::ProvenRecord;
use comity_store::chunk::{ChunkBuilder, Place};
use comity_store::durable::Stage;
use comity_store::evidence::EvidenceWriter;
use comity_store::feed::{self, Indicator};
use comity_store::tables::{RejectRow, excerpt};

use crate::JobError;
use crate::dossier::Named;
use crate::intake::{AllowListItem, EvidenceItem, FeedItem};
use crate::job_file::Evidence;
use crate::run::{Queried, Tables, lines_of};

/// What a bag discloses, checked against what was committed to.
#[derive(Debug, Default)]
pub(crate) struct Disclosed {
    /// Records of each evidence item, in order.
    pub(crate) records: BTreeMap<comity_provenance::Sha256Digest, Vec<ProvenRecord>>,
    /// Indicators of each feed.
    pub(crate) indicators: BTreeMap<comity_provenance::Sha256Digest, Vec<Indicator>>,
    /// Allow-lists, whole.
    pub(crate) allow_lists: Vec<AllowListItem>,
}

/// The logical lines of `sightings` and of each query, made anew from what is disclosed.
///
/// # Errors
/// Where the records can't be read by the settings that the statements name, or the scratch
/// directory can't be written.
pub(crate) fn again(
    named: &Named,
    disclosed: &Disclosed,
    queries: &[Queried],
    scratch: &Path,
) -> Result<BTreeMap<String, Lines>, JobError> {
    let mut evidence = Vec::new();
    for item in &named.evidence {
        let records = disclosed.records.get(&item.normalised.id).map_or(&[][..], Vec::as_slice);
        evidence.push(sparse_evidence(item, records, scratch)?);
    }
    let mut feeds = Vec::new();
    for feed in &named.feeds {
        let indicators = disclosed.indicators.get(&feed.record.id).map_or(&[][..], Vec::as_slice);
        feeds.push(sparse_feed(feed, indicators, scratch)?);
    }
    evidence.sort_by_key(|e| e.normalised.id);
    feeds.sort_by_key(|f| f.record.id);
    let tables = Tables::new(&evidence, &feeds, &disclosed.allow_lists)?;
    let mut lines = BTreeMap::from([("sightings".to_owned(), lines_of("sightings", &tables.sightings)?)]);
    for (name, batch) in tables.query(&evidence, &feeds, queries)? {
        lines.insert(name.clone(), lines_of(&name, std::slice::from_ref(&batch))?);
    }
    Ok(lines)
}

/// An evidence item with these records alone.
fn sparse_evidence(
    item: &EvidenceItem,
    records: &[ProvenRecord],
    scratch: &Path,
) -> Result<EvidenceItem, JobError> {
    let id = item.normalised.id;
    let wrong = |message: String| JobError::File { path: PathBuf::from(format!("evidence/{id}")), message };
    let declared: Evidence = serde_json::from_value(item.first().declared.clone())
        .map_err(|e| wrong(format!("what was declared of it does not read: {e}")))?;
    let format = log::by_name(&item.normalised.format)
        .ok_or_else(|| JobError::UnknownFormat { name: item.normalised.format.clone() })?;
    let settings = crate::ingest::settings(&declared, format.name);
    if settings != item.normalised.settings {
        return Err(wrong(
            "its events were read by another version or other settings than this program's".into(),
        ));
    }
    let mut reader = (format.open)(&declared.log_options()).map_err(|e| wrong(e.message))?;
    let offset_us = crate::ingest::clock_offset_us(&declared);
    let (mut context, mut chunk) = (ChunkBuilder::default(), ChunkBuilder::default());
    chunk.set_clock_offset(offset_us);
    for record in records {
        if record.context {
            // what it says stays in the reader; it is no event of this bag
            reader.read(&record.bytes, &mut context);
            context.header();
            continue;
        }
        let place = Place { record: record.record, offset: record.offset, length: record.bytes.len() as u64 };
        match reader.read(&record.bytes, &mut chunk) {
            Outcome::Event => chunk.event(place),
            Outcome::Header => chunk.header(),
            Outcome::Reject(reject) => chunk.reject(reject_row(record, reject)),
        }
    }
    let mut writer = EvidenceWriter::new(scratch)?;
    writer.append(chunk.finish()?)?;
    let (stage, _) = writer.finish()?;
    let place = scratch.join(format!("evidence-{id}"));
    stage.publish(&place)?;
    Ok(EvidenceItem { item: place, ..item.clone() })
}

fn reject_row(record: &ProvenRecord, reject: Reject) -> RejectRow {
    RejectRow {
        record: record.record,
        offset: record.offset,
        length: record.bytes.len() as u64,
        reason: reject.reason,
        message: reject.message,
        text: excerpt(&record.bytes),
    }
}

/// A feed with these indicators alone.
fn sparse_feed(item: &FeedItem, indicators: &[Indicator], scratch: &Path) -> Result<FeedItem, JobError> {
    let stage = Stage::new(scratch, "feed")?;
    let mut table = feed::writer(&stage)?;
    table.group(&feed::batches(indicators)?)?;
    table.finish()?;
    let place = scratch.join(format!("feed-{}", item.record.id));
    stage.publish(&place)?;
    Ok(FeedItem { item: place, ..item.clone() })
}
