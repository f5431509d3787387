//! Level 2: each record lies in what was committed to, each indicator in its feed as it was read.

use comity_parse::framing::Framing;
use comity_provenance::Sha256Digest;
use comity_provenance::bag::BagKind;
use comity_provenance::record_tree::{BlockTree, ChunkTree, ProvenRecord, Salts, TreeBuilder, leaf};
use comity_provenance::statement;
use comity_store::feed;
use comity_store::record_tree::{SECRET_FILE, parse_secret};
use comity_store::source::plain_name;

use super::attributed::Attributed;
use super::intact::Intact;
use super::{Climbed, Fault, Stop, lines_of};
use crate::JobError;
use crate::custody::LINES_FRAMING;
use crate::disclose::{Seen, each_record};
use crate::ingest::LongRecords;
use crate::intake::{AllowListItem, read_allow_list};
use crate::progress::Progress;
use crate::rematch::Disclosed;
use crate::told::name_of;
use comity_store::case::Shelf;

/// Most bytes of the proven records of one item.
const LIMIT_BYTES: u64 = 16 << 30;

/// What is disclosed and proven.
#[derive(Debug, Default)]
pub(crate) struct Grounded {
    pub(crate) disclosed: Disclosed,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn check(intact: &Intact, told: &Attributed, progress: &dyn Progress) -> Climbed<Grounded> {
    let mut grounded = Grounded::default();
    allow_lists(intact, told, &mut grounded)?;
    match intact.kind() {
        BagKind::Findings => proven(intact, told, &mut grounded)?,
        BagKind::Full => {
            evidence(intact, told, progress)?;
            feeds(intact, told)?;
            grounded.notes.push(format!(
                "{} originals hash to what was stated, and lead to the roots committed to at intake",
                told.named.evidence.len() + told.named.feeds.len()
            ));
        }
        BagKind::Feed => {
            feeds(intact, told)?;
            grounded.notes.push(format!("{} feeds hash to what was stated", told.named.feeds.len()));
        }
    }
    Ok(grounded)
}

/// Allow-lists come whole.
fn allow_lists(intact: &Intact, told: &Attributed, grounded: &mut Grounded) -> Climbed<()> {
    let Some(run) = &told.run else { return Ok(()) };
    for (id, _) in crate::dossier::entries(&run.definition, "allow_lists") {
        let path = format!("data/inputs/allow-lists/{id}/original");
        original(intact, &path, id)?;
        let name = told.told.allow_lists.get(&id).map(|l| l.name.clone());
        let name =
            name.ok_or_else(|| Fault::new("not-stated", format!("{path}: no statement tells of it")))?;
        let (list, _) = read_allow_list(&intact.checked.dir().join(&path), &name)?;
        grounded.disclosed.allow_lists.push(AllowListItem { id, list, original: Default::default() });
    }
    Ok(())
}

/// A file of the bag that must have the digest that it is named after.
fn original(intact: &Intact, path: &str, id: Sha256Digest) -> Climbed<()> {
    match intact.checked.file(path) {
        Some(file) if file.sha256 == id => Ok(()),
        Some(file) => {
            let message = format!("{path}: its SHA-256 is {}", file.sha256);
            Err(Fault::new("input-swapped", message).into())
        }
        None => Err(Fault::new("payload-missing", format!("{path}: is not in the bag")).into()),
    }
}

/// The tree that a statement gives an item in a framing.
fn tree_of<'a>(trees: Option<&'a statement::RecordTree>, item: &str) -> Climbed<&'a statement::RecordTree> {
    trees.ok_or_else(|| {
        Fault::new("not-committed", format!("{item}: no statement commits to its records")).into()
    })
}

fn proven(intact: &Intact, told: &Attributed, grounded: &mut Grounded) -> Climbed<()> {
    let (mut records, mut context, mut indicators) = (0, 0, 0);
    for item in &told.named.evidence {
        let (id, name) = (item.normalised.id, name_of(Shelf::Evidence, &item.normalised.id));
        let path = format!("data/records/{id}.jsonl");
        let Some(bytes) = intact.read(&path, LIMIT_BYTES)? else { continue };
        let tree =
            tree_of(told.told.evidence.get(&id).and_then(|e| e.tree(&item.normalised.framing)), &name)?;
        let all = lines(&path, &bytes, tree)?;
        context += all.iter().filter(|r| r.context).count();
        records += all.len();
        grounded.disclosed.records.insert(id, all);
    }
    for feed in &told.named.feeds {
        let (id, name) = (feed.record.id, name_of(Shelf::Feeds, &feed.record.id));
        let path = format!("data/indicators/{id}.jsonl");
        let Some(bytes) = intact.read(&path, LIMIT_BYTES)? else { continue };
        let tree = tree_of(told.told.feeds.get(&id).and_then(|f| f.tree(LINES_FRAMING)), &name)?;
        let all = lines(&path, &bytes, tree)?;
        indicators += all.len();
        let parsed: Result<Vec<_>, _> = all.iter().map(|r| feed::parse_line(&r.bytes)).collect();
        let parsed = parsed.map_err(|e| Fault::new("indicator-form", format!("{path}: {e}")))?;
        grounded.disclosed.indicators.insert(id, parsed);
    }
    grounded.notes.push(format!(
        "{} records ({context} of them context) and {indicators} indicators are proven",
        records
    ));
    Ok(())
}

/// Proven records, each checked against the root; in ascending order, none twice.
fn lines(path: &str, bytes: &[u8], tree: &statement::RecordTree) -> Climbed<Vec<ProvenRecord>> {
    let ended = || Fault::new("proof-form", format!("{path}: does not end with LF"));
    let mut all: Vec<ProvenRecord> = Vec::new();
    for (at, line) in (1..).zip(lines_of(bytes).ok_or_else(ended)?) {
        let fault = |kind, message: String| Fault::new(kind, format!("{path}: line {at}: {message}"));
        let record = ProvenRecord::parse(line).map_err(|e| fault("proof-form", e.to_string()))?;
        record.verify(tree.records, &tree.root).map_err(|e| fault("proof-false", e.to_string()))?;
        if all.last().is_some_and(|last| last.record >= record.record) {
            return Err(fault("proof-form", "is not in order, or stands twice".into()).into());
        }
        all.push(record);
    }
    Ok(all)
}

/// The secret of an item's salts, from the bag.
fn secret(intact: &Intact, shelf: Shelf, id: &Sha256Digest) -> Climbed<[u8; 32]> {
    let path = format!("data/inputs/{}/{SECRET_FILE}", name_of(shelf, id));
    let bytes = intact.needed(&path, 1 << 10)?;
    let secret = std::str::from_utf8(&bytes).ok().and_then(parse_secret);
    secret.ok_or_else(|| Fault::new("proof-form", format!("{path}: is no secret")).into())
}

fn same_tree(item: &str, found: &BlockTree, stated: &statement::RecordTree) -> Climbed<()> {
    if found.records == stated.records && found.root == stated.root {
        return Ok(());
    }
    let message = format!(
        "{item}: its {} records lead to {}, but {} records and {} were committed to",
        found.records, found.root, stated.records, stated.root
    );
    Err(Fault::new("root-differs", message).into())
}

/// The originals of a full bag: their digests, and their trees made anew.
fn evidence(intact: &Intact, told: &Attributed, progress: &dyn Progress) -> Climbed<()> {
    for item in &told.named.evidence {
        let (id, name) = (item.normalised.id, name_of(Shelf::Evidence, &item.normalised.id));
        let path = format!("data/inputs/{name}/original");
        original(intact, &path, id)?;
        let stated =
            tree_of(told.told.evidence.get(&id).and_then(|e| e.tree(&item.normalised.framing)), &name)?;
        let framing = Framing::by_name(&item.normalised.framing).ok_or_else(|| {
            Fault::new("framing-unknown", format!("{name}: framing {:?}", item.normalised.framing))
        })?;
        let salts = Salts::new(&secret(intact, Shelf::Evidence, &id)?);
        let file = intact.checked.dir().join(&path);
        progress.begin(&plain_name(&file), Some(item.normalised.bytes));
        let found = tree_again(&file, framing, &salts, progress)?;
        progress.end(&format!("{name}: {} records", found.records));
        same_tree(&name, &found, stated)?;
    }
    Ok(())
}

fn tree_again(
    file: &std::path::Path,
    framing: Framing,
    salts: &Salts,
    progress: &dyn Progress,
) -> Result<BlockTree, JobError> {
    let mut tree = TreeBuilder::new();
    let mut chunk = ChunkTree::new(0);
    let mut next = 0;
    let mut long = LongRecords::new(file, salts.clone());
    each_record(file, framing, progress, &mut |seen| {
        let (number, offset, leaf) = match seen {
            Seen::Whole { number, offset, bytes } => {
                (number, offset, leaf(&salts.salt(number - 1), offset, bytes))
            }
            Seen::TooLong(p) => (p.record, p.offset, long.leaf(p.record, p.offset, p.length)?),
        };
        chunk.push(offset, leaf);
        next = number;
        if number.is_multiple_of(1 << 16) {
            tree.append(std::mem::replace(&mut chunk, ChunkTree::new(next)))?;
        }
        Ok(())
    })?;
    tree.append(chunk)?;
    Ok(tree.finish())
}

/// Feeds: their digests, and the tree over what they read as, made anew.
fn feeds(intact: &Intact, told: &Attributed) -> Climbed<()> {
    for item in &told.named.feeds {
        let (id, name) = (item.record.id, name_of(Shelf::Feeds, &item.record.id));
        let path = format!("data/inputs/{name}/original");
        original(intact, &path, id)?;
        let stated = tree_of(told.told.feeds.get(&id).and_then(|f| f.tree(LINES_FRAMING)), &name)?;
        let declared = item.intakes.first().map(|i| i.declared.clone()).unwrap_or_default();
        let mut declared: crate::job_file::Feed = serde_json::from_value(declared)
            .map_err(|e| Fault::new("statement-form", format!("{name}: {e}")))?;
        declared.format = Some(item.record.format.clone());
        if crate::feeds::settings(&declared, &item.record.format) != item.record.settings {
            return Err(Stop::Missing(format!(
                "{name}: was read by another version of comity than this one"
            )));
        }
        let read = crate::feeds::read(&intact.checked.dir().join(&path), &declared)?;
        let found = crate::feeds::tree_of(read, &secret(intact, Shelf::Feeds, &id)?)?;
        same_tree(&name, &found, stated)?;
    }
    Ok(())
}
