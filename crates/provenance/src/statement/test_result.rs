//! in-toto test result v0.1 (github.com/in-toto/attestation, spec/predicates/test-result.md): the verdict of
//! `comity verify`.

use serde::{Deserialize, Serialize};

use super::Descriptor;

/// What was found when the subject was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestResult {
    /// The verdict.
    pub result: Outcome,
    /// What it was checked against: trust file, comity's version.
    pub configuration: Vec<Descriptor>,
    /// Where more is said; a reader never follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Checks that passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_tests: Vec<String>,
    /// Checks that passed with a doubt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warned_tests: Vec<String>,
    /// Checks that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_tests: Vec<String>,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// All passed.
    Passed,
    /// All passed, some with a doubt.
    Warned,
    /// Some failed.
    Failed,
}
