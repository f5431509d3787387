//! A tar file, read block by block: ustar (POSIX.1-2024, pax, "ustar Interchange Format"), with pax
//! headers and GNU long names where they only spell a path or size that does not fit.
//!
//! Read here and not by `tar::Archive`, which holds whole pax headers and long names in memory, gives the
//! pax size without saying that the header has another, and takes an archive that ends anywhere for whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use comity_provenance::bag::{self, NameFault};
use tar::Header;

use super::{BLOCK_BYTES, Limits, MAX_OCTAL_BYTES, TransportError, copy_block, padding};

/// Length of the longest pax header or long name, in bytes.
const MAX_EXTENSION_BYTES: u64 = 64 << 10;
/// Zeros after the end, at most, in bytes: GNU tar fills up to 10 KiB, tapes to more.
const MAX_END_BYTES: u64 = 1 << 20;
/// Keys of pax that change nothing which is kept.
const IGNORED_KEYS: [&str; 7] = ["atime", "ctime", "mtime", "uid", "gid", "uname", "gname"];

/// Unpacks all files below the base directory into the empty directory `into`.
pub(super) fn extract(input: impl Read, into: &Path, limits: Limits) -> Result<(), TransportError> {
    let mut archive = Archive { input, at_bytes: 0 };
    let mut tree = Tree { into, limits, made: 0, left_bytes: limits.bytes, files: Vec::new() };
    let mut base: Option<String> = None;
    while let Some(entry) = archive.next()? {
        let (top, rest) = entry.path.split_once('/').unwrap_or((&entry.path, ""));
        if base.get_or_insert_with(|| top.to_owned()) != top || (rest.is_empty() && !entry.directory) {
            return Err(TransportError::OutsideBase { path: entry.path });
        }
        if entry.directory {
            tree.make_directory(rest)?;
        } else {
            let (place, mut file) = tree.make_file(rest, entry.bytes)?;
            archive.copy(entry.bytes, |block| {
                file.write_all(block).map_err(|e| TransportError::io(&place, e))
            })?;
        }
    }
    archive.end()?;
    tree.refuse_collision()
}

/// What was made so far.
struct Tree<'a> {
    into: &'a Path,
    limits: Limits,
    /// Number of files and directories; deep paths make many.
    made: usize,
    left_bytes: u64,
    files: Vec<String>,
}

impl Tree<'_> {
    /// Makes a directory and those above it. An empty one stays, for the bag's check to refuse.
    fn make_directory(&mut self, path: &str) -> Result<(), TransportError> {
        let mut place = self.into.to_owned();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            place.push(part);
            match fs::create_dir(&place) {
                Ok(()) => self.count()?,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && place.is_dir() => {}
                Err(e) => return Err(self.existing(&place, e)),
            }
        }
        Ok(())
    }

    /// Makes a file that will have so many bytes.
    fn make_file(&mut self, path: &str, bytes: u64) -> Result<(PathBuf, File), TransportError> {
        self.count()?;
        let left = self.left_bytes.checked_sub(bytes);
        self.left_bytes = left.ok_or(TransportError::TooManyBytes { limit_bytes: self.limits.bytes })?;
        if let Some((parent, _)) = path.rsplit_once('/')
            && !self.into.join(parent).is_dir()
        {
            self.make_directory(parent)?;
        }
        let place = self.into.join(path);
        let file = File::create_new(&place).map_err(|e| self.existing(&place, e))?;
        self.files.push(path.to_owned());
        Ok((place, file))
    }

    fn count(&mut self) -> Result<(), TransportError> {
        self.made += 1;
        if self.made > self.limits.files {
            return Err(TransportError::TooManyFiles { limit: self.limits.files });
        }
        Ok(())
    }

    /// The error for what can't be made because a file is there.
    fn existing(&self, place: &Path, error: io::Error) -> TransportError {
        match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                let path = place.strip_prefix(self.into).unwrap_or(place);
                TransportError::Duplicate { path: path.display().to_string() }
            }
            _ => TransportError::io(place, error),
        }
    }

    fn refuse_collision(&self) -> Result<(), TransportError> {
        let mut paths: Vec<&str> = self.files.iter().map(String::as_str).collect();
        match bag::collision(&mut paths) {
            Some((other, path)) => Err(TransportError::Collision { path: path.into(), other: other.into() }),
            None => Ok(()),
        }
    }
}

/// A file or a directory.
struct Entry {
    path: String,
    bytes: u64,
    directory: bool,
}

/// What headers before an entry's own say of it.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    bytes: Option<u64>,
    pax: bool,
}

struct Archive<R> {
    input: R,
    at_bytes: u64,
}

impl<R: Read> Archive<R> {
    /// The next file or directory; none at the first block of zeros.
    fn next(&mut self) -> Result<Option<Entry>, TransportError> {
        let mut extension = Extension::default();
        let mut extended = false;
        loop {
            let at_bytes = self.at_bytes;
            let block = self.block()?;
            if block == [0; BLOCK_BYTES] {
                return if extended { Err(TransportError::Extension { at_bytes }) } else { Ok(None) };
            }
            let header = Header::from_byte_slice(&block);
            check_header(header).ok_or(TransportError::Header { at_bytes })?;
            let bytes = header.entry_size().map_err(|_| TransportError::Header { at_bytes })?;
            let bad = || TransportError::Extension { at_bytes };
            match header.as_old().linkflag {
                [b'x'] if !extension.pax => {
                    extension.pax = true;
                    let records = self.extension(bytes, at_bytes)?;
                    read_pax(&records, &mut extension).map_err(|key| key.map_or_else(bad, pax_key))?;
                }
                [b'L'] if extension.path.is_none() => {
                    let mut name = self.extension(bytes, at_bytes)?;
                    name.pop_if(|last| *last == 0);
                    extension.path = Some(name);
                }
                [b'x' | b'L'] => return Err(bad()),
                kind => return entry(header, kind, bytes, extension).map(Some),
            }
            extended = true;
        }
    }

    fn block(&mut self) -> Result<[u8; BLOCK_BYTES], TransportError> {
        let mut block = [0; BLOCK_BYTES];
        self.input.read_exact(&mut block).map_err(read_error)?;
        self.at_bytes = self.at_bytes.saturating_add(BLOCK_BYTES as u64);
        Ok(block)
    }

    fn extension(&mut self, bytes: u64, at_bytes: u64) -> Result<Vec<u8>, TransportError> {
        if bytes > MAX_EXTENSION_BYTES {
            return Err(TransportError::Extension { at_bytes });
        }
        let mut body = Vec::new();
        self.copy(bytes, |block| {
            body.extend_from_slice(block);
            Ok(())
        })?;
        Ok(body)
    }

    /// Hands on so many bytes, and reads the zeros after them.
    fn copy(
        &mut self,
        bytes: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        let mut block = copy_block(bytes);
        let mut left_bytes = bytes;
        while left_bytes > 0 {
            let length = block.len().min(usize::try_from(left_bytes).unwrap_or(usize::MAX));
            let part = block.get_mut(..length).unwrap_or_default();
            self.input.read_exact(part).map_err(read_error)?;
            take(part)?;
            left_bytes -= part.len() as u64;
        }
        self.at_bytes = self.at_bytes.saturating_add(bytes);
        let mut rest = [0; BLOCK_BYTES];
        let rest = &mut rest[..padding(bytes)];
        self.input.read_exact(rest).map_err(read_error)?;
        if rest.iter().any(|b| *b != 0) {
            return Err(TransportError::Padding { at_bytes: self.at_bytes });
        }
        self.at_bytes = self.at_bytes.saturating_add(rest.len() as u64);
        Ok(())
    }

    /// Reads the second block of zeros, and zeros to the end of the input; of an age file this is where
    /// its last chunk is found to be the last.
    fn end(&mut self) -> Result<(), TransportError> {
        if self.block()? != [0; BLOCK_BYTES] {
            return Err(TransportError::Trailing);
        }
        let mut rest = Vec::new();
        let read = Read::by_ref(&mut self.input).take(MAX_END_BYTES + 1).read_to_end(&mut rest);
        let read = read.map_err(read_error)? as u64;
        if read > MAX_END_BYTES || rest.iter().any(|b| *b != 0) {
            return Err(TransportError::Trailing);
        }
        Ok(())
    }
}

fn read_error(error: io::Error) -> TransportError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => TransportError::Truncated,
        // what age says of a chunk that does not authenticate; a plain file gives no such error
        io::ErrorKind::InvalidData => TransportError::Altered,
        _ => TransportError::Read(error),
    }
}

/// Whether the format is known and the checksum fits.
fn check_header(header: &Header) -> Option<()> {
    header.as_ustar().map(|_| ()).or(header.as_gnu().map(|_| ()))?;
    let sum = |range: Range<usize>| header.as_bytes()[range].iter().map(|b| u32::from(*b)).sum::<u32>();
    // of the checksum itself, eight spaces are counted
    (header.cksum().ok()? == sum(0..148) + 8 * u32::from(b' ') + sum(156..BLOCK_BYTES)).then_some(())
}

fn entry(header: &Header, [kind]: [u8; 1], size: u64, extension: Extension) -> Result<Entry, TransportError> {
    let directory = kind == b'5';
    let path = extension.path.unwrap_or_else(|| header.path_bytes().into_owned());
    let path = if directory { path.strip_suffix(b"/").unwrap_or(&path) } else { &path };
    let shown = || String::from_utf8_lossy(path).escape_debug().to_string();
    match kind {
        b'0' | b'\0' | b'5' => {}
        b'1' | b'2' => return Err(TransportError::Link { path: shown() }),
        other => return Err(TransportError::Kind { path: shown(), kind: char::from(other) }),
    }
    let text = std::str::from_utf8(path).map_err(|_| NameFault::NotUtf8);
    let text = text.and_then(|path| bag::check_path(path).map(|()| path));
    let path = text.map_err(|fault| TransportError::Name { path: shown(), fault })?.to_owned();
    let bytes = match extension.bytes {
        // only where the octal digits of the header can't hold it may the record differ
        Some(pax) if pax != size && pax <= MAX_OCTAL_BYTES => {
            return Err(TransportError::TwoSizes { path, size, pax });
        }
        Some(pax) => pax,
        None => size,
    };
    // a directory's size is no content (POSIX), but readers differ
    if directory && bytes != 0 {
        return Err(TransportError::Kind { path, kind: char::from(kind) });
    }
    Ok(Entry { path, bytes, directory })
}

fn pax_key(key: String) -> TransportError {
    TransportError::PaxKey { key }
}

/// Reads the records of a pax header; an error has the key that is not allowed, if it is that.
fn read_pax(mut records: &[u8], extension: &mut Extension) -> Result<(), Option<String>> {
    while !records.is_empty() {
        let (key, value, rest) = pax_record(records).ok_or(None)?;
        match key {
            "path" if extension.path.is_none() => extension.path = Some(value.to_owned()),
            "size" if extension.bytes.is_none() => extension.bytes = Some(number(value).ok_or(None)?),
            "path" | "size" => return Err(None),
            key if IGNORED_KEYS.contains(&key) => {}
            key => return Err(Some(key.to_owned())),
        }
        records = rest;
    }
    Ok(())
}

/// The first record, `length key=value` and LF, and what comes after it.
fn pax_record(records: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let digits = records.iter().position(|b| *b == b' ')?;
    let length = usize::try_from(number(records.get(..digits)?)?).ok()?;
    let record = records.get(digits + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|b| *b == b'=')?;
    let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
    Some((std::str::from_utf8(key).ok()?, value, records.get(length..)?))
}

fn number(digits: &[u8]) -> Option<u64> {
    comity_provenance::decimal(std::str::from_utf8(digits).ok()?)
}
