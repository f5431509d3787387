//! A bag in memory, to be changed and signed again by one who holds the sender's keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use comity_provenance::log::{self, Checkpoint, SignedCheckpoint};
use comity_provenance::{Envelope, Sha256Digest, merkle, seal};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Keys};

pub(crate) const STATEMENTS: &str = "data/attestations/statements.intoto.jsonl";
pub(crate) const LEAVES: &str = "data/log/leaves";
pub(crate) const CHECKPOINT: &str = "data/log/checkpoint";
pub(crate) const WITNESSED: &str = "data/log/witnessed";
pub(crate) const RO_CRATE: &str = "data/ro-crate-metadata.json";
pub(crate) const DEFINITION: &str = "data/definition.json";
pub(crate) const SEAL: &str = "tagmanifest-sha256.txt.sig";
pub(crate) const MANIFEST: &str = "manifest-sha256.txt";
pub(crate) const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";

/// A statement, who signs it, and where the log has its signatures.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) payload: Vec<u8>,
    pub(crate) signers: Vec<&'static str>,
    /// The envelope's line.
    pub(crate) line: String,
    /// Indexes of its leaves.
    pub(crate) at: Vec<usize>,
}

impl Said {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }

    /// Reads a line; its leaves are found in the log.
    fn read(line: &str, keys: &Keys, leaves: &[String]) -> Self {
        let envelope = Envelope::parse(line.as_bytes()).unwrap();
        let at =
            leaves_of(&envelope).iter().map(|leaf| leaves.iter().position(|l| l == leaf).unwrap()).collect();
        let signers = envelope.signatures.iter().map(|s| keys.name_of(&s.keyid)).collect();
        Self { payload: envelope.payload, signers, line: line.to_owned(), at }
    }
}

/// The entries of an envelope, whatever its payload is.
pub(crate) fn leaves_of(envelope: &Envelope) -> Vec<String> {
    let payload: Value = serde_json::from_slice(&envelope.payload).unwrap_or_default();
    let predicate = payload["predicateType"].as_str().unwrap_or("none");
    log::leaves_of(envelope, predicate).unwrap().iter().map(ToString::to_string).collect()
}

/// Whether a statement is of this event (`collection`) or build (`correlate`).
pub(crate) fn is(value: &Value, what: &str) -> bool {
    let predicate = &value["predicate"];
    predicate["eventType"] == what
        || predicate["buildDefinition"]["buildType"] == format!("urn:comity:{what}:v1")
}

/// A bag.
pub(crate) struct Forge<'a> {
    pub(crate) fixture: &'a Fixture,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) said: Vec<Said>,
    pub(crate) leaves: Vec<String>,
    /// Who seals, and for what.
    pub(crate) sealer: &'static str,
    pub(crate) namespace: &'static str,
    /// Whether the disclosure names what is in the bag.
    pub(crate) disclosed: bool,
    /// Whether `ro-crate-metadata.json` describes what is in the bag.
    pub(crate) described: bool,
    /// Whether statements and leaves are as they stand in `files`.
    pub(crate) as_they_stand: bool,
}

impl<'a> Forge<'a> {
    pub(crate) fn of(fixture: &'a Fixture, which: &str) -> Self {
        Self::read(fixture, &fixture.path(which))
    }

    pub(crate) fn read(fixture: &'a Fixture, dir: &Path) -> Self {
        let mut files = BTreeMap::new();
        read_into(dir, "", &mut files);
        let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
        let leaves: Vec<String> = text(LEAVES).lines().map(str::to_owned).collect();
        let said = text(STATEMENTS).lines().map(|line| Said::read(line, &fixture.keys, &leaves)).collect();
        let feed = text("bag-info.txt").contains("Kind: feed");
        Self {
            fixture,
            said,
            leaves,
            sealer: if feed { "submitter" } else { "releaser" },
            namespace: "comity-evidence",
            disclosed: true,
            described: true,
            as_they_stand: false,
            files,
        }
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.files[path].clone()).unwrap()
    }

    /// The first path that begins so.
    pub(crate) fn first(&self, prefix: &str) -> String {
        let path = self.files.keys().find(|path| path.starts_with(prefix));
        path.unwrap_or_else(|| panic!("no {prefix}")).clone()
    }

    pub(crate) fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), bytes.into());
    }

    /// Replaces text in a file; it must be there.
    pub(crate) fn replace(&mut self, path: &str, from: &str, to: &str) {
        let text = self.text(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.put(path, text.replacen(from, to, 1));
    }

    /// The place of the n-th statement that fits.
    pub(crate) fn find(&self, what: &str, nth: usize) -> usize {
        let mut fits = (0..self.said.len()).filter(|at| is(&self.said[*at].value(), what));
        fits.nth(nth).unwrap_or_else(|| panic!("no {what} {nth}"))
    }

    /// The place of the statement of a collection of this item.
    pub(crate) fn collection(&self, shelf: &str, id: &str) -> usize {
        let name = format!("{shelf}/{id}");
        let fits =
            |said: &Said| is(&said.value(), "collection") && said.value()["subject"][0]["name"] == *name;
        self.said.iter().position(fits).unwrap()
    }

    /// Changes a statement, which is signed again by those who signed it.
    pub(crate) fn change(&mut self, at: usize, change: impl FnOnce(&mut Value)) {
        let mut value = self.said[at].value();
        change(&mut value);
        self.said[at].payload = serde_json::to_vec(&value).unwrap();
        self.sign(at);
    }

    /// Changes a record that a statement holds whole.
    pub(crate) fn change_record(&mut self, at: usize, name: &str, change: impl FnOnce(&mut Value)) {
        self.change(at, |value| change_record(value, name, change));
    }

    /// Signs a statement by others.
    pub(crate) fn signed_by(&mut self, at: usize, signers: &[&'static str]) {
        self.said[at].signers = signers.to_vec();
        self.sign(at);
    }

    /// Signs a statement again; its leaves stay where they are, one more or less where the signers are.
    pub(crate) fn sign(&mut self, at: usize) {
        let said = &self.said[at];
        let keys: Vec<_> = said.signers.iter().map(|name| self.fixture.keys.named(name)).collect();
        let envelope = Envelope::sign(said.payload.clone(), &keys).unwrap();
        self.take(at, &envelope);
    }

    /// Takes an envelope in the place of a statement's.
    pub(crate) fn take(&mut self, at: usize, envelope: &Envelope) {
        let leaves = leaves_of(envelope);
        let (first, old) = (self.said[at].at[0], self.said[at].at.len());
        self.leaves.splice(first..first + old, leaves.clone());
        for other in self.said.iter_mut().flat_map(|said| &mut said.at).filter(|index| **index > first) {
            *other = *other + leaves.len() - old;
        }
        let said = &mut self.said[at];
        said.at = (first..first + leaves.len()).collect();
        said.line = envelope.to_line().unwrap();
    }

    /// Puts a new statement before this one.
    pub(crate) fn insert(&mut self, at: usize, value: &Value, signers: &[&'static str]) {
        let index = self.said.get(at).map_or(self.leaves.len(), |said| said.at[0]);
        self.leaves.insert(index, String::new());
        for other in self.said.iter_mut().flat_map(|said| &mut said.at).filter(|other| **other >= index) {
            *other += 1;
        }
        let payload = serde_json::to_vec(value).unwrap();
        self.said
            .insert(at, Said { payload, signers: signers.to_vec(), line: String::new(), at: vec![index] });
        self.sign(at);
    }

    /// Takes a statement out, and its entries out of the log.
    pub(crate) fn remove(&mut self, at: usize) {
        let said = self.said.remove(at);
        for index in said.at.iter().rev() {
            self.leaves.remove(*index);
            for other in self.said.iter_mut().flat_map(|said| &mut said.at).filter(|other| **other > *index) {
                *other -= 1;
            }
        }
    }

    /// Takes a statement out of the bag; the disclosure says that it is withheld.
    pub(crate) fn withhold(&mut self, at: usize) {
        let said = self.said.remove(at);
        let (first, last) = (said.at[0], said.at[said.at.len() - 1]);
        let disclosure = self.said.len() - 1;
        self.change(disclosure, |value| {
            value["predicate"]["details"]["withheld"] = json!([format!("{first}-{last}")]);
        });
    }

    /// Writes another text for one everywhere: in statements, documents and tag files. Digests have one length, so
    /// nothing else moves.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        for (path, bytes) in &mut self.files {
            if path.ends_with(".parquet") || path.contains("/records/") || path.contains("/indicators/") {
                continue;
            }
            if let Ok(text) = std::str::from_utf8(bytes) {
                *bytes = text.replace(from, to).into_bytes();
            }
        }
        for at in 0..self.said.len() {
            let mut value = self.said[at].value();
            let mut changed = renamed(&mut value, from, to);
            for pointer in ["/predicate/records", "/predicate/runDetails/byproducts"] {
                for record in value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten() {
                    let Some(text) = content(record).and_then(|bytes| String::from_utf8(bytes).ok()) else {
                        continue;
                    };
                    if text.contains(from) {
                        changed = true;
                        put_content(record, text.replace(from, to).as_bytes());
                    }
                }
            }
            if changed {
                self.said[at].payload = serde_json::to_vec(&value).unwrap();
                self.sign(at);
            }
        }
    }

    /// Writes the definition, gives the run its new id, and says so everywhere.
    pub(crate) fn redefine(&mut self, bytes: Vec<u8>) {
        let old = Sha256Digest::of(&self.files[DEFINITION]);
        let new = Sha256Digest::of(&bytes);
        self.rename(&old.to_string(), &new.to_string());
        self.rename(&old.short(), &new.short());
        self.put(DEFINITION, bytes);
    }

    /// Changes the definition.
    pub(crate) fn change_definition(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value: Value = serde_json::from_slice(&self.files[DEFINITION]).unwrap();
        change(&mut value);
        self.redefine(serde_json::to_vec_pretty(&value).unwrap());
    }

    /// The head of the log as it is, signed by its key.
    pub(crate) fn head(&self, size: usize) -> SignedCheckpoint {
        let hashes: Vec<_> = self.leaves[..size].iter().map(|l| merkle::leaf_hash(l.as_bytes())).collect();
        let parsed = SignedCheckpoint::parse(&self.files[CHECKPOINT]).unwrap();
        let origin = parsed.checkpoint().origin.clone();
        let head = Checkpoint { origin, size: size as u64, root: merkle::root(&hashes) };
        SignedCheckpoint::sign(head, self.fixture.keys.named("log")).unwrap()
    }

    /// Has a partner cosign the log as it is.
    pub(crate) fn cosign(&mut self, witness: &str, name: &str, size: usize, time_s: u64) {
        let mut head = self.head(size);
        head.cosign(name, self.fixture.keys.named(witness), time_s).unwrap();
        self.put(WITNESSED, head.to_string());
    }

    /// Signs everything that follows from what was changed.
    pub(crate) fn finish(&mut self) {
        if self.disclosed {
            self.disclose();
        }
        if !self.as_they_stand {
            let lines: String = self.said.iter().map(|said| format!("{}\n", said.line)).collect();
            self.put(STATEMENTS, lines);
            let leaves: String = self.leaves.iter().map(|leaf| format!("{leaf}\n")).collect();
            self.put(LEAVES, leaves);
            self.put(CHECKPOINT, self.head(self.leaves.len()).to_string());
        }
        if self.described {
            self.describe();
        }
        self.manifest();
        self.seal();
    }

    fn disclose(&mut self) {
        let made_after = |path: &str| {
            path.starts_with("data/attestations/") || path.starts_with("data/log/") || path == RO_CRATE
        };
        let subject: Vec<Value> = self
            .files
            .iter()
            .filter(|(path, _)| path.starts_with("data/") && !made_after(path))
            .map(|(path, bytes)| json!({ "name": path, "digest": { "sha256": Sha256Digest::of(bytes) } }))
            .collect();
        let last = self.said.len() - 1;
        self.change(last, |value| value["subject"] = subject.into());
    }

    /// Sizes and digests of `ro-crate-metadata.json`, and what is no more or newly there.
    fn describe(&mut self) {
        let mut document: Value = serde_json::from_slice(&self.files[RO_CRATE]).unwrap();
        let graph = document["@graph"].as_array_mut().unwrap();
        let begin = graph.iter().position(|node| node["@type"] == "File").unwrap();
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        graph.retain(|node| {
            let file = node["@type"] == "File";
            if file {
                known.insert(node["@id"].as_str().unwrap().to_owned(), node.clone());
            }
            !file
        });
        let mut nodes = Vec::new();
        for (path, bytes) in &self.files {
            let Some(path) = path.strip_prefix("data/").filter(|path| format!("data/{path}") != RO_CRATE)
            else {
                continue;
            };
            let new =
                json!({ "@id": path, "@type": "File", "encodingFormat": media_type(path), "name": path });
            let mut node = known.remove(path).unwrap_or(new);
            node["contentSize"] = bytes.len().to_string().into();
            node["sha256"] = Sha256Digest::of(bytes).to_string().into();
            nodes.push(node);
        }
        // tables that a findings bag leaves out are described all the same
        nodes
            .extend(known.into_values().filter(|node| node["@id"].as_str().unwrap().starts_with("results/")));
        nodes.sort_by_key(|node| node["@id"].as_str().unwrap().to_owned());
        let parts: Vec<Value> = nodes.iter().map(|node| json!({ "@id": node["@id"] })).collect();
        let root = graph.iter_mut().find(|node| node["@id"] == "./").unwrap();
        root["hasPart"] = parts.into();
        graph.splice(begin..begin, nodes);
        let mut text = String::new();
        for c in (serde_json::to_string_pretty(&document).unwrap() + "\n").chars() {
            match c {
                '<' | '>' | '&' | '\u{202e}' | '\u{61c}' => {
                    text.push_str(&format!("\\u{:04x}", u32::from(c)))
                }
                other => text.push(other),
            }
        }
        self.put(RO_CRATE, text);
    }

    /// Writes the manifests.
    pub(crate) fn manifest(&mut self) {
        let lines: String = self
            .files
            .iter()
            .filter(|(path, _)| path.starts_with("data/"))
            .map(|(p, b)| line(p, b))
            .collect();
        self.put(MANIFEST, lines);
        let payload = self.files.iter().filter(|(path, _)| path.starts_with("data/"));
        let (bytes, count) =
            payload.fold((0, 0), |(bytes, count), (_, file)| (bytes + file.len(), count + 1));
        let info = self.text("bag-info.txt");
        let oxum = |line: &str| match line.starts_with("Payload-Oxum: ") {
            true => format!("Payload-Oxum: {bytes}.{count}\n"),
            false => format!("{line}\n"),
        };
        let info: String = info.lines().map(oxum).collect();
        self.put("bag-info.txt", info);
        self.tag_manifest();
    }

    pub(crate) fn tag_manifest(&mut self) {
        let names = ["bag-info.txt", "bagit.txt", MANIFEST];
        let lines: String = names.iter().map(|name| line(name, &self.files[*name])).collect();
        self.put(TAG_MANIFEST, lines);
    }

    pub(crate) fn seal(&mut self) {
        let key = self.fixture.keys.named(self.sealer);
        self.put(SEAL, seal::seal(&self.files[TAG_MANIFEST], key, self.namespace));
    }

    pub(crate) fn write(&self, dir: &Path) {
        for (path, bytes) in &self.files {
            let place = dir.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
    }
}

fn line(path: &str, bytes: &[u8]) -> String {
    format!("{}  {path}\n", Sha256Digest::of(bytes))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html",
        Some("json") => "application/json",
        Some("jsonl") => "application/x-ndjson",
        Some("parquet") => "application/vnd.apache.parquet",
        Some("sql") => "application/sql",
        _ if path.ends_with("/original") => "application/octet-stream",
        _ => "text/plain",
    }
}

fn read_into(dir: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.path().is_dir() {
            true => read_into(dir, &path, files),
            false => drop(files.insert(path, fs::read(entry.path()).unwrap())),
        }
    }
}

/// The bytes that a descriptor holds.
pub(crate) fn content(record: &Value) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(record["content"].as_str()?).ok()
}

/// Puts bytes into a descriptor, with their digest.
pub(crate) fn put_content(record: &mut Value, bytes: &[u8]) {
    use base64::Engine as _;
    record["content"] = base64::engine::general_purpose::STANDARD.encode(bytes).into();
    record["digest"]["sha256"] = Sha256Digest::of(bytes).to_string().into();
}

/// Changes a record that a statement holds whole.
pub(crate) fn change_record(statement: &mut Value, name: &str, change: impl FnOnce(&mut Value)) {
    let pointers = ["/predicate/records", "/predicate/runDetails/byproducts"];
    let pointer = pointers.into_iter().find(|pointer| statement.pointer(pointer).is_some()).unwrap();
    let records = statement.pointer_mut(pointer).unwrap().as_array_mut().unwrap();
    let record = records.iter_mut().find(|record| record["name"] == name).unwrap();
    let mut value: Value = serde_json::from_slice(&content(record).unwrap()).unwrap();
    change(&mut value);
    put_content(record, &serde_json::to_vec(&value).unwrap());
}

fn renamed(value: &mut Value, from: &str, to: &str) -> bool {
    match value {
        Value::String(text) if text.contains(from) => {
            *text = text.replace(from, to);
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| renamed(item, from, to) | any),
        Value::Object(members) => members.values_mut().fold(false, |any, item| renamed(item, from, to) | any),
        _ => false,
    }
}
