//! A bag as it is sent: a tar file or an age file. The first byte says how the rest becomes one:
//!
//! - `a`: it is one, as it stands;
//! - `c`: a tar file whose checksums are put right, so that what they guard is reached;
//! - others: parts, each a byte for the type, one for flags, one for the length of the name, one for that
//!   of the content (in units of 16), then both; headers are made of them.

#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use comity_fuzz::{bounded, scratch, seeds};
use tar::{EntryType, Header};

// as comity-jobs has it, without that crate's query engine
#[path = "../../crates/jobs/src"]
mod jobs {
    pub mod transport;
}

use jobs::transport::{Form, Limits, TransportError, detect, pack, pack_encrypted, unpack};

const LIMITS: Limits = Limits { files: 40, bytes: 1 << 20 };
const BLOCK_BYTES: usize = 512;
/// The secret is 32 bytes of 6, for this file alone.
const IDENTITY: &str = "AGE-SECRET-KEY-1QCRQVPSXQCRQVPSXQCRQVPSXQCRQVPSXQCRQVPSXQCRQVPSXQCRQNFCTU5";

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |bytes: &[u8]| check(bytes));

static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = scratch();
    fs::write(dir.join("identity"), format!("{IDENTITY}\n")).unwrap();
    dir
});

fn inputs() -> Vec<Vec<u8>> {
    let bag = DIR.join("seed");
    let long = format!("data/{}/{}", "d".repeat(150), "f".repeat(150));
    for (path, bytes) in [("bagit.txt", &b"x"[..]), ("data/a/b", &[7; 600]), ("data/c", b""), (&long, b"l")] {
        let place = bag.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
    let identity: age::x25519::Identity = IDENTITY.parse().unwrap();
    let (mut plain, mut encrypted) = (Vec::new(), Vec::new());
    pack(&bag, "b", &mut plain).unwrap();
    let recipients =
        [identity.to_public().to_string(), age::x25519::Identity::generate().to_public().to_string()];
    pack_encrypted(&bag, "b", &recipients, &mut encrypted).unwrap();
    fs::remove_dir_all(&bag).unwrap();
    let parts: [&[u8]; 3] = [
        b"p0\x00\x08\x01b/data/a0123456789abcdef5\x00\x06\x00b/data0\x00\x08\x00b/data/c",
        b"px\x00\x01\x02x20 path=b/data/long\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x000\x00\x03\x00b/d",
        b"pL\x01\x01\x01xb/data/long\x00\x00\x00\x00\x000\x01\x03\x00b/d2\x01\x03\x00b/lg\x00\x01\x00g",
    ];
    let whole = [(b'a', &plain), (b'c', &plain), (b'a', &encrypted), (b'c', &gnu())];
    let whole = whole.iter().map(|(how, file)| [&[*how][..], file].concat());
    whole.chain(parts.map(<[u8]>::to_vec)).collect()
}

/// As GNU tar writes it, with directories and a long name.
fn gnu() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in [("b", &b""[..]), ("b/data", b""), (&format!("b/data/{}", "n".repeat(120)), b"123")]
    {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_entry_type(if bytes.is_empty() { EntryType::Directory } else { EntryType::Regular });
        builder.append_data(&mut header, path, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn check(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let mut file = rest.to_vec();
    match how {
        b'a' => {}
        b'c' => file.chunks_exact_mut(BLOCK_BYTES).for_each(set_checksum),
        _ => file = of_parts(rest),
    }
    let (archive, into) = (DIR.join("archive"), DIR.join("into"));
    fs::write(&archive, &file).unwrap();
    let identity = DIR.join("identity");
    let read = bounded((4 << 20) + 16 * file.len(), || unpack(&archive, Some(&identity), &into, LIMITS));
    match read {
        Err(_) => assert!(!into.exists(), "half a bag was left"),
        Ok(()) => {
            let found = tree(&into);
            check_limits(&into, &found);
            if detect(&archive).unwrap() == Form::Tar {
                assert_eq!(other_reader(&file), found, "the tar crate reads another bag");
            }
            check_packed(&into, &found);
            fs::remove_dir_all(&into).unwrap();
        }
    }
    assert_eq!(fs::read_dir(&*DIR).unwrap().count(), 2, "something lies outside");
}

fn set_checksum(block: &mut [u8]) {
    if block[257..262] == *b"ustar" {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fn of_parts(mut rest: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some(([kind, flags, name, units], after)) = rest.split_first_chunk() {
        let (name, after) = after.split_at(after.len().min(usize::from(*name)));
        let (content, after) = after.split_at(after.len().min(usize::from(*units) * 16));
        let mut header = if flags & 1 == 0 { Header::new_ustar() } else { Header::new_gnu() };
        header.as_old_mut().name.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        header.set_entry_type(EntryType::new(*kind));
        header.set_size(content.len() as u64 + u64::from(flags >> 4));
        header.set_cksum();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(content);
        file.resize(file.len().next_multiple_of(BLOCK_BYTES), flags & 2);
        rest = after;
    }
    file.resize(file.len() + 2 * BLOCK_BYTES, 0);
    file
}

/// Files below a directory; nothing but those and directories may be there.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(parent) = pending.pop() {
        for entry in fs::read_dir(&parent).unwrap() {
            let place = entry.unwrap().path();
            let kind = fs::symlink_metadata(&place).unwrap().file_type();
            assert!(kind.is_file() || kind.is_dir());
            if kind.is_dir() {
                pending.push(place);
            } else {
                let path = place.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                files.insert(path, fs::read(&place).unwrap());
            }
        }
    }
    files
}

fn check_limits(into: &Path, found: &BTreeMap<String, Vec<u8>>) {
    assert!(found.len() <= LIMITS.files);
    assert!(found.values().map(Vec::len).sum::<usize>() as u64 <= LIMITS.bytes);
    assert!(found.keys().all(|path| comity_provenance::bag::check_path(path).is_ok()), "{}", into.display());
}

/// The files that the tar crate reads, without their base directory.
fn other_reader(file: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(file).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if entry.header().entry_type() == EntryType::Directory {
            continue;
        }
        let (_, below) = path.split_once('/').unwrap();
        assert_eq!(files.insert(below.to_owned(), bytes), None);
    }
    files
}

/// What was unpacked packs to the one archive that unpacks to the same.
fn check_packed(into: &Path, found: &BTreeMap<String, Vec<u8>>) {
    let (archive, again) = (DIR.join("archive"), DIR.join("again"));
    let mut packed = Vec::new();
    match pack(into, "b", &mut packed) {
        // an archive of no files has no form
        Ok(()) if found.is_empty() => {}
        Ok(()) => {
            fs::write(&archive, &packed).unwrap();
            unpack(&archive, None, &again, LIMITS).unwrap();
            assert_eq!(tree(&again), *found);
            let mut twice = Vec::new();
            pack(&again, "b", &mut twice).unwrap();
            assert_eq!(packed, twice);
            fs::remove_dir_all(&again).unwrap();
        }
        // files beside data/, directories without files
        Err(TransportError::Bag(_)) => {}
        Err(other) => panic!("{other}"),
    }
}
