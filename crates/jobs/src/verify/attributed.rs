//! Level 1: who said it; and that files, definition and documents are what the statements tell of.

use std::collections::BTreeMap;
use std::path::Path;

use comity_export::Dossier;
use comity_provenance::attribution::{self, AttributionError, Held, Presented};
use comity_provenance::bag::BagKind;
use comity_provenance::log::{self, SignedCheckpoint};
use comity_provenance::statement::{Details, Predicate, Statement};
use comity_provenance::trust::TrustFile;
use comity_provenance::{Envelope, Sha256Digest};
use serde_json::Value;

use super::intact::Intact;
use super::{Climbed, Fault, Stop, memory};
use crate::bag::{self, NOT_IN_FINDINGS, STATEMENTS};
use crate::custody::dependency_names;
use crate::dossier::{self, Named, entries};
use crate::run::{self, Queried};
use crate::told::{Told, ToldRun};

/// Most bytes of statements, log or definition that are read at once.
const LIMIT_BYTES: u64 = 1 << 30;

/// What the bag's statements tell, by people who may.
pub(crate) struct Attributed {
    pub(crate) told: Told,
    pub(crate) named: Named,
    pub(crate) run: Option<Run>,
    pub(crate) notes: Vec<String>,
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
    let checkpoint = signed(intact, "data/log/checkpoint")?
        .ok_or_else(|| Fault::new("payload-missing", "data/log/checkpoint: is not in the bag"))?;
    let witnessed = signed(intact, "data/log/witnessed")?;
    let leaves = text(intact.needed("data/log/leaves", LIMIT_BYTES)?, "data/log/leaves")?;
    let leaves: Vec<String> = leaves.lines().map(str::to_owned).collect();
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
    documents(intact, &told, run.as_ref(), &named, &statements)?;
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
    Ok(Attributed { told, named, run, notes })
}

/// The statements, in their order.
fn statements(intact: &Intact) -> Climbed<Vec<(Envelope, Statement)>> {
    let bytes = intact.needed(STATEMENTS, LIMIT_BYTES)?;
    let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let mut all = Vec::new();
    for (at, line) in (1..).zip(body.split(|b| *b == b'\n')) {
        let fault = |kind, message: String| Fault::new(kind, format!("statement {at}: {message}"));
        let envelope = Envelope::parse(line).map_err(|e| fault("envelope", e.to_string()))?;
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

fn text(bytes: Vec<u8>, path: &str) -> Climbed<String> {
    String::from_utf8(bytes).map_err(|_| Fault::new("not-text", format!("{path}: is not UTF-8")).into())
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
    let bytes = intact.needed("data/definition.json", 64 << 20)?;
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
        let table = file.strip_suffix(".parquet").unwrap_or(file);
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

/// The documents say what the statements and tables say: they are made again and compared.
fn documents(
    intact: &Intact,
    told: &Told,
    run: Option<&Run>,
    named: &Named,
    statements: &[(Envelope, Statement)],
) -> Climbed<()> {
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
    let same = |path: &str, made: &str| -> Climbed<()> {
        match intact.read(path, LIMIT_BYTES)? {
            Some(found) if found == made.as_bytes() => Ok(()),
            Some(_) => {
                let message =
                    format!("{path}: does not say what the statements and tables say; do not open it");
                Err(Fault::new("document-differs", message).into())
            }
            None => Err(Fault::new("payload-missing", format!("{path}: is not in the bag")).into()),
        }
    };
    same("data/VERIFY.md", &comity_export::verify_md(&dossier))?;
    if run.is_some() {
        same("data/report.html", &comity_export::report_html(&dossier))?;
        same("data/case.jsonld", &comity_export::case_jsonld(&dossier))?;
    }
    dossier.files = bag::file_facts(intact.checked.payload().iter().filter_map(|file| {
        let path = file.path.strip_prefix("data/")?;
        (path != bag::RO_CRATE).then(|| (path.to_owned(), (file.sha256, file.bytes)))
    }));
    same(&format!("data/{}", bag::RO_CRATE), &comity_export::ro_crate(&dossier))
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
