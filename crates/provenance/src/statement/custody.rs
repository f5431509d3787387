//! `urn:comity:custody-event:v1`: one act on evidence, a feed, a bag or a key (docs/provenance.md, "Statements").

use std::fmt;

use serde::{Deserialize, Serialize};

use super::values::in_decimal;
use super::{Descriptor, EventId, Nonce, Ranges, StatementError, Time};
use crate::Sha256Digest;
use crate::bag::BagKind;
use crate::trust::Role;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustodyEvent {
    /// Names the event.
    pub event_id: EventId,
    /// Its own.
    pub nonce: Nonce,
    /// What was done.
    pub event_type: EventType,
    /// When, by `clock`.
    pub time: Time,
    /// Whose time that is.
    pub clock: Clock,
    /// Who did it.
    pub actor: Actor,
    /// In which case.
    pub case_id: String,
    /// For what, as the case says.
    pub purpose: String,
    /// To whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// By what right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<LegalBasis>,
    /// What may be done with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handling: Option<Handling>,
    /// How long it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// What a policy said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// With what it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Records that the event vouches for, whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Descriptor>,
    /// What only this type of event has.
    #[serde(default, skip_serializing_if = "Details::is_nothing")]
    pub details: Details,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are those of the table in docs/provenance.md")]
pub enum EventType {
    Collection,
    Alteration,
    Consultation,
    Disclosure,
    Transfer,
    Combination,
    Erasure,
    Seal,
    Review,
    Membership,
    Revocation,
    Refusal,
    Hold,
}

impl EventType {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Alteration => "alteration",
            Self::Consultation => "consultation",
            Self::Disclosure => "disclosure",
            Self::Transfer => "transfer",
            Self::Combination => "combination",
            Self::Erasure => "erasure",
            Self::Seal => "seal",
            Self::Review => "review",
            Self::Membership => "membership",
            Self::Revocation => "revocation",
            Self::Refusal => "refusal",
            Self::Hold => "hold",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whose clock a time is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The operating system's: a claim of whoever runs it.
    System,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// A principal, or the fingerprint of a key.
    pub id: String,
    /// In which role.
    pub role: Role,
    /// For whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
}

/// By what right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// The law.
    pub instrument: String,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// SHA-256 of the order's document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Sha256Digest>,
}

/// What may be done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handling {
    /// TLP 2.0, lower case.
    pub tlp: String,
    /// PAP, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pap: Option<String>,
    /// Limits in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
}

/// How long it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Last day, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// By which rule, or the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// What a policy said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    /// SHA-256 of the policy.
    pub policy_digest: Sha256Digest,
    /// Its answer.
    pub result: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// With what it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Method {
    /// The program.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_digest: Option<Sha256Digest>,
}

/// What only one type of event has. Which fits which: [`EventType`] and the table in docs/provenance.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    rename_all_fields = "camelCase",
    deny_unknown_fields,
    expecting = "details are those of no type of event"
)]
pub enum Details {
    /// Nothing.
    Nothing {},
    /// Of a collection of evidence or a feed.
    Collection {
        /// The tree over its records.
        record_tree: RecordTree,
    },
    /// Of a consultation.
    Consultation {
        /// What was looked at.
        what: Consulted,
        /// The question; the subject is its SHA-256.
        query: String,
        /// In which run, where in one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<Sha256Digest>,
    },
    /// Of a disclosure.
    Disclosure {
        /// Which kind of bag.
        kind: BagKind,
        /// Of which run, where of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<Sha256Digest>,
        /// Log indexes whose statements are not in the bag.
        withheld: Ranges,
    },
    /// Of a seal.
    Seal {
        /// Which kind of bag.
        kind: BagKind,
        /// Of which run, where of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<Sha256Digest>,
    },
    /// Of an erasure.
    Erasure {
        /// Why.
        reason: String,
        /// Log indexes whose statements were erased with it.
        leaves: Ranges,
    },
    /// Of a revocation for compromise.
    Revocation {
        /// From when on nothing that the key signed counts.
        since: Time,
    },
}

impl Default for Details {
    fn default() -> Self {
        Self::Nothing {}
    }
}

impl Details {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing {}
    }

    fn fit(&self, event: EventType) -> bool {
        use EventType as E;
        match self {
            Self::Nothing {} => !matches!(event, E::Consultation | E::Disclosure | E::Seal | E::Erasure),
            Self::Collection { .. } => event == E::Collection,
            Self::Consultation { .. } => event == E::Consultation,
            Self::Disclosure { .. } => event == E::Disclosure,
            Self::Seal { .. } => event == E::Seal,
            Self::Erasure { .. } => event == E::Erasure,
            Self::Revocation { .. } => event == E::Revocation,
        }
    }
}

/// The tree that records can be proven from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTree {
    /// How the bytes were cut into records, with its version.
    pub framing: String,
    /// How many; decimal text.
    #[serde(with = "in_decimal")]
    pub records: u64,
    /// RFC 6962 root.
    pub root: Sha256Digest,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consulted {
    /// The tables, by a query.
    Sql,
    /// Findings of a run.
    Findings,
    /// The report of a run.
    Report,
    /// A record of an evidence item, which was proven; the question is `<id>:<record>`.
    Record,
}

impl CustodyEvent {
    /// Holds the event to the table in docs/provenance.md.
    pub(super) fn check(&self, subject: &[Descriptor]) -> Result<(), StatementError> {
        if !self.details.fit(self.event_type) {
            return Err(StatementError::Details(self.event_type));
        }
        for record in &self.records {
            let plain = record.content.is_some() && record.uri.is_none() && record.annotations.is_empty();
            if !plain {
                return Err(StatementError::Record(record.name.clone()));
            }
        }
        let wrong = |subject: &Descriptor| StatementError::Subject {
            event: self.event_type,
            name: subject.name.clone(),
        };
        if let Some(odd) = subject.iter().find(|subject| !self.may_be_about(subject)) {
            return Err(wrong(odd));
        }
        match subject {
            [_, second, ..] if self.has_one_subject() => Err(wrong(second)),
            _ => Ok(()),
        }
    }

    fn has_one_subject(&self) -> bool {
        use EventType as E;
        matches!(
            self.event_type,
            E::Collection | E::Consultation | E::Erasure | E::Seal | E::Membership | E::Revocation
        )
    }

    fn may_be_about(&self, subject: &Descriptor) -> bool {
        use EventType as E;
        let name = subject.name.as_str();
        // an input's id is its SHA-256
        let is_in =
            |directory: &str| name.strip_prefix(directory).is_some_and(|id| id == subject.sha256.to_string());
        match (self.event_type, &self.details) {
            (E::Collection, Details::Collection { .. }) | (E::Erasure, _) => {
                is_in("evidence/") || is_in("feeds/")
            }
            (E::Collection, _) => is_in("allow-lists/"),
            (_, Details::Consultation { query, .. }) => {
                name == "query" && subject.sha256 == Sha256Digest::of(query.as_bytes())
            }
            (E::Disclosure, _) => {
                let logged = ["data/attestations/", "data/log/"].iter().any(|path| name.starts_with(path));
                name.starts_with("data/") && !logged
            }
            (E::Seal, _) => name == "tagmanifest-sha256.txt",
            (E::Membership | E::Revocation, _) => name == "key",
            _ => true,
        }
    }
}
