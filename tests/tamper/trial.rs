//! A row of the table, and how it is tried.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::falsified::Falsified;
use crate::fixture::{Fixture, Ran, comity};
use crate::forge::Forge;

/// What has to come of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The word of the fault, and the level that it stops; no level for what has none (proofs, verdicts).
    Fault(&'static str, Option<u8>),
    /// Everything up to this level holds.
    Holds(u8),
    /// All that was asked holds, but for these documents.
    Cautions(Vec<String>),
}

/// A row.
pub(crate) struct Row {
    pub(crate) name: String,
    expected: Expected,
    forge: Box<dyn Fn(&mut Trial<'_>) + Send + Sync>,
}

/// A lie: its name, the word of the fault, the level that it stops.
pub(crate) fn lie(
    name: impl Into<String>,
    kind: &'static str,
    level: u8,
    forge: impl Fn(&mut Trial<'_>) + Send + Sync + 'static,
) -> Row {
    Row { name: name.into(), expected: Expected::Fault(kind, Some(level)), forge: Box::new(forge) }
}

/// A lie of level 1, by one who holds the sender's keys.
pub(crate) fn inside(
    name: &'static str,
    kind: &'static str,
    change: impl Fn(&mut Forge<'_>) + Send + Sync + 'static,
) -> Row {
    lie(name, kind, 1, move |t| t.inside(&change))
}

/// A lie in something that is no bag.
pub(crate) fn claim(
    name: &'static str,
    kind: &'static str,
    forge: impl Fn(&mut Trial<'_>) + Send + Sync + 'static,
) -> Row {
    Row { name: name.to_owned(), expected: Expected::Fault(kind, None), forge: Box::new(forge) }
}

/// Something odd that must hold all the same, up to this level.
pub(crate) fn holds(
    name: &'static str,
    level: u8,
    forge: impl Fn(&mut Trial<'_>) + Send + Sync + 'static,
) -> Row {
    Row { name: name.to_owned(), expected: Expected::Holds(level), forge: Box::new(forge) }
}

/// A bag that holds, but for documents that another version made.
pub(crate) fn cautions(
    name: &'static str,
    documents: &[&str],
    forge: impl Fn(&mut Trial<'_>) + Send + Sync + 'static,
) -> Row {
    let documents = documents.iter().map(|&path| path.to_owned()).collect();
    Row { name: name.to_owned(), expected: Expected::Cautions(documents), forge: Box::new(forge) }
}

/// A row being tried: what the verifier has, and what is sent to it.
pub(crate) struct Trial<'a> {
    pub(crate) fixture: &'a Fixture,
    /// A directory of its own.
    pub(crate) dir: PathBuf,
    /// The verifier's trust file.
    pub(crate) trust: String,
    /// The command line; `BAG` stands for the bag, `DIR` for the directory, `TRUST` for the trust file.
    pub(crate) command: Vec<String>,
    /// What must not be there afterwards: it would have been written by what the bag brought.
    pub(crate) forbidden: Option<PathBuf>,
    /// A word that the answer for people must have.
    pub(crate) shown: Option<&'static str>,
}

impl Trial<'_> {
    /// Where the bag goes.
    pub(crate) fn place(&self) -> PathBuf {
        self.dir.join("bag")
    }

    /// One of the fixture's bags, to be changed.
    pub(crate) fn bag(&self, which: &str) -> Forge<'_> {
        Forge::of(self.fixture, which)
    }

    /// Changes files of the findings bag without any key.
    pub(crate) fn outside(&self, change: impl FnOnce(&mut Forge<'_>)) {
        self.outside_of("findings", change);
    }

    /// Changes files of a bag without any key.
    pub(crate) fn outside_of(&self, which: &str, change: impl FnOnce(&mut Forge<'_>)) {
        let mut bag = self.bag(which);
        change(&mut bag);
        bag.write(&self.place());
    }

    /// Changes the findings bag and signs all of it again.
    pub(crate) fn inside(&self, change: impl FnOnce(&mut Forge<'_>)) {
        self.inside_of("findings", change);
    }

    /// Changes a bag and signs all of it again.
    pub(crate) fn inside_of(&self, which: &str, change: impl FnOnce(&mut Forge<'_>)) {
        let mut bag = self.bag(which);
        change(&mut bag);
        bag.finish();
        bag.write(&self.place());
    }

    /// Changes the directory of the findings bag without any key.
    pub(crate) fn on_disk(&self, change: impl FnOnce(&Path)) {
        self.outside(|_| {});
        change(&self.place());
    }

    /// Falsifies the case and has the program make a bag of it.
    pub(crate) fn falsified(&self, kind: &str, change: impl FnOnce(&mut Falsified<'_>)) {
        let mut case = Falsified::new(self.fixture, &self.dir.join("case"));
        change(&mut case);
        case.bag(kind, &self.place());
    }

    /// Adds options to the trust file's line of a principal.
    pub(crate) fn limit(&mut self, principal: &str, options: &str) {
        let limited = |line: &str| match line.starts_with(principal) {
            true => line.replacen("\" ssh-", &format!("\",{options} ssh-"), 1),
            false => line.to_owned(),
        };
        self.trust = self.trust.lines().map(|line| limited(line) + "\n").collect();
    }

    /// The verifier looks at a bag and remembers its log.
    pub(crate) fn seen_before(&self, which: &str) {
        let bag = self.fixture.path(which);
        self.write_trust();
        let (trust, memory) = (self.dir.join("trust"), self.dir.join("memory"));
        comity(&["verify".as_ref(), &bag, "--trust".as_ref(), &trust, "--memory".as_ref(), &memory]).exits(0);
    }

    fn write_trust(&self) {
        std::fs::write(self.dir.join("trust"), &self.trust).unwrap();
    }

    fn run(&self, json: bool) -> Ran {
        let path = |name: &str| self.dir.join(name).to_str().unwrap().to_owned();
        let mut words: Vec<String> = self
            .command
            .iter()
            .map(|word| word.replace("BAG", &path("bag")).replace("TRUST", &path("trust")))
            .map(|word| word.replace("DIR", self.dir.to_str().unwrap()))
            .collect();
        words.extend(json.then(|| "--json".to_owned()));
        comity(&words.iter().map(Path::new).collect::<Vec<_>>())
    }
}

impl Row {
    /// Tries it; says what is not as expected.
    pub(crate) fn tried(&self, fixture: &Fixture) -> Result<(), String> {
        let dir = tempfile::tempdir_in(fixture.path("")).unwrap();
        let words = ["verify", "BAG", "--trust", "TRUST", "--memory", "DIR/memory"];
        let mut trial = Trial {
            fixture,
            dir: dir.path().to_owned(),
            trust: fixture.trust.clone(),
            command: words.map(str::to_owned).to_vec(),
            forbidden: None,
            shown: None,
        };
        (self.forge)(&mut trial);
        trial.write_trust();
        let people = trial.run(false);
        people.shows_nothing_hidden()?;
        if let Some(word) =
            trial.shown.filter(|word| !people.out.contains(word) && !people.err.contains(word))
        {
            return Err(format!("does not show {word:?}:\n{}{}", people.out, people.err));
        }
        let ran = trial.run(true);
        if people.code != ran.code {
            return Err(format!("exit status {:?}, but {:?} with --json", people.code, ran.code));
        }
        if trial.forbidden.as_ref().is_some_and(|path| path.exists()) {
            return Err("what came in the bag was run".into());
        }
        let value = ran.json()?;
        let found = found(&value);
        let code = match self.expected {
            Expected::Fault(..) => Some(4),
            Expected::Holds(_) => Some(0),
            Expected::Cautions(_) => Some(3),
        };
        match found == self.expected && ran.code == code {
            true => Ok(()),
            false => Err(format!(
                "expected {:?}, found {found:?}, exit status {:?}: {}",
                self.expected,
                ran.code,
                message(&value)
            )),
        }
    }
}

/// What an answer says.
fn found(value: &Value) -> Expected {
    let Some(steps) = value["steps"].as_array() else {
        let kind = value["kind"].as_str().unwrap_or("none");
        return Expected::Fault(leaked(kind), None);
    };
    let level = |step: &Value| u8::try_from(step["level"].as_u64().unwrap()).unwrap();
    match steps.iter().find(|step| step["state"]["fails"].is_object()) {
        Some(step) => {
            let fault = &step["state"]["fails"];
            assert_eq!(*fault, value["fault"], "the fault is told twice alike");
            Expected::Fault(leaked(fault["kind"].as_str().unwrap()), Some(level(step)))
        }
        None if !value["caution"].is_null() => {
            assert_eq!(value["reached"], value["asked"], "the levels hold");
            Expected::Cautions(serde_json::from_value(value["caution"]["documents"].clone()).unwrap())
        }
        None => Expected::Holds(value["reached"].as_u64().map_or(255, |n| u8::try_from(n).unwrap())),
    }
}

/// Words of faults are few.
fn leaked(word: &str) -> &'static str {
    Box::leak(word.to_owned().into_boxed_str())
}

fn message(value: &Value) -> String {
    match &value["fault"]["message"] {
        Value::String(message) => message.clone(),
        _ => value.to_string(),
    }
}
