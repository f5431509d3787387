//! A good bag, and one for each fault that it can have, which must be told as what it is.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use comity_provenance::Sha256Digest;
use comity_provenance::bag::{
    Bag, BagError, BagInfo, BagKind, Checked, MAX_FILES, NameFault, PayloadFile, files, tag_files,
};
use tempfile::TempDir;

const PAYLOAD: [(&str, &[u8]); 4] = [
    ("data/VERIFY.md", b"# How to check\n"),
    ("data/attestations/statements.intoto.jsonl", b"{}\n"),
    ("data/inputs/evidence/a/original", b""),
    ("data/results/sightings.parquet", b"PAR1"),
];

fn info() -> BagInfo {
    BagInfo {
        software_agent: "comity 0.1.0".into(),
        bagging_date: "2026-11-25".into(),
        external_identifier: "2026-014".into(),
        source_organization: "Landeskriminalamt Musterland".into(),
        kind: BagKind::Findings,
        case: "2026-014".into(),
        run: Some(Sha256Digest::of(b"")),
        jurisdiction: "DE".into(),
        purpose: "prosecution of computer fraud".into(),
        tlp: "amber+strict".into(),
        recipient: "National Police Agency".into(),
    }
}

fn payload() -> Vec<PayloadFile> {
    let of = |(path, bytes): (&str, &[u8])| PayloadFile {
        path: path.into(),
        sha256: Sha256Digest::of(bytes),
        bytes: bytes.len() as u64,
    };
    PAYLOAD.map(of).into()
}

fn put(dir: &Path, path: &str, bytes: &[u8]) {
    let place = dir.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, bytes).unwrap();
}

/// A bag as a caller makes it.
fn good() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in PAYLOAD {
        put(dir.path(), path, bytes);
    }
    for (name, bytes) in tag_files(&payload(), &info()).unwrap() {
        put(dir.path(), name, &bytes);
    }
    put(dir.path(), "tagmanifest-sha256.txt.sig", b"a seal");
    put(dir.path(), "tagmanifest-sha256.txt.sig.tsr", b"a stamp");
    dir
}

fn check(dir: &Path) -> Result<Checked, BagError> {
    Bag::open(dir)?.check(|_| ())
}

/// Exchanges text in a tag file, so that the tag manifest no longer fits.
fn edit(dir: &Path, path: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join(path)).unwrap();
    let edited = text.replacen(from, to, 1);
    assert_ne!(text, edited, "{path}: {from:?}");
    fs::write(dir.join(path), edited).unwrap();
}

/// The same, and the tag manifest is made to fit: what someone without the key can do.
fn forge(dir: &Path, path: &str, from: &str, to: &str) {
    edit(dir, path, from, to);
    forge_tag_manifest(dir);
}

fn forge_tag_manifest(dir: &Path) {
    let lines = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
        .map(|name| format!("{}  {name}\n", Sha256Digest::of(&fs::read(dir.join(name)).unwrap())));
    fs::write(dir.join("tagmanifest-sha256.txt"), lines.concat()).unwrap();
}

#[test]
fn a_good_bag() {
    let dir = good();
    let mut seen = 0;
    let bag = Bag::open(dir.path()).unwrap();
    assert_eq!(bag.payload_bytes(), 22);
    let checked = bag.check(|bytes| seen += bytes).unwrap();
    assert_eq!(seen, 22);
    assert_eq!(checked.info(), &info());
    assert_eq!(checked.payload(), payload());
    assert_eq!(checked.seal(), Some(&b"a seal"[..]));
    assert_eq!(checked.time_stamp(), Some(&b"a stamp"[..]));
    assert_eq!(checked.tag_manifest(), fs::read(dir.path().join("tagmanifest-sha256.txt")).unwrap());
    assert_eq!(checked.read("data/VERIFY.md", 100).unwrap(), b"# How to check\n");
    assert_eq!(checked.read("data/inputs/evidence/a/original", 0).unwrap(), b"");
    let mut text = String::new();
    checked.open("data/VERIFY.md").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "# How to check\n");
    assert_eq!(files(dir.path()).unwrap().len(), 10);
}

#[test]
fn a_bag_without_seal_is_the_callers_to_judge() {
    let dir = good();
    fs::remove_file(dir.path().join("tagmanifest-sha256.txt.sig.tsr")).unwrap();
    fs::remove_file(dir.path().join("tagmanifest-sha256.txt.sig")).unwrap();
    assert_eq!(check(dir.path()).unwrap().seal(), None);
}

#[test]
fn hard_links_are_files() {
    let (dir, other) = (good(), good());
    let place = dir.path().join("data/VERIFY.md");
    fs::remove_file(&place).unwrap();
    fs::hard_link(other.path().join("data/VERIFY.md"), &place).unwrap();
    check(dir.path()).unwrap();
}

type Tamper = (&'static str, fn(&Path));

/// What is said, or how it begins, and what was done to a good bag. Each text is that of one kind of error.
const TAMPERED: &[Tamper] = &[
    // what may lie in the directory
    ("data/link: is a link", |d| std::os::unix::fs::symlink("VERIFY.md", d.join("data/link")).unwrap()),
    ("data/link: is a link", |d| std::os::unix::fs::symlink("results", d.join("data/link")).unwrap()),
    ("bagit.txt: is a link", |d| {
        fs::rename(d.join("bagit.txt"), d.join("data/bagit.txt")).unwrap();
        std::os::unix::fs::symlink("data/bagit.txt", d.join("bagit.txt")).unwrap();
    }),
    ("data: is a link", |d| {
        fs::rename(d.join("data"), d.join("other")).unwrap();
        std::os::unix::fs::symlink("other", d.join("data")).unwrap();
    }),
    ("data/socket: is neither a file nor a directory", |d| {
        std::os::unix::net::UnixListener::bind(d.join("data/socket")).unwrap();
    }),
    ("data/pipe: is neither a file nor a directory", |d| {
        assert!(std::process::Command::new("mkfifo").arg(d.join("data/pipe")).status().unwrap().success());
    }),
    ("data/empty: is an empty directory", |d| fs::create_dir(d.join("data/empty")).unwrap()),
    ("data/a/b: is an empty directory", |d| fs::create_dir_all(d.join("data/a/b")).unwrap()),
    (
        "path \"data/a b\" has the character ' '; only letters and digits of ASCII, . _ - and / are allowed",
        |d| {
            put(d, "data/a b", b"");
        },
    ),
    ("path \"data/a%0A\" has a %: nothing is percent-encoded here", |d| put(d, "data/a%0A", b"")),
    (
        "path \"data/\\u{202e}\\nx\" has the character '\\u{202e}'; only letters and digits of ASCII, . _ - and / are allowed",
        |d| put(d, "data/\u{202e}\nx", b""),
    ),
    ("path \"data/a\u{fffd}\" is not UTF-8", |d| {
        fs::write(d.join("data").join(std::ffi::OsStr::from_bytes(b"a\xff")), "").unwrap();
    }),
    ("data/verify.md: clashes with data/VERIFY.md: paths must differ by more than case", |d| {
        put(d, "data/verify.md", b"");
    }),
    (
        "data/Results/x: clashes with data/results/sightings.parquet: paths must differ by more than case",
        |d| {
            put(d, "data/Results/x", b"");
        },
    ),
    ("fetch.txt: a bag must be whole in itself", |d| put(d, "fetch.txt", b"")),
    (
        "manifest-md5.txt: is a second manifest; manifest-sha256.txt and tagmanifest-sha256.txt alone are allowed",
        |d| put(d, "manifest-md5.txt", b""),
    ),
    (
        "tagmanifest-sha512.txt: is a second manifest; manifest-sha256.txt and tagmanifest-sha256.txt alone are allowed",
        |d| put(d, "tagmanifest-sha512.txt", b""),
    ),
    ("README.md: is not allowed beside data/", |d| put(d, "README.md", b"")),
    (".hidden: is not allowed beside data/", |d| put(d, ".hidden", b"")),
    ("tagmanifest-sha256.txt.sig.old: is not allowed beside data/", |d| {
        put(d, "tagmanifest-sha256.txt.sig.old", b"");
    }),
    ("meta: is not allowed beside data/", |d| put(d, "meta/a", b"")),
    ("bagit.txt: is not allowed beside data/", |d| {
        fs::remove_file(d.join("bagit.txt")).unwrap();
        put(d, "bagit.txt/a", b"");
    }),
    // what must be there
    ("bagit.txt: is not there", |d| fs::remove_file(d.join("bagit.txt")).unwrap()),
    ("bag-info.txt: is not there", |d| fs::remove_file(d.join("bag-info.txt")).unwrap()),
    ("manifest-sha256.txt: is not there", |d| fs::remove_file(d.join("manifest-sha256.txt")).unwrap()),
    ("tagmanifest-sha256.txt: is not there", |d| fs::remove_file(d.join("tagmanifest-sha256.txt")).unwrap()),
    ("data: is not there", |d| fs::remove_dir_all(d.join("data")).unwrap()),
    ("tagmanifest-sha256.txt.sig.tsr: is there without tagmanifest-sha256.txt.sig", |d| {
        fs::remove_file(d.join("tagmanifest-sha256.txt.sig")).unwrap();
    }),
    ("data/results/sightings.parquet: is in manifest-sha256.txt and not there", |d| {
        fs::remove_dir_all(d.join("data/results")).unwrap();
    }),
    ("data/VERIFY.md: is in manifest-sha256.txt and not there", |d| {
        fs::remove_file(d.join("data/VERIFY.md")).unwrap();
    }),
    ("data/results/more: is not in manifest-sha256.txt", |d| put(d, "data/results/more", b"")),
    ("data/z: is not in manifest-sha256.txt", |d| put(d, "data/z", b"")),
    // bytes
    ("bag-info.txt: Payload-Oxum is 22.4, the payload 21.4", |d| {
        put(d, "data/results/sightings.parquet", b"PAR")
    }),
    (
        "data/results/sightings.parquet: has the digest 6ab3c76c2fe0471d9618ba758d940752cb01e02a7f21520aa7bf679dd1670c92, \
         not fbc62d3b511368ee275ddc74117d8689b430e1427220e25d30816201d89ca7b6 as in manifest-sha256.txt",
        |d| put(d, "data/results/sightings.parquet", b"PAR2"),
    ),
    ("bag-info.txt: has the digest", |d| edit(d, "bag-info.txt", "Lande", "lande")),
    ("bagit.txt: has the digest", |d| edit(d, "bagit.txt", "1.0", "1.1")),
    ("manifest-sha256.txt: has the digest", |d| edit(d, "manifest-sha256.txt", "VERIFY", "verify")),
    // tag manifest
    ("manifest-sha256.txt: is not in tagmanifest-sha256.txt", |d| {
        let text = fs::read_to_string(d.join("tagmanifest-sha256.txt")).unwrap();
        fs::write(
            d.join("tagmanifest-sha256.txt"),
            text.lines().take(2).map(|l| format!("{l}\n")).collect::<String>(),
        )
        .unwrap();
    }),
    ("bag-info.txt: is not in tagmanifest-sha256.txt", |d| {
        fs::write(d.join("tagmanifest-sha256.txt"), "").unwrap()
    }),
    ("tagmanifest-sha256.txt: lists tagmanifest-sha256.txt.sig, which does not belong there", |d| {
        let text = fs::read_to_string(d.join("tagmanifest-sha256.txt")).unwrap();
        let sig = format!("{}  tagmanifest-sha256.txt.sig\n", Sha256Digest::of(b"a seal"));
        fs::write(d.join("tagmanifest-sha256.txt"), text + &sig).unwrap();
    }),
    ("tagmanifest-sha256.txt: has a carriage return; lines end with LF alone", |d| {
        edit(d, "tagmanifest-sha256.txt", "\n", "\r\n");
    }),
    ("tagmanifest-sha256.txt: line 1: is not a SHA-256 digest in lower case, two spaces and a path", |d| {
        edit(d, "tagmanifest-sha256.txt", "  bag", " *bag");
    }),
    ("tagmanifest-sha256.txt: is longer than 65536 bytes", |d| {
        put(d, "tagmanifest-sha256.txt", &[b'a'; 65537])
    }),
    ("tagmanifest-sha256.txt.sig: is longer than 65536 bytes", |d| {
        put(d, "tagmanifest-sha256.txt.sig", &[b'a'; 65537]);
    }),
    // manifest, with a tag manifest that fits
    ("manifest-sha256.txt: is longer than 268435456 bytes", |d| {
        fs::File::create(d.join("manifest-sha256.txt")).unwrap().set_len((256 << 20) + 1).unwrap();
    }),
    ("manifest-sha256.txt: begins with a byte order mark", |d| {
        let text = fs::read_to_string(d.join("manifest-sha256.txt")).unwrap();
        put(d, "manifest-sha256.txt", format!("\u{feff}{text}").as_bytes());
        forge_tag_manifest(d);
    }),
    ("manifest-sha256.txt: has a carriage return; lines end with LF alone", |d| {
        forge(d, "manifest-sha256.txt", "\n", "\r\n");
    }),
    ("manifest-sha256.txt: has a carriage return; lines end with LF alone", |d| {
        forge(d, "manifest-sha256.txt", "VERIFY", "VER\rIFY");
    }),
    ("manifest-sha256.txt: is not UTF-8", |d| {
        put(d, "manifest-sha256.txt", b"\xff\n");
        forge_tag_manifest(d);
    }),
    ("manifest-sha256.txt: does not end with LF", |d| {
        forge(d, "manifest-sha256.txt", "sightings.parquet\n", "sightings.parquet")
    }),
    ("manifest-sha256.txt: line 2: lists the same path again", |d| {
        let line = format!("{}  data/VERIFY.md\n", Sha256Digest::of(b"# How to check\n"));
        forge(d, "manifest-sha256.txt", &line, &line.repeat(2));
    }),
    ("manifest-sha256.txt: line 2: is not sorted", |d| {
        let text = fs::read_to_string(d.join("manifest-sha256.txt")).unwrap();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.swap(0, 1);
        put(d, "manifest-sha256.txt", lines.concat().as_bytes());
        forge_tag_manifest(d);
    }),
    ("manifest-sha256.txt: line 1: is not a SHA-256 digest in lower case, two spaces and a path", |d| {
        forge(d, "manifest-sha256.txt", "  data", " data");
    }),
    ("manifest-sha256.txt: line 1: is not a SHA-256 digest in lower case, two spaces and a path", |d| {
        forge(d, "manifest-sha256.txt", "  data", "\tdata");
    }),
    ("manifest-sha256.txt: line 1: is not a SHA-256 digest in lower case, two spaces and a path", |d| {
        let text = fs::read_to_string(d.join("manifest-sha256.txt")).unwrap();
        put(d, "manifest-sha256.txt", text.replace(['a', 'b', 'c'], "A").as_bytes());
        forge_tag_manifest(d);
    }),
    ("manifest-sha256.txt: line 5: is not a SHA-256 digest in lower case, two spaces and a path", |d| {
        forge(d, "manifest-sha256.txt", "parquet\n", "parquet\n\n");
    }),
    ("manifest-sha256.txt: line 1: is not a SHA-256 digest in lower case, two spaces and a path", |d| {
        let text = fs::read_to_string(d.join("manifest-sha256.txt")).unwrap();
        put(d, "manifest-sha256.txt", format!("# comment\n{text}").as_bytes());
        forge_tag_manifest(d);
    }),
    ("path \" data/VERIFY.md\" has the character ' '; only", |d| {
        forge(d, "manifest-sha256.txt", "  data", "   data")
    }),
    ("path \"/data/VERIFY.md\" is absolute", |d| forge(d, "manifest-sha256.txt", "data/V", "/data/V")),
    ("path \"data/../VERIFY.md\" has a part that is \".\" or \"..\"", |d| {
        forge(d, "manifest-sha256.txt", "data/V", "data/../V");
    }),
    ("path \"data//VERIFY.md\" has an empty part", |d| forge(d, "manifest-sha256.txt", "data/V", "data//V")),
    ("path \"./data/VERIFY.md\" has a part that is \".\" or \"..\"", |d| {
        forge(d, "manifest-sha256.txt", "data/V", "./data/V");
    }),
    ("path \"data/VERIFY%2Emd\" has a %: nothing is percent-encoded here", |d| {
        forge(d, "manifest-sha256.txt", "VERIFY.", "VERIFY%2E");
    }),
    ("path \"data\\\\VERIFY.md\" has the character '\\\\'; only", |d| {
        forge(d, "manifest-sha256.txt", "data/V", "data\\V")
    }),
    ("manifest-sha256.txt: lists bagit.txt, which does not belong there", |d| {
        forge(d, "manifest-sha256.txt", "data/VERIFY.md", "bagit.txt");
    }),
    ("data/VERIFY.m: is in manifest-sha256.txt and not there", |d| {
        forge(d, "manifest-sha256.txt", "VERIFY.md", "VERIFY.m");
    }),
    // declaration and metadata, with a tag manifest that fits
    ("bagit.txt: is not exactly that of BagIt 1.0 in UTF-8", |d| forge(d, "bagit.txt", "1.0", "0.97")),
    ("bagit.txt: is not exactly that of BagIt 1.0 in UTF-8", |d| forge(d, "bagit.txt", "UTF-8\n", "UTF-8")),
    ("bagit.txt: is not exactly that of BagIt 1.0 in UTF-8", |d| forge(d, "bagit.txt", "UTF-8", "UTF-16")),
    ("bag-info.txt: Payload-Oxum is 23.4, the payload 22.4", |d| forge(d, "bag-info.txt", "22.4", "23.4")),
    ("bag-info.txt: Payload-Oxum is 22.5, the payload 22.4", |d| forge(d, "bag-info.txt", "22.4", "22.5")),
    ("bag-info.txt: line 4: has an unknown label", |d| {
        forge(d, "bag-info.txt", "Payload-Oxum", "Payload-oxum")
    }),
    ("bag-info.txt: Payload-Oxum is not there", |d| forge(d, "bag-info.txt", "Payload-Oxum: 22.4\n", "")),
];

#[test]
fn each_fault_is_told() {
    for (want, tamper) in TAMPERED {
        let dir = good();
        tamper(dir.path());
        let got = check(dir.path()).map(|_| "no fault").unwrap_err().to_string();
        assert!(got.starts_with(want), "wanted {want:?}\n   got {got:?}");
    }
}

#[test]
fn any_byte_that_changes_is_noticed() {
    let dir = good();
    for file in files(dir.path()).unwrap().into_iter().filter(|file| !file.path.contains(".sig")) {
        let place = dir.path().join(&file.path);
        let bytes = fs::read(&place).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&place, &changed).unwrap();
            assert!(check(dir.path()).is_err(), "{} byte {at}", file.path);
        }
        fs::write(&place, &bytes).unwrap();
    }
    check(dir.path()).unwrap();
}

#[test]
fn kinds() {
    let dir = good();
    put(dir.path(), "data/results/sightings.parquet", b"PAR2");
    let found = Sha256Digest::of(b"PAR2");
    assert!(matches!(check(dir.path()), Err(BagError::Digest { found: f, .. }) if f == found));
    assert!(matches!(check(&dir.path().join("bagit.txt")), Err(BagError::NotADirectory(_))));
    assert!(matches!(check(&dir.path().join("none")), Err(BagError::Io { .. })));
}

#[test]
fn bytes_that_change_after_the_check_are_not_given() {
    let dir = good();
    let checked = check(dir.path()).unwrap();
    let path = "data/results/sightings.parquet";
    assert!(matches!(checked.read(path, 3), Err(BagError::TooLarge { limit_bytes: 3, .. })));
    assert!(matches!(checked.read("bagit.txt", 100), Err(BagError::NotInPayload { .. })));
    assert!(matches!(checked.read("data/../bagit.txt", 100), Err(BagError::NotInPayload { .. })));

    for (bytes, same_length) in [(&b"PAR2"[..], true), (b"PAR", false), (b"PAR11", false), (b"", false)] {
        put(dir.path(), path, bytes);
        let read = checked.read(path, 100);
        assert!(matches!(&read, Err(BagError::Digest { .. })) == same_length, "{read:?}");
        assert!(matches!(&read, Err(BagError::Changed { .. })) != same_length, "{read:?}");
        let mut out = Vec::new();
        let error = checked.open(path).unwrap().read_to_end(&mut out).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert!(error.get_ref().unwrap().is::<BagError>());
    }
    fs::remove_file(dir.path().join(path)).unwrap();
    std::os::unix::fs::symlink("../VERIFY.md", dir.path().join(path)).unwrap();
    assert!(matches!(checked.open(path), Err(BagError::Changed { .. })));
}

#[test]
fn tag_files_do_not_depend_on_order() {
    let mut reversed = payload();
    reversed.reverse();
    assert_eq!(tag_files(&payload(), &info()).unwrap(), tag_files(&reversed, &info()).unwrap());
    let [bagit, bag_info, manifest, tag_manifest] = tag_files(&payload(), &info()).unwrap();
    assert_eq!(bagit.1, b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    assert_eq!(bag_info.0, "bag-info.txt");
    assert!(
        String::from_utf8(manifest.1)
            .unwrap()
            .lines()
            .is_sorted_by_key(|line| line.split_at(66).1.to_owned())
    );
    let names: Vec<String> = String::from_utf8(tag_manifest.1)
        .unwrap()
        .lines()
        .map(|line| line.split_at(66).1.to_owned())
        .collect();
    assert_eq!(names, ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]);
}

#[test]
fn payloads_that_can_not_be_packed() {
    let file = |path: &str| PayloadFile { path: path.into(), sha256: Sha256Digest::of(b""), bytes: 0 };
    let pack =
        |paths: &[&str]| tag_files(&paths.iter().map(|p| file(p)).collect::<Vec<_>>(), &info()).unwrap_err();
    assert!(matches!(pack(&[]), BagError::Absent { .. }));
    assert!(matches!(pack(&["data/../a"]), BagError::Name { fault: NameFault::DotPart, .. }));
    assert!(matches!(pack(&["data/ä"]), BagError::Name { fault: NameFault::Character('ä'), .. }));
    assert!(matches!(pack(&["bagit.txt"]), BagError::Misplaced { .. }));
    assert!(matches!(pack(&["database/a"]), BagError::Misplaced { .. }));
    assert!(matches!(pack(&["data/a", "data/b", "data/a"]), BagError::Collision { .. }));
    assert!(matches!(pack(&["data/a/x", "data/b", "data/A"]), BagError::Collision { .. }));
    let many = tag_files(&vec![file("data/a"); MAX_FILES], &info());
    assert!(matches!(many, Err(BagError::TooManyFiles { .. })));
}
