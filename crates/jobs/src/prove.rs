//! `comity prove`: one record with its proof, and the check of such a proof.
//!
//! A proof is lines of JSON: the envelope of the statement that commits to the records of the evidence item,
//! then the record that is proven, after those that say how it is read (docs/provenance.md, "The record tree").

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use comity_provenance::record_tree::{ProvenRecord, Salts};
use comity_provenance::statement::{CustodyEvent, Details, EventType, Predicate, RecordTree, Statement};
use comity_provenance::trust::{Role, Standing, TrustFile};
use comity_provenance::{Envelope, Sha256Digest};
use comity_store::case::{Case, Normalised, Shelf};
use comity_store::{StoreError, record_tree, tables};
use serde::Serialize;

use crate::bag::{Statements, with_context};
use crate::custody;
use crate::disclose::{self, Committed};
use crate::intake::NORMALISED;
use crate::progress::Progress;
use crate::told::name_of;
use crate::verify::Fault;
use crate::{JobError, reproduce, show};

/// Most bytes of a proof.
const LIMIT_BYTES: u64 = 1 << 30;

/// The lines of a proof for a sighting: its 1-based row among the sightings of a run, or
/// `<beginning of the evidence id>:<record>`.
///
/// # Errors
/// Where there is no such sighting, the original is not at hand, or is not what was committed to.
pub fn prove(
    case: &Case,
    run: Option<&str>,
    sighting: &str,
    progress: &dyn Progress,
) -> Result<String, JobError> {
    let (id, record) = place(case, run, sighting)?;
    let shelf = case.item(Shelf::Evidence, &id);
    let gone = || StoreError::io(&shelf.join(NORMALISED), std::io::ErrorKind::NotFound.into());
    let item: Normalised = Case::record(&shelf, NORMALISED)?.ok_or_else(gone)?;
    let secret = record_tree::secret(&shelf)?.ok_or_else(|| JobError::NotCommitted {
        path: shelf.clone(),
        message: "the secret of its salts is gone: nothing can be proven of it any more".into(),
    })?;
    let committed = Committed { tree: record_tree::read(&shelf)?, salts: Salts::new(&secret) };
    let wanted = with_context(&item.format, &shelf, &BTreeSet::from([record]))?;
    let original = show::evidence_original(case, &id)?;
    progress.begin(&original.display().to_string(), Some(item.bytes));
    let proven = disclose::of_evidence(&item, &original, &committed, &wanted, progress)?;
    progress.end(&format!("{}: record {record} proven", original.display()));
    let mut lines = format!("{}\n", collection(case, &id, &item.framing)?.to_line()?);
    for record in proven {
        lines.push_str(&record.to_line()?);
        lines.push('\n');
    }
    custody::acting(case, progress, |scribe| scribe.consulted(custody::Looked::Record { id, record }))?;
    Ok(lines)
}

/// Evidence item and record of a sighting.
fn place(case: &Case, run: Option<&str>, sighting: &str) -> Result<(Sha256Digest, u64), JobError> {
    let wrong = |what: String| JobError::Nothing(format!("sighting {sighting:?}: {what}"));
    if let Some((prefix, record)) = sighting.split_once(':') {
        let record = record.parse().map_err(|_| wrong("after the colon stands a record's number".into()))?;
        let ids = case.ids(Shelf::Evidence)?;
        let found: Vec<_> = ids.into_iter().filter(|id| id.to_string().starts_with(prefix)).collect();
        return match found.as_slice() {
            [one] => Ok((*one, record)),
            many => Err(wrong(format!("{} evidence items begin so", many.len()))),
        };
    }
    let number: usize = sighting
        .parse()
        .map_err(|_| wrong("is neither a row of the sightings nor EVIDENCE:RECORD".into()))?;
    let id = reproduce::chosen_run(case, run)?;
    let batches =
        tables::read_some(&case.item(Shelf::Runs, &id).join("sightings.parquet"), &["evidence", "record"])?;
    let mut before = 0;
    for batch in &batches {
        let row = number.checked_sub(before + 1).filter(|row| *row < batch.num_rows());
        before += batch.num_rows();
        let Some(row) = row else { continue };
        let evidence = batch.column_by_name("evidence").and_then(|c| c.as_string_opt::<i32>());
        let record = batch.column_by_name("record").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let (Some(evidence), Some(record)) = (evidence, record) else { break };
        let id = evidence.value(row).parse().map_err(|_| wrong("its evidence is no digest".into()))?;
        return Ok((id, u64::try_from(record.value(row)).unwrap_or(0)));
    }
    Err(wrong(format!("the run has {before} sightings")))
}

/// The statement that commits to the records of an item.
fn collection(case: &Case, id: &Sha256Digest, framing: &str) -> Result<Envelope, JobError> {
    let commits = |event: &CustodyEvent| matches!(&event.details, Details::Collection { record_tree } if record_tree.framing == framing);
    let found = Statements::read(case)?.lines.into_iter().find(|(_, _, _, statement)| {
        statement.subject.iter().any(|s| s.sha256() == *id)
            && matches!(&statement.predicate, Predicate::Custody(event) if commits(event))
    });
    found.map(|line| line.2).ok_or_else(|| JobError::NotCommitted {
        path: case.item(Shelf::Evidence, id),
        message: "no statement commits to its records".into(),
    })
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The evidence item, `evidence/<id>`.
    pub subject: String,
    /// Case that the statement names.
    pub case: String,
    /// When it was stated, by the signer's clock.
    pub stated_at: String,
    /// Fingerprint of the one who signed.
    pub signer: String,
    /// Who that is, by the trust file; `None`: nobody who is trusted, so all of this is a claim.
    pub trusted: Option<String>,
    /// Numbers of the records proven, those that are context apart.
    pub records: Vec<u64>,
    /// Their bytes as text, with what is not UTF-8 as U+FFFD.
    pub texts: Vec<String>,
    /// Numbers of the records that say how they are read.
    pub context: Vec<u64>,
}

/// Checks a proof: signature, then root, then path.
///
/// # Errors
/// Where the file can't be read. What is wrong with the proof is a fault.
pub fn check(
    path: &Path,
    statement: Option<&Path>,
    trust: Option<&TrustFile>,
) -> Result<Result<Proven, Fault>, JobError> {
    let read = |path: &Path| -> Result<Vec<u8>, JobError> {
        let bytes = fs::metadata(path).map_err(|e| StoreError::io(path, e))?.len();
        if bytes > LIMIT_BYTES {
            return Err(JobError::File { path: path.to_owned(), message: "is too long for a proof".into() });
        }
        Ok(fs::read(path).map_err(|e| StoreError::io(path, e))?)
    };
    let proof = read(path)?;
    let own = statement.map(read).transpose()?;
    Ok(judged(&proof, own.as_deref(), trust))
}

fn judged(proof: &[u8], own: Option<&[u8]>, trust: Option<&TrustFile>) -> Result<Proven, Fault> {
    let body = proof.strip_suffix(b"\n").unwrap_or(proof);
    let mut lines = body.split(|b| *b == b'\n');
    let came = lines.next().unwrap_or_default();
    // the verifier's own copy of the statement counts before the one that came along
    let line = own.map_or(came, |own| own.strip_suffix(b"\n").unwrap_or(own));
    let envelope = Envelope::parse(line).map_err(|e| Fault::new("envelope", e.to_string()))?;
    let stated =
        Statement::parse(&envelope.payload).map_err(|e| Fault::new("statement-form", e.to_string()))?;
    let (event, tree, subject) = committed(&stated)?;
    let (signer, trusted) = signer(&envelope, event, trust)?;
    let mut proven = Proven {
        subject,
        case: event.case_id.clone(),
        stated_at: event.time.to_string(),
        signer,
        trusted,
        records: Vec::new(),
        texts: Vec::new(),
        context: Vec::new(),
    };
    for (at, line) in (2..).zip(lines) {
        let fault = |kind, message: String| Fault::new(kind, format!("line {at}: {message}"));
        let record = ProvenRecord::parse(line).map_err(|e| fault("proof-form", e.to_string()))?;
        record.verify(tree.records, &tree.root).map_err(|e| fault("proof-false", e.to_string()))?;
        if record.context {
            proven.context.push(record.record);
        } else {
            proven.records.push(record.record);
            proven.texts.push(String::from_utf8_lossy(&record.bytes).into_owned());
        }
    }
    match proven.records.is_empty() {
        true => Err(Fault::new("proof-form", "it proves no record")),
        false => Ok(proven),
    }
}

/// What a statement commits to.
fn committed(stated: &Statement) -> Result<(&CustodyEvent, &RecordTree, String), Fault> {
    let not = || Fault::new("statement-form", "the first line is no statement of a collection of evidence");
    let (Predicate::Custody(event), [subject]) = (&stated.predicate, stated.subject.as_slice()) else {
        return Err(not());
    };
    let Details::Collection { record_tree } = &event.details else { return Err(not()) };
    let evidence = subject.name() == name_of(Shelf::Evidence, &subject.sha256());
    let feed = subject.name() == name_of(Shelf::Feeds, &subject.sha256());
    match event.event_type == EventType::Collection && (evidence || feed) {
        true => Ok((event, record_tree, subject.name().to_owned())),
        false => Err(not()),
    }
}

/// Who signed, and who that is by the trust file.
fn signer(
    envelope: &Envelope,
    event: &CustodyEvent,
    trust: Option<&TrustFile>,
) -> Result<(String, Option<String>), Fault> {
    let first = envelope.signatures.first().map(|s| s.keyid.clone()).unwrap_or_default();
    let Some(trust) = trust else { return Ok((first, None)) };
    for entry in trust.entries() {
        let fingerprint = entry.key().fingerprint();
        if !envelope.signatures.iter().any(|s| s.keyid == fingerprint) {
            continue;
        }
        if envelope.signed_by(entry.key()).is_none() {
            return Err(Fault::new("signature-false", format!("the signature of {fingerprint} is false")));
        }
        match trust.standing(entry.key(), Role::Node, Some(event.time.as_second())) {
            Standing::Trusted(entry) => return Ok((fingerprint, Some(entry.principals().join(",")))),
            Standing::Expired(_) | Standing::NotYetValid(_) => {
                return Err(Fault::new("expired-key", format!("the key {fingerprint} was not valid then")));
            }
            _ => {
                return Err(Fault::new(
                    "wrong-role",
                    format!("{fingerprint} may not state what was collected"),
                ));
            }
        }
    }
    Err(Fault::new(
        "unknown-signer",
        format!("signed by {first}, whom the trust file does not know: a claim"),
    ))
}
