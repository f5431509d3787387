//! The dossier as CASE 1.5 on UCO 1.5 (caseontology.org), JSON-LD: what investigators' tools exchange.
//! `case_validate` of PyPI `case-utils` 0.18 accepts it without a warning.
//!
//! An investigation holds the evidence items as files with their digests, and four kinds of action:
//! *collection* of an evidence item (performed by its authority, recorded by the node), *normalise*,
//! *collection* of a feed (by its provider), and *correlate*, with the provenance records that they left.
//!
//! Ids are those that the same facts give again: `kb:` and a UUID out of SHA-256. It has the shape of
//! version 5, since UCO's `UcoThing-identifier-regex-shape` knows no version above it.

use std::collections::{BTreeMap, BTreeSet};

use comity_model::Tlp;
use sha2::{Digest, Sha256};

use crate::dossier::{Dossier, EvidenceFacts, FeedFacts};
use crate::json_ld::{Item, Object, document, node, put, reference, references, typed};
use crate::text::{digest, time};

/// Prefixes, as CASE's own documents have them.
const PREFIXES: [(&str, &str); 11] = [
    ("case-investigation", "https://ontology.caseontology.org/case/investigation/"),
    ("kb", "urn:comity:kb:"),
    ("uco-action", "https://ontology.unifiedcyberontology.org/uco/action/"),
    ("uco-core", "https://ontology.unifiedcyberontology.org/uco/core/"),
    ("uco-identity", "https://ontology.unifiedcyberontology.org/uco/identity/"),
    ("uco-location", "https://ontology.unifiedcyberontology.org/uco/location/"),
    ("uco-marking", "https://ontology.unifiedcyberontology.org/uco/marking/"),
    ("uco-observable", "https://ontology.unifiedcyberontology.org/uco/observable/"),
    ("uco-tool", "https://ontology.unifiedcyberontology.org/uco/tool/"),
    ("uco-types", "https://ontology.unifiedcyberontology.org/uco/types/"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
];

/// Writes the dossier as CASE JSON-LD.
pub fn case_jsonld(dossier: &Dossier) -> String {
    let mut graph = Graph { case: &dossier.case.id, nodes: BTreeMap::new(), node: None };
    let tool = graph.tool(dossier);
    graph.node = dossier.node.as_deref().map(|fingerprint| graph.node_identity(fingerprint));
    let (mut used, mut normalised, mut authorizations) = (Vec::new(), Vec::new(), BTreeSet::new());
    for item in &dossier.evidence {
        let authorization = graph.authorization(item);
        let provenance = graph.collection(item, authorization.as_deref());
        normalised.push(graph.normalise(item, &provenance, &tool));
        used.push(provenance);
        authorizations.extend(authorization);
    }
    for feed in &dossier.feeds {
        used.push(graph.feed(feed));
    }
    for list in &dossier.allow_lists {
        let id = graph.id("file", &["allow-list", &list.id]);
        let what = "allow-list".into();
        used.push(graph.file(File { id, path: &list.name, bytes: None, sha256: &list.id, what, tlp: None }));
    }
    if let Some(run) = &dossier.run_id {
        graph.correlate(dossier, run, &tool, [&used, &normalised]);
    }
    graph.investigation(dossier, &authorizations);
    let context: Object = PREFIXES.map(|(prefix, iri)| (prefix, iri.into())).into();
    document(context.into(), graph.nodes.into_values().collect())
}

/// A file, as far as it is known.
struct File<'a> {
    id: String,
    path: &'a str,
    bytes: Option<u64>,
    sha256: &'a str,
    what: String,
    tlp: Option<Tlp>,
}

/// The nodes made so far, by id: what is said twice is one node.
struct Graph<'a> {
    case: &'a str,
    nodes: BTreeMap<String, Object>,
    /// The identity of the node that did the work.
    node: Option<String>,
}

impl Graph<'_> {
    /// The id of a thing of the case. It says nothing of other cases: that the same name means the same
    /// there is not ours to claim.
    fn id(&self, kind: &str, parts: &[&str]) -> String {
        let mut hasher = Sha256::new();
        for part in [kind, self.case].iter().chain(parts) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let mut uuid = [0; 16];
        uuid.iter_mut().zip(hasher.finalize()).for_each(|(to, byte)| *to = byte);
        let number = u128::from_be_bytes(uuid);
        // RFC 9562 §4: version in bits 48 to 51, variant in bits 64 and 65
        let number = number & !(0xf << 76) & !(0x3 << 62) | 0x5 << 76 | 0x2 << 62;
        let hex = format!("{number:032x}");
        let mut out = format!("kb:{kind}-");
        for (at, digit) in hex.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                out.push('-');
            }
            out.push(digit);
        }
        out
    }

    /// Keeps a node and gives its id back.
    fn keep(&mut self, id: String, node: Object) -> String {
        self.nodes.insert(id.clone(), node);
        id
    }

    fn tool(&mut self, dossier: &Dossier) -> String {
        let commit = dossier.tool.commit.as_deref();
        let id = self.id("tool", &["comity", &dossier.tool.version, commit.unwrap_or_default()]);
        let mut tool = node(&id, "uco-tool:AnalyticTool");
        tool.insert("uco-core:name", "comity".into());
        tool.insert("uco-tool:version", dossier.tool.version.as_str().into());
        put(&mut tool, "uco-core:description", commit.map(|c| format!("built from source commit {c}")));
        self.keep(id, tool)
    }

    fn node_identity(&mut self, fingerprint: &str) -> String {
        let id = self.id("identity", &["node", fingerprint]);
        let mut identity = node(&id, "uco-identity:Identity");
        identity.insert("uco-core:name", format!("comity node {fingerprint}").into());
        identity.insert("uco-core:description", "a machine, known by the fingerprint of its key".into());
        self.keep(id, identity)
    }

    fn organization(&mut self, name: &str, jurisdiction: &str) -> String {
        let id = self.id("identity", &["organization", jurisdiction, name]);
        let mut identity = node(&id, "uco-identity:Organization");
        identity.insert("uco-core:name", name.into());
        self.keep(id, identity)
    }

    fn place(&mut self, jurisdiction: &str) -> String {
        let id = self.id("location", &[jurisdiction]);
        let facet_id = self.id("simple-address-facet", &[jurisdiction]);
        let mut facet = node(&facet_id, "uco-location:SimpleAddressFacet");
        facet.insert("uco-location:country", jurisdiction.into());
        let mut place = node(&id, "uco-location:Location");
        place.insert("uco-core:hasFacet", facet.into());
        self.keep(id, place)
    }

    fn marking(&mut self, tlp: Tlp) -> String {
        let id = self.id("marking-definition", &[tlp.as_str()]);
        let mut statement =
            node(&self.id("statement-marking", &[tlp.as_str()]), "uco-marking:StatementMarking");
        statement.insert("uco-marking:definitionType", "statement".into());
        statement.insert("uco-marking:statement", tlp_text(tlp).into());
        let mut marking = node(&id, "uco-marking:MarkingDefinition");
        marking.insert("uco-marking:definitionType", "statement".into());
        marking.insert("uco-marking:definition", statement.into());
        self.keep(id, marking)
    }

    fn authorization(&mut self, item: &EvidenceFacts) -> Option<String> {
        let basis = item.legal_basis.as_deref()?;
        let id = self.id("authorization", &[&item.jurisdiction, basis]);
        let mut authorization = node(&id, "case-investigation:Authorization");
        authorization.insert("uco-core:name", basis.into());
        authorization.insert("case-investigation:authorizationType", "legal basis".into());
        authorization.insert("case-investigation:authorizationIdentifier", basis.into());
        Some(self.keep(id, authorization))
    }

    /// A file with its facets.
    fn file(&mut self, file: File<'_>) -> String {
        let File { id, path, bytes, sha256, what, tlp } = file;
        let size = bytes.map(|b| typed(&b.to_string(), "xsd:integer"));
        let mut names = node(&self.id("file-facet", &[&id, path]), "uco-observable:FileFacet");
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        names.insert("uco-observable:fileName", name.into());
        names.insert("uco-observable:filePath", path.into());
        put(&mut names, "uco-observable:sizeInBytes", size.clone());
        let content = self.content(&id, size, sha256);
        let mut file = node(&id, "uco-observable:File");
        file.insert("uco-core:description", what.into());
        file.insert("uco-core:hasFacet", Item::List(vec![names.into(), content.into()]));
        let marking = tlp.map(|tlp| self.marking(tlp));
        put(&mut file, "uco-core:objectMarking", marking.as_deref().map(reference));
        self.keep(id, file)
    }

    fn content(&self, of: &str, size: Option<Item>, sha256: &str) -> Object {
        let mut content =
            node(&self.id("content-data-facet", &[of, sha256]), "uco-observable:ContentDataFacet");
        put(&mut content, "uco-observable:sizeInBytes", size);
        if let Some(sha256) = digest(sha256) {
            let mut hash = node(&self.id("hash", &[of, sha256]), "uco-types:Hash");
            hash.insert("uco-types:hashMethod", "SHA256".into());
            hash.insert("uco-types:hashValue", typed(sha256, "xsd:hexBinary"));
            content.insert("uco-observable:hash", hash.into());
        }
        content
    }

    /// An action, and what it is.
    fn action(&self, id: &str, name: &str, what: &str) -> Object {
        let mut action = node(id, "case-investigation:InvestigativeAction");
        action.insert("uco-core:name", name.into());
        action.insert("uco-core:description", what.into());
        action
    }

    /// The collection of an evidence item; gives the provenance record that it left.
    fn collection(&mut self, item: &EvidenceFacts, authorization: Option<&str>) -> String {
        let id = self.id("file", &["evidence", &item.id]);
        let (what, tlp) = (format!("evidence item, compression: {}", item.codec), item.tlp);
        let (bytes, sha256) = (Some(item.bytes), &item.id);
        let file = self.file(File { id, path: &item.path, bytes, sha256, what, tlp });
        let stream = (item.stream_sha256 != item.id).then(|| self.stream(item, &file));
        let objects: Vec<&str> = [file.as_str()].into_iter().chain(stream.as_deref()).collect();
        let provenance = self.provenance(["evidence", &item.id], "evidence item as received", &objects);

        let authority = item.authority.as_deref().map(|name| self.organization(name, &item.jurisdiction));
        let place = self.place(&item.jurisdiction);
        let id = self.id("investigative-action", &["collection", "evidence", &item.id]);
        let what = "intake of an evidence item; time by the recorder's clock";
        let mut action = self.action(&id, "collection", what);
        let recorder = self.node.as_deref();
        put(&mut action, "uco-action:endTime", moment(&item.received_at));
        put(&mut action, "uco-action:performer", authority.as_deref().or(recorder).map(reference));
        put(&mut action, "uco-action:participant", authority.as_deref().and(recorder).map(reference));
        put(&mut action, "case-investigation:relevantAuthorization", authorization.map(reference));
        action.insert("uco-action:location", reference(&place));
        action.insert("uco-action:object", reference(&file));
        action.insert("uco-action:result", reference(&provenance));
        self.keep(id, action);
        provenance
    }

    /// The decompressed stream of an evidence item.
    fn stream(&mut self, item: &EvidenceFacts, file: &str) -> String {
        let id = self.id("observable-object", &["stream", &item.id]);
        let content = self.content(&id, None, &item.stream_sha256);
        let mut stream = node(&id, "uco-observable:ObservableObject");
        stream.insert("uco-core:description", "its decompressed stream, in which offsets count".into());
        stream.insert("uco-core:hasFacet", content.into());
        stream.insert("case-investigation:wasDerivedFrom", reference(file));
        self.keep(id, stream)
    }

    /// A provenance record of some kind, with the exhibit's number, and what it is about.
    fn provenance(&mut self, [kind, exhibit]: [&str; 2], what: &str, objects: &[&str]) -> String {
        let id = self.id("provenance-record", &[kind, exhibit]);
        let mut record = node(&id, "case-investigation:ProvenanceRecord");
        record.insert("uco-core:description", what.into());
        record.insert("case-investigation:exhibitNumber", exhibit.into());
        put(&mut record, "uco-core:object", references(objects.iter().copied()));
        self.keep(id, record)
    }

    /// What is said of a provenance record.
    fn note(&mut self, of: &str, statements: Vec<Item>) -> String {
        let id = self.id("annotation", &[of]);
        let mut note = node(&id, "uco-core:Annotation");
        note.insert("uco-core:object", reference(of));
        put(&mut note, "uco-core:statement", (!statements.is_empty()).then_some(Item::List(statements)));
        self.keep(id, note)
    }

    /// The reading of an evidence item into events; gives the action.
    fn normalise(&mut self, item: &EvidenceFacts, provenance: &str, tool: &str) -> String {
        let (records, events, rejects, headers) = (item.records, item.events, item.rejects, item.headers);
        let counts = format!("records {records}, events {events}, rejects {rejects}, headers {headers}");
        let read = format!("format {}, framing {}", item.format, item.framing);
        let tree = item.record_root.as_deref().map(|root| format!("root of the record tree: {root}"));
        let note = self.note(provenance, [counts, read].into_iter().chain(tree).map(Item::Text).collect());

        let id = self.id("investigative-action", &["normalise", &item.id]);
        let collection = self.id("investigative-action", &["collection", "evidence", &item.id]);
        let mut action = self.action(&id, "normalise", "records read into events");
        put(&mut action, "uco-action:performer", self.node.as_deref().map(reference));
        action.insert("uco-action:instrument", reference(tool));
        action.insert("uco-action:object", reference(provenance));
        action.insert("uco-action:result", reference(&note));
        action.insert("case-investigation:wasInformedBy", reference(&collection));
        self.keep(id, action)
    }

    /// The collection of a feed; gives the feed's file.
    fn feed(&mut self, feed: &FeedFacts) -> String {
        let (seen, accepted, rejected) = (feed.seen, feed.accepted, feed.rejected);
        let counts = format!("claims {seen}, accepted {accepted}, rejected {rejected}");
        let (format, indicators) = (&feed.format, feed.indicators);
        let what =
            format!("feed, claims of its provider; format {format}; {counts}, indicators {indicators}");
        let (id, tlp) = (self.id("file", &["feed", &feed.id]), feed.tlp);
        let file = self.file(File { id, path: &feed.path, bytes: None, sha256: &feed.id, what, tlp });

        let provider = self.organization(&feed.provider, "");
        let id = self.id("investigative-action", &["collection", "feed", &feed.id]);
        let mut action = self.action(&id, "collection", "intake of a feed; time by the recorder's clock");
        put(&mut action, "uco-action:endTime", moment(&feed.received_at));
        put(&mut action, "uco-action:participant", self.node.as_deref().map(reference));
        action.insert("uco-action:performer", reference(&provider));
        action.insert("uco-action:object", reference(&file));
        action.insert("uco-action:result", reference(&file));
        self.keep(id, action);
        file
    }

    /// The SQL of the correlations.
    fn sql(&mut self, dossier: &Dossier) -> Vec<String> {
        let mut files = Vec::new();
        for correlation in &dossier.correlations {
            let sha256 = &correlation.sql_sha256;
            let id = self.id("file", &["correlation", &correlation.name, sha256]);
            let (path, what) = (format!("data/verify/{}.sql", correlation.name), "a correlation, SQL".into());
            files.push(self.file(File { id, path: &path, bytes: None, sha256, what, tlp: None }));
        }
        files
    }

    /// The tables that the run wrote.
    fn tables(&mut self, dossier: &Dossier, run: &str) -> Vec<String> {
        let mut files = Vec::new();
        for output in &dossier.outputs {
            let id = self.id("file", &["output", run, &output.name]);
            let path = format!("data/{}", output.path);
            let (rows, logical) = (output.rows, &output.logical_sha256);
            let what = format!("table, rows {rows}; logical SHA-256 (comity-rows/v1) {logical}");
            let (bytes, sha256) = (Some(output.bytes), &output.sha256);
            files.push(self.file(File { id, path: &path, bytes, sha256, what, tlp: None }));
        }
        files
    }

    /// The run: correlations over what was collected.
    fn correlate(&mut self, dossier: &Dossier, run: &str, tool: &str, [used, normalised]: [&[String]; 2]) {
        let (sql, tables) = (self.sql(dossier), self.tables(dossier, run));
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let record = self.provenance(["run", run], "tables of a run, named by its run id", &tables);
        let answer = dossier.summary.answer.iter().map(|line| line.as_str().into()).collect();
        let note = self.note(&record, answer);

        let id = self.id("investigative-action", &["correlate", run]);
        let mut action = self.action(&id, "correlate", &format!("run {run}; times by the node's clock"));
        if let Some((started, finished)) = &dossier.run_times {
            put(&mut action, "uco-action:startTime", moment(started));
            put(&mut action, "uco-action:endTime", moment(finished));
        }
        let instruments = [tool].into_iter().chain(sql.iter().map(String::as_str));
        put(&mut action, "uco-action:performer", self.node.as_deref().map(reference));
        put(&mut action, "uco-action:instrument", references(instruments));
        put(&mut action, "uco-action:object", references(used.iter().map(String::as_str)));
        put(&mut action, "uco-action:result", references([record.as_str(), &note]));
        let informed = references(normalised.iter().map(String::as_str));
        put(&mut action, "case-investigation:wasInformedBy", informed);
        self.keep(id, action);
    }

    fn investigation(&mut self, dossier: &Dossier, authorizations: &BTreeSet<String>) {
        let id = self.id("investigation", &[]);
        let case = &dossier.case;
        let name =
            case.title.as_ref().map_or_else(|| case.id.clone(), |title| format!("{}: {title}", case.id));
        let mut investigation = node(&id, "case-investigation:Investigation");
        investigation.insert("uco-core:name", name.into());
        investigation.insert("uco-core:description", case.purpose.as_str().into());
        investigation.insert("case-investigation:investigationForm", "case".into());
        investigation
            .insert("case-investigation:focus", format!("jurisdiction {}", case.jurisdiction).into());
        let relevant = references(authorizations.iter().map(String::as_str));
        put(&mut investigation, "case-investigation:relevantAuthorization", relevant);
        let all: Vec<String> = self.nodes.keys().cloned().collect();
        put(&mut investigation, "uco-core:object", references(all.iter().map(String::as_str)));
        self.keep(id, investigation);
    }
}

/// A time, where it has the shape of one.
fn moment(text: &str) -> Option<Item> {
    time(text).map(|text| typed(text, "xsd:dateTime"))
}

/// A marking as FIRST writes it: `TLP:AMBER+STRICT`.
pub(crate) fn tlp_text(tlp: Tlp) -> String {
    format!("TLP:{}", tlp.as_str().to_ascii_uppercase())
}
