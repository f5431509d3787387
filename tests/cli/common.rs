//! Runs the program in a scratch directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A temporary directory, with commands that run in it.
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
}

/// What a command gave.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The one JSON object on stdout.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.trim_end().lines().count(), 1, "one line of JSON: {}\n{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }

    /// The same, where the exit status is as expected.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// The same, where stderr says all of this.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "stderr does not say {word:?}:\n{}", self.err);
        }
        self
    }
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The program, about to run here, with nothing of the tester's environment that it minds.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comity"));
        command.current_dir(self.dir.path()).args(arguments).stdin(Stdio::null());
        for name in [
            "COMITY_CASE",
            "COMITY_THREADS",
            "COMITY_CRASH_AT",
            "COMITY_KEY",
            "COMITY_TRUST",
            "COMITY_MEMORY",
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "COLUMNS",
        ] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn comity(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program starts"))
    }

    pub(crate) fn comity_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).envs(variables.iter().copied()).output().expect("the program starts"))
    }

    /// Runs the sample data into the case `case`.
    pub(crate) fn lantern(&self, case: &str) -> Ran {
        self.comity(&["run", &lantern_job(), "--case", case, "--json"])
    }

    /// Adds a member with a new key to a case; gives the private key.
    pub(crate) fn member(&self, case: &str, role: &str) -> PathBuf {
        let key = comity_provenance::SecretKey::from_seed([u8::try_from(role.len()).unwrap(); 32]);
        let private = self.write(&format!("{role}.key"), key.to_openssh(role).unwrap().as_bytes());
        let public = self.write(&format!("{role}.pub"), format!("{} {role}\n", key.public()));
        let name = format!("{role}@example.org");
        let mut arguments = vec!["member", "add", "--case", case, "--name", &name, "--role", role];
        arguments.extend(["--organisation", "An Authority", "--jurisdiction", "DE", "--public-key"]);
        arguments.push(public.to_str().unwrap());
        self.comity(&arguments).exits(0);
        private
    }

    /// The trust file of a partner that trusts a case as it says of itself.
    pub(crate) fn trust(&self, case: &str) -> PathBuf {
        let signers = self.comity(&["member", "list", "--case", case, "--allowed-signers"]).exits(0).out;
        self.write("allowed_signers", signers)
    }

    /// A job with one log and one feed of one address; `more` is added to the `[[evidence]]`.
    pub(crate) fn small_job(&self, log: &str, more: &str) -> PathBuf {
        self.write("feed.txt", "198.51.100.7\n");
        let job = format!(
            "[case]\nid = \"t\"\njurisdiction = \"DE\"\npurpose = \"test\"\n\n\
             [[evidence]]\npath = \"{log}\"\njurisdiction = \"DE\"\n{more}\n\n\
             [[feed]]\npath = \"feed.txt\"\nprovider = \"p\"\n\n[output]\ncase = \"case\"\n"
        );
        self.write("job.toml", job)
    }
}

/// A line of an access log from the address that the small job's feed names.
pub(crate) const ACCESS: &str =
    "198.51.100.7 - - [03/Feb/2026:04:05:06 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"curl/8\"\n";

/// The job of the sample data.
pub(crate) fn lantern_job() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/operation-lantern/job.toml");
    path.to_str().unwrap().to_owned()
}

/// What must be equal between two machines: the run, and each table's logical digest.
pub(crate) fn answer(report: &Value) -> (String, BTreeMap<String, String>) {
    let outputs = report["outputs"].as_array().unwrap().iter();
    let digest = |o: &Value| {
        (o["name"].as_str().unwrap().to_owned(), o["logical_sha256"].as_str().unwrap().to_owned())
    };
    (report["run_id"].as_str().unwrap().to_owned(), outputs.map(digest).collect())
}

/// Every file of the shelves of a case, with its bytes.
pub(crate) fn published(case: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut left: Vec<PathBuf> =
        ["evidence", "feeds", "allow-lists", "runs"].iter().map(|s| case.join(s)).collect();
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => left.push(path),
                false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    files
}
