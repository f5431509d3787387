//! Level 1: who said it; and that files, definition and documents are what the statements tell of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use comity_export::Dossier;
use comity_provenance::attribution::{self, AttributionError, Held, Presented};
use comity_provenance::bag::BagKind;
use comity_provenance::log::{self, SignedCheckpoint};
use comity_provenance::statement::{Details, Method, Predicate, Statement};
use comity_provenance::trust::TrustFile;
use comity_provenance::{Envelope, Sha256Digest};
use comity_store::case::Shelf;
use comity_store::record_tree::SECRET_FILE;
use serde_json::Value;

use super::intact::Intact;
use super::{Caution, Climbed, Document, Fault, Stop, entries_of, lines_of, memory};
use crate::bag::{self, NOT_IN_FINDINGS, STATEMENTS};
use crate::custody::{self, dependency_names};
use crate::dossier::{self, Named, entries};
use crate::run::{self, Queried};
use crate::told::{Told, ToldRun, name_of};

const LEAVES: &str = "data/log/leaves";
const CHECKPOINT: &str = "data/log/checkpoint";
const WITNESSED: &str = "data/log/witnessed";
const DEFINITION: &str = "data/definition.json";
const GUIDE: &str = "data/VERIFY.md";
const REPORT: &str = "data/report.html";
const CASE: &str = "data/case.jsonld";
const CRATE: &str = "data/ro-crate-metadata.json";
/// Most bytes of statements, log or definition that are read at once.
const LIMIT_BYTES: u64 = 1 << 30;

/// What the bag's statements tell, by people who may.
pub(crate) struct Attributed {
    pub(crate) told: Told,
    pub(crate) named: Named,
    pub(crate) run: Option<Run>,
    pub(crate) notes: Vec<String>,
    pub(crate) caution: Option<Caution>,
    pub(crate) documents: Vec<Document>,
}

/// The run that a bag is of.
pub(crate) struct Run {
    pub(crate) id: Sha256Digest,
    pub(crate) definition: Value,
    pub(crate) told: ToldRun,
    /// Queries as they came; which of them are comity's own is [`Run::own`]'s to say.
    pub(crate) queries: Vec<Queried>,
}

impl Run {
    /// Queries whose text is that of a built-in correlation of this program.
    pub(crate) fn own(&self) -> Vec<Queried> {
        self.queries.iter().filter(|q| is_own(q)).cloned().collect()
    }

    /// Names of queries that came with the job.
    pub(crate) fn theirs(&self) -> Vec<&str> {
        self.queries.iter().filter(|q| !is_own(q)).map(|q| q.name.as_str()).collect()
    }
}

fn is_own(query: &Queried) -> bool {
    comity_correlate::named::by_name(&query.name).is_some_and(|own| own.sql == query.sql)
}

pub(crate) fn check(
    intact: &Intact,
    trust: &TrustFile,
    memory: Option<&Path>,
    now_s: i64,
) -> Climbed<Attributed> {
    let statements = statements(intact)?;
    let missing = || Fault::new("payload-missing", format!("{CHECKPOINT}: is not in the bag"));
    let checkpoint = signed(intact, CHECKPOINT)?.ok_or_else(missing)?;
    let witnessed = signed(intact, WITNESSED)?;
    let leaves = entries_of(intact.needed(LEAVES, LIMIT_BYTES)?, LEAVES)?;
    let origin = checkpoint.checkpoint().origin.clone();
    let known = match memory {
        Some(memory) => memory::remembered(memory, &origin).map_err(Stop::Error)?,
        None => memory::Remembered::default(),
    };
    let presented = Presented {
        statements: &statements,
        leaves: &leaves,
        checkpoint: &checkpoint,
        witnessed: witnessed.as_ref(),
        sealer: intact.sealer,
        releases: intact.releases(),
    };
    let found = attribution::attribute(
        &presented,
        &Held { trust, remembered: &known.checkpoints, later: &known.leaves, now_s },
    )?;
    let told = Told::of(statements.iter().map(|s| &s.1))?;
    disclosure(intact, &statements)?;
    if told.case.as_ref() != Some(&intact.info.external_identifier) {
        let message = format!(
            "bag-info.txt names case {:?}, the statements {:?}",
            intact.info.external_identifier, told.case
        );
        return Err(Fault::new("other-case", message).into());
    }
    let (run, named) = match intact.kind() {
        BagKind::Feed => (None, submitted(intact, &told)?),
        _ => {
            let (run, named) = of_run(intact, &told)?;
            (Some(run), named)
        }
    };
    accounted(intact, run.as_ref(), &named)?;
    let documents = documents(intact, &told, run.as_ref(), &named, &statements)?;
    let caution = compared(intact, &documents, &statements)?;
    if let Some(memory) = memory {
        memory::remember(memory, &known, checkpoint.checkpoint(), &leaves).map_err(Stop::Error)?;
    }
    let mut notes = vec![format!(
        "{} statements; log {origin}, {} entries, {}",
        statements.len(),
        leaves.len(),
        standing_text(found.standing)
    )];
    if found.withheld > 0 {
        notes.push(format!("{} entries of the log are withheld from this bag", found.withheld));
    }
    if found.erased > 0 {
        notes.push(format!("{} entries were erased, by a signed tombstone", found.erased));
    }
    notes.push(match found.witnessed {
        Some((time, size)) => {
            format!("a witness saw the first {size} entries at {}", super::super::clock::text_of(time))
        }
        None => "no witness saw the log: times are the signers' own".into(),
    });
    Ok(Attributed { told, named, run, notes, caution, documents })
}

/// The statements, in their order, spelled as they are written.
fn statements(intact: &Intact) -> Climbed<Vec<(Envelope, Statement)>> {
    let bytes = intact.needed(STATEMENTS, LIMIT_BYTES)?;
    let ended = || Fault::new("envelope", format!("{STATEMENTS}: does not end with LF"));
    let mut all = Vec::new();
    for (at, line) in (1..).zip(lines_of(&bytes).ok_or_else(ended)?) {
        let fault = |kind, message: String| Fault::new(kind, format!("statement {at}: {message}"));
        let envelope = Envelope::parse(line).map_err(|e| fault("envelope", e.to_string()))?;
        if envelope.to_line().ok().as_deref().map(str::as_bytes) != Some(line) {
            return Err(fault("envelope", "is spelled in another way than it is written".into()).into());
        }
        let statement =
            Statement::parse(&envelope.payload).map_err(|e| fault("statement-form", e.to_string()))?;
        all.push((envelope, statement));
    }
    Ok(all)
}

fn signed(intact: &Intact, path: &str) -> Climbed<Option<SignedCheckpoint>> {
    let Some(bytes) = intact.read(path, 1 << 20)? else { return Ok(None) };
    let signed = SignedCheckpoint::parse(&bytes);
    Ok(Some(signed.map_err(|e| Fault::new("checkpoint-form", format!("{path}: {e}")))?))
}

pub(crate) fn text(bytes: Vec<u8>, path: &str) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|_| Fault::new("not-text", format!("{path}: is not UTF-8")))
}

/// The disclosure names exactly what lies in the bag.
fn disclosure(intact: &Intact, statements: &[(Envelope, Statement)]) -> Climbed<()> {
    let wrong = |message: String| Fault::new("disclosure-content", message);
    let Some((_, last)) = statements.last() else { return Err(wrong("there is none".into()).into()) };
    let Predicate::Custody(event) = &last.predicate else {
        return Err(wrong("the last statement is no disclosure".into()).into());
    };
    let Details::Disclosure { kind, run, .. } = &event.details else {
        return Err(wrong("the last statement is no disclosure".into()).into());
    };
    if *kind != intact.kind() || *run != intact.info.run {
        return Err(
            wrong("what was disclosed is of another kind or run than bag-info.txt says".into()).into()
        );
    }
    let stated: BTreeMap<&str, Sha256Digest> = last.subject.iter().map(|s| (s.name(), s.sha256())).collect();
    let found: BTreeMap<&str, Sha256Digest> = intact
        .checked
        .payload()
        .iter()
        .filter(|f| !bag::is_made_after(&f.path))
        .map(|f| (f.path.as_str(), f.sha256))
        .collect();
    if stated == found {
        return Ok(());
    }
    let odd = stated.iter().find(|(path, digest)| found.get(*path) != Some(digest));
    let odd = odd.or_else(|| found.iter().find(|(path, _)| !stated.contains_key(*path)));
    let path = odd.map_or("", |(path, _)| path);
    Err(wrong(format!("{path}: the bag and its disclosure do not agree about it")).into())
}

/// The feeds that a feed bag submits.
fn submitted(intact: &Intact, told: &Told) -> Climbed<Named> {
    let mut named = Named::default();
    for (name, _, _) in intact.under("data/inputs/feeds/").filter(|(name, _, _)| name.ends_with("/original"))
    {
        let id = name.strip_suffix("/original").and_then(|id| id.parse::<Sha256Digest>().ok());
        let item = id.and_then(|id| Some((id, told.feeds.get(&id)?)));
        let Some((_, item)) = item else {
            return Err(Fault::new("not-stated", format!("{name}: no statement tells of this feed")).into());
        };
        let record = item
            .readings
            .last()
            .ok_or_else(|| Fault::new("not-stated", format!("{name}: was never read")))?;
        named.feeds.push(crate::intake::FeedItem {
            record: record.clone(),
            intakes: item.intakes.clone(),
            item: Default::default(),
            originals: Vec::new(),
        });
    }
    Ok(named)
}

/// The run: its definition is the one that was run, of the items that the statements tell of, and its
/// tables are those that came of it.
fn of_run(intact: &Intact, told: &Told) -> Climbed<(Run, Named)> {
    let bytes = intact.needed(DEFINITION, 64 << 20)?;
    let id = Sha256Digest::of(&bytes);
    if Some(id) != intact.info.run {
        let message = format!("data/definition.json: is that of run {id}, not of the one the bag names");
        return Err(Fault::new("definition-changed", message).into());
    }
    let definition = comity_provenance::strict_json::parse(&bytes)
        .map_err(|e| Fault::new("definition-form", format!("data/definition.json: {e}")))?;
    let run = told
        .runs
        .get(&id)
        .ok_or_else(|| Fault::new("run-not-stated", format!("run {id}: no statement tells of it")))?
        .clone();
    let named = Named::find(told, &definition).map_err(|e| Fault::new("not-stated", e))?;
    let queries = queries(intact, &definition)?;
    let lists: Vec<(Sha256Digest, String)> = entries(&definition, "allow_lists")
        .map(|(id, _)| (id, told.allow_lists.get(&id).map(|l| l.name.clone()).unwrap_or_default()))
        .collect();
    let mut rebuilt = run::definition_of(&run.case, &named.evidence, &named.feeds, &lists, &queries);
    for part in ["comity", "tables"] {
        // the program that made the run may be another version
        if let (Some(members), Some(value)) = (rebuilt.as_object_mut(), definition.get(part)) {
            members.insert(part.to_owned(), value.clone());
        }
    }
    if rebuilt != definition {
        let message = "data/definition.json: says other than the statements about the items that it names";
        return Err(Fault::new("definition-changed", message).into());
    }
    let named_there: BTreeMap<String, Sha256Digest> = dependency_names(&definition);
    let mut depended = run.dependencies.clone();
    depended.remove("comity");
    if depended != named_there {
        let message = "the run's statement depends on other items than its definition names";
        return Err(Fault::new("definition-changed", message).into());
    }
    tables(intact, &run)?;
    Ok((Run { id, definition, told: run, queries }, named))
}

fn queries(intact: &Intact, definition: &Value) -> Climbed<Vec<Queried>> {
    let mut queries = Vec::new();
    for entry in definition.get("correlations").and_then(Value::as_array).into_iter().flatten() {
        let text_of = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let path = format!("data/verify/{}.sql", text_of("name"));
        let sql = intact.needed(&path, 16 << 20)?;
        if Sha256Digest::of(&sql).to_string() != text_of("sha256") {
            let message = format!("{path}: is not the query that the definition names");
            return Err(Fault::new("query-changed", message).into());
        }
        let parameters =
            run::parameters_of(entry.get("parameters").unwrap_or(&Value::Null)).ok_or_else(|| {
                Fault::new("definition-form", format!("{path}: its parameters are of no known type"))
            })?;
        queries.push(Queried { name: text_of("name").to_owned(), sql: text(sql, &path)?, parameters });
    }
    Ok(queries)
}

/// The tables in the bag are files that the run made, and none is left out without the kind of bag saying so.
fn tables(intact: &Intact, run: &ToldRun) -> Climbed<()> {
    let mut left: BTreeMap<&str, Sha256Digest> =
        run.outputs.iter().map(|o| (o.table.as_str(), o.sha256)).collect();
    for (file, sha256, _) in intact.under("data/results/") {
        let table = file.strip_suffix(".parquet").unwrap_or_default();
        match left.remove(table) {
            Some(stated) if stated == sha256 => {}
            Some(_) => {
                let message = format!("data/results/{file}: is not the table that the run made");
                return Err(Fault::new("table-swapped", message).into());
            }
            None => {
                let message = format!("data/results/{file}: the run made no such table");
                return Err(Fault::new("table-extra", message).into());
            }
        }
    }
    let excused = |table: &&str| intact.kind() == BagKind::Findings && NOT_IN_FINDINGS.contains(table);
    match left.keys().find(|table| !excused(table)) {
        Some(table) => {
            Err(Fault::new("table-missing", format!("data/results/{table}.parquet: is not in the bag"))
                .into())
        }
        None => Ok(()),
    }
}

/// Each file of the payload is accounted for: every bag has it, or the run made, ran or used it, or the item is submitted.
fn accounted(intact: &Intact, run: Option<&Run>, named: &Named) -> Climbed<()> {
    let known = accounted_for(intact.kind(), run, named);
    match intact.checked.payload().iter().find(|file| !known.contains(&file.path)) {
        Some(file) => {
            let message = format!("{}: no statement accounts for this file in such a bag", file.path);
            Err(Fault::new("payload-extra", message).into())
        }
        None => Ok(()),
    }
}

fn accounted_for(kind: BagKind, run: Option<&Run>, named: &Named) -> BTreeSet<String> {
    let evidence = || named.evidence.iter().map(|e| e.normalised.id);
    let feeds = || named.feeds.iter().map(|f| f.record.id);
    let mut known: BTreeSet<String> =
        [GUIDE, CRATE, STATEMENTS, CHECKPOINT, LEAVES, WITNESSED].map(str::to_owned).into();
    if let Some(run) = run {
        known.extend([DEFINITION, REPORT, CASE].map(str::to_owned));
        known.extend(run.told.outputs.iter().map(|o| format!("data/results/{}.parquet", o.table)));
        known.extend(run.queries.iter().map(|q| format!("data/verify/{}.sql", q.name)));
        let lists = entries(&run.definition, "allow_lists");
        known.extend(lists.map(|(id, _)| format!("data/inputs/allow-lists/{id}/original")));
    }
    if kind == BagKind::Findings {
        known.extend(evidence().map(|id| format!("data/records/{id}.jsonl")));
        known.extend(feeds().map(|id| format!("data/indicators/{id}.jsonl")));
    } else {
        let evidence = evidence().map(|id| name_of(Shelf::Evidence, &id));
        for item in evidence.chain(feeds().map(|id| name_of(Shelf::Feeds, &id))) {
            known.insert(format!("data/inputs/{item}/original"));
            known.insert(format!("data/inputs/{item}/{SECRET_FILE}"));
        }
    }
    known
}

/// The documents, made again from the statements and tables.
fn documents(
    intact: &Intact,
    told: &Told,
    run: Option<&Run>,
    named: &Named,
    statements: &[(Envelope, Statement)],
) -> Climbed<Vec<Document>> {
    let mut dossier = match run {
        Some(run) => {
            let results = intact.checked.dir().join("data/results");
            dossier::of_run(
                bag::export_kind(intact.kind()),
                told,
                run.id,
                &run.told,
                &run.definition,
                named,
                &results,
            )?
        }
        None => feed_dossier(intact, told, named),
    };
    // the node that signed the disclosure made them
    dossier.node = statements.last().and_then(|(e, _)| Some(e.signatures.first()?.keyid.clone()));
    let mut made = vec![(GUIDE, comity_export::verify_md(&dossier))];
    if run.is_some() {
        made.push((REPORT, comity_export::report_html(&dossier)));
        made.push((CASE, comity_export::case_jsonld(&dossier)));
    }
    dossier.files = bag::file_facts(intact.checked.payload().iter().filter_map(|file| {
        let path = file.path.strip_prefix("data/")?;
        (path != bag::RO_CRATE).then(|| (path.to_owned(), (file.sha256, file.bytes)))
    }));
    made.push((CRATE, comity_export::ro_crate(&dossier)));
    Ok(made)
}

/// Documents that are not as this program makes them are false; but where the bag says that another version made them,
/// that can't be told.
fn compared(
    intact: &Intact,
    made: &[Document],
    statements: &[(Envelope, Statement)],
) -> Climbed<Option<Caution>> {
    let mut differing = Vec::new();
    for (path, text) in made {
        if intact.needed(path, LIMIT_BYTES)? != text.as_bytes() {
            differing.push(*path);
        }
    }
    let Some(first) = differing.first() else { return Ok(None) };
    let this = custody::method();
    match made_by(statements).filter(|m| m.tool == this.tool && m.version != this.version) {
        Some(other) => Ok(Some(Caution {
            kind: "documents-of-another-version",
            documents: differing,
            made_by: other.version.clone(),
            this: this.version,
        })),
        None => {
            let message = format!("{first}: does not say what the statements and tables say; do not open it");
            Err(Fault::new("document-differs", message).into())
        }
    }
}

/// What the disclosure says that the bag was made with.
fn made_by(statements: &[(Envelope, Statement)]) -> Option<&Method> {
    let Predicate::Custody(event) = &statements.last()?.1.predicate else { return None };
    event.method.as_ref()
}

fn feed_dossier(intact: &Intact, told: &Told, named: &Named) -> Dossier {
    let mut dossier = dossier::of_items(bag::export_kind(intact.kind()), told, named);
    dossier.case.id.clone_from(&intact.info.external_identifier);
    dossier.case.title = Some(intact.info.case.clone()).filter(|title| !title.is_empty());
    dossier.case.jurisdiction = intact.info.jurisdiction.clone();
    dossier.case.purpose = intact.info.purpose.clone();
    dossier
}

/// How the log stands to what this verifier saw before.
const fn standing_text(standing: log::Standing) -> &'static str {
    match standing {
        log::Standing::New => "first seen here",
        log::Standing::Known => "as seen before",
        log::Standing::Extends => "grown since it was seen before",
        log::Standing::Older | log::Standing::OlderUnproven => {
            "older than one seen since, and accepted before"
        }
        log::Standing::Fork => "forked",
    }
}

/// The word for a fault of attribution.
pub(crate) const fn kind_of(error: &AttributionError) -> &'static str {
    match error {
        AttributionError::LogUnknown { .. } => "log-unknown",
        AttributionError::Root { .. } => "log-root",
        AttributionError::Fork { .. } => "log-forked",
        AttributionError::OlderUnproven { .. } => "checkpoint-older-unproven",
        AttributionError::Witnessed { .. } => "witnessed-elsewhere",
        AttributionError::UnknownSigner { .. } => "unknown-signer",
        AttributionError::Signature { .. } => "signature-false",
        AttributionError::Role { .. } => "wrong-role",
        AttributionError::NotValidThen { .. } => "expired-key",
        AttributionError::Unwitnessed { .. } => "expired-unwitnessed",
        AttributionError::Revoked { .. } => "revoked-key",
        AttributionError::NotLogged { .. } => "not-logged",
        AttributionError::Late { .. } => "signature-late",
        AttributionError::Order { .. } => "statement-order",
        AttributionError::Missing { .. } => "statement-missing",
        AttributionError::NoDisclosure => "no-disclosure",
        AttributionError::Form { .. } => "statement-form",
    }
}
