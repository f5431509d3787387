//! From paths and patterns to files: the one step that looks at the disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::error::{JobFileError, Step, key};
use super::tables::Job;

/// A file that a job names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// 0-based place of the table in its list: `job.evidence[entry]`.
    pub entry: usize,
    /// Where the file lies.
    pub path: PathBuf,
    /// The path as records have it: relative to the job file where it lies below it, with `/`.
    pub shown: String,
}

/// All files that a job names, and what was wrong with paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Files of `[[evidence]]`: in the order of the tables, then of the patterns, then by path.
    pub evidence: Vec<Input>,
    /// Files and MISP feed directories of `[[feed]]`.
    pub feeds: Vec<Input>,
    /// Files of `[[allow_list]]`.
    pub allow_lists: Vec<Input>,
    /// Files of `sql` of `[[correlation]]`.
    pub correlations: Vec<Input>,
    /// One for each path that names nothing readable, in the order of the job file's tables. The rest
    /// of the job can still be done.
    pub problems: Vec<JobFileError>,
}

impl Job {
    /// Lists the files that the job's paths name.
    ///
    /// A path that is a file's own name names that file, whatever characters it has; else it is a pattern, and names files only.
    /// `*` does not cross `/`; names that begin with a dot are matched like others. A file is listed once for each table that
    /// names it, however many of the table's patterns do.
    pub fn expand(&self) -> Inputs {
        let mut inputs = Inputs::default();
        let mut walk = Walk { job: self, problems: Vec::new() };
        for (at, evidence) in self.evidence.iter().enumerate() {
            let files = walk.paths("evidence", at, &evidence.path, false);
            walk.one_file(at, files.len());
            inputs.evidence.extend(files);
        }
        for (at, feed) in self.feed.iter().enumerate() {
            inputs.feeds.extend(walk.paths("feed", at, &feed.path, true));
        }
        for (at, list) in self.allow_list.iter().enumerate() {
            inputs.allow_lists.extend(walk.paths("allow_list", at, &list.path, false));
        }
        for (at, correlation) in self.correlation.iter().enumerate() {
            let Some(sql) = &correlation.sql else { continue };
            let path = self.origin.base_dir.join(sql);
            match path.is_file() {
                true => inputs.correlations.push(walk.input(at, path)),
                false => walk.problem(&key!["correlation", at, "sql"], format!("{sql:?} is not there"), None),
            }
        }
        inputs.problems = walk.problems;
        inputs
    }
}

struct Walk<'a> {
    job: &'a Job,
    problems: Vec<JobFileError>,
}

impl Walk<'_> {
    fn problem(&mut self, key: &[Step], problem: String, hint: Option<String>) {
        self.problems.push(self.job.error_at(key, problem, hint));
    }

    fn input(&self, entry: usize, path: PathBuf) -> Input {
        let below = path.strip_prefix(&self.job.origin.base_dir).unwrap_or(&path);
        let shown = below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        Input { entry, path, shown }
    }

    fn paths(&mut self, list: &str, entry: usize, patterns: &[String], directories: bool) -> Vec<Input> {
        let mut listed = BTreeSet::new();
        let mut inputs = Vec::new();
        for (n, pattern) in patterns.iter().enumerate() {
            let key = self.job.nth(&key![list, entry, "path"], n);
            let mut paths = match self.job.origin.base_dir.join(pattern) {
                literal if literal.is_file() || (directories && literal.is_dir()) => vec![literal],
                literal if literal.is_dir() => {
                    let hint = format!(
                        "name the files in it, such as {:?}",
                        format!("{}/*.log", pattern.trim_end_matches('/'))
                    );
                    self.problem(&key, format!("{pattern:?} is a directory"), Some(hint));
                    continue;
                }
                _ => self.matches(&key, pattern),
            };
            if paths.is_empty()
                && !self.problems.iter().any(|problem| problem.key == super::error::dotted(&key))
            {
                self.missing(&key, pattern);
            }
            paths.sort();
            paths.retain(|path| listed.insert(path.clone()));
            inputs.extend(paths.into_iter().map(|path| self.input(entry, path)));
        }
        inputs
    }

    /// The files that a pattern matches, in any order.
    fn matches(&mut self, key: &[Step], pattern: &str) -> Vec<PathBuf> {
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        let base = Pattern::escape(&self.job.origin.base_dir.to_string_lossy());
        let whole = Path::new(&base).join(pattern);
        let found = match glob::glob_with(&whole.to_string_lossy(), options) {
            Ok(found) => found,
            Err(error) => {
                self.problem(key, format!("{pattern:?} is not a pattern: {}", error.msg), None);
                return Vec::new();
            }
        };
        let mut files = Vec::new();
        for entry in found {
            match entry {
                Ok(path) if path.is_dir() => {}
                Ok(path) => files.push(path),
                Err(error) => {
                    let place = error.path().display().to_string();
                    self.problem(
                        key,
                        format!("{pattern:?}: {place:?} can't be read: {}", error.error()),
                        None,
                    );
                }
            }
        }
        files
    }

    fn missing(&mut self, key: &[Step], pattern: &str) {
        let is_pattern = pattern.contains(['*', '?', '[']);
        let problem = match is_pattern {
            true => format!("{pattern:?} matches no file"),
            false => format!("{pattern:?} is not there"),
        };
        let from = self.job.origin.base_dir.display().to_string();
        let from = if from.is_empty() { ".".to_owned() } else { from };
        let hint = Path::new(pattern)
            .is_relative()
            .then(|| format!("paths are relative to the job file, in {from:?}"));
        self.problem(key, problem, hint);
    }

    /// A digest given by the holder and ranges of records are one file's.
    fn one_file(&mut self, entry: usize, files: usize) {
        let Some(evidence) = self.job.evidence.get(entry) else { return };
        let given = [
            ("sha256", evidence.sha256.is_some()),
            ("sha512", evidence.sha512.is_some()),
            ("sha1", evidence.sha1.is_some()),
            ("md5", evidence.md5.is_some()),
            ("restricted", !evidence.restricted.is_empty()),
        ];
        if let Some((name, _)) = given.iter().find(|(_, given)| *given && files > 1) {
            let hint = "give the file that it is about an [[evidence]] of its own".to_owned();
            self.problem(
                &key!["evidence", entry, *name],
                format!("is about one file, but the paths name {files}"),
                Some(hint),
            );
        }
    }
}
