//! There and back, with other tools at either end; and archives with one fault each.

use std::process::Command;

use tempfile::TempDir;

use super::*;

const FILES: [(&str, &[u8]); 5] = [
    ("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
    ("data/VERIFY.md", b"# How to check\n"),
    ("data/a/b/c/empty", b""),
    ("data/a/b/block", &[7; 512]),
    ("data/a/more", &[9; 70_000]),
];

fn long_path() -> String {
    format!("data/{}/{}", "d".repeat(150), "f".repeat(150))
}

fn put(dir: &Path, path: &str, bytes: &[u8]) {
    let place = dir.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, bytes).unwrap();
}

fn bag_in(dir: &Path, reverse: bool) -> PathBuf {
    let bag = dir.join("bag");
    let mut files = FILES.map(|(path, bytes)| (path.to_owned(), bytes)).to_vec();
    files.push((long_path(), b"far below"));
    if reverse {
        files.reverse();
    }
    files.iter().for_each(|(path, bytes)| put(&bag, path, bytes));
    bag
}

fn assert_same(a: &Path, b: &Path) {
    let files = bag::files(a).unwrap();
    assert_eq!(files, bag::files(b).unwrap());
    for file in files {
        assert_eq!(
            fs::read(a.join(&file.path)).unwrap(),
            fs::read(b.join(&file.path)).unwrap(),
            "{}",
            file.path
        );
    }
}

fn packed(bag: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    pack(bag, "2026-014", &mut out).unwrap();
    out
}

fn unpacked(dir: &Path, archive: &[u8]) -> Result<PathBuf, TransportError> {
    let (file, into) = (dir.join("archive"), dir.join("into"));
    let _ = fs::remove_dir_all(&into);
    fs::write(&file, archive).unwrap();
    unpack(&file, None, &into, Limits::default()).map(|()| into)
}

fn tar_command(dir: &Path, arguments: &[&str]) {
    let status = Command::new("tar").args(arguments).current_dir(dir).status().unwrap();
    assert!(status.success(), "tar {arguments:?}");
}

#[test]
fn there_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let bag = bag_in(dir.path(), false);
    let archive = packed(&bag);
    assert_same(&bag, &unpacked(dir.path(), &archive).unwrap());
}

#[test]
fn the_same_bag_gives_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (bag_a, bag_b) = (bag_in(a.path(), false), bag_in(b.path(), true));
    let mut mode = fs::metadata(bag_b.join("bagit.txt")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o700);
    fs::set_permissions(bag_b.join("bagit.txt"), mode).unwrap();
    File::open(bag_b.join("bagit.txt")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let archive = packed(&bag_a);
    assert_eq!(archive, packed(&bag_b));
    let mut paths = Vec::new();
    for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let fields =
            (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap(), header.mode().unwrap());
        assert_eq!(fields, (0, 0, 0, 0o644));
        assert_eq!(header.entry_type(), EntryType::Regular);
        paths.push(entry.path().unwrap().to_str().unwrap().to_owned());
    }
    assert!(paths.is_sorted());
    assert!(paths.contains(&format!("2026-014/{}", long_path())));
}

#[test]
fn gnu_tar_reads_what_is_packed() {
    let dir = tempfile::tempdir().unwrap();
    let bag = bag_in(dir.path(), false);
    fs::write(dir.path().join("out.tar"), packed(&bag)).unwrap();
    tar_command(dir.path(), &["--extract", "--file", "out.tar"]);
    assert_same(&bag, &dir.path().join("2026-014"));
}

#[test]
fn what_gnu_tar_packs_is_read() {
    for format in ["gnu", "posix", "oldgnu"] {
        let dir = tempfile::tempdir().unwrap();
        let bag = bag_in(dir.path(), false);
        tar_command(dir.path(), &["--create", "--format", format, "--file", "in.tar", "bag"]);
        let archive = fs::read(dir.path().join("in.tar")).unwrap();
        assert_same(&bag, &unpacked(dir.path(), &archive).unwrap());
    }
}

#[test]
fn sizes_that_octal_digits_do_not_hold() {
    let mut out = Vec::new();
    write_headers("b/data/a", MAX_OCTAL_BYTES + 1, &mut out).unwrap();
    assert_eq!(out.len(), 3 * BLOCK_BYTES);
    assert!(out[BLOCK_BYTES..].starts_with(b"19 size=8589934592\n\0"));
    assert_eq!(Header::from_byte_slice(&out[2 * BLOCK_BYTES..]).entry_size().unwrap(), MAX_OCTAL_BYTES + 1);
    // it is read as far as it goes
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(unpacked(dir.path(), &out), Err(TransportError::Truncated)));
    out.clear();
    write_headers("b/data/a", MAX_OCTAL_BYTES, &mut out).unwrap();
    assert_eq!(out.len(), BLOCK_BYTES);
}

#[test]
fn the_length_of_a_pax_record_counts_itself() {
    for length in [0, 1, 3, 4, 5, 90, 91, 92, 93, 94, 989, 990, 991, 992] {
        let record = pax_record("path", &"x".repeat(length));
        assert_eq!(record.split_once(' ').unwrap().0, record.len().to_string());
    }
}

#[test]
fn what_is_no_bag_is_not_packed() {
    let dir = tempfile::tempdir().unwrap();
    let bag = bag_in(dir.path(), false);
    for base in ["", "a/b", "..", ".", "a b", "/"] {
        assert!(matches!(pack(&bag, base, io::sink()), Err(TransportError::Base(_))), "{base:?}");
    }
    std::os::unix::fs::symlink("a", bag.join("data/link")).unwrap();
    assert!(matches!(pack(&bag, "b", io::sink()), Err(TransportError::Bag(BagError::Link { .. }))));
}

// ------------------------------------------------------------------------------------- encryption

struct Keys {
    dir: TempDir,
    bag: PathBuf,
    identities: PathBuf,
    recipient: String,
}

fn keys() -> Keys {
    let dir = tempfile::tempdir().unwrap();
    let identity = x25519::Identity::generate();
    let identities = dir.path().join("key.txt");
    let text = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    let other = x25519::Identity::generate();
    let other = age::secrecy::ExposeSecret::expose_secret(&other.to_string()).to_owned();
    fs::write(&identities, format!("# created: 2026-11-25\n{other}\n{text}\n")).unwrap();
    Keys { bag: bag_in(dir.path(), false), identities, recipient: identity.to_public().to_string(), dir }
}

impl Keys {
    fn encrypted(&self) -> Vec<u8> {
        let other = x25519::Identity::generate().to_public().to_string();
        let mut out = Vec::new();
        pack_encrypted(&self.bag, "2026-014", &[other, self.recipient.clone()], &mut out).unwrap();
        out
    }

    fn decrypted(&self, archive: &[u8], identities: Option<&Path>) -> Result<PathBuf, TransportError> {
        let (file, into) = (self.dir.path().join("archive"), self.dir.path().join("into"));
        let _ = fs::remove_dir_all(&into);
        fs::write(&file, archive).unwrap();
        unpack(&file, identities, &into, Limits::default()).map(|()| into)
    }
}

#[test]
fn there_and_back_encrypted() {
    let keys = keys();
    let archive = keys.encrypted();
    assert_same(&keys.bag, &keys.decrypted(&archive, Some(&keys.identities)).unwrap());
    assert!(matches!(keys.decrypted(&archive, None), Err(TransportError::NoIdentity(_))));
    let stranger = self::keys();
    let got = keys.decrypted(&archive, Some(&stranger.identities));
    assert!(matches!(got, Err(TransportError::NotForUs(_))));
}

#[test]
fn identity_files() {
    let keys = keys();
    let (archive, file) = (keys.encrypted(), keys.dir.path().join("wrong"));
    let missing = keys.decrypted(&archive, Some(&file));
    assert!(matches!(missing, Err(TransportError::Io { .. })));
    for text in ["", "# nothing\n", "AGE-SECRET-KEY-1\n", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "\u{0}\n"]
    {
        fs::write(&file, text).unwrap();
        let got = keys.decrypted(&archive, Some(&file));
        assert!(matches!(got, Err(TransportError::Identity(_))), "{text:?}");
    }
}

#[test]
fn recipients() {
    let keys = keys();
    let pack = |recipients: &[&str]| {
        let recipients: Vec<String> = recipients.iter().map(|r| (*r).to_owned()).collect();
        pack_encrypted(&keys.bag, "b", &recipients, io::sink())
    };
    assert!(matches!(pack(&[]), Err(TransportError::NoRecipients)));
    assert!(
        matches!(pack(&[&keys.recipient, "age1x"]), Err(TransportError::Recipient(text)) if text == "age1x")
    );
    assert!(matches!(pack(&["ssh-ed25519 AAAA"]), Err(TransportError::Recipient(_))));
    let secret = fs::read_to_string(&keys.identities).unwrap();
    assert!(matches!(pack(&[secret.lines().nth(1).unwrap()]), Err(TransportError::Recipient(_))));
    assert!(matches!(pack(&[&*keys.recipient; MAX_RECIPIENTS + 1]), Err(TransportError::TooManyRecipients)));

    let mut out = Vec::new();
    let many = vec![keys.recipient.clone(); MAX_RECIPIENTS];
    pack_encrypted(&keys.bag, "b", &many, &mut out).unwrap();
    keys.decrypted(&out, Some(&keys.identities)).unwrap();
}

#[test]
fn ciphertext_that_was_altered_or_cut() {
    let keys = keys();
    let archive = keys.encrypted();
    let header = archive.windows(4).position(|w| w == b"\n---").unwrap() + 49;
    let kinds = |archive: &[u8]| keys.decrypted(archive, Some(&keys.identities)).unwrap_err();
    for at in [header + 20, header + 16 + 65_536 + 20, archive.len() - 1] {
        let mut altered = archive.clone();
        altered[at] ^= 1;
        assert!(matches!(kinds(&altered), TransportError::Altered), "{at}");
    }
    for length in [header + 17, header + 16 + 65_552, archive.len() - 1] {
        let got = kinds(&archive[..length]);
        assert!(matches!(got, TransportError::Altered | TransportError::Truncated), "{length}: {got:?}");
    }
    let longer = [&archive[..], &[0]].concat();
    assert!(matches!(kinds(&longer), TransportError::Altered));
    assert!(!keys.dir.path().join("into").exists());
    // the header is authenticated too
    let mut altered = archive.clone();
    altered[header - 10] ^= 1;
    assert!(matches!(kinds(&altered), TransportError::Decrypt(_)));
}

#[test]
fn age_headers_that_do_not_end() {
    let keys = keys();
    let stanza = "-> grease\nAAAA\n";
    for rest in [
        String::new(),
        stanza.repeat(10_000),
        "x".repeat(100_000),
        format!("{stanza}---"),
        format!("{stanza}--- \n{}", "A".repeat(100_000)),
    ] {
        let archive = format!("age-encryption.org/v1\n{rest}");
        let got = keys.decrypted(archive.as_bytes(), Some(&keys.identities));
        assert!(matches!(got, Err(TransportError::AgeHeader(_))), "{:?}", rest.get(..40));
    }
}

#[test]
fn an_encrypted_file_that_is_no_tar() {
    let keys = keys();
    let key: x25519::Recipient = keys.recipient.parse().unwrap();
    let archive = age::encrypt(&key, &[b'x'; 2000]).unwrap();
    let got = keys.decrypted(&archive, Some(&keys.identities));
    assert!(matches!(got, Err(TransportError::Header { at_bytes: 0 })), "{got:?}");
}

#[test]
fn forms() {
    let dir = tempfile::tempdir().unwrap();
    let bag = bag_in(dir.path(), false);
    let form = |bytes: &[u8]| {
        fs::write(dir.path().join("file"), bytes).unwrap();
        detect(&dir.path().join("file"))
    };
    assert!(matches!(detect(&bag), Ok(Form::Directory)));
    assert!(matches!(form(&packed(&bag)), Ok(Form::Tar)));
    assert!(matches!(form(b"age-encryption.org/v1\n-> "), Ok(Form::Age)));
    assert!(matches!(form(b"age-encryption.org/v2\n-> "), Err(TransportError::UnknownForm(_))));
    assert!(matches!(form(b"-----BEGIN AGE ENCRYPTED FILE-----\n"), Err(TransportError::Armour(_))));
    assert!(matches!(form(b""), Err(TransportError::UnknownForm(_))));
    assert!(matches!(form(b"PK\x03\x04"), Err(TransportError::UnknownForm(_))));
    assert!(matches!(form(&[0; 1024]), Err(TransportError::UnknownForm(_))));
    assert!(matches!(detect(&dir.path().join("none")), Err(TransportError::Io { .. })));
    let into = dir.path().join("into");
    let got = unpack(&bag, None, &into, Limits::default());
    assert!(matches!(got, Err(TransportError::IsDirectory(_))));
}

// ------------------------------------------------------------------------------------- hostile archives

/// A member: header with any name and type, and its body.
fn member(name: &[u8], kind: u8, body: &[u8]) -> Vec<u8> {
    sized(name, kind, body.len() as u64, body)
}

fn sized(name: &[u8], kind: u8, size: u64, body: &[u8]) -> Vec<u8> {
    let mut header = new_header(EntryType::new(kind), size);
    header.as_old_mut().name.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(BLOCK_BYTES), 0);
    out
}

fn file(name: &str) -> Vec<u8> {
    member(name.as_bytes(), b'0', b"x")
}

/// A file whose name is in a pax record, with other records beside it.
fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let records: String = records.iter().map(|(key, value)| pax_record(key, value)).collect();
    [member(b"PaxHeaders", b'x', records.as_bytes()), file("b/data/short")].concat()
}

fn gnu_long(kind: u8, name: &[u8]) -> Vec<u8> {
    [member(b"././@LongLink", kind, name), file("b/data/short")].concat()
}

/// An archive of these members, after a good one.
fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    [file("b/bagit.txt"), members.concat(), vec![0; 1024]].concat()
}

fn broken(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = archive(&[file("b/data/a")]);
    bytes[at] = byte;
    bytes
}

#[test]
fn each_fault_is_told() {
    let long = "b/".to_owned() + &"x".repeat(1100);
    let table: Vec<(&str, Vec<u8>)> = vec![
        // names
        ("path \"/etc/passwd\" is absolute", archive(&[file("/etc/passwd")])),
        ("path \"b/../../etc\" has a part that is \".\" or \"..\"", archive(&[file("b/../../etc")])),
        ("path \"..\" has a part that is \".\" or \"..\"", archive(&[file("..")])),
        ("path \"./b/a\" has a part that is \".\" or \"..\"", archive(&[file("./b/a")])),
        ("path \"b//a\" has an empty part", archive(&[file("b//a")])),
        ("path \"b/a/\" has an empty part", archive(&[file("b/a/")])),
        ("path \"\" is empty", archive(&[file("")])),
        ("path \"b/a b\" has the character ' '", archive(&[file("b/a b")])),
        ("path \"b\\\\a\" has the character '\\\\'", archive(&[file("b\\a")])),
        ("path \"b/\\u{1b}[2J\" has the character '\\u{1b}'", archive(&[file("b/\u{1b}[2J")])),
        ("path \"b/a\u{fffd}\" is not UTF-8", archive(&[member(b"b/a\xff", b'0', b"")])),
        ("c/a: all files must lie in one base directory", archive(&[file("c/a")])),
        ("b: all files must lie in one base directory", archive(&[file("b")])),
        ("c: all files must lie in one base directory", archive(&[member(b"c/", b'5', b"")])),
        ("path \"../x\" has a part", archive(&[member(b"../x/", b'5', b"")])),
        // kinds
        ("b/data/a: is a link", archive(&[member(b"b/data/a", b'1', b"")])),
        ("b/data/a: is a link", archive(&[member(b"b/data/a", b'2', b"")])),
        ("b/data/a: is of type '3', neither", archive(&[member(b"b/data/a", b'3', b"")])),
        ("b/data/a: is of type '4', neither", archive(&[member(b"b/data/a", b'4', b"")])),
        ("b/data/a: is of type '6', neither", archive(&[member(b"b/data/a", b'6', b"")])),
        ("b/data/a: is of type '7', neither", archive(&[member(b"b/data/a", b'7', b"")])),
        ("b/data/a: is of type 'S', neither", archive(&[member(b"b/data/a", b'S', b"")])),
        ("b/data/a: is of type 'V', neither", archive(&[member(b"b/data/a", b'V', b"")])),
        ("b/data/a: is of type 'D', neither", archive(&[member(b"b/data/a", b'D', b"")])),
        ("pax_global_header: is of type 'g', neither", archive(&[member(b"pax_global_header", b'g', b"")])),
        ("././@LongLink: is of type 'K', neither", archive(&[gnu_long(b'K', b"/etc/passwd\0")])),
        ("b/data: is of type '5', neither", archive(&[member(b"b/data/", b'5', b"x")])),
        // twice
        ("bagit.txt: is in the archive twice", archive(&[file("b/bagit.txt")])),
        ("data/a: is in the archive twice", archive(&[file("b/data/a/x"), file("b/data/a")])),
        ("data/a: is in the archive twice", archive(&[file("b/data/a"), file("b/data/a/x")])),
        ("data/a: is in the archive twice", archive(&[file("b/data/a"), file("b/data/a/x/y")])),
        ("data/a: is in the archive twice", archive(&[file("b/data/a"), member(b"b/data/a/", b'5', b"")])),
        ("data/a: clashes with data/A", archive(&[file("b/data/a"), file("b/data/A")])),
        ("data/a/y: clashes with data/A/x", archive(&[file("b/data/a/y"), file("b/data/A/x")])),
        // pax and GNU extensions
        ("path \"/etc/passwd\" is absolute", archive(&[pax(&[("path", "/etc/passwd")])])),
        ("path \"b/../a\" has a part", archive(&[pax(&[("path", "b/../a")])])),
        ("path \"b/a\\0/x\" has the character '\\0'", archive(&[pax(&[("path", "b/a\0/x")])])),
        ("path \"b/xxx", archive(&[pax(&[("path", &long)])])),
        ("path \"../a\" has a part", archive(&[gnu_long(b'L', b"../a\0")])),
        ("path \"b/a\\0c\" has the character '\\0'", archive(&[gnu_long(b'L', b"b/a\0c\0")])),
        ("path \"\" is empty", archive(&[gnu_long(b'L', b"")])),
        ("b/data/short: has the size 1 in its header, 2 in a pax record", archive(&[pax(&[("size", "2")])])),
        ("b/data/short: has the size 1 in its header, 0 in a pax record", archive(&[pax(&[("size", "0")])])),
        ("more than 1099511627776 bytes in all files", archive(&[pax(&[("size", "1099511627777")])])),
        ("header at byte 1024: is no good extension", archive(&[pax(&[("size", "01")])])),
        ("header at byte 1024: is no good extension", archive(&[pax(&[("size", "+1")])])),
        ("header at byte 1024: is no good extension", archive(&[pax(&[("size", "99999999999999999999")])])),
        ("header at byte 1024: is no good extension", archive(&[pax(&[("path", "b/x"), ("path", "b/y")])])),
        ("header at byte 1024: is no good extension", archive(&[pax(&[("size", "1"), ("size", "1")])])),
        ("pax record \"linkpath\": is not allowed", archive(&[pax(&[("linkpath", "/etc")])])),
        ("pax record \"GNU.sparse.major\": is not allowed", archive(&[pax(&[("GNU.sparse.major", "1")])])),
        ("pax record \"hdrcharset\": is not allowed", archive(&[pax(&[("hdrcharset", "BINARY")])])),
        (
            "pax record \"SCHILY.xattr.user.a\": is not allowed",
            archive(&[pax(&[("SCHILY.xattr.user.a", "b")])]),
        ),
        (
            "header at byte 1024: is no good extension",
            archive(&[member(b"x", b'x', b"12 path=b/x"), file("b/y")]),
        ),
        (
            "header at byte 1024: is no good extension",
            archive(&[member(b"x", b'x', b"99 path=b/x\n"), file("b/y")]),
        ),
        (
            "header at byte 1024: is no good extension",
            archive(&[member(b"x", b'x', b"1 path=b/x\n"), file("b/y")]),
        ),
        ("header at byte 1024: is no good extension", archive(&[member(b"x", b'x', b"0 \n"), file("b/y")])),
        (
            "header at byte 1024: is no good extension",
            archive(&[member(b"x", b'x', b"6 path\n"), file("b/y")]),
        ),
        (
            "header at byte 1024: is no good extension",
            archive(&[member(b"x", b'x', b"path=b/x\n"), file("b/y")]),
        ),
        (
            "header at byte 1024: is no good extension",
            archive(&[member(b"x", b'x', &[b'1'; 70_000]), file("b/y")]),
        ),
        (
            "header at byte 1024: is no good extension",
            archive(&[sized(b"x", b'L', 1 << 40, b""), file("b/y")]),
        ),
        (
            "header at byte 2048: is no good extension",
            archive(&[member(b"x", b'x', b"10 path=b\n").repeat(2)]),
        ),
        ("header at byte 2048: is no good extension", archive(&[member(b"x", b'L', b"b/x\0").repeat(2)])),
        ("header at byte 2048: is no good extension", archive(&[member(b"x", b'L', b"b/x\0")])),
        (
            "header at byte 2048: is no good extension",
            archive(&[member(b"x", b'L', b"b/x\0"), member(b"x", b'x', b"12 path=b/y\n"), file("b/z")]),
        ),
        // sizes, headers, ends
        ("more than 1099511627776 bytes in all files", archive(&[sized(b"b/a", b'0', (1 << 40) + 1, b"")])),
        ("more than 1099511627776 bytes in all files", archive(&[sized(b"b/a", b'0', u64::MAX, b"")])),
        ("the archive is cut off", archive(&[sized(b"b/a", b'0', 1 << 39, b"")])),
        ("the archive is cut off", file("b/a")),
        ("the archive is cut off", [file("b/a"), vec![0; 512]].concat()),
        ("the archive is cut off", [file("b/a"), vec![0; 1000]].concat()),
        ("the archive is cut off", file("b/a")[..1000].to_vec()),
        ("the archive is cut off", file("b/a")[..512].to_vec()),
        ("the archive goes on after its end", [archive(&[]), vec![b'x']].concat()),
        ("the archive goes on after its end", [archive(&[]), file("b/more"), vec![0; 1024]].concat()),
        (
            "the archive goes on after its end",
            [file("b/a"), vec![0; 512], file("b/more"), vec![0; 1024]].concat(),
        ),
        ("the archive goes on after its end", [archive(&[]), vec![0; (1 << 20) + 1]].concat()),
        ("the archive has something at byte 513", broken(600, b'x')),
        ("header at byte 1024: is not a tar header", broken(1024, b'c')),
        ("header at byte 1024: is not a tar header", broken(1024 + 124, b'x')),
        ("header at byte 1024: is not a tar header", broken(1024 + 257, b'U')),
        ("header at byte 0: is not a tar header", broken(148, b'x')),
    ];
    for (want, bytes) in table {
        let dir = tempfile::tempdir().unwrap();
        let got = unpacked(dir.path(), &bytes).map(|_| "no fault").unwrap_err().to_string();
        assert!(got.starts_with(want), "wanted {want:?}\n   got {got:?}");
        assert!(!dir.path().join("into").exists(), "{want:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{want:?}: something lies outside");
    }
}

#[test]
fn what_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    for (members, want) in [
        (vec![member(b"b/", b'5', b""), member(b"b/data/", b'5', b""), file("b/data/a")], "data/a"),
        (vec![pax(&[("path", "b/data/long"), ("size", "1"), ("mtime", "1.5"), ("uid", "7")])], "data/long"),
        (vec![gnu_long(b'L', b"b/data/long\0")], "data/long"),
        (vec![gnu_long(b'L', b"b/data/long")], "data/long"),
        (vec![member(b"b/data/a", b'\0', b"x")], "data/a"),
        (vec![file("b/data/a"), vec![0; 1 << 20]], "data/a"),
    ] {
        let into = unpacked(dir.path(), &archive(&members)).unwrap();
        assert_eq!(fs::read(into.join(want)).unwrap(), b"x", "{want}");
    }
    // an empty directory stays, so that the bag's check sees it
    let into = unpacked(dir.path(), &archive(&[member(b"b/data/empty/", b'5', b"")])).unwrap();
    assert!(matches!(bag::files(&into), Err(BagError::EmptyDirectory { path }) if path == "data/empty"));
}

#[test]
fn limits() {
    let dir = tempfile::tempdir().unwrap();
    let (place, into) = (dir.path().join("archive"), dir.path().join("into"));
    fs::write(&place, archive(&[file("b/data/x/y/a"), file("b/data/b")])).unwrap();
    let with = |files, bytes| {
        let got = unpack(&place, None, &into, Limits { files, bytes });
        let _ = fs::remove_dir_all(&into);
        got
    };
    // three files, three directories
    assert!(with(6, 3).is_ok());
    assert!(matches!(with(5, 3), Err(TransportError::TooManyFiles { limit: 5 })));
    assert!(matches!(with(6, 2), Err(TransportError::TooManyBytes { limit_bytes: 2 })));
}

#[test]
fn a_directory_that_is_there_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (place, into) = (dir.path().join("archive"), dir.path().join("into"));
    fs::write(&place, archive(&[])).unwrap();
    put(&into, "mine", b"");
    assert!(matches!(unpack(&place, None, &into, Limits::default()), Err(TransportError::Io { .. })));
    assert!(into.join("mine").exists());
}

#[test]
fn any_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let good =
        archive(&[pax(&[("path", "b/data/long")]), gnu_long(b'L', b"b/data/other\0"), file("b/data/a")]);
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..3000 {
        let mut bytes = good.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            bytes[at] = [b'/', b'.', b'0', b'x', 0, 0xff, b'1', b' '][random(8)];
        }
        // checksums that fit, so that more than they is tried
        for block in
            bytes.chunks_exact_mut(BLOCK_BYTES).filter(|block| block.starts_with(b"b/") || block[257] == b'u')
        {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let _ = unpacked(dir.path(), &bytes);
        assert!(fs::read_dir(dir.path()).unwrap().count() <= 2);
    }
}
