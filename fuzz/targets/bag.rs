//! A bag's directory. The first byte says which tag file the rest replaces (the tag manifest follows, where
//! it lists it), or that the rest are paths, one a line, of what lies there.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use comity_fuzz::{bounded, officer, scratch, seeds};
use comity_provenance::Sha256Digest;
use comity_provenance::bag::{self, Bag, BagInfo, BagKind, PayloadFile, tag_files};
use comity_provenance::seal::seal;

const PAYLOAD: [(&str, &[u8]); 3] =
    [("data/VERIFY.md", b"# How\n"), ("data/log/leaves", b""), ("data/log/x", b"x")];
const LAYOUT: u8 = b'l';

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |bytes: &[u8]| check(bytes));

/// Where the bag lies, and its tag files and seal, all sound.
static SOUND: LazyLock<(PathBuf, Vec<(&str, Vec<u8>)>)> = LazyLock::new(|| {
    let dir = scratch().join("bag");
    for (path, bytes) in PAYLOAD {
        put(&dir.join(path), bytes);
    }
    let tags = tags();
    tags.iter().for_each(|(name, bytes)| put(&dir.join(name), bytes));
    (dir, tags)
});

fn put(place: &Path, bytes: &[u8]) {
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, bytes).unwrap();
}

fn tags() -> Vec<(&'static str, Vec<u8>)> {
    let file = |(path, bytes): (&str, &[u8])| PayloadFile {
        path: path.to_owned(),
        sha256: Sha256Digest::of(bytes),
        bytes: bytes.len() as u64,
    };
    let info = BagInfo {
        software_agent: "comity 0.1.0".to_owned(),
        bagging_date: "2026-11-25".to_owned(),
        external_identifier: "2026-014".to_owned(),
        source_organization: "LKA Lantern".to_owned(),
        kind: BagKind::Findings,
        case: "2026-014".to_owned(),
        run: Some(Sha256Digest::of(b"run")),
        jurisdiction: "DE".to_owned(),
        purpose: "prosecution".to_owned(),
        tlp: "amber+strict".to_owned(),
        recipient: "b@c.example".to_owned(),
    };
    let tags = tag_files(&PAYLOAD.map(file), &info).unwrap();
    let seal = seal(&tags[3].1, &officer(), "comity-evidence").into_bytes();
    tags.into_iter().chain([(bag::SEAL, seal)]).collect()
}

fn inputs() -> Vec<Vec<u8>> {
    let tags = (b'0'..).zip(tags()).map(|(place, (_, bytes))| [&[place][..], &bytes].concat());
    let layouts = [
        "data/a\ndata/b/c\ndata/b/C",
        "data/\ndata/d/",
        "data/a\n@data/b",
        "fetch.txt\ndata/a",
        "data/%41\nmanifest-md5.txt\ndata/A/a\ndata/a/b",
    ];
    tags.chain(layouts.map(|paths| format!("l{paths}").into_bytes())).collect()
}

fn check(bytes: &[u8]) {
    match bytes.split_first() {
        Some((&LAYOUT, paths)) => check_layout(paths),
        Some((place, text)) => check_tag_file(usize::from(place.wrapping_sub(b'0')), text),
        None => {}
    }
}

fn check_tag_file(place: usize, text: &[u8]) {
    let (dir, sound) = &*SOUND;
    let Some((name, _)) = sound.get(place) else { return };
    let mut tags = sound.clone();
    tags[place].1 = text.to_vec();
    if place < 3 {
        tags[3].1 =
            manifest(&mut tags[..3].iter().map(|(name, bytes)| (*name, &bytes[..])).collect::<Vec<_>>());
    }
    put(&dir.join(name), &tags[place].1);
    put(&dir.join(bag::TAG_MANIFEST), &tags[3].1);
    let opened = bounded((64 << 10) + 16 * text.len(), || Bag::open(dir));
    if let Ok(checked) = opened.and_then(|bag| bag.check(|_| ())) {
        let again = tag_files(checked.payload(), checked.info()).unwrap();
        assert!(again.iter().eq(&tags[..4]), "read otherwise than it was written");
        assert_eq!(checked.seal(), Some(&tags[4].1[..]));
    }
    put(&dir.join(name), &sound[place].1);
    put(&dir.join(bag::TAG_MANIFEST), &sound[3].1);
}

/// A manifest, made here once more.
fn manifest(files: &mut [(&str, &[u8])]) -> Vec<u8> {
    files.sort_unstable();
    files
        .iter()
        .map(|(path, bytes)| format!("{}  {path}\n", Sha256Digest::of(bytes)))
        .collect::<String>()
        .into_bytes()
}

/// Makes files (`a/b`), directories (`a/b/`) and links (`@a/b`), lists all that can be read, and opens the bag.
fn check_layout(paths: &[u8]) {
    let Ok(text) = std::str::from_utf8(paths) else { return };
    let dir = scratch().join("layout");
    fs::create_dir(&dir).unwrap();
    let mut made: Vec<&str> = text.split('\n').filter(|path| make(&dir, path)).take(8).collect();
    let payload: Vec<&str> =
        made.iter().copied().filter(|path| !path.ends_with('/') && path.starts_with("data/")).collect();
    let manifest_text = manifest(&mut payload.iter().map(|path| (*path, &b""[..])).collect::<Vec<_>>());
    let info = String::from_utf8(SOUND.1[1].1.clone()).unwrap();
    let info: String = info
        .lines()
        .map(|line| match line.starts_with("Payload-Oxum") {
            true => format!("Payload-Oxum: 0.{}\n", payload.len()),
            false => format!("{line}\n"),
        })
        .collect();
    let mut tags = vec![
        (bag::BAGIT, bag::BAGIT_TXT.as_bytes()),
        (bag::BAG_INFO, info.as_bytes()),
        (bag::MANIFEST, &manifest_text),
    ];
    let tag_manifest = manifest(&mut tags);
    tags.push((bag::TAG_MANIFEST, &tag_manifest));
    tags.iter().for_each(|(name, bytes)| put(&dir.join(name), bytes));

    let opened = bounded((64 << 10) + 64 * paths.len(), || Bag::open(&dir)).is_ok();
    made.retain(|path| !payload.contains(path));
    // what was made besides are directories, which must have a file in them
    let odd = made.iter().any(|path| {
        let directory = path.strip_prefix("data/").is_some() || *path == "data/";
        !(directory && path.ends_with('/') && payload.iter().any(|file| file.starts_with(path)))
    });
    let mut names = payload.clone();
    let fine = !odd
        && !payload.is_empty()
        && payload.iter().all(|path| bag::check_path(path).is_ok())
        && bag::collision(&mut names).is_none();
    assert_eq!(opened, fine, "{payload:?} {made:?}");
    fs::remove_dir_all(&dir).unwrap();
}

/// What may lie beside `data/`.
fn tag_names() -> [&'static str; 6] {
    [bag::BAGIT, bag::BAG_INFO, bag::MANIFEST, bag::TAG_MANIFEST, bag::SEAL, bag::TIME_STAMP]
}

fn make(dir: &Path, path: &str) -> bool {
    let (link, plain) = path.strip_prefix('@').map_or((false, path), |rest| (true, rest));
    let directory = plain.ends_with('/');
    let parts: Vec<&str> = plain.strip_suffix('/').unwrap_or(plain).split('/').collect();
    let within = |part: &&str| !matches!(*part, "" | "." | "..") && part.len() < 100 && !part.contains('\0');
    let ours = tag_names().contains(&parts[0]);
    if ours || (link && directory) || parts.len() > 8 || !parts.iter().all(within) {
        return false;
    }
    let place = dir.join(parts.join("/"));
    if place.symlink_metadata().is_ok() && !directory {
        return false;
    }
    let above = if directory { &place } else { place.parent().unwrap() };
    let made = fs::create_dir_all(above).is_ok();
    made && match (directory, link) {
        (true, _) => true,
        (false, true) => std::os::unix::fs::symlink("/dev/null", &place).is_ok(),
        (false, false) => fs::write(&place, b"").is_ok(),
    }
}
