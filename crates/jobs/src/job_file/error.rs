//! Errors of a job file: the message, its place, and what was probably meant.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong in a job file.
///
/// `job.toml:14:7: evidence[1].tlp "yellow" is not known`, and on a second line `hint: one of: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFileError {
    /// The job file, as the caller named it.
    pub file: String,
    /// Line, 1-based.
    pub line: usize,
    /// Column in characters, 1-based.
    pub column: usize,
    /// Dotted key such as `evidence[1].tlp`, places in lists 0-based; empty where the text is no TOML.
    pub key: String,
    /// What is wrong with the key; reads on from it.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl std::error::Error for JobFileError {}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        f.write_str(&self.problem)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

/// One step of a dotted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A key of a table.
    Key(String),
    /// A 0-based place in a list.
    At(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(at: usize) -> Self {
        Self::At(at)
    }
}

/// Builds a dotted key from keys and places: `key!["evidence", 1, "tlp"]`.
macro_rules! key {
    ($($step:expr),+ $(,)?) => { [$($crate::job_file::Step::from($step)),+] };
}
pub(super) use key;

/// Writes a key as messages have it: `evidence[1].tlp`; keys that TOML would quote are quoted.
pub(super) fn dotted(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::At(at) => text.push_str(&format!("[{at}]")),
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                match !key.is_empty() && key.chars().all(bare) {
                    true => text.push_str(key),
                    false => text.push_str(&format!("{key:?}")),
                }
            }
        }
    }
    text
}

/// Where every key of a job file stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    text: String,
    /// From dotted key to the byte offset of its value.
    offsets: BTreeMap<String, usize>,
}

impl Places {
    /// Takes the place of each value.
    pub(super) fn of(text: &str, tree: &Spanned<DeTable<'_>>) -> Self {
        let mut places = Self { text: text.to_owned(), offsets: BTreeMap::new() };
        places.enter_table(tree.get_ref(), &mut Vec::new());
        places
    }

    fn enter_table(&mut self, table: &DeTable<'_>, steps: &mut Vec<Step>) {
        for (key, value) in table {
            steps.push(Step::from(key.get_ref().as_ref()));
            self.enter(value, steps);
            steps.pop();
        }
    }

    fn enter(&mut self, value: &Spanned<DeValue<'_>>, steps: &mut Vec<Step>) {
        self.offsets.insert(dotted(steps), value.span().start);
        match value.get_ref() {
            DeValue::Table(table) => self.enter_table(table, steps),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    steps.push(Step::At(at));
                    self.enter(item, steps);
                    steps.pop();
                }
            }
            _ => {}
        }
    }

    /// Whether the file has this key.
    pub(super) fn has(&self, key: &[Step]) -> bool {
        self.offsets.contains_key(&dotted(key))
    }

    /// Line and column of a key, or of its nearest parent that the file has; the file's start for none.
    pub(super) fn nearest(&self, key: &str) -> (usize, usize) {
        let mut key = key;
        loop {
            if let Some(offset) = self.offsets.get(key) {
                return place(&self.text, *offset);
            }
            match key.rfind(['.', '[']).and_then(|at| key.get(..at)) {
                Some(parent) => key = parent,
                None => return (1, 1),
            }
        }
    }
}

/// Line and column, both 1-based, of a byte offset; the column counts characters.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let last_line = before.rsplit('\n').next().unwrap_or(before);
    (before.matches('\n').count() + 1, last_line.chars().count() + 1)
}

/// The error for a text that is no TOML.
pub(super) fn syntax(file: &str, text: &str, message: &str, span: Option<Range<usize>>) -> JobFileError {
    let (line, column) = place(text, span.map_or(0, |span| span.start));
    let problem = format!("not TOML: {}", message.trim().replace('\n', "; "));
    let escape =
        "in double quotes a back slash begins an escape: write / for it, or the text in single quotes";
    let hint = message.contains("escape").then(|| escape.to_owned());
    JobFileError { file: file.to_owned(), line, column, key: String::new(), problem, hint }
}

/// What was probably meant: the nearest of `known` within a third of its length, and for short
/// lists the whole list.
pub(super) fn hint(found: &str, known: &[&str]) -> Option<String> {
    let one_of = || format!("one of: {}", known.join(", "));
    match nearest(found, known) {
        Some(near) if known.len() > 12 => Some(format!("did you mean {near:?}?")),
        Some(near) => Some(format!("did you mean {near:?}? {}", one_of())),
        None if known.is_empty() => None,
        None => Some(one_of()),
    }
}

/// The nearest of `known` by edit distance without regard to case, if it is near, else the first that contains the
/// text; the first of equals.
pub(super) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = found.to_ascii_lowercase();
    let near = known
        .iter()
        .map(|word| (edit_distance(&lower, &word.to_ascii_lowercase()), *word))
        .filter(|(distance, word)| {
            *distance <= 1 + word.chars().count() / 4 && *distance < word.chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word);
    let containing =
        || known.iter().copied().find(|word| lower.len() >= 3 && word.to_ascii_lowercase().contains(&lower));
    near.or_else(containing)
}

/// Levenshtein distance in characters, of the first 64 of each.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut next = vec![i + 1];
        for ((to, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or(i + 1);
            next.push((diagonal + usize::from(from != *to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, distance) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("tlp", "tpl", 2)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a:?} {b:?}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(nearest("jurisdicton", &["id", "jurisdiction"]), Some("jurisdiction"));
        assert_eq!(nearest("AMBER", &["clear", "amber"]), Some("amber"));
        assert_eq!(nearest("yellow", &["clear", "green", "amber", "red"]), None);
        assert_eq!(nearest("x", &["id"]), None);
        assert_eq!(nearest("zone", &["path", "time_zone"]), Some("time_zone"));
        assert_eq!(nearest("", &["path"]), None);
    }

    #[test]
    fn places_count_characters_from_one() {
        assert_eq!(place("a\nbö = 1", 0), (1, 1));
        assert_eq!(place("a\nbö = 1", 8), (2, 6));
        assert_eq!(place("a", 99), (1, 2));
    }

    #[test]
    fn keys_that_toml_would_quote_are_quoted() {
        assert_eq!(
            dotted(&key!["evidence", 0, "mapping", "columns", "src ip"]),
            "evidence[0].mapping.columns.\"src ip\""
        );
    }
}
