//! The package: BagIt 1.0 (RFC 8493) with SHA-256 alone, and stricter (docs/provenance.md, "The bag").
//!
//! ```text
//! bagit.txt  bag-info.txt  manifest-sha256.txt  tagmanifest-sha256.txt
//! tagmanifest-sha256.txt.sig  [tagmanifest-sha256.txt.sig.tsr]  data/…
//! ```
//!
//! A line of a manifest is 64 lower-case hexadecimal digits, two spaces, a path and LF; lines are sorted
//! bytewise. Nothing may be there that is not listed, but the seal and its time stamp. Refused are
//! links, special files, directories without files, `fetch.txt`, a second algorithm, names outside
//! `[A-Za-z0-9._/-]` or that clash without case, and every other spelling of what is written here.
//!
//! [`tag_files`] gives the texts for a payload; the caller writes them. [`Bag`] reads: [`Bag::open`]
//! settles all but the payload's digests, [`Bag::check`] those. The seal is the caller's to check, over
//! [`Checked::tag_manifest`].

mod info;
mod manifest;
mod name;
mod read;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::Sha256Digest;
pub use info::{BagInfo, BagKind, PROFILE, ValueFault, hidden, text_fault};
pub use manifest::{BAGIT_TXT, tag_files};
pub use name::{MAX_PATH_BYTES, NameFault, check_path, collision};
pub use read::{Bag, BagFile, Checked, CheckedReader, files, open_file};

/// Files that a bag may have, tag files counted; and directories.
pub const MAX_FILES: usize = 1_000_000;
/// Size of the longest manifest that is read or written: `MAX_FILES` lines of 200 bytes and more.
pub const MAX_MANIFEST_BYTES: u64 = 256 << 20;
/// Size of the largest other tag file that is read, and of the seal and its time stamp.
pub const MAX_TAG_FILE_BYTES: u64 = 64 << 10;

/// The declaration.
pub const BAGIT: &str = "bagit.txt";
/// The metadata.
pub const BAG_INFO: &str = "bag-info.txt";
/// The manifest of the payload.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// The manifest of the three files before; what the seal is over.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// The seal.
pub const SEAL: &str = "tagmanifest-sha256.txt.sig";
/// The time stamp (RFC 3161) over the seal.
pub const TIME_STAMP: &str = "tagmanifest-sha256.txt.sig.tsr";
/// The directory of the payload.
pub const DATA: &str = "data";

/// A file of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadFile {
    /// Path from the bag's directory, `data/…`.
    pub path: String,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Why a directory is no bag of ours, or a bag can't be made. Paths are relative to the bag, escaped
/// where they break the rules; but of [`BagError::Io`] and [`BagError::NotADirectory`].
#[derive(Debug, Error)]
pub enum BagError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The bag is no directory.
    #[error("{}: is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A path outside the rules.
    #[error("path \"{path}\" {fault}")]
    Name {
        /// The path.
        path: String,
        /// What is wrong.
        fault: NameFault,
    },
    /// Two paths that are one where case does not count, or a file where the other needs a directory.
    #[error("{path}: clashes with {other}: paths must differ by more than case")]
    Collision {
        /// The one.
        path: String,
        /// The other.
        other: String,
    },
    /// A symbolic link.
    #[error("{path}: is a link")]
    Link {
        /// Where.
        path: String,
    },
    /// A device, a pipe or a socket.
    #[error("{path}: is neither a file nor a directory")]
    Special {
        /// Where.
        path: String,
    },
    /// A directory without files.
    #[error("{path}: is an empty directory")]
    EmptyDirectory {
        /// Where.
        path: String,
    },
    /// More files or directories than [`MAX_FILES`].
    #[error("{path}: more than {MAX_FILES} files")]
    TooManyFiles {
        /// Where the limit was met; `.` for the bag's own directory.
        path: String,
    },
    /// A tag file longer than is read.
    #[error("{path}: is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A list of files to be fetched from elsewhere.
    #[error("fetch.txt: a bag must be whole in itself")]
    Fetch,
    /// A manifest of another algorithm.
    #[error("{path}: is a second manifest; {MANIFEST} and {TAG_MANIFEST} alone are allowed")]
    OtherManifest {
        /// The file.
        path: String,
    },
    /// Another file or directory beside `data`.
    #[error("{path}: is not allowed beside {DATA}/")]
    NotAllowed {
        /// What.
        path: String,
    },
    /// A tag file or `data` is not there.
    #[error("{path}: is not there")]
    Absent {
        /// What.
        path: String,
    },
    /// A file that its manifest does not list.
    #[error("{path}: is not in {manifest}")]
    Unlisted {
        /// The file.
        path: String,
        /// The manifest.
        manifest: &'static str,
    },
    /// A file of a manifest that is not there.
    #[error("{path}: is in {manifest} and not there")]
    Missing {
        /// The file.
        path: String,
        /// The manifest.
        manifest: &'static str,
    },
    /// A path that the other manifest, or none, has to list.
    #[error("{manifest}: lists {path}, which does not belong there")]
    Misplaced {
        /// The file.
        path: String,
        /// The manifest.
        manifest: &'static str,
    },
    /// A file whose bytes are not those of the manifest.
    #[error("{path}: has the digest {found}, not {stated} as in {manifest}")]
    Digest {
        /// The file.
        path: String,
        /// The manifest.
        manifest: &'static str,
        /// Digest that the manifest states.
        stated: Sha256Digest,
        /// Digest of the bytes.
        found: Sha256Digest,
    },
    /// A file that was exchanged, or changed its length, while the bag was read.
    #[error("{path}: changed while it was read")]
    Changed {
        /// The file.
        path: String,
    },
    /// Bytes that are not UTF-8.
    #[error("{path}: is not UTF-8")]
    NotUtf8 {
        /// The file.
        path: &'static str,
    },
    /// A byte order mark.
    #[error("{path}: begins with a byte order mark")]
    ByteOrderMark {
        /// The file.
        path: &'static str,
    },
    /// A carriage return.
    #[error("{path}: has a carriage return; lines end with LF alone")]
    CarriageReturn {
        /// The file.
        path: &'static str,
    },
    /// A last line that does not end.
    #[error("{path}: does not end with LF")]
    NoLineEnd {
        /// The file.
        path: &'static str,
    },
    /// A line of a manifest that is not digest, two spaces, path.
    #[error("{path}: line {line}: is not a SHA-256 digest in lower case, two spaces and a path")]
    Line {
        /// The manifest.
        path: &'static str,
        /// The line, 1-based.
        line: usize,
    },
    /// A line of a manifest that stands too late.
    #[error("{path}: line {line}: is not sorted")]
    NotSorted {
        /// The manifest.
        path: &'static str,
        /// The line, 1-based.
        line: usize,
    },
    /// A path that a manifest lists twice.
    #[error("{path}: line {line}: lists the same path again")]
    Repeated {
        /// The manifest.
        path: &'static str,
        /// The line, 1-based.
        line: usize,
    },
    /// `bagit.txt` is not exactly ours.
    #[error("{BAGIT}: is not exactly that of BagIt 1.0 in UTF-8")]
    Declaration,
    /// A line of `bag-info.txt` that is not label, colon, space, value.
    #[error("{BAG_INFO}: line {line}: is not a label, a colon, a space and a value")]
    InfoLine {
        /// The line, 1-based.
        line: usize,
    },
    /// A label that our bags do not have.
    #[error("{BAG_INFO}: line {line}: has an unknown label")]
    InfoUnknown {
        /// The line, 1-based.
        line: usize,
    },
    /// A label that stands too late.
    #[error("{BAG_INFO}: {label} is out of order")]
    InfoOrder {
        /// The label.
        label: &'static str,
    },
    /// A label that comes twice.
    #[error("{BAG_INFO}: {label} comes twice")]
    InfoRepeated {
        /// The label.
        label: &'static str,
    },
    /// A label that every bag has.
    #[error("{BAG_INFO}: {label} is not there")]
    InfoMissing {
        /// The label.
        label: &'static str,
    },
    /// A value that its label does not take.
    #[error("{BAG_INFO}: {label} {fault}")]
    InfoValue {
        /// The label.
        label: &'static str,
        /// What is wrong.
        fault: ValueFault,
    },
    /// `Payload-Oxum` does not fit the payload.
    #[error("{BAG_INFO}: Payload-Oxum is {stated}, the payload {found}")]
    Oxum {
        /// As stated: bytes, a dot, number of files.
        stated: String,
        /// As found.
        found: String,
    },
    /// A time stamp without the seal that it is over.
    #[error("{TIME_STAMP}: is there without {SEAL}")]
    StampWithoutSeal,
    /// A path asked for that is not in the payload.
    #[error("{path}: is not in the payload")]
    NotInPayload {
        /// The path.
        path: String,
    },
}

/// Length of a payload in bytes; sparse files of a hostile bag may claim more than there can be.
fn total_bytes(payload: &[PayloadFile]) -> u64 {
    payload.iter().fold(0, |total, file| total.saturating_add(file.bytes))
}

impl BagError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    fn name(path: &str, fault: NameFault) -> Self {
        Self::Name { path: path.escape_debug().to_string(), fault }
    }
}
