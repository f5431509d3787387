//! What a run came to, for people: what was found, where, first when, how sure; then the tables.
//!
//! The same sections become `summary.md` beside the run's tables and the terminal's output.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

pub use comity_export::{Section, Summary, plain};

use crate::run::Report;

/// Rows of a table that are shown; the rest is in the Parquet file.
const SHOWN: usize = 12;

/// Writes microseconds since 1970 UTC for people: `2026-02-03 04:05:06Z`.
pub fn time_text(at_us: i64) -> String {
    match jiff::Timestamp::from_microsecond(at_us) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => at_us.to_string(),
    }
}

/// Writes a span of microseconds for people: `23 d 4 h`, `5 min`, `12 s`.
pub fn span_text(span_us: i64) -> String {
    let seconds = span_us / 1_000_000;
    match seconds {
        s if s >= 86_400 => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
        s if s >= 3_600 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        s if s >= 60 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// A number with a comma between each three digits.
pub fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `1 sighting`, `2 sightings`.
fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", count_text(count as u64), if count == 1 { "" } else { "s" })
}

/// A column of a table, as text; empty where null or absent.
struct Texts<'a>(Option<&'a dyn Array>);

impl<'a> Texts<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Self {
        Self(batch.column_by_name(name).map(|c| c.as_ref()))
    }

    /// The text itself, where the column is one of our own texts.
    fn word(&self, row: usize) -> &'a str {
        let words = self.0.and_then(|column| column.as_string_opt::<i32>());
        words.filter(|words| words.is_valid(row)).map_or("", |words| words.value(row))
    }

    fn at(&self, row: usize) -> String {
        match self.0 {
            Some(column) if column.is_null(row) => String::new(),
            Some(column) => match column.data_type() {
                arrow::datatypes::DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
                arrow::datatypes::DataType::Utf8View => column.as_string_view().value(row).to_owned(),
                arrow::datatypes::DataType::LargeUtf8 => column.as_string::<i64>().value(row).to_owned(),
                arrow::datatypes::DataType::Boolean => column.as_boolean().value(row).to_string(),
                arrow::datatypes::DataType::Int64 => {
                    column.as_primitive::<Int64Type>().value(row).to_string()
                }
                arrow::datatypes::DataType::Timestamp(..) => {
                    time_text(column.as_primitive::<TimestampMicrosecondType>().value(row))
                }
                _ => String::new(),
            },
            None => String::new(),
        }
    }
}

/// Columns of the sightings that a summary looks at.
pub const OF_SIGHTINGS: &[&str] = &[
    "indicator_id",
    "indicator_kind",
    "indicator_value",
    "feed",
    "jurisdiction",
    "allow_list",
    "valid_at_time",
    "time_us",
];

/// What the sightings say, counted.
#[derive(Debug, Default)]
struct Tally<'a> {
    sightings: usize,
    jurisdictions: BTreeMap<&'a str, usize>,
    valid: usize,
    not_valid: usize,
    unknown: usize,
    allow_listed: usize,
    first: Option<(i64, &'a str, &'a str, &'a str)>,
    seen_by_feed: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// By kind and value.
    marks: BTreeMap<(&'a str, &'a str), Marks>,
}

/// How sure the sightings of one value are.
#[derive(Debug, Default)]
struct Marks {
    valid: bool,
    not_valid: bool,
    allow_listed: bool,
}

impl Marks {
    fn text(&self) -> String {
        let validity = match (self.valid, self.not_valid) {
            (true, true) => "mixed",
            (true, false) => "valid",
            (false, true) => "not valid",
            (false, false) => "unknown",
        };
        if self.allow_listed { format!("{validity} *") } else { validity.to_owned() }
    }
}

impl<'a> Tally<'a> {
    fn of(batches: &'a [RecordBatch]) -> Self {
        let mut tally = Self::default();
        for batch in batches {
            let id = Texts::of(batch, "indicator_id");
            let mut row = 0;
            // sightings of one indicator follow one another
            while row < batch.num_rows() {
                let end =
                    (row..batch.num_rows()).find(|&r| id.word(r) != id.word(row)).unwrap_or(batch.num_rows());
                tally.add(batch, row..end);
                row = end;
            }
        }
        tally
    }

    /// Counts sightings of one indicator.
    fn add(&mut self, batch: &'a RecordBatch, rows: Range<usize>) {
        let word = |name: &str| Texts::of(batch, name).word(rows.start);
        let value = (word("indicator_kind"), word("indicator_value"));
        self.sightings += rows.len();
        self.seen_by_feed.entry(word("feed")).or_default().insert(word("indicator_id"));
        let marks = self.marks.entry(value).or_default();
        let (jurisdiction, allow_list) = (Texts::of(batch, "jurisdiction"), Texts::of(batch, "allow_list"));
        let valid = batch.column_by_name("valid_at_time").and_then(|c| c.as_boolean_opt());
        let times = batch.column_by_name("time_us").and_then(|c| c.as_primitive_opt::<Int64Type>());
        for row in rows {
            let jurisdiction = jurisdiction.word(row);
            *self.jurisdictions.entry(jurisdiction).or_default() += 1;
            match valid.filter(|valid| valid.is_valid(row)).map(|valid| valid.value(row)) {
                Some(true) => (self.valid, marks.valid) = (self.valid + 1, true),
                Some(false) => (self.not_valid, marks.not_valid) = (self.not_valid + 1, true),
                None => self.unknown += 1,
            }
            if !allow_list.word(row).is_empty() {
                (self.allow_listed, marks.allow_listed) = (self.allow_listed + 1, true);
            }
            if let Some(time) = times.filter(|times| times.is_valid(row)).map(|times| times.value(row)) {
                let here = (time, jurisdiction, value.0, value.1);
                self.first = Some(self.first.map_or(here, |first| first.min(here)));
            }
        }
    }
}

/// Makes the summary of a run from its report, its sightings and the tables of its correlations; `with_items`: with
/// evidence and tables, which the HTML report has in sections of its own.
pub fn of(
    report: &Report,
    case_id: &str,
    case_title: Option<&str>,
    sightings: &[RecordBatch],
    findings: &BTreeMap<String, RecordBatch>,
    with_items: bool,
) -> Summary {
    let tally = Tally::of(sightings);
    let title = case_title.map_or_else(|| case_id.to_owned(), |title| format!("{case_id}: {title}"));
    let mut sections = Vec::new();
    sections.extend(findings.get("first-seen").map(|t| first_seen(t, &tally)));
    sections.extend(findings.get("cross-border").map(cross_border));
    sections.push(not_seen(report, &tally));
    if with_items {
        sections.push(evidence(report));
        sections.push(outputs(report));
    }
    if !report.problems.is_empty() {
        sections.push(problems(report));
    }
    sections.retain(|s| !s.rows.is_empty() || !s.note.is_empty());
    Summary { title: plain(&title), answer: answer(report, &tally, findings), sections }
}

fn answer(report: &Report, tally: &Tally<'_>, findings: &BTreeMap<String, RecordBatch>) -> Vec<String> {
    let events: u64 = report.evidence.iter().map(|e| e.events).sum();
    let indicators: u64 = report.feeds.iter().map(|f| f.indicators).sum();
    if tally.sightings == 0 {
        return vec![format!(
            "Found: nothing. Searched: {} in {} events.",
            counted(usize::try_from(indicators).unwrap_or(usize::MAX), "indicator"),
            count_text(events)
        )];
    }
    let where_: Vec<String> =
        tally.jurisdictions.iter().map(|(j, n)| format!("{j} {}", count_text(*n as u64))).collect();
    let mut lines = vec![format!(
        "Found: {} of {} ({}).",
        counted(tally.sightings, "sighting"),
        counted(tally.marks.len(), "indicator value"),
        where_.join(", ")
    )];
    if let Some((time, jurisdiction, kind, value)) = &tally.first {
        lines.push(format!("First: {} in {jurisdiction}, {kind} {}.", time_text(*time), plain(value)));
    }
    lines.push(format!(
        "How sure: {} within the indicator's validity, {} outside it, {} unknown; {} named by an allow-list.",
        count_text(tally.valid as u64),
        count_text(tally.not_valid as u64),
        count_text(tally.unknown as u64),
        count_text(tally.allow_listed as u64)
    ));
    if let Some(table) = findings.get("cross-border") {
        let (basis, kind, value) =
            (Texts::of(table, "basis"), Texts::of(table, "kind"), Texts::of(table, "value"));
        let crossing: BTreeSet<_> = (0..table.num_rows())
            .filter(|&row| basis.at(row) == "indicator")
            .map(|row| (kind.at(row), value.at(row)))
            .collect();
        lines.push(format!(
            "Across borders: {} in two or more jurisdictions.",
            counted(crossing.len(), "indicator value")
        ));
    }
    lines.push(format!(
        "Searched: {} in {} events of {}.",
        counted(usize::try_from(indicators).unwrap_or(usize::MAX), "indicator"),
        count_text(events),
        counted(report.evidence.len(), "evidence item")
    ));
    lines
}

fn first_seen(table: &RecordBatch, tally: &Tally<'_>) -> Section {
    let column = |name: &str| Texts::of(table, name);
    let (kind, value, first) = (column("indicator_kind"), column("indicator_value"), column("first_seen"));
    let (jurisdiction, sightings) = (column("jurisdiction"), column("sightings"));
    let rows = (0..table.num_rows().min(SHOWN)).map(|row| {
        let marks = tally
            .marks
            .get(&(kind.at(row).as_str(), value.at(row).as_str()))
            .map(Marks::text)
            .unwrap_or_default();
        vec![
            first.at(row),
            jurisdiction.at(row),
            plain(&value.at(row)),
            kind.at(row),
            sightings.at(row),
            marks,
        ]
    });
    Section {
        title: "What was seen, first sightings first".into(),
        header: header(&["first seen", "in", "indicator", "kind", "sightings", "how sure"]),
        numbers: vec![4],
        rows: rows.collect(),
        note: notes(tally, more(table.num_rows(), "first-seen")),
    }
}

/// Explains the mark of allow-lists where it is used.
fn notes(tally: &Tally<'_>, more: String) -> String {
    let marked = if tally.allow_listed > 0 { "* named by an allow-list" } else { "" };
    [marked.to_owned(), more].into_iter().filter(|n| !n.is_empty()).collect::<Vec<_>>().join("; ")
}

fn cross_border(table: &RecordBatch) -> Section {
    let column = |name: &str| Texts::of(table, name);
    let (basis, kind, value) = (column("basis"), column("kind"), column("value"));
    let (jurisdiction, first, records) = (column("jurisdiction"), column("first_seen"), column("records"));
    let lead = table.column_by_name("lead_us").map(|c| c.as_primitive::<Int64Type>());
    let of_indicators: Vec<usize> =
        (0..table.num_rows()).filter(|&row| basis.at(row) == "indicator").collect();
    let rows = of_indicators.iter().take(SHOWN).map(|&row| {
        let lead = match lead.filter(|l| l.is_valid(row)).map(|l| l.value(row)) {
            Some(0) => "first".to_owned(),
            Some(lead) => format!("{} later", span_text(lead)),
            None => "order not claimed".to_owned(),
        };
        vec![plain(&value.at(row)), kind.at(row), jurisdiction.at(row), first.at(row), lead, records.at(row)]
    });
    Section {
        title: "Across borders".into(),
        header: header(&["indicator", "kind", "in", "first seen", "lead", "records"]),
        numbers: vec![5],
        rows: rows.collect(),
        note: more(of_indicators.len(), "cross-border"),
    }
}

fn more(rows: usize, table: &str) -> String {
    if rows > SHOWN {
        format!("{} more in {table}.parquet", count_text((rows - SHOWN) as u64))
    } else {
        String::new()
    }
}

fn not_seen(report: &Report, tally: &Tally<'_>) -> Section {
    let mut by_provider: BTreeMap<&str, [u64; 5]> = BTreeMap::new();
    for feed in &report.feeds {
        let seen = tally.seen_by_feed.get(feed.id.to_string().as_str()).map_or(0, |ids| ids.len() as u64);
        let line = by_provider.entry(&feed.provider).or_default();
        let add = [1, feed.seen, feed.rejected, feed.indicators, seen];
        line.iter_mut().zip(add).for_each(|(sum, n)| *sum += n);
    }
    let rows = by_provider.into_iter().map(|(provider, [feeds, claims, rejected, indicators, seen])| {
        let mut row = vec![plain(provider)];
        row.extend([feeds, claims, rejected, indicators, seen, indicators - seen].map(count_text));
        row
    });
    Section {
        title: "Feeds: what was searched, and not seen".into(),
        header: header(&["provider", "feeds", "claims", "rejected", "indicators", "seen", "not seen"]),
        numbers: vec![1, 2, 3, 4, 5, 6],
        rows: rows.collect(),
        note: String::new(),
    }
}

fn evidence(report: &Report) -> Section {
    let mut by_jurisdiction: BTreeMap<&str, [u64; 5]> = BTreeMap::new();
    for item in &report.evidence {
        let line = by_jurisdiction.entry(&item.jurisdiction).or_default();
        let add = [1, item.records, item.events, item.rejects, item.headers];
        line.iter_mut().zip(add).for_each(|(sum, n)| *sum += n);
    }
    let rows = by_jurisdiction.into_iter().map(|(jurisdiction, counts)| {
        let mut row = vec![jurisdiction.to_owned()];
        row.extend(counts.map(count_text));
        row
    });
    Section {
        title: "Evidence".into(),
        header: header(&["jurisdiction", "items", "records", "events", "rejects", "headers"]),
        numbers: vec![1, 2, 3, 4, 5],
        rows: rows.collect(),
        note: String::new(),
    }
}

fn outputs(report: &Report) -> Section {
    let rows = report.outputs.iter().map(|output| {
        let digest: String = output.logical_sha256.to_string();
        vec![output.name.clone(), count_text(output.rows), digest]
    });
    Section {
        title: "Tables of the run, with their logical digests".into(),
        header: header(&["table", "rows", "logical sha256"]),
        numbers: vec![1],
        rows: rows.collect(),
        note: format!("run id {}", report.run_id),
    }
}

fn problems(report: &Report) -> Section {
    let rows = report.problems.iter().map(|p| vec![plain(&p.message)]);
    Section {
        title: "What did not work".into(),
        header: header(&["problem"]),
        numbers: Vec::new(),
        rows: rows.collect(),
        note: String::new(),
    }
}

/// A summary as Markdown (CommonMark with tables); text from outside is escaped.
pub fn markdown(summary: &Summary) -> String {
    let mut out = format!("# {}\n\n", escaped(&summary.title));
    for line in &summary.answer {
        out.push_str(&format!("- {}\n", escaped(line)));
    }
    for section in &summary.sections {
        out.push_str(&format!("\n## {}\n\n", section.title));
        if !section.rows.is_empty() {
            let rule = section
                .header
                .iter()
                .enumerate()
                .map(|(at, _)| if section.numbers.contains(&at) { "--:" } else { "---" });
            out.push_str(&format!("| {} |\n", section.header.join(" | ")));
            out.push_str(&format!("|{}|\n", rule.collect::<Vec<_>>().join("|")));
        }
        for row in &section.rows {
            let cells: Vec<String> = row.iter().map(|c| escaped(c)).collect();
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        if !section.note.is_empty() {
            out.push_str(&format!("\n{}\n", escaped(&section.note)));
        }
    }
    out
}

/// Escapes what Markdown or HTML would take for markup, and links.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '@' => out.push_str("&#64;"),
            other => out.push(other),
        }
    }
    // GitHub makes links of these, and nobody should click on an indicator
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_harmless() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(escaped("<b>|[x](http://e)"), "&lt;b&gt;\\|\\[x\\](http&#58;//e)");
    }

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(count_text(0), "0");
        assert_eq!(count_text(1_234_567), "1,234,567");
        assert_eq!(span_text(2 * 86_400_000_000 + 3 * 3_600_000_000), "2 d 3 h");
        assert_eq!(time_text(0), "1970-01-01 00:00:00Z");
    }
}
