//! A case that its own authority falsifies; the program then makes a bag of it, with all its documents.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use comity_provenance::{Envelope, Sha256Digest};
use comity_store::{rows, tables};
use serde_json::Value;

use crate::fixture::{Fixture, copy};
use crate::forge::is;

/// A copy of the fixture's case.
pub(crate) struct Falsified<'a> {
    fixture: &'a Fixture,
    dir: PathBuf,
    /// The run that the bag is of.
    pub(crate) run: String,
}

impl<'a> Falsified<'a> {
    pub(crate) fn new(fixture: &'a Fixture, dir: &Path) -> Self {
        copy(&fixture.path("case"), dir);
        let mut case = Self { fixture, dir: dir.to_owned(), run: String::new() };
        case.run = case.said()[case.find("correlate")]["predicate"]["runDetails"]["metadata"]["invocationId"]
            .as_str()
            .unwrap()
            .to_owned();
        case
    }

    fn statements(&self) -> PathBuf {
        self.dir.join("attestations/statements.intoto.jsonl")
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.statements()).unwrap().lines().map(str::to_owned).collect()
    }

    /// The statements.
    pub(crate) fn said(&self) -> Vec<Value> {
        let payload = |line: &String| Envelope::parse(line.as_bytes()).unwrap().payload;
        self.lines().iter().map(|line| serde_json::from_slice(&payload(line)).unwrap()).collect()
    }

    /// The last statement of this kind.
    pub(crate) fn find(&self, what: &str) -> usize {
        self.said().iter().rposition(|value| is(value, what)).unwrap()
    }

    /// Changes a statement; who signed it signs it again, and the log is begun anew.
    pub(crate) fn change(&mut self, at: usize, change: impl FnOnce(&mut Value)) {
        let mut lines = self.lines();
        let old = Envelope::parse(lines[at].as_bytes()).unwrap();
        let mut value = serde_json::from_slice(&old.payload).unwrap();
        change(&mut value);
        let keys = &self.fixture.keys;
        let signers: Vec<_> = old.signatures.iter().map(|s| keys.named(keys.name_of(&s.keyid))).collect();
        let new = Envelope::sign(serde_json::to_vec(&value).unwrap(), &signers).unwrap();
        lines[at] = new.to_line().unwrap();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.statements(), text).unwrap();
        for name in ["leaves", "checkpoint", "position"] {
            let _ = fs::remove_file(self.dir.join("log").join(name));
        }
    }

    /// A file of the run.
    pub(crate) fn of_run(&self, file: &str) -> PathBuf {
        self.dir.join("runs").join(&self.run).join(file)
    }

    /// Runs the program on the case; `CASE` stands for it, `DIR` for the fixture.
    pub(crate) fn comity(&self, words: &str, code: i32) {
        self.fixture.comity(&words.replace("CASE", self.dir.to_str().unwrap())).exits(code);
    }

    /// A table of the run.
    pub(crate) fn table(&self, name: &str) -> (SchemaRef, Vec<RecordBatch>) {
        tables::read(&self.of_run(&format!("{name}.parquet"))).unwrap()
    }

    /// Puts other rows into a table, and states their digest.
    pub(crate) fn put_table(&mut self, name: &str, schema: &SchemaRef, batches: &[RecordBatch]) {
        let path = self.of_run(&format!("{name}.parquet"));
        tables::write(fs::File::create(&path).unwrap(), &path, schema, batches).unwrap();
        let logical = rows::lines(name, schema, batches).map(|l| (l.rows(), l.digest()));
        let (count, digest) = logical.unwrap_or((1, Sha256Digest::of(b"")));
        self.state_table(name, Some((count, digest)));
    }

    /// Changes the first batch of a table.
    pub(crate) fn change_table(&mut self, name: &str, change: impl FnOnce(&RecordBatch) -> RecordBatch) {
        let (_, batches) = self.table(name);
        let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        let changed = change(&all);
        self.put_table(name, &Arc::clone(&changed.schema()), &[changed]);
    }

    /// Puts other bytes in the place of a table with the same rows.
    pub(crate) fn put_bytes(&mut self, name: &str, bytes: &[u8]) {
        fs::write(self.of_run(&format!("{name}.parquet")), bytes).unwrap();
        self.state_table(name, None);
    }

    /// States a table of the run as it is; rows and logical digest where they are others.
    pub(crate) fn state_table(&mut self, name: &str, logical: Option<(usize, Sha256Digest)>) {
        let bytes = fs::read(self.of_run(&format!("{name}.parquet"))).unwrap();
        let run = self.find("correlate");
        self.change(run, |value| {
            let subjects = value["subject"].as_array_mut().unwrap();
            let table = format!("results/{name}.parquet");
            let subject = subjects.iter_mut().find(|subject| subject["name"] == table).unwrap();
            subject["digest"]["sha256"] = Sha256Digest::of(&bytes).to_string().into();
            subject["annotations"]["bytes"] = bytes.len().to_string().into();
            if let Some((rows, digest)) = logical {
                subject["annotations"]["rows"] = rows.to_string().into();
                subject["annotations"]["logicalSha256"] = digest.to_string().into();
            }
        });
    }

    /// Makes a bag of the run.
    pub(crate) fn bag(&self, kind: &str, place: &Path) {
        let (place, key) = (place.to_str().unwrap(), if kind == "feed" { "submitter" } else { "releaser" });
        let run = if kind == "feed" { String::new() } else { format!("--run {}", self.run) };
        self.comity(
            &format!(
                "bag create --case CASE --kind {kind} {run} --recipient-name Partner --key DIR/{key} {place}"
            ),
            0,
        );
    }
}
