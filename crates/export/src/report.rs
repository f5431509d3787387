//! The report that a court can read and print: one HTML page, no script, nothing loaded from elsewhere.
//!
//! Its text comes from logs and feeds. The template gets it as [`Plain`] only, in which nothing is hidden,
//! and askama escapes what HTML would take for markup.

use askama::Template;

use crate::case::tlp_text;
use crate::dossier::{BagKind, Dossier, EvidenceFacts, FeedFacts, OutputFacts, Section};
use crate::text::{Plain, count_text};

/// Longest text of a cell that stays on one line, characters: a time, a digest's beginning, a kind.
const SHORT: usize = 22;

/// Writes the dossier as an HTML page.
pub fn report_html(dossier: &Dossier) -> String {
    // it writes into a string and no value refuses to be shown: it can't fail
    Report::of(dossier).render().unwrap_or_default() + "\n"
}

/// What the template shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    title: Plain,
    what: &'static str,
    marking: Option<String>,
    /// The case in the margin of printed pages; it stands in CSS, so only where it is harmless there.
    margin: String,
    facts: Vec<Fact>,
    answer: Vec<(Plain, Plain)>,
    sections: Vec<Table>,
    evidence: Option<Ledger>,
    feeds: Option<Ledger>,
    made: Vec<Ledger>,
    run: Option<Plain>,
    kind: BagKind,
    rejects: String,
}

/// A named value.
struct Fact {
    name: &'static str,
    value: Plain,
    is_digest: bool,
}

/// A table of the summary.
struct Table {
    title: Plain,
    header: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    note: Plain,
}

/// A cell, and how it is set: `n` number, `d` digest, `s` short, or nothing.
struct Cell {
    text: Plain,
    class: &'static str,
}

/// Things that have a line of cells and a block of details each.
struct Ledger {
    title: &'static str,
    header: Vec<Cell>,
    entries: Vec<Entry>,
}

struct Entry {
    cells: Vec<Cell>,
    details: Vec<Fact>,
}

impl Report {
    fn of(dossier: &Dossier) -> Self {
        let rejects = dossier.evidence.iter().map(|e| e.rejects).fold(0, u64::saturating_add);
        let made = [allow_lists(dossier), correlations(dossier), outputs(&dossier.outputs)];
        Self {
            title: Plain::of(&dossier.summary.title),
            what: match dossier.kind {
                BagKind::Full => "Report of findings, with the evidence",
                BagKind::Findings => "Report of findings",
                BagKind::Feed => "Submission of feeds",
            },
            marking: dossier.strictest().map(tlp_text),
            margin: margin(&dossier.case.id),
            facts: facts(dossier),
            answer: dossier.summary.answer.iter().map(|line| labelled(line)).collect(),
            sections: dossier.summary.sections.iter().map(Table::of).collect(),
            evidence: evidence(&dossier.evidence),
            feeds: feeds(&dossier.feeds),
            made: made.into_iter().flatten().collect(),
            run: dossier.run_id.as_deref().map(Plain::of),
            kind: dossier.kind,
            rejects: count_text(rejects),
        }
    }
}

impl Fact {
    fn text(name: &'static str, value: &str) -> Self {
        Self { name, value: Plain::of(value), is_digest: false }
    }

    fn digest(name: &'static str, value: &str) -> Self {
        Self { name, value: Plain::of(value), is_digest: true }
    }
}

impl Cell {
    fn of(text: &str) -> Self {
        let hexadecimal = text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let class = match text.chars().nth(SHORT) {
            _ if hexadecimal => "d",
            None => "s",
            Some(_) => "",
        };
        Self { text: Plain::of(text), class }
    }

    fn number(text: &str) -> Self {
        Self { text: Plain::of(text), class: "n" }
    }
}

impl Table {
    fn of(section: &Section) -> Self {
        let cell = |(at, text): (usize, &String)| {
            if section.numbers.contains(&at) { Cell::number(text) } else { Cell::of(text) }
        };
        Self {
            title: Plain::of(&section.title),
            header: section.header.iter().enumerate().map(cell).collect(),
            rows: section.rows.iter().map(|row| row.iter().enumerate().map(cell).collect()).collect(),
            note: Plain::of(&section.note),
        }
    }
}

impl Ledger {
    /// A ledger, where there is anything in it; names of number columns begin with `#`.
    fn of(title: &'static str, header: &[&str], entries: Vec<Entry>) -> Option<Self> {
        let header = header.iter().map(|name| match name.strip_prefix('#') {
            Some(name) => Cell::number(name),
            None => Cell::of(name),
        });
        (!entries.is_empty()).then(|| Self { title, header: header.collect(), entries })
    }
}

/// The case's id as a CSS string, where it has nothing that CSS could take for more.
fn margin(case: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '/' | '-');
    if case.len() <= 60 && case.chars().all(harmless) { case.to_owned() } else { String::new() }
}

/// Parts a line of the answer at its first colon: `Found: …`.
fn labelled(line: &str) -> (Plain, Plain) {
    let (label, text) = line.split_once(": ").unwrap_or(("", line));
    (Plain::of(label), Plain::of(text))
}

fn program(dossier: &Dossier) -> String {
    let version = &dossier.tool.version;
    match &dossier.tool.commit {
        Some(commit) => format!("comity {version}, source commit {commit}"),
        None => format!("comity {version}"),
    }
}

fn facts(dossier: &Dossier) -> Vec<Fact> {
    let case = &dossier.case;
    let mut facts = vec![
        Fact::text("Case", &case.id),
        Fact::text("Jurisdiction", &case.jurisdiction),
        Fact::text("Purpose", &case.purpose),
    ];
    if let Some((started, finished)) = &dossier.run_times {
        facts.push(Fact::text("Run", &format!("{} to {}", time_text(started), time_text(finished))));
    }
    facts.extend(dossier.run_id.as_deref().map(|run| Fact::digest("Run id", run)));
    facts.extend(dossier.node.as_deref().map(|node| Fact::digest("Machine’s key", node)));
    facts.push(Fact::text("Made by", &program(dossier)));
    facts
}

/// A time without what a reader stumbles over: `2026-02-03 04:05:06Z`.
fn time_text(time: &str) -> String {
    let (seconds, rest) = match crate::text::time(time).and_then(|t| t.split_at_checked(19)) {
        Some(parts) => parts,
        None => return time.to_owned(),
    };
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    format!("{}{zone}", seconds.replace('T', " "))
}

fn evidence(items: &[EvidenceFacts]) -> Option<Ledger> {
    let header = ["item", "from", "format", "#bytes", "#records", "#events", "#rejects", "#headers"];
    let entries = items.iter().map(|item| {
        let mut cells = vec![Cell::of(&item.path), Cell::of(&item.jurisdiction), Cell::of(&item.format)];
        let counts = [item.bytes, item.records, item.events, item.rejects, item.headers];
        cells.extend(counts.map(|n| Cell::number(&count_text(n))));
        let mut details = vec![Fact::digest("SHA-256", &item.id)];
        if item.stream_sha256 != item.id {
            details.push(Fact::digest("Decompressed", &item.stream_sha256));
        }
        details.extend(item.record_root.as_deref().map(|root| Fact::digest("Record tree", root)));
        details.extend(item.authority.as_deref().map(|name| Fact::text("Authority", name)));
        details.extend(item.legal_basis.as_deref().map(|basis| Fact::text("Legal basis", basis)));
        details.extend(item.tlp.map(|tlp| Fact::text("Marking", &tlp_text(tlp))));
        details.push(Fact::text("Received", &time_text(&item.received_at)));
        let read = format!("framing {}, compression {}", item.framing, item.codec);
        details.push(Fact::text("Read as", &read));
        Entry { cells, details }
    });
    Ledger::of("Evidence items", &header, entries.collect())
}

fn feeds(feeds: &[FeedFacts]) -> Option<Ledger> {
    let header = ["feed", "provider", "format", "#claims", "#accepted", "#rejected", "#indicators"];
    let entries = feeds.iter().map(|feed| {
        let mut cells = vec![Cell::of(&feed.path), Cell::of(&feed.provider), Cell::of(&feed.format)];
        let counts = [feed.seen, feed.accepted, feed.rejected, feed.indicators];
        cells.extend(counts.map(|n| Cell::number(&count_text(n))));
        let mut details = vec![Fact::digest("SHA-256", &feed.id)];
        details.extend(feed.tlp.map(|tlp| Fact::text("Marking", &tlp_text(tlp))));
        details.push(Fact::text("Received", &time_text(&feed.received_at)));
        Entry { cells, details }
    });
    Ledger::of("Feeds", &header, entries.collect())
}

fn allow_lists(dossier: &Dossier) -> Option<Ledger> {
    let entries = dossier
        .allow_lists
        .iter()
        .map(|list| Entry { cells: vec![Cell::of(&list.name), Cell::of(&list.id)], details: Vec::new() });
    Ledger::of("Allow-lists", &["allow-list", "SHA-256"], entries.collect())
}

fn correlations(dossier: &Dossier) -> Option<Ledger> {
    let entries = dossier.correlations.iter().map(|correlation| Entry {
        cells: vec![Cell::of(&correlation.name), Cell::of(&correlation.sql_sha256)],
        details: Vec::new(),
    });
    Ledger::of("Correlations", &["correlation", "SHA-256 of its SQL"], entries.collect())
}

fn outputs(outputs: &[OutputFacts]) -> Option<Ledger> {
    let entries = outputs.iter().map(|output| Entry {
        cells: vec![
            Cell::of(&output.name),
            Cell::of(&format!("data/{}", output.path)),
            Cell::number(&count_text(output.rows)),
            Cell::number(&count_text(output.bytes)),
        ],
        details: vec![
            Fact::digest("Logical SHA-256", &output.logical_sha256),
            Fact::digest("SHA-256 of the file", &output.sha256),
        ],
    });
    Ledger::of("Tables", &["table", "file", "#rows", "#bytes"], entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_answers_read_well() {
        assert_eq!(time_text("2026-02-03T04:05:06.789Z"), "2026-02-03 04:05:06Z");
        assert_eq!(time_text("2026-02-03T04:05:06+01:00"), "2026-02-03 04:05:06+01:00");
        assert_eq!(time_text("soon"), "soon");
        assert_eq!(labelled("Found: nothing."), (Plain::of("Found"), Plain::of("nothing.")));
        assert_eq!(labelled("nothing"), (Plain::of(""), Plain::of("nothing")));
    }

    #[test]
    fn css_gets_no_more_than_an_id() {
        assert_eq!(margin("2026-014"), "2026-014");
        assert_eq!(margin("\"; } body { display: none"), "");
    }
}
