//! What we write is read by the tools of others, and the other way round: `ssh-keygen` (keys, seals, trust
//! file), `openssl` (signatures), in-toto's and securesystemslib's Python (envelopes and statements).
//!
//! A test whose tool is not installed says so and passes. The Python is `COMITY_OUTSIDE_PYTHON`, else
//! `python3`; it needs `in-toto-attestation==0.9.3 securesystemslib==1.6.0 cryptography`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where it can't go on")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use comity_provenance::seal::{SealError, open, seal};
use comity_provenance::statement::{
    Actor, Builder, Clock, CustodyEvent, Descriptor, Details, EventId, EventType, Nonce, Outcome, Predicate,
    Provenance, Statement, TestResult, Time,
};
use comity_provenance::trust::{Entry, Role, Standing, TrustFile, Validity};
use comity_provenance::{Envelope, KeyError, PublicKey, SecretKey, Sha256Digest};

const NAMESPACE: &str = "comity-evidence";
const MESSAGE: &[u8] = b"0f3a...  bagit.txt\n";

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

/// Whether the tool is installed; a test without it has nothing to say.
fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("-?").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// Standard output, where the tool says yes; its complaint where it says no.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.env("TZ", "Asia/Tokyo").output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn ssh_keygen<'a>(arguments: impl IntoIterator<Item = &'a str>, files: &[&Path]) -> Result<String, String> {
    run(Command::new("ssh-keygen").args(arguments).args(files))
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// A key that `ssh-keygen` made: the private file and the text of the public one.
fn their_key(scratch: &Scratch, algorithm: &str, passphrase: &str) -> (PathBuf, String) {
    let path = scratch.path(&format!("{algorithm}{}", passphrase.len()));
    ssh_keygen(["-q", "-t", algorithm, "-N", passphrase, "-C", "who@where", "-f"], &[&path]).unwrap();
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    (path, public)
}

/// Whether `ssh-keygen -Y verify` takes the signature in `message.sig` over `message`.
fn they_verify(scratch: &Scratch, who: &str, namespace: &str, at: &str) -> Result<String, String> {
    let time = format!("-Overify-time={at}");
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-I", who, "-n", namespace, time.as_str()]);
    command.arg("-f").arg(scratch.path("allowed_signers")).arg("-s").arg(scratch.path("message.sig"));
    run(command.stdin(fs::File::open(scratch.path("message")).unwrap()))
}

#[test]
fn ssh_keygen_reads_our_keys() {
    if !installed("ssh-keygen") {
        return;
    }
    let scratch = Scratch::new();
    for seed in 0..8 {
        let private = key(seed).to_openssh("node of LANTERN").unwrap();
        let private = scratch.write(&format!("key{seed}"), private.as_bytes());
        let public = ssh_keygen(["-y", "-f"], &[&private]).unwrap();
        assert_eq!(public, format!("{} node of LANTERN\n", key(seed).public()));
        let listed = ssh_keygen(["-l", "-f"], &[&scratch.write("key.pub", &public)]).unwrap();
        assert_eq!(listed, format!("256 {} node of LANTERN (ED25519)\n", key(seed).public().fingerprint()));
    }
}

#[test]
fn we_read_keys_of_ssh_keygen() {
    if !installed("ssh-keygen") {
        return;
    }
    let scratch = Scratch::new();
    let read = |path: &Path| SecretKey::from_openssh(&fs::read_to_string(path).unwrap());
    let (path, public) = their_key(&scratch, "ed25519", "");
    assert_eq!(read(&path).unwrap().public(), public.parse::<PublicKey>().unwrap());

    let (path, _) = their_key(&scratch, "ed25519", "passphrase");
    assert!(matches!(read(&path), Err(KeyError::Encrypted)));
    for algorithm in ["rsa", "ecdsa"] {
        let (path, public) = their_key(&scratch, algorithm, "");
        assert!(matches!(read(&path), Err(KeyError::NotEd25519)), "{algorithm}: {:?}", read(&path));
        assert!(matches!(public.parse::<PublicKey>(), Err(KeyError::NotEd25519)), "{algorithm}");
    }
    ssh_keygen(["-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f"], &[&scratch.path("pem")]).unwrap();
    assert!(matches!(read(&scratch.path("pem")), Err(KeyError::NotAPrivateKey(_))));
}

#[test]
fn our_seals_are_those_of_ssh_keygen() {
    if !installed("ssh-keygen") {
        return;
    }
    let scratch = Scratch::new();
    let private = scratch.write("key", key(3).to_openssh("").unwrap().as_bytes());
    // namespaces of every length up to one line of armour, so that the last line has every length
    for length in 1..=54 {
        let (message, namespace) = (vec![b'm'; length * length * 7 - 7], "n".repeat(length));
        let file = scratch.write(&format!("message{length}"), &message);
        ssh_keygen(["-q", "-Y", "sign", "-n", &namespace, "-f"], &[&private, &file]).unwrap();
        let theirs = fs::read_to_string(format!("{}.sig", file.display())).unwrap();
        assert_eq!(theirs, seal(&message, &key(3), &namespace));
        assert_eq!(open(&theirs, &message, &namespace).unwrap(), key(3).public());
    }
}

#[test]
fn seals_of_other_kinds_are_refused() {
    if !installed("ssh-keygen") {
        return;
    }
    let scratch = Scratch::new();
    let sign = |private: &Path, option: &str| {
        let file = scratch.write("message", MESSAGE);
        let _ = fs::remove_file(scratch.path("message.sig"));
        ssh_keygen(["-q", "-Y", "sign", "-n", NAMESPACE, option, "-f"], &[private, &file]).unwrap();
        open(&fs::read_to_string(scratch.path("message.sig")).unwrap(), MESSAGE, NAMESPACE)
    };
    for algorithm in ["rsa", "ecdsa"] {
        let (private, _) = their_key(&scratch, algorithm, "");
        let opened = sign(&private, "-Ohashalg=sha512");
        assert!(matches!(opened, Err(SealError::Key(KeyError::NotEd25519))), "{algorithm}: {opened:?}");
    }
    let (private, _) = their_key(&scratch, "ed25519", "");
    assert!(matches!(sign(&private, "-Ohashalg=sha256"), Err(SealError::Malformed)));
    assert!(sign(&private, "-Ohashalg=sha512").is_ok());
}

#[test]
fn ssh_keygen_and_we_trust_alike() {
    if !installed("ssh-keygen") {
        return;
    }
    let scratch = Scratch::new();
    let entry = |principals: &[&str], roles: &[Role], validity, seed| {
        let principals = principals.iter().map(|&name| name.to_owned()).collect();
        Entry::new(principals, roles.iter().copied().collect(), validity, key(seed).public()).unwrap()
    };
    // 2026 in UTC
    let year = Validity { after: Some(1_767_225_600), before: Some(1_798_761_600) };
    let file: TrustFile = [
        entry(&["comity/2026%2D014/5f1c22d0"], &[Role::Log], Validity::default(), 1),
        entry(&["a@lka.example", "b@lka.example"], &[Role::Evidence, Role::Releaser], year, 2),
        entry(&["c@lka.example"], &[Role::Evidence], Validity { before: None, ..year }, 3),
        entry(&["d@lka.example"], &[Role::Evidence], Validity { after: None, ..year }, 4),
    ]
    .into_iter()
    .collect();
    assert_eq!(TrustFile::parse(&file.to_text()).unwrap(), file);
    scratch.write("allowed_signers", file.to_text());
    scratch.write("message", MESSAGE);

    let times = [
        ("20251231235959Z", 1_767_225_599),
        ("20260101000000Z", 1_767_225_600),
        ("20261231235959Z", 1_798_761_599),
        ("20270101000001Z", 1_798_761_601),
    ];
    let mut agreed = 0;
    for seed in 1..=5 {
        for role in [Role::Evidence, Role::Releaser, Role::Log] {
            scratch.write("message.sig", seal(MESSAGE, &key(seed), role.namespace()));
            for (text, at) in times {
                let ours = matches!(file.standing(&key(seed).public(), role, Some(at)), Standing::Trusted(_));
                let who = file.principals(&key(seed).public());
                let theirs = they_verify(&scratch, who.last().unwrap_or(&"x"), role.namespace(), text);
                assert_eq!(ours, theirs.is_ok(), "key {seed}, {role}, {text}: {theirs:?}");
                agreed += usize::from(ours);
            }
        }
    }
    // the log key at all four times, the second in two roles at two, the last two at three
    assert_eq!(agreed, 4 + 4 + 3 + 3);

    // the one second that we do not take: valid-before is exclusive
    scratch.write("message.sig", seal(MESSAGE, &key(4), NAMESPACE));
    they_verify(&scratch, "d@lka.example", NAMESPACE, "20270101000000Z").unwrap();
    let standing = file.standing(&key(4).public(), Role::Evidence, Some(1_798_761_600));
    assert!(matches!(standing, Standing::Expired(_)));
}

#[test]
fn ssh_keygen_takes_altered_armour_and_we_do_not() {
    if !installed("ssh-keygen") {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("allowed_signers", format!("a namespaces=\"{NAMESPACE}\" {}\n", key(1).public()));
    scratch.write("message", MESSAGE);
    let altered = format!("{}trailing\n", seal(MESSAGE, &key(1), NAMESPACE));
    scratch.write("message.sig", &altered);
    they_verify(&scratch, "a", NAMESPACE, "20260101Z").unwrap();
    assert!(matches!(open(&altered, MESSAGE, NAMESPACE), Err(SealError::Altered)));
}

#[test]
fn openssl_verifies_an_envelope() {
    if !installed("openssl") {
        return;
    }
    let scratch = Scratch::new();
    let envelope = Envelope::sign(b"{\"_type\":\"x\"}".to_vec(), &[&key(1)]).unwrap();
    let public = scratch.write("key.pem", key(1).public().to_pem());
    let signature = scratch.write("sig", envelope.signatures[0].sig);
    let verify = |message: &Path| {
        let mut command = Command::new("openssl");
        command.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(&public);
        run(command.arg("-sigfile").arg(&signature).arg("-in").arg(message))
    };
    verify(&scratch.write("pae", envelope.pae())).unwrap();
    verify(&scratch.write("other", b"DSSEv1")).unwrap_err();
}

fn custody() -> Statement {
    let evidence = Sha256Digest::of(b"evidence");
    let event = CustodyEvent {
        event_id: EventId::new([1; 16]),
        nonce: Nonce::new([2; 16]),
        event_type: EventType::Hold,
        time: Time::from_second(1_772_355_600).unwrap(),
        clock: Clock::System,
        actor: Actor {
            id: "r.officer@lka.example".into(),
            role: Role::Custodian,
            organisation: Some("LKA „Beispiel“".into()),
            jurisdiction: None,
        },
        case_id: "2026-014".into(),
        purpose: "prosecution".into(),
        recipient: None,
        legal_basis: None,
        handling: None,
        retention: None,
        decision: None,
        method: None,
        records: vec![Descriptor::of("intake.json", b"{}\n".to_vec())],
        details: Details::default(),
    };
    Statement {
        subject: vec![Descriptor::new(format!("evidence/{evidence}"), evidence)],
        predicate: Predicate::Custody(Box::new(event)),
    }
}

fn provenance() -> Statement {
    let digest = Sha256Digest::of(b"table");
    let provenance: Provenance = serde_json::from_value(serde_json::json!({
        "buildDefinition": {
            "buildType": "urn:comity:correlate:v1",
            "externalParameters": { "asOf": "2026-05-01T00:00:00Z", "parameters": { "floor": null } },
            "internalParameters": { "nonce": Nonce::new([3; 16]) },
            "resolvedDependencies": [
                { "name": "feeds/x", "uri": "urn:x", "digest": { "sha256": digest }, "annotations": { "rows": "7" } }
            ],
        },
        "runDetails": {
            "builder": Builder::of(&key(1).public(), [("comity".to_owned(), "0.1.0".to_owned())].into()),
            "metadata": {
                "invocationId": "run",
                "startedOn": "2026-05-01T00:00:00Z",
                "finishedOn": "2026-05-01T00:00:01.5Z",
            },
            "byproducts": [Descriptor::of("plan.txt", b"plan".to_vec())],
        },
    }))
    .unwrap();
    let table = Descriptor::new("data/results/sightings.parquet", digest).with_annotation("rows", "9");
    Statement { subject: vec![table], predicate: Predicate::Provenance(Box::new(provenance)) }
}

fn verdict() -> Statement {
    let digest = Sha256Digest::of(b"bag");
    let result = TestResult {
        result: Outcome::Passed,
        configuration: vec![Descriptor::new("allowed_signers", digest)],
        url: None,
        passed_tests: vec!["intact".into()],
        warned_tests: Vec::new(),
        failed_tests: Vec::new(),
    };
    let subject = vec![Descriptor::new("tagmanifest-sha256.txt", digest)];
    Statement { subject, predicate: Predicate::TestResult(result) }
}

#[test]
fn in_toto_and_securesystemslib_take_our_statements() {
    let python = std::env::var("COMITY_OUTSIDE_PYTHON").unwrap_or_else(|_| "python3".into());
    let modules = "import in_toto_attestation, securesystemslib, cryptography";
    if !Command::new(&python).args(["-c", modules]).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    {
        println!("skipped: {python} has no in-toto-attestation, securesystemslib and cryptography");
        return;
    }
    let scratch = Scratch::new();
    let (one, two) = (key(1), key(2));
    let line = |statement: &Statement, keys: &[&SecretKey]| {
        let envelope = Envelope::sign(statement.to_bytes().unwrap(), keys).unwrap();
        format!("{}\n", envelope.to_line().unwrap())
    };
    let lines =
        [line(&custody(), &[&one, &two]), line(&provenance(), &[&one]), line(&verdict(), &[&two])].concat();
    let signers = [&one, &two].map(|key| format!("a namespaces=\"comity-node\" {}\n", key.public())).concat();
    let signers = scratch.write("allowed_signers", format!("# both\n{signers}"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/outside/dsse.py");
    let check = |lines: &str| {
        let statements = scratch.write("statements.intoto.jsonl", lines);
        run(Command::new(&python).arg(&script).arg(statements).arg(&signers))
    };
    assert_eq!(check(&lines).unwrap(), "3 valid\n");

    let unknown = line(&verdict(), &[&key(3)]);
    assert!(check(&format!("{lines}{unknown}")).unwrap_err().starts_with("line 4: KeyError"));
    let no_statement = Envelope::sign(b"{}".to_vec(), &[&one]).unwrap().to_line().unwrap();
    assert!(check(&no_statement).unwrap_err().starts_with("line 1: ValueError: Wrong statement type"));
    let mut forged = Envelope::parse(unknown.trim_end().as_bytes()).unwrap();
    forged.signatures[0].keyid = one.public().fingerprint();
    assert!(check(&forged.to_line().unwrap()).unwrap_err().starts_with("line 1: VerificationError"));
}
