//! `VERIFY.md`: how a stranger who distrusts the sender checks a bag, with comity or with stock tools.
//!
//! Its commands are fixed text. What comes from the dossier stands in sentences only, as [`Inert`]: what
//! Markdown can't take for markup a shell could still take for a command.

use askama::Template;

use crate::case::tlp_text;
use crate::dossier::{BagKind, Dossier};
use crate::text::Inert;

/// Writes the guide that lies in the dossier's bag.
pub fn verify_md(dossier: &Dossier) -> String {
    let guide = Guide {
        what: match dossier.kind {
            BagKind::Full => "findings and the evidence",
            BagKind::Findings => "findings, with the records that they rest on,",
            BagKind::Feed => "feeds for the use",
        },
        case: Inert::of(&dossier.case.id),
        jurisdiction: Inert::of(&dossier.case.jurisdiction),
        run: dossier.run_id.as_deref().map(Inert::of),
        marking: dossier.strictest().map(tlp_text),
        is_full: dossier.kind == BagKind::Full,
        is_findings: dossier.kind == BagKind::Findings,
        is_feed: dossier.kind == BagKind::Feed,
    };
    // it writes into a string and no value refuses to be shown: it can't fail
    guide.render().unwrap_or_default() + "\n"
}

#[derive(Template)]
#[template(path = "VERIFY.md", escape = "none")]
struct Guide {
    what: &'static str,
    case: Inert,
    jurisdiction: Inert,
    run: Option<Inert>,
    marking: Option<String>,
    is_full: bool,
    is_findings: bool,
    is_feed: bool,
}
