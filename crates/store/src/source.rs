//! An original file, read once: hashed as it lies, decompressed under a cap, hashed again as it reads.
//!
//! gzip (all members), zstd, xz and bzip2 are known by their first bytes, not by name. This is the
//! only place where a decompressor is made.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use comity_provenance::{Algorithm, Hashers, Sha256Digest, Sha256Hasher};
use rayon::prelude::*;

use crate::StoreError;

/// Bytes that a stream may expand to whatever it was compressed to.
const FREE_BYTES: u64 = 256 << 20;
/// Past [`FREE_BYTES`], how many bytes may come out for each that went in. DEFLATE can't exceed
/// 1,032; logs come near 100.
const RATIO: u64 = 1_100;

/// How an original is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
}

impl Codec {
    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            _ => Self::Plain,
        }
    }
}

/// File name without the endings of compression.
pub fn plain_name(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let cut = [".gz", ".zst", ".xz", ".bz2"].iter().find_map(|end| name.strip_suffix(end));
    cut.unwrap_or(&name).to_owned()
}

/// What was wrong with a stream; what came before it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The compressed stream ended early or does not decode.
    Stream(String),
    /// It expands beyond the cap.
    Limit(String),
}

/// Digests and sizes of an original that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256 of the file as it lies: the id of the item.
    pub sha256: Sha256Digest,
    /// Further digests asked for, in hexadecimal.
    pub others: Vec<(Algorithm, String)>,
    /// Size of the file, bytes.
    pub bytes: u64,
    /// How it is compressed.
    pub codec: Codec,
    /// Size and SHA-256 of what it decompresses to, in which offsets count; for a plain file those
    /// of the file.
    pub stream: (u64, Sha256Digest),
}

/// An original being read.
pub struct Source {
    path: PathBuf,
    codec: Codec,
    file: Tap,
    decoder: Box<dyn Read + Send>,
    stream: Sha256Hasher,
    stream_bytes: u64,
    damage: Option<Damage>,
    ended: bool,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("path", &self.path).field("codec", &self.codec).finish_non_exhaustive()
    }
}

/// The file, hashed as it is read; shared between the decoder and the one who reads what is left.
#[derive(Clone)]
struct Tap(Arc<Mutex<Tapped>>);

struct Tapped {
    file: BufReader<File>,
    hashers: Hashers,
    bytes: u64,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.lock().map_err(|_| io::Error::other("reader was poisoned"))?;
        let count = inner.file.read(buffer)?;
        inner.bytes += count as u64;
        if let Some(read) = buffer.get(..count) {
            inner.hashers.update(read);
        }
        Ok(count)
    }
}

impl Source {
    /// Opens an original; `also` are digests wanted beside SHA-256.
    ///
    /// # Errors
    /// Where the file can't be opened or is no regular file.
    pub fn open(path: &Path, also: &[Algorithm]) -> Result<Self, StoreError> {
        let wrap = |e| StoreError::io(path, e);
        let file = File::open(path).map_err(wrap)?;
        if !file.metadata().map_err(wrap)?.is_file() {
            return Err(wrap(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file")));
        }
        let mut file = BufReader::with_capacity(1 << 20, file);
        let codec = Codec::of(file.fill_buf().map_err(wrap)?);
        let tap = Tap(Arc::new(Mutex::new(Tapped { file, hashers: Hashers::new(also), bytes: 0 })));
        let decoder = decoder(codec, tap.clone()).map_err(wrap)?;
        Ok(Self {
            path: path.to_owned(),
            codec,
            file: tap,
            decoder,
            stream: Sha256Hasher::default(),
            stream_bytes: 0,
            damage: None,
            ended: false,
        })
    }

    /// Reads the next decompressed bytes; 0 at the end, or where the stream is damaged.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StoreError> {
        if self.ended {
            return Ok(0);
        }
        let count = loop {
            match self.decoder.read(buffer) {
                Ok(count) => break count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if self.codec == Codec::Plain => return Err(StoreError::io(&self.path, e)),
                Err(e) => {
                    self.damage = Some(Damage::Stream(format!("{} stream: {e}", self.codec.as_str())));
                    break 0;
                }
            }
        };
        self.ended = count == 0;
        let read = buffer.get(..count).unwrap_or_default();
        self.stream_bytes += count as u64;
        if self.codec != Codec::Plain {
            self.stream.update(read);
            self.check_limit()?;
        }
        Ok(count)
    }

    fn check_limit(&mut self) -> Result<(), StoreError> {
        let taken = self.taken()?;
        if self.stream_bytes > FREE_BYTES && self.stream_bytes / RATIO > taken {
            self.ended = true;
            self.damage = Some(Damage::Limit(format!(
                "{} stream expands more than {RATIO}-fold: stopped after {} bytes from {taken}",
                self.codec.as_str(),
                self.stream_bytes
            )));
        }
        Ok(())
    }

    /// Bytes of the file read so far, for progress.
    ///
    /// # Errors
    /// Where an earlier read panicked.
    pub fn taken(&self) -> Result<u64, StoreError> {
        let inner = self
            .file
            .0
            .lock()
            .map_err(|_| StoreError::io(&self.path, io::Error::other("reader was poisoned")))?;
        Ok(inner.bytes)
    }

    /// The whole file, which is not compressed, unless it is longer than the limit. Reads it in parts, side by side:
    /// memory that is touched for the first time takes longer to come than what is read into it.
    fn read_plain(&self, limit_bytes: u64) -> Result<Option<Vec<u8>>, StoreError> {
        const PART: usize = 4 << 20;
        let wrap = |e| StoreError::io(&self.path, e);
        let inner = self.file.0.lock().map_err(|_| wrap(io::Error::other("reader was poisoned")))?;
        let file = inner.file.get_ref();
        let size = file.metadata().map_err(wrap)?.len();
        if size > limit_bytes {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other).map_err(wrap)?];
        let parts = bytes.par_chunks_mut(PART).enumerate();
        parts
            .try_for_each(|(number, part)| file.read_exact_at(part, (number * PART) as u64))
            .map_err(wrap)?;
        Ok(Some(bytes))
    }

    /// Reads what is left of the file and gives the digests, and the damage if there was any.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn finish(mut self) -> Result<(Digests, Option<Damage>), StoreError> {
        let mut rest = vec![0; 1 << 16];
        while self.file.read(&mut rest).map_err(|e| StoreError::io(&self.path, e))? > 0 {}
        let mut inner = self
            .file
            .0
            .lock()
            .map_err(|_| StoreError::io(&self.path, io::Error::other("reader was poisoned")))?;
        let (sha256, others) = inner.hashers.finish();
        let stream = match self.codec {
            Codec::Plain => (inner.bytes, sha256),
            _ => (self.stream_bytes, self.stream.finish()),
        };
        Ok((Digests { sha256, others, bytes: inner.bytes, codec: self.codec, stream }, self.damage))
    }
}

fn decoder(codec: Codec, file: Tap) -> io::Result<Box<dyn Read + Send>> {
    Ok(match codec {
        Codec::Plain => Box::new(file),
        Codec::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Codec::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
        Codec::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(file)),
        Codec::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(file)),
    })
}

/// A whole original, decompressed.
#[derive(Debug)]
pub struct Original {
    /// What it reads as.
    pub bytes: Vec<u8>,
    /// What was wrong with it.
    pub damage: Option<Damage>,
    /// Known already where the file is not as it reads.
    digests: Option<Digests>,
}

impl Original {
    /// Its digests; hashes it first where it is not compressed.
    pub fn digests(&self) -> Digests {
        self.digests.clone().unwrap_or_else(|| {
            let (sha256, bytes) = (Sha256Digest::of(&self.bytes), self.bytes.len() as u64);
            Digests { sha256, others: Vec::new(), bytes, codec: Codec::Plain, stream: (bytes, sha256) }
        })
    }
}

/// Reads a whole original, decompressed, up to `limit_bytes`.
///
/// # Errors
/// Where the disk refuses.
pub fn read_all(path: &Path, limit_bytes: u64) -> Result<Original, StoreError> {
    let mut source = Source::open(path, &[])?;
    if source.codec == Codec::Plain
        && let Some(bytes) = source.read_plain(limit_bytes)?
    {
        return Ok(Original { bytes, damage: None, digests: None });
    }
    let (mut bytes, mut block) = (Vec::new(), vec![0; 1 << 18]);
    loop {
        let count = source.read(&mut block)?;
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(block.get(..count).unwrap_or_default());
        if bytes.len() as u64 > limit_bytes {
            source.damage = Some(Damage::Limit(format!("more than {limit_bytes} bytes")));
            break;
        }
    }
    let (digests, damage) = source.finish()?;
    Ok(Original { bytes, damage, digests: Some(digests) })
}
