//! The bag's `data/` as an RO-Crate 1.1 that conforms to Process Run Crate 0.5
//! (w3id.org/ro/wfrun/process/0.5): every file, and the run as a `CreateAction`. `rocrate-validator` of
//! PyPI `roc-validator` 0.13 accepts it.
//!
//! What the run used and the bag does not hold is described as `CreativeWork` with its digest. A feed bag
//! has no run; there the reading of each feed is the action.

use std::collections::BTreeMap;

use crate::case::tlp_text;
use crate::dossier::{BagKind, Dossier, OutputFacts};
use crate::json_ld::{Item, Object, document, node, put, reference, references};
use crate::text::{digest, time};

/// Name of the file itself, which is a descriptor and no part.
const DESCRIPTOR: &str = "ro-crate-metadata.json";
const CONTEXT: &str = "https://w3id.org/ro/crate/1.1/context";
const PROFILE: &str = "https://w3id.org/ro/wfrun/process/0.5";
const TOOL: &str = "#comity";
const NODE: &str = "#node";
const HANDLING: &str = "#handling";

/// Writes the dossier as `ro-crate-metadata.json`.
pub fn ro_crate(dossier: &Dossier) -> String {
    let files = files(dossier);
    let used = used(dossier, &files);
    let actions = actions(dossier, &used);
    let mut graph =
        vec![descriptor(), root(dossier, &files, &actions), profile(), handling(dossier), tool(dossier)];
    graph.extend(dossier.node.as_deref().map(agent));
    graph.extend(files.into_values());
    graph.extend(used.into_iter().filter_map(|used| used.entity));
    graph.extend(actions);
    // RO-Crate 1.1 has no term for a SHA-256; this is Workflow Run RO-Crate's
    let sha256 = Object::from([("sha256", "https://w3id.org/ro/terms/workflow-run#sha256".into())]);
    document(Item::List(vec![CONTEXT.into(), sha256.into()]), graph)
}

fn descriptor() -> Object {
    let mut descriptor = node(DESCRIPTOR, "CreativeWork");
    descriptor.insert("about", reference("./"));
    descriptor.insert("conformsTo", reference("https://w3id.org/ro/crate/1.1"));
    descriptor
}

fn root(dossier: &Dossier, files: &BTreeMap<&str, Object>, actions: &[Object]) -> Object {
    let case = &dossier.case;
    let mut root = node("./", "Dataset");
    let title = case.title.as_ref().map_or_else(|| case.id.clone(), |title| format!("{}: {title}", case.id));
    root.insert("name", title.into());
    let what = match dossier.kind {
        BagKind::Full => "Findings of a run, with the evidence",
        BagKind::Findings => "Findings of a run, with the records that they rest on",
        BagKind::Feed => "Feeds submitted to a case",
    };
    root.insert("description", format!("{what}. Purpose: {}", case.purpose).into());
    root.insert("identifier", case.id.as_str().into());
    root.insert("license", reference(HANDLING));
    root.insert("conformsTo", reference(PROFILE));
    put(&mut root, "datePublished", made_at(dossier));
    put(&mut root, "author", dossier.node.as_ref().map(|_| reference(NODE)));
    let ids: Vec<String> = files.keys().map(|path| encoded(path)).collect();
    put(&mut root, "hasPart", references(ids.iter().map(String::as_str)));
    put(&mut root, "mentions", references(actions.iter().filter_map(id_of)));
    root
}

/// When what is in the bag was made: when the run finished, else when the last feed came in. The bag's own
/// date is in `bag-info.txt`.
fn made_at(dossier: &Dossier) -> Option<String> {
    let finished = dossier.run_times.as_ref().map(|(_, finished)| finished.as_str());
    let received = dossier.feeds.iter().map(|f| f.received_at.as_str());
    let received = received.chain(dossier.evidence.iter().map(|e| e.received_at.as_str()));
    finished.and_then(time).or_else(|| received.filter_map(time).max()).map(offset_time)
}

/// A time with its offset in digits, as the profile's pattern wants it.
fn offset_time(time: &str) -> String {
    time.strip_suffix('Z').map_or_else(|| time.to_owned(), |local| format!("{local}+00:00"))
}

fn profile() -> Object {
    let mut profile = node(PROFILE, "CreativeWork");
    profile.insert("name", "Process Run Crate".into());
    profile.insert("version", "0.5".into());
    profile
}

/// What the crate may be used for stands where others have a licence.
fn handling(dossier: &Dossier) -> Object {
    let mut handling = node(HANDLING, "CreativeWork");
    let marking = dossier.strictest().map(tlp_text);
    handling.insert("name", marking.as_deref().unwrap_or("not marked").into());
    let description =
        format!("Evidence of a case. To be used for its purpose only: {}", dossier.case.purpose);
    handling.insert("description", description.into());
    handling
}

fn tool(dossier: &Dossier) -> Object {
    let mut tool = node(TOOL, "SoftwareApplication");
    tool.insert("name", "comity".into());
    tool.insert("softwareVersion", dossier.tool.version.as_str().into());
    let commit = dossier.tool.commit.as_deref();
    put(&mut tool, "description", commit.map(|c| format!("built from source commit {c}")));
    tool
}

/// The node as the agent of the run; the profile knows persons and organisations only.
fn agent(fingerprint: &str) -> Object {
    let mut agent = node(NODE, "Organization");
    agent.insert("name", format!("comity node {fingerprint}").into());
    agent.insert("description", "A machine, known by the fingerprint of its key".into());
    agent
}

/// The files of the bag, by path.
fn files(dossier: &Dossier) -> BTreeMap<&str, Object> {
    let mut files = BTreeMap::new();
    for file in &dossier.files {
        files.insert(file.path.as_str(), entity(&file.path, file.bytes, file.sha256.as_deref()));
    }
    for output in tables(dossier) {
        let mut table = entity(&output.path, Some(output.bytes), Some(&output.sha256));
        let (name, rows, logical) = (&output.name, output.rows, &output.logical_sha256);
        table.insert("description", format!("Table {name}, rows {rows}, logical SHA-256 {logical}").into());
        files.insert(&output.path, table);
    }
    files.remove(DESCRIPTOR);
    files
}

/// Tables of the run that lie in the bag; a findings bag leaves out those that name what was not seen.
fn tables(dossier: &Dossier) -> impl Iterator<Item = &OutputFacts> {
    dossier.outputs.iter().filter(|output| dossier.files.iter().any(|file| file.path == output.path))
}

fn entity(path: &str, bytes: Option<u64>, sha256: Option<&str>) -> Object {
    let mut file = node(&encoded(path), "File");
    file.insert("name", path.into());
    file.insert("encodingFormat", media_type(path).into());
    put(&mut file, "contentSize", bytes.map(|b| b.to_string()));
    put(&mut file, "sha256", sha256.and_then(digest));
    file
}

/// Media type by the end of a path, for the files that a bag can hold.
fn media_type(path: &str) -> &'static str {
    const TYPES: [(&str, &str); 8] = [
        (".html", "text/html"),
        (".json", "application/json"),
        (".jsonl", "application/x-ndjson"),
        (".jsonld", "application/ld+json"),
        (".md", "text/markdown"),
        (".parquet", "application/vnd.apache.parquet"),
        (".sql", "application/sql"),
        ("/original", "application/octet-stream"),
    ];
    TYPES.iter().find(|(end, _)| path.ends_with(end)).map_or("text/plain", |(_, media_type)| media_type)
}

/// Something that an action used: a file of the bag, or an entity that only describes it.
struct Used {
    id: String,
    entity: Option<Object>,
}

/// What the run used, as `object` of its action; for a feed bag, the feeds.
fn used(dossier: &Dossier, files: &BTreeMap<&str, Object>) -> Vec<Used> {
    let mut used = Vec::new();
    let mut add = |shelf: &str, id: &str, name: &str, what: &str| {
        let path = format!("inputs/{shelf}/{id}/original");
        if files.contains_key(path.as_str()) {
            used.push(Used { id: encoded(&path), entity: None });
            return;
        }
        let at = format!("#{}", encoded(&format!("{shelf}/{id}")));
        let mut entity = node(&at, "CreativeWork");
        entity.insert("name", name.into());
        entity.insert("description", format!("{what}, not in the bag").into());
        put(&mut entity, "sha256", digest(id));
        used.push(Used { id: at, entity: Some(entity) });
    };
    for item in &dossier.evidence {
        add("evidence", &item.id, &item.path, "Evidence item");
    }
    for feed in &dossier.feeds {
        add("feeds", &feed.id, &feed.path, "Feed");
    }
    for list in &dossier.allow_lists {
        add("allow-lists", &list.id, &list.name, "Allow-list");
    }
    for correlation in &dossier.correlations {
        let path = format!("verify/{}.sql", correlation.name);
        if files.contains_key(path.as_str()) {
            used.push(Used { id: encoded(&path), entity: None });
        }
    }
    used
}

fn actions(dossier: &Dossier, used: &[Used]) -> Vec<Object> {
    let objects = used.iter().map(|used| used.id.as_str());
    let Some(run) = &dossier.run_id else {
        return dossier
            .feeds
            .iter()
            .zip(objects)
            .map(|(feed, id)| {
                let mut action = action(dossier, &format!("#read-{}", encoded(&feed.id)), "A feed was read");
                let (seen, accepted, rejected) = (feed.seen, feed.accepted, feed.rejected);
                let what = format!("Claims {seen}, accepted {accepted}, rejected {rejected}");
                action.insert("description", what.into());
                put(&mut action, "endTime", time(&feed.received_at).map(offset_time));
                action.insert("object", reference(id));
                action
            })
            .collect();
    };
    let mut action = action(dossier, &format!("#run-{}", encoded(run)), "A run of comity");
    let what = "Correlated the evidence items with the feeds; named by the SHA-256 of its definition";
    action.insert("description", format!("{what}, {run}").into());
    if let Some((started, finished)) = &dossier.run_times {
        put(&mut action, "startTime", time(started).map(offset_time));
        put(&mut action, "endTime", time(finished).map(offset_time));
    }
    put(&mut action, "object", references(objects));
    let results: Vec<String> = tables(dossier).map(|output| encoded(&output.path)).collect();
    put(&mut action, "result", references(results.iter().map(String::as_str)));
    vec![action]
}

fn action(dossier: &Dossier, id: &str, name: &str) -> Object {
    let mut action = node(id, "CreateAction");
    action.insert("name", name.into());
    action.insert("instrument", reference(TOOL));
    put(&mut action, "agent", dossier.node.as_ref().map(|_| reference(NODE)));
    action
}

fn id_of(node: &Object) -> Option<&str> {
    match node.get("@id") {
        Some(Item::Text(id)) => Some(id),
        _ => None,
    }
}

/// A path as a relative reference (RFC 3986 §4.2); the bag's own paths need no change.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut before = b'/';
    for byte in path.bytes() {
        let as_is = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~');
        // two slashes, or one in front, would name another host or root
        if as_is || (byte == b'/' && before != b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        before = byte;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_the_crate() {
        assert_eq!(encoded("results/first-seen.parquet"), "results/first-seen.parquet");
        assert_eq!(encoded("//h/é:<"), "%2F%2Fh/%C3%A9%3A%3C");
    }
}
