//! SLSA provenance v1 (slsa.dev/spec/v1.0/provenance): what a normalisation or a run made, of what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Descriptor, Nonce, StatementError, Time};
use crate::PublicKey;
use crate::keys::is_fingerprint;

const BUILDER: &str = "urn:comity:node:";

/// How outputs came to be; the outputs are the subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provenance {
    /// What was asked for.
    pub build_definition: BuildDefinition,
    /// How it went.
    pub run_details: RunDetails,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildDefinition {
    /// Which job.
    pub build_type: BuildType,
    /// What people chose: correlation, parameters, as-of time, case.
    pub external_parameters: BTreeMap<String, Value>,
    /// What comity chose: versions, partitions; always `nonce`.
    pub internal_parameters: BTreeMap<String, Value>,
    /// Every input, by SHA-256.
    pub resolved_dependencies: Vec<Descriptor>,
}

/// Which job made the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BuildType {
    /// One evidence item or feed was read.
    #[serde(rename = "urn:comity:normalise:v1")]
    Normalise,
    /// A run was correlated.
    #[serde(rename = "urn:comity:correlate:v1")]
    Correlate,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunDetails {
    /// Who.
    pub builder: Builder,
    /// When.
    pub metadata: BuildMetadata,
    /// What else came of it: plan, counts, what was not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<Descriptor>,
}

/// The node that computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// `urn:comity:node:` and the fingerprint of its key.
    pub id: String,
    /// Component to version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub version: BTreeMap<String, String>,
}

impl Builder {
    /// The node with this key.
    pub fn of(node: &PublicKey, version: BTreeMap<String, String>) -> Self {
        Self { id: format!("{BUILDER}{}", node.fingerprint()), version }
    }
}

/// Which run, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildMetadata {
    /// Names this run of the job.
    pub invocation_id: String,
    /// By the clock of the node.
    pub started_on: Time,
    /// By the clock of the node.
    pub finished_on: Time,
}

impl Provenance {
    pub(super) fn check(&self) -> Result<(), StatementError> {
        let nonce = self.build_definition.internal_parameters.get("nonce");
        if nonce.and_then(Value::as_str).is_none_or(|nonce| nonce.parse::<Nonce>().is_err()) {
            return Err(StatementError::Nonce);
        }
        let id = &self.run_details.builder.id;
        if !id.strip_prefix(BUILDER).is_some_and(is_fingerprint) {
            return Err(StatementError::Builder(id.clone()));
        }
        Ok(())
    }
}
