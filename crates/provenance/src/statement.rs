//! in-toto Statement v1 (github.com/in-toto/attestation, spec/v1), the payload of every envelope:
//!
//! ```json
//! {"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"evidence/9f86…","digest":{"sha256":"9f86…"}}],
//!  "predicateType":"urn:comity:custody-event:v1","predicate":{…}}
//! ```
//!
//! Rejected: other predicate types than the three below, unknown fields, no subject or two of one name, JSON
//! numbers (protobuf readers round them; integers are decimal strings), content that its digest does not fit.
//! `null` is only taken in the free maps of SLSA provenance; elsewhere what is absent is left out.

mod custody;
mod slsa;
mod test_result;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;

pub use self::custody::{
    Actor, Clock, Consulted, CustodyEvent, Decision, Details, EventType, Handling, LegalBasis, Method,
    RecordTree, Retention,
};
pub use self::slsa::{BuildDefinition, BuildMetadata, BuildType, Builder, Provenance, RunDetails};
pub use self::test_result::{Outcome, TestResult};
pub use self::values::{BadEventId, BadNonce, BadRange, BadTime, EventId, Nonce, Ranges, Time};
use crate::Sha256Digest;
use crate::envelope::MAX_PAYLOAD_BYTES;
use crate::strict_json::{self, JsonError};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Why bytes are no statement of ours, or one can't be made.
#[derive(Debug, Error)]
pub enum StatementError {
    /// Not JSON, or not of the statement's shape.
    #[error("statement: {0}")]
    Json(#[from] JsonError),
    /// Another `_type`.
    #[error("statement: type {0:?} is not {STATEMENT_TYPE:?}")]
    Type(String),
    /// A predicate that we know nothing of.
    #[error("statement: predicate type {0:?} is not known")]
    PredicateType(String),
    /// A number, or a null where none may stand.
    #[error("statement: {0} is not written as text, or left out")]
    Value(Value),
    /// Nothing that it is about.
    #[error("statement has no subject")]
    NoSubject,
    /// Two subjects of one name.
    #[error("statement: subject {0:?} is repeated")]
    RepeatedSubject(String),
    /// A subject that such an event is not about.
    #[error("statement: subject {name:?} does not fit a {event} event")]
    Subject {
        /// The event.
        event: EventType,
        /// The subject.
        name: String,
    },
    /// Details that such an event does not have.
    #[error("statement: details do not fit a {0} event")]
    Details(EventType),
    /// A record that is named but not in the statement.
    #[error("statement: record {0:?} has no content, or more than name, digest and content")]
    Record(String),
    /// Parameters whose digest in the log could be guessed.
    #[error("statement: internalParameters.nonce is not 32 hexadecimal digits")]
    Nonce,
    /// A builder that is no node.
    #[error("statement: builder {0:?} is not urn:comity:node: and a fingerprint")]
    Builder(String),
    /// More than an envelope may carry.
    #[error("statement is longer than {MAX_PAYLOAD_BYTES} bytes")]
    TooLong,
}

/// What is said of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it is about, by name and SHA-256.
    pub subject: Vec<Descriptor>,
    /// What it says.
    pub predicate: Predicate,
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Predicate {
    /// Something was done with evidence, a feed, a bag or a key.
    Custody(Box<CustodyEvent>),
    /// Outputs were computed from inputs.
    Provenance(Box<Provenance>),
    /// Something was checked.
    TestResult(TestResult),
}

impl Predicate {
    const CUSTODY: &str = "urn:comity:custody-event:v1";
    const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
    const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";

    /// The predicate type, as statement and log name it.
    pub const fn type_uri(&self) -> &'static str {
        match self {
            Self::Custody(_) => Self::CUSTODY,
            Self::Provenance(_) => Self::PROVENANCE,
            Self::TestResult(_) => Self::TEST_RESULT,
        }
    }

    fn read(type_uri: String, value: Value) -> Result<Self, StatementError> {
        let shape = JsonError::Syntax;
        match type_uri.as_str() {
            Self::CUSTODY => Ok(Self::Custody(serde_json::from_value(value).map_err(shape)?)),
            Self::PROVENANCE => Ok(Self::Provenance(serde_json::from_value(value).map_err(shape)?)),
            Self::TEST_RESULT => Ok(Self::TestResult(serde_json::from_value(value).map_err(shape)?)),
            _ => Err(StatementError::PredicateType(type_uri)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Descriptor>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Value,
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "_type")]
    statement_type: &'static str,
    subject: &'a [Descriptor],
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: &'a Predicate,
}

impl Statement {
    /// Reads a payload.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        let value = strict_json::parse(payload)?;
        let nulls = value.get("predicateType").is_some_and(|uri| uri == Predicate::PROVENANCE);
        check_values(&value, nulls)?;
        let read: Read = serde_json::from_value(value).map_err(JsonError::Syntax)?;
        if read.statement_type != STATEMENT_TYPE {
            return Err(StatementError::Type(read.statement_type));
        }
        let predicate = Predicate::read(read.predicate_type, read.predicate)?;
        let statement = Self { subject: read.subject, predicate };
        statement.check()?;
        Ok(statement)
    }

    /// The payload to be signed: compact JSON, fields in the order of the specifications. What
    /// [`Statement::parse`] would refuse is not written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        let written = Written {
            statement_type: STATEMENT_TYPE,
            subject: &self.subject,
            predicate_type: self.predicate.type_uri(),
            predicate: &self.predicate,
        };
        let bytes = serde_json::to_vec(&written).map_err(JsonError::Syntax)?;
        if bytes.len() > MAX_PAYLOAD_BYTES {
            return Err(StatementError::TooLong);
        }
        Self::parse(&bytes)?;
        Ok(bytes)
    }

    fn check(&self) -> Result<(), StatementError> {
        if self.subject.is_empty() {
            return Err(StatementError::NoSubject);
        }
        let mut names = BTreeSet::new();
        for subject in &self.subject {
            if !names.insert(&subject.name) {
                return Err(StatementError::RepeatedSubject(subject.name.clone()));
            }
        }
        match &self.predicate {
            Predicate::Custody(event) => event.check(&self.subject),
            Predicate::Provenance(provenance) => provenance.check(),
            Predicate::TestResult(_) => Ok(()),
        }
    }
}

/// Depth is bounded by [`strict_json`].
fn check_values(value: &Value, nulls: bool) -> Result<(), StatementError> {
    match value {
        Value::Null if nulls => Ok(()),
        Value::Null | Value::Number(_) => Err(StatementError::Value(value.clone())),
        Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().try_for_each(|item| check_values(item, nulls)),
        Value::Object(members) => members.values().try_for_each(|member| check_values(member, nulls)),
    }
}

/// An in-toto resource descriptor: a thing by name and SHA-256, perhaps whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReadDescriptor")]
pub struct Descriptor {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(rename = "digest", serialize_with = "digest_set")]
    sha256: Sha256Digest,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "base64_text")]
    content: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, Value>,
}

impl Descriptor {
    /// Names a thing that is elsewhere.
    pub fn new(name: impl Into<String>, sha256: Sha256Digest) -> Self {
        Self { name: name.into(), uri: None, sha256, content: None, annotations: BTreeMap::new() }
    }

    /// Holds a thing whole, so that nothing has to be kept equal beside it.
    pub fn of(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let sha256 = Sha256Digest::of(&bytes);
        Self { content: Some(bytes), ..Self::new(name, sha256) }
    }

    /// Adds where the thing came from; a reader never follows it.
    pub fn with_uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// Adds a remark for readers; integers as decimal text.
    pub fn with_annotation(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the thing.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    /// Where it is said to have come from.
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The exact bytes, where they are here; they fit the digest.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// The remarks.
    pub fn annotations(&self) -> &BTreeMap<String, Value> {
        &self.annotations
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestSet {
    sha256: Sha256Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadDescriptor {
    name: String,
    #[serde(default, deserialize_with = "present")]
    uri: Option<String>,
    digest: DigestSet,
    #[serde(default, deserialize_with = "present")]
    content: Option<String>,
    #[serde(default)]
    annotations: BTreeMap<String, Value>,
}

/// A text, not a `null` in its place.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// A descriptor that contradicts itself.
#[derive(Debug, Error)]
enum ContentError {
    #[error("content of {0:?} is not padded base64 of RFC 4648 §4")]
    Base64(String),
    #[error("content of {0:?} is not what its digest says")]
    Digest(String),
}

impl TryFrom<ReadDescriptor> for Descriptor {
    type Error = ContentError;

    fn try_from(read: ReadDescriptor) -> Result<Self, ContentError> {
        let ReadDescriptor { name, uri, digest, content, annotations } = read;
        let content = match content.map(|text| STANDARD.decode(text)).transpose() {
            Ok(content) => content,
            Err(_) => return Err(ContentError::Base64(name)),
        };
        if content.as_deref().is_some_and(|bytes| Sha256Digest::of(bytes) != digest.sha256) {
            return Err(ContentError::Digest(name));
        }
        Ok(Self { name, uri, sha256: digest.sha256, content, annotations })
    }
}

fn digest_set<S: Serializer>(sha256: &Sha256Digest, serializer: S) -> Result<S::Ok, S::Error> {
    DigestSet { sha256: *sha256 }.serialize(serializer)
}

fn base64_text<S: Serializer>(content: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    content.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::BagKind;
    use crate::trust::Role;
    use crate::{PublicKey, SecretKey};
    use serde_json::json;

    fn digest() -> Sha256Digest {
        Sha256Digest::of(b"evidence")
    }

    fn node() -> PublicKey {
        SecretKey::from_seed([1; 32]).public()
    }

    fn event(event_type: EventType, details: Details, subject: Vec<Descriptor>) -> Statement {
        let event = CustodyEvent {
            event_id: EventId::new([0xff; 16]),
            nonce: Nonce::new([0xab; 16]),
            event_type,
            time: Time::from_second(1_772_355_600).unwrap(),
            clock: Clock::System,
            actor: Actor {
                id: "node.lantern@lka.example".into(),
                role: Role::Node,
                organisation: None,
                jurisdiction: Some("DE".into()),
            },
            case_id: "2026-014".into(),
            purpose: "prosecution".into(),
            recipient: None,
            legal_basis: None,
            handling: None,
            retention: None,
            decision: None,
            method: None,
            records: Vec::new(),
            details,
        };
        Statement { subject, predicate: Predicate::Custody(Box::new(event)) }
    }

    fn collection() -> Statement {
        let record_tree = RecordTree { framing: "lines/v1".into(), records: 17, root: digest() };
        let subject = vec![Descriptor::new(format!("evidence/{}", digest()), digest())];
        let mut statement = event(EventType::Collection, Details::Collection { record_tree }, subject);
        if let Predicate::Custody(event) = &mut statement.predicate {
            event.records.push(Descriptor::of("intake.json", b"{}".to_vec()));
        }
        statement
    }

    fn provenance() -> Statement {
        let nonce = json!(Nonce::new([7; 16]).to_string());
        let provenance = Provenance {
            build_definition: BuildDefinition {
                build_type: BuildType::Correlate,
                external_parameters: [("parameters".to_owned(), json!({ "min": "2", "note": null }))].into(),
                internal_parameters: [("nonce".to_owned(), nonce)].into(),
                resolved_dependencies: vec![Descriptor::new("evidence/x", digest())],
            },
            run_details: RunDetails {
                builder: Builder::of(&node(), [("comity".to_owned(), "0.1.0".to_owned())].into()),
                metadata: BuildMetadata {
                    invocation_id: "run".into(),
                    started_on: Time::from_second(0).unwrap(),
                    finished_on: Time::from_second(1).unwrap(),
                },
                byproducts: vec![Descriptor::of("plan.txt", b"plan".to_vec())],
            },
        };
        let table = Descriptor::new("data/results/sightings.parquet", digest()).with_annotation("rows", "9");
        Statement { subject: vec![table], predicate: Predicate::Provenance(Box::new(provenance)) }
    }

    fn verdict() -> Statement {
        let result = TestResult {
            result: Outcome::Warned,
            configuration: vec![Descriptor::new("allowed_signers", digest())],
            url: None,
            passed_tests: vec!["intact".into()],
            warned_tests: vec!["attributed".into()],
            failed_tests: Vec::new(),
        };
        let subject = vec![Descriptor::new("tagmanifest-sha256.txt", digest())];
        Statement { subject, predicate: Predicate::TestResult(result) }
    }

    /// Parses a statement after an edit of its JSON.
    fn edited(statement: &Statement, edit: impl Fn(&mut Value)) -> Result<Statement, StatementError> {
        let mut value: Value = serde_json::from_slice(&statement.to_bytes().unwrap()).unwrap();
        edit(&mut value);
        Statement::parse(value.to_string().as_bytes())
    }

    fn shape(result: Result<Statement, StatementError>) -> String {
        match result {
            Err(StatementError::Json(JsonError::Syntax(error))) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_custody_event_is_as_documented() {
        let d = digest();
        let empty = Sha256Digest::of(b"{}");
        let wanted = format!(
            concat!(
                r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"evidence/{d}","digest":{{"sha256":"{d}"}}}}],"#,
                r#""predicateType":"urn:comity:custody-event:v1","predicate":{{"#,
                r#""eventId":"ffffffff-ffff-4fff-bfff-ffffffffffff","nonce":"abababababababababababababababab","#,
                r#""eventType":"collection","time":"2026-03-01T09:00:00Z","clock":"system","#,
                r#""actor":{{"id":"node.lantern@lka.example","role":"node","jurisdiction":"DE"}},"#,
                r#""caseId":"2026-014","purpose":"prosecution","#,
                r#""records":[{{"name":"intake.json","digest":{{"sha256":"{empty}"}},"content":"e30="}}],"#,
                r#""details":{{"recordTree":{{"framing":"lines/v1","records":"17","root":"{d}"}}}}}}}}"#
            ),
            d = d,
            empty = empty
        );
        assert_eq!(String::from_utf8(collection().to_bytes().unwrap()).unwrap(), wanted);
        assert_eq!(Statement::parse(wanted.as_bytes()).unwrap(), collection());
    }

    #[test]
    fn every_predicate_reads_back() {
        for statement in [collection(), provenance(), verdict()] {
            assert_eq!(Statement::parse(&statement.to_bytes().unwrap()).unwrap(), statement);
        }
        assert_eq!(provenance().predicate.type_uri(), "https://slsa.dev/provenance/v1");
        assert_eq!(verdict().predicate.type_uri(), "https://in-toto.io/attestation/test-result/v0.1");
    }

    #[test]
    fn every_kind_of_event_has_its_subject_and_details() {
        let kind = BagKind::Findings;
        let evidence = || vec![Descriptor::new(format!("evidence/{}", digest()), digest())];
        let named = |name: &str| vec![Descriptor::new(name, digest())];
        let query = "select 1".to_owned();
        let asked = vec![Descriptor::new("query", Sha256Digest::of(query.as_bytes()))];
        let withheld = Ranges::of([1, 2, 5]);
        let good = [
            (EventType::Collection, Details::default(), named(&format!("allow-lists/{}", digest()))),
            (
                EventType::Consultation,
                Details::Consultation { what: Consulted::Sql, query, run: None },
                asked,
            ),
            (
                EventType::Disclosure,
                Details::Disclosure { kind, run: Some(digest()), withheld: withheld.clone() },
                named("data/report.html"),
            ),
            (EventType::Seal, Details::Seal { kind, run: None }, named("tagmanifest-sha256.txt")),
            (EventType::Erasure, Details::Erasure { reason: "law".into(), leaves: withheld }, evidence()),
            (EventType::Membership, Details::default(), named("key")),
            (EventType::Revocation, Details::default(), named("key")),
            (
                EventType::Revocation,
                Details::Revocation { since: Time::from_second(5).unwrap() },
                named("key"),
            ),
            (EventType::Hold, Details::default(), evidence()),
        ];
        for (event_type, details, subject) in &good {
            let statement = event(*event_type, details.clone(), subject.clone());
            assert_eq!(Statement::parse(&statement.to_bytes().unwrap()).unwrap(), statement, "{event_type}");
        }
        for (event_type, details, _) in &good {
            let about = event(*event_type, details.clone(), named("else")).to_bytes();
            let any = matches!(event_type, EventType::Hold);
            assert!(any || matches!(about, Err(StatementError::Subject { .. })), "{event_type}");
        }
        for (event_type, details, subject) in &good[1..5] {
            for other in [EventType::Collection, EventType::Hold, EventType::Membership] {
                let wrong = event(other, details.clone(), subject.clone()).to_bytes();
                assert!(matches!(wrong, Err(StatementError::Details(_))), "{event_type} as {other}");
            }
            let bare = event(*event_type, Details::default(), subject.clone()).to_bytes();
            assert!(matches!(bare, Err(StatementError::Details(_))), "{event_type}");
        }
    }

    #[test]
    fn subjects_are_checked() {
        let (d, other) = (digest(), Sha256Digest::of(b"other"));
        let mut statement = collection();
        statement.subject = Vec::new();
        assert!(matches!(statement.to_bytes(), Err(StatementError::NoSubject)));
        statement.subject = vec![Descriptor::new(format!("evidence/{d}"), other)];
        assert!(matches!(statement.to_bytes(), Err(StatementError::Subject { .. })));
        statement.subject =
            vec![Descriptor::new(format!("evidence/{d}"), d), Descriptor::new(format!("feeds/{d}"), d)];
        assert!(matches!(statement.to_bytes(), Err(StatementError::Subject { .. })));
        statement.subject = vec![Descriptor::new("a", d), Descriptor::new("a", d)];
        assert!(matches!(statement.to_bytes(), Err(StatementError::RepeatedSubject(name)) if name == "a"));
        let details = Details::Disclosure { kind: BagKind::Full, run: None, withheld: Ranges::default() };
        for name in ["data/log/checkpoint", "data/attestations/statements.intoto.jsonl", "bagit.txt"] {
            let bag = event(EventType::Disclosure, details.clone(), vec![Descriptor::new(name, d)]);
            assert!(matches!(bag.to_bytes(), Err(StatementError::Subject { .. })), "{name}");
        }
    }

    #[test]
    fn records_are_in_the_statement_and_fit_their_digests() {
        let record =
            |edit: fn(&mut Value)| edited(&collection(), |value| edit(&mut value["predicate"]["records"][0]));
        let text = shape(record(|r| r["content"] = json!("e31=")));
        assert!(text.contains("content of \"intake.json\" is not padded base64"), "{text}");
        let text = shape(record(|r| r["content"] = json!("e30g")));
        assert!(text.contains("content of \"intake.json\" is not what its digest says"), "{text}");
        let bare = record(|r| drop(r.as_object_mut().unwrap().remove("content")));
        assert!(matches!(bare, Err(StatementError::Record(name)) if name == "intake.json"));
        let remarked = record(|r| r["annotations"] = json!({ "a": "b" }));
        assert!(matches!(remarked, Err(StatementError::Record(_))));
        assert!(shape(record(|r| r["digest"]["sha512"] = json!("00"))).contains("unknown field `sha512`"));
        assert!(shape(record(|r| r["mediaType"] = json!("x"))).contains("unknown field `mediaType`"));
    }

    #[test]
    fn other_types_and_fields_are_refused() {
        let typed =
            edited(&collection(), |value| value["_type"] = json!("https://in-toto.io/Statement/v0.1"));
        assert!(matches!(typed, Err(StatementError::Type(_))));
        let predicate = edited(&collection(), |value| value["predicateType"] = json!("urn:else"));
        assert!(matches!(predicate, Err(StatementError::PredicateType(_))));
        let extra = |statement: &Statement, path: &str| {
            edited(statement, |value| {
                value.pointer_mut(path).unwrap()["extra"] = json!("x");
            })
        };
        for path in ["", "/subject/0", "/predicate", "/predicate/actor", "/predicate/details/recordTree"] {
            let text = shape(extra(&collection(), path));
            let untagged = path.contains("details") && text == "details are those of no type of event";
            assert!(untagged || text.starts_with("unknown field `extra`"), "{path}: {text}");
        }
        let details = shape(extra(&collection(), "/predicate/details"));
        assert_eq!(details, "details are those of no type of event");
        for path in ["/predicate", "/predicate/buildDefinition", "/predicate/runDetails/metadata"] {
            assert!(shape(extra(&provenance(), path)).starts_with("unknown field `extra`"), "{path}");
        }
        assert!(shape(extra(&verdict(), "/predicate")).starts_with("unknown field `extra`"));
        for field in ["eventId", "nonce", "time", "clock", "actor", "caseId", "purpose"] {
            let text = shape(edited(&collection(), |value| {
                value["predicate"].as_object_mut().unwrap().remove(field);
            }));
            assert_eq!(text, format!("missing field `{field}`"));
        }
    }

    #[test]
    fn repeated_keys_numbers_and_nulls_are_refused() {
        let text = String::from_utf8(collection().to_bytes().unwrap()).unwrap();
        let repeated = text.replacen("\"purpose\"", "\"caseId\":\"x\",\"purpose\"", 1);
        assert!(matches!(
            Statement::parse(repeated.as_bytes()),
            Err(StatementError::Json(JsonError::RepeatedKey(key))) if key == "caseId"
        ));
        let number = edited(&provenance(), |value| {
            value["predicate"]["buildDefinition"]["externalParameters"]["n"] = json!(1)
        });
        assert!(matches!(number, Err(StatementError::Value(Value::Number(_)))));
        let null = edited(&collection(), |value| value["predicate"]["recipient"] = Value::Null);
        assert!(matches!(null, Err(StatementError::Value(Value::Null))));
        for field in ["uri", "content"] {
            let null = edited(&provenance(), |value| value["subject"][0][field] = Value::Null);
            assert_eq!(shape(null), "invalid type: null, expected a string");
        }
        let records = |text: &str| {
            shape(edited(&collection(), |value| {
                value["predicate"]["details"]["recordTree"]["records"] = json!(text)
            }))
        };
        for text in ["017", "+17", "-1", "18446744073709551616", ""] {
            assert_eq!(records(text), "details are those of no type of event");
        }
    }

    #[test]
    fn provenance_names_a_nonce_and_a_node() {
        let guessable = |edit: fn(&mut Value)| {
            edited(&provenance(), |value| {
                edit(&mut value["predicate"]["buildDefinition"]["internalParameters"])
            })
        };
        assert!(matches!(guessable(|map| *map = json!({})), Err(StatementError::Nonce)));
        assert!(matches!(guessable(|map| map["nonce"] = json!("00")), Err(StatementError::Nonce)));
        for id in ["urn:comity:node:", "https://builder.example", "urn:comity:node:SHA256:short"] {
            let builder =
                edited(&provenance(), |value| value["predicate"]["runDetails"]["builder"]["id"] = json!(id));
            assert!(matches!(builder, Err(StatementError::Builder(_))), "{id}");
        }
    }

    #[test]
    fn a_statement_has_an_end() {
        let mut statement = collection();
        let Predicate::Custody(event) = &mut statement.predicate else { unreachable!() };
        event.purpose = "x".repeat(MAX_PAYLOAD_BYTES);
        assert!(matches!(statement.to_bytes(), Err(StatementError::TooLong)));
    }
}
