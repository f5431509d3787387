//! A Parquet file that is read at any place in one call to the system, where the library's own way takes four.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

/// An open file, and where the next byte of a reader comes from.
#[derive(Debug, Clone)]
pub struct FileAt {
    file: Arc<File>,
    length: u64,
    at: u64,
}

impl FileAt {
    /// Takes a file as long as it is now.
    ///
    /// # Errors
    /// Where the system does not say how long it is.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), length, at: 0 })
    }
}

impl Length for FileAt {
    fn len(&self) -> u64 {
        self.length
    }
}

impl Read for FileAt {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl ChunkReader for FileAt {
    type T = BufReader<Self>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        /// Only heads of pages are read so.
        const A_HEAD: usize = 512;
        Ok(BufReader::with_capacity(A_HEAD, Self { at: start, ..self.clone() }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let cut_off = || ParquetError::EOF(format!("{length} bytes at {start} of {}", self.length));
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(cut_off());
        }
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = start + bytes.len() as u64;
            match pread(&*self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(cut_off()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
        // a vector may have more room than was asked for
        bytes.truncate(length);
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_file_is_read_and_nothing_past_its_end() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = FileAt::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(file.len(), 10);
        assert_eq!(&file.get_bytes(2, 3).unwrap()[..], b"234");
        assert_eq!(&file.get_bytes(10, 0).unwrap()[..], b"");
        let mut rest = String::new();
        file.get_read(7).unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "789");
        assert!(file.get_bytes(8, 3).is_err());
        assert!(file.get_bytes(u64::MAX, 1).is_err());
        // a file that became shorter
        std::fs::write(&path, b"0123").unwrap();
        assert!(file.get_bytes(2, 3).is_err());
    }
}
