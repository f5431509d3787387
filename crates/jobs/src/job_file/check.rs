//! What types can't say: contradictions within a job, and names that must be known elsewhere.

use comity_provenance::bag;
use serde::Serialize;
use serde_json::Value;

use super::error::{JobFileError, Step, hint, key, nearest};
use super::evidence::{Coverage, Evidence, LegalBasis};
use super::tables::{Correlation, Feed, Job};

/// Correlations that comity brings; `sightings` is the merge itself.
pub const BUILT_IN_CORRELATIONS: &[&str] =
    &["allow-listed", "corroboration", "cross-border", "first-seen", "not-seen", "sightings"];

type Checked = Result<(), JobFileError>;

/// Checks a job that is right key by key.
pub(super) fn job(job: &Job) -> Checked {
    let check = Check(job);
    check.value(&key!["case", "id"], &job.case.id)?;
    check.value(&key!["case", "title"], job.case.title.as_deref().unwrap_or("none"))?;
    check.value(&key!["case", "purpose"], &job.case.purpose)?;
    check.nothing_hidden()?;
    if job.evidence.is_empty() && job.feed.is_empty() {
        let hint = "add an [[evidence]] or a [[feed]] with a path";
        return Err(job.error_at(&[], "the job has neither evidence nor feeds", Some(hint.into())));
    }
    for (at, evidence) in job.evidence.iter().enumerate() {
        check.evidence(at, evidence)?;
    }
    for (at, feed) in job.feed.iter().enumerate() {
        check.feed(at, feed)?;
    }
    for (at, list) in job.allow_list.iter().enumerate() {
        check.paths(&key!["allow_list", at, "path"], &list.path)?;
    }
    for (at, correlation) in job.correlation.iter().enumerate() {
        check.correlation(at, correlation)?;
    }
    check.output()
}

impl Job {
    /// Checks the declared formats against the names in the tables of formats.
    ///
    /// # Errors
    /// The first format that is not in its table.
    pub fn check_formats(&self, logs: &[&str], feeds: &[&str]) -> Result<(), JobFileError> {
        let evidence = self.evidence.iter().enumerate();
        let evidence =
            evidence.map(|(at, item)| (key!["evidence", at, "format"], item.declared_format(), logs, feeds));
        let feed = self.feed.iter().enumerate();
        let feed = feed.map(|(at, item)| (key!["feed", at, "format"], item.declared_format(), feeds, logs));
        for (key, format, known, others) in evidence.chain(feed) {
            let Some(format) = format.filter(|format| !known.contains(format)) else { continue };
            let hint = match others.contains(&format) && key.first() == Some(&Step::from("evidence")) {
                true => Some(format!("{format:?} is a format of feeds: declare the file in a [[feed]]")),
                false if others.contains(&format) => {
                    Some(format!("{format:?} is a format of logs: declare the file in an [[evidence]]"))
                }
                false => hint(format, known),
            };
            return Err(self.error_at(&key, format!("{format:?} is not known"), hint));
        }
        Ok(())
    }
}

/// The first text that would be read otherwise than it is, and the character. File names, mappings, queries and
/// parameters may have such characters.
pub(super) fn hidden(table: &impl Serialize) -> Option<(Vec<Step>, char)> {
    let mut steps = Vec::new();
    let found = hidden_in(&serde_json::to_value(table).ok()?, &mut steps)?;
    Some((steps, found))
}

/// Leaves `steps` where it was found.
fn hidden_in(value: &Value, steps: &mut Vec<Step>) -> Option<char> {
    let mut inside = |step: Step, value: &Value| {
        steps.push(step);
        let found = hidden_in(value, steps);
        if found.is_none() {
            steps.pop();
        }
        found
    };
    match value {
        Value::String(text) => bag::hidden(text),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| inside(at.into(), item)),
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !["path", "mapping", "query", "parameters"].contains(&key.as_str()))
            .find_map(|(key, value)| inside(key.as_str().into(), value)),
        _ => None,
    }
}

struct Check<'a>(&'a Job);

impl Check<'_> {
    fn fail(&self, key: &[Step], problem: impl Into<String>, hint: &str) -> Checked {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        Err(self.0.error_at(key, problem, hint))
    }

    fn text(&self, key: &[Step], text: &str) -> Checked {
        match text.trim().is_empty() {
            true => self.fail(key, "is empty", ""),
            false => Ok(()),
        }
    }

    /// A text that goes into `bag-info.txt`.
    fn value(&self, key: &[Step], text: &str) -> Checked {
        self.text(key, text)?;
        match bag::text_fault(text) {
            Some(fault) => {
                self.fail(key, fault.to_string(), "write it in one line, without control characters")
            }
            None => Ok(()),
        }
    }

    fn nothing_hidden(&self) -> Checked {
        let Some((steps, found)) = hidden(self.0) else { return Ok(()) };
        // what stands alone has no place in a list
        let key = steps.into_iter().fold(Vec::new(), |key, step| match step {
            Step::At(n) => self.0.nth(&key, n),
            step => [key, vec![step]].concat(),
        });
        let problem = format!("has the character {found:?}");
        self.fail(&key, problem, "write it in one line, without control characters")
    }

    fn paths(&self, key: &[Step], paths: &[String]) -> Checked {
        if paths.is_empty() {
            return self.fail(key, "is an empty list", "name at least one file or pattern");
        }
        paths.iter().enumerate().try_for_each(|(n, path)| self.text(&self.0.nth(key, n), path))
    }

    /// Refuses a period that ends before it begins; `what` is the table that holds both bounds.
    fn period<T: Ord + ToString>(
        &self,
        what: &[Step],
        from: Option<&T>,
        until: Option<&T>,
        inclusive: bool,
    ) -> Checked {
        let (Some(from), Some(until)) = (from, until) else { return Ok(()) };
        if from < until || (inclusive && from == until) {
            return Ok(());
        }
        let key: Vec<Step> = what.iter().cloned().chain([Step::from("until")]).collect();
        let (from, until) = (from.to_string(), until.to_string());
        self.fail(&key, format!("{until:?} is not after from {from:?}"), "")
    }

    fn evidence(&self, at: usize, evidence: &Evidence) -> Checked {
        self.paths(&key!["evidence", at, "path"], &evidence.path)?;
        for (n, basis) in evidence.legal_basis.iter().enumerate() {
            self.legal_basis(at, n, basis)?;
        }
        self.mapping(at, evidence)?;
        if let Some(uncertainty) = evidence.clock_uncertainty.filter(|span| span.as_us() < 0) {
            let key = key!["evidence", at, "clock_uncertainty"];
            return self.fail(
                &key,
                format!("\"{uncertainty}\" is negative"),
                "it counts to either side of clock_offset",
            );
        }
        if let Some(coverage) = &evidence.coverage {
            self.coverage(at, coverage)?;
        }
        for (n, range) in evidence.restricted.iter().enumerate() {
            if range.first == 0 {
                return self.fail(
                    &key!["evidence", at, "restricted", n, "first"],
                    "is 0, expected a record from 1 on",
                    "",
                );
            }
            if range.last < range.first {
                let problem = format!("{} is before first {}", range.last, range.first);
                return self.fail(&key!["evidence", at, "restricted", n, "last"], problem, "");
            }
        }
        self.languages(at, evidence)
    }

    fn legal_basis(&self, at: usize, n: usize, basis: &LegalBasis) -> Checked {
        let key = self.0.nth(&key!["evidence", at, "legal_basis"], n);
        self.text(&[key.as_slice(), &key!["instrument"]].concat(), &basis.instrument)?;
        self.period(&key, basis.from.as_ref(), basis.until.as_ref(), true)
    }

    fn mapping(&self, at: usize, evidence: &Evidence) -> Checked {
        let format = evidence.declared_format();
        let generic = matches!(format, Some("csv" | "ndjson"));
        match &evidence.mapping {
            None if generic => {
                let hint = format!(
                    "add [evidence.mapping], with time = … and columns = {{ … }}, to the table with path {:?}",
                    evidence.path.join(", ")
                );
                let format = format.unwrap_or_default();
                self.fail(
                    &key!["evidence", at, "mapping"],
                    format!("is missing; format {format:?} needs it"),
                    &hint,
                )
            }
            Some(_) if !generic => {
                let format =
                    format.map_or("a format to be detected".to_owned(), |name| format!("format {name:?}"));
                let problem = format!("does not go with {format}");
                self.fail(
                    &key!["evidence", at, "mapping"],
                    problem,
                    "only \"csv\" and \"ndjson\" take a mapping; declare one as format",
                )
            }
            Some(mapping) if mapping.columns.is_empty() => {
                let hint = "map at least one, such as \"client\" = \"src_ip\"";
                self.fail(&key!["evidence", at, "mapping", "columns"], "maps no column", hint)
            }
            _ => Ok(()),
        }
    }

    fn coverage(&self, at: usize, coverage: &Coverage) -> Checked {
        let key = key!["evidence", at, "coverage"];
        self.period(&key, coverage.from.as_ref(), coverage.until.as_ref(), false)?;
        for (n, gap) in coverage.gaps.iter().enumerate() {
            let key = key!["evidence", at, "coverage", "gaps", n];
            self.period(&key, Some(&gap.from), Some(&gap.until), false)?;
            let early = coverage.from.is_some_and(|from| gap.from < from);
            let late = coverage.until.is_some_and(|until| gap.until > until);
            if early || late {
                return self.fail(
                    &key,
                    "reaches out of the coverage",
                    "a gap lies between coverage.from and coverage.until",
                );
            }
        }
        Ok(())
    }

    fn languages(&self, at: usize, evidence: &Evidence) -> Checked {
        let subtag = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let tag = |text: &str| {
            text.split('-').all(subtag)
                && text.split('-').next().is_some_and(|first| (2..=3).contains(&first.len()))
        };
        match evidence.language.iter().enumerate().find(|(_, text)| !tag(text)) {
            Some((n, text)) => {
                let problem = format!("{text:?} is not a BCP 47 tag, such as \"ja\" or \"de-CH\"");
                self.fail(&self.0.nth(&key!["evidence", at, "language"], n), problem, "")
            }
            None => Ok(()),
        }
    }

    fn feed(&self, at: usize, feed: &Feed) -> Checked {
        self.paths(&key!["feed", at, "path"], &feed.path)?;
        self.text(&key!["feed", at, "provider"], &feed.provider)?;
        match (&feed.mapping, feed.declared_format()) {
            (Some(_), Some("csv")) | (None, _) => Ok(()),
            (Some(_), format) => {
                let format =
                    format.map_or("a format to be detected".to_owned(), |name| format!("format {name:?}"));
                let problem = format!("does not go with {format}");
                self.fail(
                    &key!["feed", at, "mapping"],
                    problem,
                    "only \"csv\" takes a mapping; declare it as format",
                )
            }
        }
    }

    fn correlation(&self, at: usize, correlation: &Correlation) -> Checked {
        let (key, name) = (key!["correlation", at, "name"], correlation.name.as_str());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(plain) {
            return self.fail(
                &key,
                format!("{name:?} is not a name of lower-case letters, digits and \"-\""),
                "",
            );
        }
        let built_in = BUILT_IN_CORRELATIONS.contains(&name);
        match &correlation.sql {
            Some(_) if built_in => {
                return self.fail(
                    &key,
                    format!("{name:?} is the name of a built-in correlation"),
                    "give yours another name",
                );
            }
            Some(sql) => self.text(&key!["correlation", at, "sql"], sql)?,
            None if built_in => {}
            None => {
                let meant = nearest(name, BUILT_IN_CORRELATIONS)
                    .map(|near| format!("did you mean {near:?}? "))
                    .unwrap_or_default();
                let hint = format!(
                    "{meant}built in: {}; for one of your own add sql = \"file.sql\"",
                    BUILT_IN_CORRELATIONS.join(", ")
                );
                return self.fail(&key, format!("{name:?} is not known"), &hint);
            }
        }
        let before = self.0.correlation.iter().take(at).position(|other| other.name == name);
        if let Some(first) = before {
            let problem = format!("{name:?} is the name of correlation[{first}] already");
            return self.fail(&key, problem, "names must differ, since each names a table");
        }
        self.parameters(at, correlation)
    }

    fn parameters(&self, at: usize, correlation: &Correlation) -> Checked {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let name = |text: &&String| {
            text.bytes().all(plain) && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        };
        match correlation.parameters.keys().find(|text| !name(text)) {
            Some(text) => {
                let key = key!["correlation", at, "parameters", text.as_str()];
                self.fail(&key, "is not a name of lower-case letters, digits and \"_\"", "")
            }
            None => Ok(()),
        }
    }

    fn output(&self) -> Checked {
        let Some(case) = &self.0.output.case else { return Ok(()) };
        self.text(&key!["output", "case"], case)?;
        let named = case.split(['/', '\\']).rfind(|part| !part.is_empty() && *part != ".");
        match named {
            None | Some("..") => {
                let problem = format!("{case:?} names no directory of its own");
                self.fail(
                    &key!["output", "case"],
                    problem,
                    "name one for this case alone, such as \"lantern.case\"",
                )
            }
            Some(_) => Ok(()),
        }
    }
}
