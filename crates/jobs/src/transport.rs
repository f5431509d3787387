//! A bag in transit (docs/provenance.md, "The bag"): its directory as one tar file, or that encrypted with
//! age to its recipients; and back.
//!
//! What is written is the same for the same bag: ustar, files alone, sorted, owner and time 0, mode 0644,
//! all below one base directory (draft-kunze-bagit-14 §4; RFC 8493 leaves serialization open). pax records
//! come only where a path or a size does not fit. age's own randomness makes each encryption another.
//!
//! What is read may come from anyone. Extraction trusts nothing: a new directory, regular files, the path
//! rules of a bag, limits, one meaning for each header. What the files are worth is for
//! [`comity_provenance::bag`] to say.

mod unpack;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamReader;
use age::x25519;
use comity_provenance::bag::{self, BagError, BagFile, NameFault};
use tar::{EntryType, Header};
use thiserror::Error;

/// How a bag comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a directory.
    Directory,
    /// As a tar file.
    Tar,
    /// As a file that age encrypted.
    Age,
}

/// How much is unpacked at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Number of files and directories.
    pub files: usize,
    /// Length of all files together, in bytes.
    pub bytes: u64,
}

impl Default for Limits {
    /// As many files as a bag may have; 1 TiB.
    fn default() -> Self {
        Self { files: bag::MAX_FILES, bytes: 1 << 40 }
    }
}

/// Recipients that one file is encrypted to, at most: all their stanzas fit into the header that is read.
pub const MAX_RECIPIENTS: usize = 256;
/// Length of an age header, the longest that is read, in bytes. age parses it again for each line of it.
const AGE_HEADER_BYTES: u64 = 64 << 10;
/// Beginning of an age file (age-encryption.org/v1).
const AGE_MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// Beginning of one in text armour, which we neither write nor read.
const ARMOUR_MAGIC: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// Unit of a tar file, in bytes.
const BLOCK_BYTES: usize = 512;
/// Length of the largest file whose size the octal digits of a header hold, in bytes.
const MAX_OCTAL_BYTES: u64 = 0o777_7777_7777;
/// How much is copied at a time, in bytes.
const COPY_BYTES: usize = 1 << 18;

/// Why a bag was not packed or unpacked. Paths inside an archive are escaped.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// What is to be packed is no bag's directory.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The package can't be written.
    #[error("the package can't be written: {0}")]
    Write(io::Error),
    /// The archive can't be read.
    #[error("the archive can't be read: {0}")]
    Read(io::Error),
    /// A name that no base directory may have.
    #[error("base directory {0:?}: one name of letters and digits of ASCII, . _ and - is wanted")]
    Base(String),
    /// There is nobody to encrypt to.
    #[error("no recipient is given")]
    NoRecipients,
    /// Too many to encrypt to.
    #[error("more than {MAX_RECIPIENTS} recipients")]
    TooManyRecipients,
    /// A text that is no recipient.
    #[error("recipient {0:?}: is not a public key of age (age1…)")]
    Recipient(String),
    /// age refused to encrypt.
    #[error("age: {0}")]
    Encrypt(age::EncryptError),
    /// A file of another kind.
    #[error("{}: is neither a directory, nor a tar file, nor encrypted with age", .0.display())]
    UnknownForm(PathBuf),
    /// An age file in text armour.
    #[error("{}: is an age file in text armour, which is not read; decode it with `age`", .0.display())]
    Armour(PathBuf),
    /// A directory, which needs no unpacking.
    #[error("{}: is a directory already", .0.display())]
    IsDirectory(PathBuf),
    /// An age file, and no identity to decrypt it with.
    #[error("{}: is encrypted, and no identity file is given", .0.display())]
    NoIdentity(PathBuf),
    /// An identity file that does not read.
    #[error("{}: is not an identity file of age", .0.display())]
    Identity(PathBuf),
    /// None of the identities opens it.
    #[error("{}: is not encrypted to any key of the identity file", .0.display())]
    NotForUs(PathBuf),
    /// An age header that does not end, or is too long.
    #[error("{}: has no age header that ends within {AGE_HEADER_BYTES} bytes", .0.display())]
    AgeHeader(PathBuf),
    /// age refused to decrypt.
    #[error("age: {0}")]
    Decrypt(age::DecryptError),
    /// Ciphertext that is not what was encrypted.
    #[error("the age file was altered or cut")]
    Altered,
    /// An archive that ends too early.
    #[error("the archive is cut off")]
    Truncated,
    /// Bytes other than zeros after the end, or very many zeros.
    #[error("the archive goes on after its end")]
    Trailing,
    /// A header that is not ustar, pax or GNU, or whose checksum does not fit.
    #[error("header at byte {at_bytes}: is not a tar header")]
    Header {
        /// Where it begins.
        at_bytes: u64,
    },
    /// Bytes other than zeros between a file and the next header.
    #[error("the archive has something at byte {at_bytes} that belongs to no file")]
    Padding {
        /// Where the padding begins.
        at_bytes: u64,
    },
    /// A path outside the rules.
    #[error("path \"{path}\" {fault}")]
    Name {
        /// The path.
        path: String,
        /// What is wrong.
        fault: NameFault,
    },
    /// A file outside the base directory, or a second base directory.
    #[error("{path}: all files must lie in one base directory")]
    OutsideBase {
        /// The path.
        path: String,
    },
    /// A hard or symbolic link.
    #[error("{path}: is a link")]
    Link {
        /// The path.
        path: String,
    },
    /// Neither a file nor a directory: a device, a pipe, a sparse file, a global header.
    #[error("{path}: is of type {kind:?}, neither a file nor a directory")]
    Kind {
        /// The path.
        path: String,
        /// Its type flag.
        kind: char,
    },
    /// A path that comes twice, or is a file and a directory.
    #[error("{path}: is in the archive twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// Two paths that are one where case does not count.
    #[error("{path}: clashes with {other}: paths must differ by more than case")]
    Collision {
        /// The one.
        path: String,
        /// The other.
        other: String,
    },
    /// More files than the limit.
    #[error("more than {limit} files and directories")]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// More bytes than the limit.
    #[error("more than {limit_bytes} bytes in all files")]
    TooManyBytes {
        /// The limit.
        limit_bytes: u64,
    },
    /// A long name or pax header that is too long, does not read, or comes twice for one file or for none.
    #[error("header at byte {at_bytes}: is no good extension of the header after it")]
    Extension {
        /// Where it begins.
        at_bytes: u64,
    },
    /// A pax record that changes what we do not want changed.
    #[error("pax record {key:?}: is not allowed")]
    PaxKey {
        /// Its key.
        key: String,
    },
    /// Two sizes for one file.
    #[error("{path}: has the size {size} in its header, {pax} in a pax record")]
    TwoSizes {
        /// The path.
        path: String,
        /// In the header, in bytes.
        size: u64,
        /// In the record, in bytes.
        pax: u64,
    },
}

impl TransportError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// How the bag at `path` comes, by what it begins with.
///
/// # Errors
/// Where it comes in none of the forms.
pub fn detect(path: &Path) -> Result<Form, TransportError> {
    let io = |e| TransportError::io(path, e);
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Ok(Form::Directory);
    }
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(BLOCK_BYTES as u64).read_to_end(&mut start).map_err(io)?;
    match start {
        _ if start.starts_with(AGE_MAGIC) => Ok(Form::Age),
        _ if start.starts_with(ARMOUR_MAGIC) => Err(TransportError::Armour(path.to_owned())),
        _ if start.get(257..262) == Some(b"ustar") => Ok(Form::Tar),
        _ => Err(TransportError::UnknownForm(path.to_owned())),
    }
}

/// Writes the bag's directory as a tar file, all below `base`.
///
/// # Errors
/// Where the directory has what no bag may have, or the disk refuses; then `out` is not to be used.
pub fn pack(bag: &Path, base: &str, out: impl Write) -> Result<(), TransportError> {
    let mut out = BufWriter::new(out);
    write_tar(bag, base, &mut out)?;
    out.flush().map_err(TransportError::Write)
}

/// The same, encrypted to `recipients` (`age1…`). Each of them can decrypt it; we can't.
///
/// # Errors
/// As [`pack`]; and where there is no recipient, too many, or one that is none.
pub fn pack_encrypted(
    bag: &Path,
    base: &str,
    recipients: &[String],
    out: impl Write,
) -> Result<(), TransportError> {
    if recipients.is_empty() {
        return Err(TransportError::NoRecipients);
    }
    if recipients.len() > MAX_RECIPIENTS {
        return Err(TransportError::TooManyRecipients);
    }
    let read = |text: &String| text.parse().map_err(|_| TransportError::Recipient(text.clone()));
    let keys: Vec<x25519::Recipient> = recipients.iter().map(read).collect::<Result<_, _>>()?;
    let keys = keys.iter().map(|key| key as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(keys).map_err(TransportError::Encrypt)?;
    let mut out = encryptor.wrap_output(BufWriter::new(out)).map_err(TransportError::Write)?;
    write_tar(bag, base, &mut out)?;
    // without `finish` the file would count as cut off
    out.finish().and_then(|mut out| out.flush()).map_err(TransportError::Write)
}

fn write_tar(bag: &Path, base: &str, out: &mut impl Write) -> Result<(), TransportError> {
    if base.contains('/') || bag::check_path(base).is_err() {
        return Err(TransportError::Base(base.to_owned()));
    }
    for file in bag::files(bag)? {
        write_headers(&format!("{base}/{}", file.path), file.bytes, out)?;
        write_file(bag, &file, out)?;
    }
    out.write_all(&[0; 2 * BLOCK_BYTES]).map_err(TransportError::Write)
}

fn write_headers(path: &str, bytes: u64, out: &mut impl Write) -> Result<(), TransportError> {
    bag::check_path(path).map_err(|fault| TransportError::Name { path: path.to_owned(), fault })?;
    let mut records = String::new();
    let mut header = new_header(EntryType::Regular, bytes);
    if header.set_path(path).is_err() {
        records += &pax_record("path", path);
        // readers that do not know pax get what fits
        header = new_header(EntryType::Regular, bytes);
        let name = header.as_old_mut().name.iter_mut();
        name.zip(path.bytes()).for_each(|(to, from)| *to = from);
    }
    if bytes > MAX_OCTAL_BYTES {
        // the header has the same size in binary, as GNU tar writes it, so no reader sees another
        records += &pax_record("size", &bytes.to_string());
    }
    if !records.is_empty() {
        let mut pax = new_header(EntryType::XHeader, records.len() as u64);
        pax.set_path("PaxHeaders").map_err(TransportError::Write)?;
        pax.set_cksum();
        out.write_all(pax.as_bytes()).map_err(TransportError::Write)?;
        out.write_all(records.as_bytes()).map_err(TransportError::Write)?;
        pad(records.len() as u64, out)?;
    }
    header.set_cksum();
    out.write_all(header.as_bytes()).map_err(TransportError::Write)
}

fn new_header(kind: EntryType, bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// `length key=value` and LF (POSIX.1-2024, pax, "pax Extended Header"); the length counts its own digits.
fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn write_file(bag: &Path, file: &BagFile, out: &mut impl Write) -> Result<(), TransportError> {
    let mut input = bag::open_file(bag, &file.path)?.take(file.bytes);
    let mut block = copy_block(file.bytes);
    loop {
        match input.read(&mut block) {
            Ok(0) => break,
            Ok(bytes) => {
                out.write_all(block.get(..bytes).unwrap_or_default()).map_err(TransportError::Write)?
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(TransportError::io(&bag.join(&file.path), e)),
        }
    }
    if input.limit() > 0 {
        return Err(BagError::Changed { path: file.path.clone() }.into());
    }
    pad(file.bytes, out)
}

/// Room to copy so many bytes.
fn copy_block(bytes: u64) -> Vec<u8> {
    vec![0; COPY_BYTES.min(usize::try_from(bytes).unwrap_or(COPY_BYTES))]
}

/// Fills the last block of `bytes` with zeros.
fn pad(bytes: u64, out: &mut impl Write) -> Result<(), TransportError> {
    out.write_all(&[0; BLOCK_BYTES][..padding(bytes)]).map_err(TransportError::Write)
}

/// Bytes from the end of so many to the end of their block.
fn padding(bytes: u64) -> usize {
    let over = usize::try_from(bytes % BLOCK_BYTES as u64).unwrap_or(0);
    (BLOCK_BYTES - over) % BLOCK_BYTES
}

/// Unpacks a tar file, encrypted or not, into the new directory `into`, which becomes the bag's; the base
/// directory's own name is dropped. `identities` is an identity file of age.
///
/// # Errors
/// At the first thing that is not as it must be; then `into` is removed.
pub fn unpack(
    archive: &Path,
    identities: Option<&Path>,
    into: &Path,
    limits: Limits,
) -> Result<(), TransportError> {
    let input: Box<dyn Read> = match detect(archive)? {
        Form::Directory => return Err(TransportError::IsDirectory(archive.to_owned())),
        Form::Tar => {
            let input = File::open(archive).map_err(|e| TransportError::io(archive, e))?;
            Box::new(BufReader::with_capacity(COPY_BYTES, input))
        }
        Form::Age => {
            let identities = identities.ok_or_else(|| TransportError::NoIdentity(archive.to_owned()))?;
            Box::new(decrypted(archive, identities)?)
        }
    };
    fs::create_dir(into).map_err(|e| TransportError::io(into, e))?;
    unpack::extract(input, into, limits).inspect_err(|_| {
        // it was ours alone; what can't be removed now is half a bag, which no check takes for one
        let _ = fs::remove_dir_all(into);
    })
}

/// What an age file holds, as it is decrypted.
fn decrypted(archive: &Path, identities: &Path) -> Result<StreamReader<BufReader<File>>, TransportError> {
    let file = File::open(identities).map_err(|e| TransportError::io(identities, e))?;
    let keys = age::IdentityFile::from_buffer(BufReader::new(file)).ok();
    let keys = keys.and_then(|keys| keys.into_identities().ok()).filter(|keys| !keys.is_empty());
    let keys = keys.ok_or_else(|| TransportError::Identity(identities.to_owned()))?;

    let mut file = File::open(archive).map_err(|e| TransportError::io(archive, e))?;
    check_age_header(archive, &mut file)?;
    let input = BufReader::with_capacity(COPY_BYTES, file);
    let decryptor = age::Decryptor::new_buffered(input).map_err(TransportError::Decrypt)?;
    let keys = keys.iter().map(|key| &**key as &dyn age::Identity);
    decryptor.decrypt(keys).map_err(|e| match e {
        age::DecryptError::NoMatchingKeys => TransportError::NotForUs(archive.to_owned()),
        other => TransportError::Decrypt(other),
    })
}

/// Refuses an age file whose header is long: age would hold all of it, and parse it again for each line.
/// A line that begins with `---` ends the header, with 43 digits of base64, or is a fault of it.
fn check_age_header(archive: &Path, file: &mut File) -> Result<(), TransportError> {
    let mut start = Vec::new();
    Read::by_ref(file)
        .take(AGE_HEADER_BYTES)
        .read_to_end(&mut start)
        .and_then(|_| file.rewind())
        .map_err(|e| TransportError::io(archive, e))?;
    let mut lines = start.split_inclusive(|b| *b == b'\n');
    match lines.find(|line| line.starts_with(b"---")) {
        Some(line) if line.len() == 48 && line.ends_with(b"\n") => Ok(()),
        _ => Err(TransportError::AgeHeader(archive.to_owned())),
    }
}

#[cfg(test)]
mod tests;
