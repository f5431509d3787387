//! One case, its bags, and everybody's keys; made once for all rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use comity_provenance::SecretKey;
use serde_json::Value;

/// Characters that turn the direction of writing, or are not seen.
const HIDDEN: [char; 16] = [
    '\u{61c}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}',
    '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];

/// What a command gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.out)
            .map_err(|e| format!("{e}: exit status {:?}, {:?}, {:?}", self.code, self.out, self.err))
    }

    /// Whether a terminal shows what is there, and nothing else happens.
    pub(crate) fn shows_nothing_hidden(&self) -> Result<(), String> {
        let acts = |c: char| c.is_control() && c != '\n' || HIDDEN.contains(&c);
        match [&self.out, &self.err].into_iter().find(|text| text.contains(acts)) {
            Some(text) => Err(format!("raw characters are shown: {text:?}")),
            None => Ok(()),
        }
    }
}

/// Runs the program.
pub(crate) fn comity(arguments: &[&Path]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_comity"));
    command.args(arguments).stdin(Stdio::null()).current_dir(env!("CARGO_TARGET_TMPDIR"));
    for name in ["COMITY_CASE", "COMITY_TRUST", "COMITY_MEMORY", "COMITY_KEY", "COMITY_CRASH_AT", "COLUMNS"] {
        command.env_remove(name);
    }
    let output = command.env("COMITY_THREADS", "1").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Names of the keys, and what makes them.
const SEEDS: [(&str, u8); 6] =
    [("releaser", 1), ("submitter", 2), ("custodian", 3), ("auditor", 4), ("witness", 5), ("stranger", 6)];

/// Everybody's keys.
pub(crate) struct Keys(Vec<(&'static str, SecretKey)>);

impl Keys {
    /// By name: `node`, `log`, or one of [`SEEDS`].
    pub(crate) fn named(&self, name: &str) -> &SecretKey {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, key)| key).unwrap()
    }

    /// The name of the key with this fingerprint.
    pub(crate) fn name_of(&self, fingerprint: &str) -> &'static str {
        let known = self.0.iter().find(|(_, key)| key.public().fingerprint() == fingerprint);
        known.map(|(name, _)| *name).unwrap()
    }
}

/// The case and its bags.
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
    pub(crate) keys: Keys,
    /// Of a partner that trusts the case as it says of itself, and `witness`.
    pub(crate) trust: String,
}

static MADE: Mutex<Weak<Fixture>> = Mutex::new(Weak::new());

impl Fixture {
    /// The fixture that all tests of this process share; it goes with the last of them.
    pub(crate) fn of_process() -> Arc<Self> {
        let mut made = MADE.lock().unwrap();
        if let Some(fixture) = made.upgrade() {
            return fixture;
        }
        let fixture = Arc::new(Self::new());
        *made = Arc::downgrade(&fixture);
        fixture
    }

    /// A file or directory of it: `findings`, `full`, `feed`, `later` are bags (the last one with a tombstone);
    /// `case` is the case as it was before them.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut fixture = Self { dir, keys: Keys(Vec::new()), trust: String::new() };
        for (name, text) in INPUTS {
            fixture.write(name, text);
        }
        // the job names a file that is not understood in all its lines
        fixture.comity("run JOB --case DIR/living --quiet").exits(3);
        fixture.make_keys();
        for (name, _) in SEEDS.iter().take(4) {
            let signed = if *name == "auditor" { " --key DIR/custodian" } else { "" };
            fixture
                .comity(&format!(
                    "member add --case DIR/living --name {name}@lka.example --organisation LKA --jurisdiction DE \
                     --role {name} --public-key DIR/{name}.pub{signed}"
                ))
                .exits(0);
        }
        let trust = fixture.comity("member list --case DIR/living --allowed-signers").exits(0).out;
        let witness = fixture.keys.named("witness").public();
        fixture.trust = format!("{trust}witness.example namespaces=\"comity-witness\" {witness}\n");
        copy(&fixture.path("living"), &fixture.path("case"));
        for (kind, key) in [("findings", "releaser"), ("full", "releaser"), ("feed", "submitter")] {
            fixture.comity(&format!("bag create --case DIR/living --kind {kind} --recipient-name Partner --key DIR/{key} DIR/{kind}")).exits(0);
        }
        let erased = "ingest --case DIR/living --jurisdiction NL DIR/spare.log --json";
        let item = fixture.comity(erased).exits(0).json().unwrap();
        let id = item["evidence"][0]["id"].as_str().unwrap();
        fixture.comity(&format!("erase --case DIR/living {id} --reason wrong --key DIR/custodian")).exits(0);
        fixture.comity("bag create --case DIR/living --kind findings --recipient-name Partner --key DIR/releaser DIR/later").exits(0);
        fixture
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn make_keys(&mut self) {
        for (name, seed) in SEEDS {
            let key = SecretKey::from_seed([seed; 32]);
            self.write(name, key.to_openssh(name).unwrap().as_bytes());
            self.write(&format!("{name}.pub"), format!("{} {name}\n", key.public()));
            self.keys.0.push((name, key));
        }
        for name in ["node", "log"] {
            let text = fs::read_to_string(self.path("living/keys").join(name)).unwrap();
            self.keys.0.push((name, SecretKey::from_openssh(&text).unwrap()));
        }
    }

    /// Runs the program; blanks part the words, `DIR` stands for the fixture, `JOB` for its job.
    pub(crate) fn comity(&self, words: &str) -> Ran {
        let dir = self.dir.path().to_str().unwrap();
        let words: Vec<String> = words
            .split_whitespace()
            .map(|word| word.replace("JOB", "DIR/job.toml").replace("DIR", dir))
            .collect();
        comity(&words.iter().map(Path::new).collect::<Vec<_>>())
    }
}

/// Copies a directory.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, &place).unwrap();
        }
    }
}

const INPUTS: [(&str, &str); 8] = [
    ("job.toml", JOB),
    ("conn.log", CONN),
    ("access.log", ACCESS),
    ("proxy.csv", PROXY),
    (
        "spare.log",
        "203.0.113.80 - - [03/Feb/2026:04:05:06 +0000] \"GET /spare HTTP/1.1\" 200 12 \"-\" \"x\"\n",
    ),
    (
        "one.txt",
        "198.51.100.7\n203.0.113.9\nevil.example\nhttp://bad.example/<script>alert(1)</script>\n192.0.2.200\n",
    ),
    ("two.txt", "198.51.100.7\n192.0.2.55\n"),
    (
        "hosts.sql",
        "select jurisdiction, evidence, record from sightings group by jurisdiction, evidence, record order by jurisdiction, evidence, record\n",
    ),
];

const JOB: &str = r#"
[case]
id = "2026-014"
title = "Operation <b>Lantern</b> & 'co'"
jurisdiction = "DE"
purpose = "prosecution"

[[evidence]]
path = "conn.log"
format = "zeek-tsv"
jurisdiction = "DE"
authority = "LKA <img src=x onerror=alert(1)>"
tlp = "amber"
legal_basis = { instrument = "StPO 94", reference = "<script>alert(1)</script>" }

[[evidence]]
path = "access.log"
jurisdiction = "NL"
tlp = "green"

[[evidence]]
path = "proxy.csv"
format = "csv"
jurisdiction = "JP"
tlp = "green"
mapping = { class = "http", time = "when", columns = { "client" = "src_ip", "server" = "dst_ip" } }

[[feed]]
path = "one.txt"
provider = "Northlight <script>alert(1)</script>"
tlp = "green"

[[feed]]
path = "two.txt"
provider = "Tulip"

[[allow_list]]
path = "two.txt"

[[correlation]]
name = "sightings"
[[correlation]]
name = "corroboration"
[[correlation]]
name = "cross-border"
[[correlation]]
name = "first-seen"
[[correlation]]
name = "not-seen"
[[correlation]]
name = "hosts"
sql = "hosts.sql"

[output]
case = "living"
keep_originals = true
"#;

/// The columns change in the middle.
const CONN: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n#types\ttime\tstring\taddr\tport\taddr\tport\tenum\n\
1770000000.000000\tC1\t10.0.0.1\t40000\t198.51.100.7\t443\ttcp\n\
1770000001.000000\tC2\t10.0.0.2\t40001\t192.0.2.1\t443\ttcp\n\
#fields\tts\tuid\tid.resp_h\tid.resp_p\tid.orig_h\tid.orig_p\tproto\n#types\ttime\tstring\taddr\tport\taddr\tport\tenum\n\
1770000002.000000\tC3\t203.0.113.9\t443\t10.0.0.3\t40002\ttcp\n\
1770000003.000000\tC4\t192.0.2.2\t443\t10.0.0.4\t40003\ttcp\n";

const ACCESS: &str = "198.51.100.7 - - [03/Feb/2026:04:05:06 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"curl/8\"\n\
192.0.2.9 - - [03/Feb/2026:04:05:07 +0000] \"GET /b HTTP/1.1\" 200 12 \"http://bad.example/<script>alert(1)</script>\" \"\u{1b}[31m<img src=x>\u{202e}\"\n\
not understood \u{1b}[31m\u{202e}\n\
198.51.100.7 - - [03/Feb/2026:04:05:08 +0000] \"GET /c HTTP/1.1\" 200 12 \"-\" \"'; DROP TABLE sightings; --\"\n";

const PROXY: &str = "when,client,server\n2026-02-03T04:05:06Z,10.1.0.1,198.51.100.7\n\
2026-02-03T04:05:07Z,10.1.0.2,192.0.2.77\nwhen,server,client\n2026-02-03T04:05:08Z,10.1.0.3,192.0.2.55\n";
