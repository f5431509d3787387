//! Findings in other programs' formats and for people. Pure: values in, text out; no clock, no files, and
//! the same values give the same bytes, so that a verifier can make each text again and compare it.
//!
//! | function | file of a bag | is |
//! |---|---|---|
//! | [`case_jsonld`] | `data/case.jsonld` | CASE 1.5, for investigators' tools |
//! | [`ro_crate`] | `data/ro-crate-metadata.json` | RO-Crate 1.1 and Process Run Crate 0.5, for archives |
//! | [`report_html`] | `data/report.html` | a report to read and print |
//! | [`verify_md`] | `data/VERIFY.md` | how a stranger checks the bag |

mod case;
mod dossier;
mod json_ld;
mod report;
mod ro_crate;
mod text;
mod verify_md;

pub use case::case_jsonld;
pub use dossier::*;
pub use report::report_html;
pub use ro_crate::ro_crate;
pub use text::plain;
pub use verify_md::verify_md;
