//! Reading a bag: level 0 but for the seal.
//!
//! Links are not followed. A file with further hard links is taken: what is checked is its bytes, and
//! those are hashed again whenever they are read later, whoever else may write to them; to refuse it
//! would turn away bags that were copied with `cp -l` or that link to the originals of a case.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::manifest::{is_payload, parse, refuse_collision};
use super::{
    BAG_INFO, BAGIT, BAGIT_TXT, BagError, BagInfo, DATA, MANIFEST, MAX_FILES, MAX_MANIFEST_BYTES,
    MAX_TAG_FILE_BYTES, NameFault, PayloadFile, SEAL, TAG_MANIFEST, TIME_STAMP, check_path, info,
    total_bytes,
};
use crate::{Sha256Digest, Sha256Hasher};

/// How much is read and hashed at a time, in bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// A regular file of a bag's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagFile {
    /// Path from the bag's directory.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// All files of a bag's directory, sorted bytewise by path; none is opened.
///
/// # Errors
/// Where anything is there that no bag may have: see [`BagError`], `Name` to `NotAllowed`.
pub fn files(dir: &Path) -> Result<Vec<BagFile>, BagError> {
    files_within(dir, MAX_FILES)
}

fn files_within(dir: &Path, limit: usize) -> Result<Vec<BagFile>, BagError> {
    if !fs::metadata(dir).map_err(|e| BagError::io(dir, e))?.is_dir() {
        return Err(BagError::NotADirectory(dir.to_owned()));
    }
    let (mut files, mut directories) = (Vec::new(), 0);
    let mut pending = vec![String::new()];
    while let Some(parent) = pending.pop() {
        for path in listing(dir, &parent, limit)? {
            let place = dir.join(&path);
            let metadata = fs::symlink_metadata(&place).map_err(|e| BagError::io(&place, e))?;
            if metadata.is_dir() && (path == DATA || is_payload(&path)) {
                pending.push(path);
                directories += 1;
            } else {
                refuse(&path, &metadata)?;
                files.push(BagFile { path, bytes: metadata.len() });
            }
            if files.len() > limit || directories > limit {
                return Err(BagError::TooManyFiles { path: DATA.into() });
            }
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    refuse_collision(files.iter().map(|file| file.path.as_str()).collect())?;
    Ok(files)
}

/// Paths of what lies in a directory of the bag, sorted so that of several faults the same one is told.
fn listing(dir: &Path, parent: &str, limit: usize) -> Result<Vec<String>, BagError> {
    let place = dir.join(parent);
    let mut paths = Vec::new();
    for entry in fs::read_dir(&place).map_err(|e| BagError::io(&place, e))? {
        let name = entry.map_err(|e| BagError::io(&place, e))?.file_name();
        let Some(name) = name.to_str() else {
            return Err(BagError::name(&below(parent, &name.to_string_lossy()), NameFault::NotUtf8));
        };
        let path = below(parent, name);
        check_path(&path).map_err(|fault| BagError::name(&path, fault))?;
        if paths.len() == limit {
            return Err(BagError::TooManyFiles { path: if parent.is_empty() { "." } else { parent }.into() });
        }
        paths.push(path);
    }
    if paths.is_empty() && !parent.is_empty() {
        return Err(BagError::EmptyDirectory { path: parent.to_owned() });
    }
    paths.sort_unstable();
    Ok(paths)
}

fn below(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

/// Refuses what is no regular file, and files beside `data` that are not ours.
fn refuse(path: &str, metadata: &Metadata) -> Result<(), BagError> {
    let owned = path.to_owned();
    if metadata.is_symlink() {
        return Err(BagError::Link { path: owned });
    }
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(BagError::Special { path: owned });
    }
    if metadata.is_dir() {
        return Err(BagError::NotAllowed { path: owned });
    }
    match path {
        BAGIT | BAG_INFO | MANIFEST | TAG_MANIFEST | SEAL | TIME_STAMP => Ok(()),
        _ if is_payload(path) => Ok(()),
        "fetch.txt" => Err(BagError::Fetch),
        _ if path.ends_with(".txt")
            && (path.starts_with("manifest-") || path.starts_with("tagmanifest-")) =>
        {
            Err(BagError::OtherManifest { path: owned })
        }
        _ => Err(BagError::NotAllowed { path: owned }),
    }
}

/// Opens a regular file of a bag, not through a link that was put in its place meanwhile. (A link in place
/// of a directory above it is not noticed here: the digest decides what the bytes may be.)
///
/// # Errors
/// Where it is not a regular file, or the system refuses.
pub fn open_file(dir: &Path, path: &str) -> Result<File, BagError> {
    let place = dir.join(path);
    let io = |e| BagError::io(&place, e);
    let before = fs::symlink_metadata(&place).map_err(io)?;
    if !before.is_file() {
        return Err(BagError::Changed { path: path.to_owned() });
    }
    let file = File::open(&place).map_err(io)?;
    let after = file.metadata().map_err(io)?;
    if (before.dev(), before.ino()) != (after.dev(), after.ino()) {
        return Err(BagError::Changed { path: path.to_owned() });
    }
    Ok(file)
}

/// A bag that is complete and well formed, its payload not yet hashed.
#[derive(Debug)]
pub struct Bag {
    dir: PathBuf,
    info: BagInfo,
    payload: Vec<PayloadFile>,
    tag_manifest: Vec<u8>,
    seal: Option<Vec<u8>>,
    time_stamp: Option<Vec<u8>>,
}

impl Bag {
    /// Reads the tag files of the bag at `dir` and holds them against each other and against what lies there.
    ///
    /// # Errors
    /// The first fault.
    pub fn open(dir: &Path) -> Result<Self, BagError> {
        let files = files(dir)?;
        let tags = Tags { dir, files: &files };
        let tag_manifest = tags.need(TAG_MANIFEST)?;
        let listed = parse(TAG_MANIFEST, &tag_manifest)?;
        compare(TAG_MANIFEST, &listed, &[BAG_INFO, BAGIT, MANIFEST], |_| false)?;
        let mut texts = Vec::new();
        for (path, stated) in &listed {
            let bytes = tags.need(path)?;
            expect(path, TAG_MANIFEST, *stated, Sha256Digest::of(&bytes))?;
            texts.push(bytes);
        }
        let [info, declaration, manifest] = &texts[..] else {
            return Err(BagError::Absent { path: TAG_MANIFEST.into() });
        };
        if declaration != BAGIT_TXT.as_bytes() {
            return Err(BagError::Declaration);
        }
        let payload = payload(manifest, &files)?;
        let (info, stated) = BagInfo::parse(info)?;
        let found = info::oxum_text((total_bytes(&payload), payload.len()));
        if stated != found {
            return Err(BagError::Oxum { stated, found });
        }
        let (seal, time_stamp) = (tags.read(SEAL)?, tags.read(TIME_STAMP)?);
        if time_stamp.is_some() && seal.is_none() {
            return Err(BagError::StampWithoutSeal);
        }
        Ok(Self { dir: dir.to_owned(), info, payload, tag_manifest, seal, time_stamp })
    }

    /// Length of the payload in bytes: what [`Bag::check`] will hash.
    pub fn payload_bytes(&self) -> u64 {
        total_bytes(&self.payload)
    }

    /// Hashes the payload. `progress` is told of each block, how many bytes it had.
    ///
    /// # Errors
    /// At the first file whose bytes are not those of the manifest, or that can't be read.
    pub fn check(self, mut progress: impl FnMut(u64)) -> Result<Checked, BagError> {
        let mut block = vec![0; BLOCK_BYTES];
        for file in &self.payload {
            let mut reader = CheckedReader::open(&self.dir, file)?;
            loop {
                match reader.next(&mut block)? {
                    0 => break,
                    bytes => progress(u64::try_from(bytes).unwrap_or(u64::MAX)),
                }
            }
        }
        Ok(Checked(self))
    }
}

/// The tag files of a bag's directory.
struct Tags<'a> {
    dir: &'a Path,
    files: &'a [BagFile],
}

impl Tags<'_> {
    fn need(&self, path: &str) -> Result<Vec<u8>, BagError> {
        self.read(path)?.ok_or_else(|| BagError::Absent { path: path.to_owned() })
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, BagError> {
        let Ok(place) = self.files.binary_search_by(|file| file.path.as_str().cmp(path)) else {
            return Ok(None);
        };
        let limit_bytes = if path == MANIFEST { MAX_MANIFEST_BYTES } else { MAX_TAG_FILE_BYTES };
        let length_bytes = self.files.get(place).map_or(0, |file| file.bytes);
        if length_bytes > limit_bytes {
            return Err(BagError::TooLarge { path: path.to_owned(), limit_bytes });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length_bytes).unwrap_or(0));
        let read = open_file(self.dir, path)?.take(length_bytes + 1).read_to_end(&mut bytes);
        let read = read.map_err(|e| BagError::io(&self.dir.join(path), e))?;
        if u64::try_from(read).ok() != Some(length_bytes) {
            return Err(BagError::Changed { path: path.to_owned() });
        }
        Ok(Some(bytes))
    }
}

fn payload(manifest: &[u8], files: &[BagFile]) -> Result<Vec<PayloadFile>, BagError> {
    let listed = parse(MANIFEST, manifest)?;
    let files: Vec<&BagFile> = files.iter().filter(|file| is_payload(&file.path)).collect();
    if files.is_empty() {
        return Err(BagError::Absent { path: DATA.into() });
    }
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    compare(MANIFEST, &listed, &paths, is_payload)?;
    let both = listed.into_iter().zip(files);
    Ok(both.map(|((path, sha256), file)| PayloadFile { path, sha256, bytes: file.bytes }).collect())
}

/// Holds what a manifest lists against what is there, both sorted.
fn compare(
    manifest: &'static str,
    listed: &[(String, Sha256Digest)],
    there: &[&str],
    belongs: impl Fn(&str) -> bool,
) -> Result<(), BagError> {
    let mut there = there.iter().peekable();
    for (path, _) in listed {
        match there.next_if(|next| **next <= path.as_str()) {
            Some(next) if *next == path => {}
            Some(next) => return Err(BagError::Unlisted { path: (*next).to_owned(), manifest }),
            None if belongs(path) => return Err(BagError::Missing { path: path.clone(), manifest }),
            None => return Err(BagError::Misplaced { path: path.clone(), manifest }),
        }
    }
    match there.next() {
        Some(next) => Err(BagError::Unlisted { path: (*next).to_owned(), manifest }),
        None => Ok(()),
    }
}

fn expect(
    path: &str,
    manifest: &'static str,
    stated: Sha256Digest,
    found: Sha256Digest,
) -> Result<(), BagError> {
    if stated == found {
        return Ok(());
    }
    Err(BagError::Digest { path: path.to_owned(), manifest, stated, found })
}

/// A bag whose payload was hashed and is that of its manifest. Whether the manifest is what someone
/// sealed is not known here.
#[derive(Debug)]
pub struct Checked(Bag);

impl Checked {
    /// The bag's directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The metadata.
    pub fn info(&self) -> &BagInfo {
        &self.0.info
    }

    /// The payload, sorted bytewise by path.
    pub fn payload(&self) -> &[PayloadFile] {
        &self.0.payload
    }

    /// The file of the payload at `path`, if it is there.
    pub fn file(&self, path: &str) -> Option<&PayloadFile> {
        let place = self.0.payload.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.0.payload.get(place)
    }

    /// The bytes of `tagmanifest-sha256.txt`, which the seal is over.
    pub fn tag_manifest(&self) -> &[u8] {
        &self.0.tag_manifest
    }

    /// The bytes of the seal, where there is one.
    pub fn seal(&self) -> Option<&[u8]> {
        self.0.seal.as_deref()
    }

    /// The bytes of the seal's time stamp, where there is one.
    pub fn time_stamp(&self) -> Option<&[u8]> {
        self.0.time_stamp.as_deref()
    }

    /// The bytes of a file of the payload, hashed as they are read: what is given is what was checked.
    ///
    /// # Errors
    /// Where it is not in the payload, is longer than `limit_bytes`, or changed.
    pub fn read(&self, path: &str, limit_bytes: u64) -> Result<Vec<u8>, BagError> {
        let file = self.need(path)?;
        if file.bytes > limit_bytes {
            return Err(BagError::TooLarge { path: path.to_owned(), limit_bytes });
        }
        let mut bytes = vec![0; usize::try_from(file.bytes).unwrap_or(usize::MAX)];
        let mut reader = CheckedReader::open(&self.0.dir, file)?;
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += reader.next(rest)?;
        }
        // the end of the file is where its digest is judged
        reader.next(&mut [0])?;
        Ok(bytes)
    }

    /// Opens a file of the payload. At its end the reader gives an error of kind `InvalidData`, with
    /// the [`BagError`], where the bytes were not those that were checked; so trust nothing before.
    ///
    /// # Errors
    /// Where it is not in the payload, or can't be opened.
    pub fn open(&self, path: &str) -> Result<CheckedReader, BagError> {
        CheckedReader::open(&self.0.dir, self.need(path)?)
    }

    fn need(&self, path: &str) -> Result<&PayloadFile, BagError> {
        let file = self.file(path);
        file.ok_or_else(|| BagError::NotInPayload { path: path.escape_debug().to_string() })
    }
}

/// A file of the payload, hashed as it is read.
#[derive(Debug)]
pub struct CheckedReader {
    file: File,
    place: PathBuf,
    stated: PayloadFile,
    left_bytes: u64,
    hasher: Sha256Hasher,
}

impl CheckedReader {
    fn open(dir: &Path, stated: &PayloadFile) -> Result<Self, BagError> {
        Ok(Self {
            file: open_file(dir, &stated.path)?,
            place: dir.join(&stated.path),
            stated: stated.clone(),
            left_bytes: stated.bytes,
            hasher: Sha256Hasher::default(),
        })
    }

    /// Reads some bytes into a block that is not empty; 0 at the end, after the digest was found right.
    fn next(&mut self, block: &mut [u8]) -> Result<usize, BagError> {
        let read = loop {
            match self.file.read(block) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|e| BagError::io(&self.place, e))?,
            }
        };
        let PayloadFile { path, sha256, .. } = &self.stated;
        let left = self.left_bytes.checked_sub(u64::try_from(read).unwrap_or(u64::MAX));
        match left.filter(|left| read > 0 || *left == 0) {
            Some(left) => self.left_bytes = left,
            None => return Err(BagError::Changed { path: path.clone() }),
        }
        if read == 0 {
            expect(path, MANIFEST, *sha256, self.hasher.clone().finish())?;
        }
        self.hasher.update(block.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl Read for CheckedReader {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        if block.is_empty() {
            return Ok(0);
        }
        self.next(block).map_err(|e| match e {
            BagError::Io { source, .. } => source,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..3 {
            let sub = dir.path().join(format!("data/{n}"));
            fs::create_dir_all(&sub).unwrap();
            fs::write(sub.join("file"), "").unwrap();
        }
        assert_eq!(files_within(dir.path(), 4).unwrap().len(), 3);
        for limit in 0..=3 {
            let found = files_within(dir.path(), limit);
            assert!(matches!(found, Err(BagError::TooManyFiles { .. })), "{limit}: {found:?}");
        }
    }
}
