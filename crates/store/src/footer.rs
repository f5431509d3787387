//! The footer of a Parquet file, as far as some rows need it.
//!
//! A footer tells of every column of every row group, and the library decodes all of it. Here it is walked, not decoded
//! (Apache Parquet format 2.12, `FileMetaData` and `RowGroup`; Thrift compact protocol), and the library gets what it
//! says of the row groups that are wanted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};

use crate::StoreError;
use crate::index::{bad, read_array, read_bytes, read_varint, write_varint};
use crate::tables;

/// Field of `FileMetaData`: the list of row groups.
const ROW_GROUPS: i64 = 4;
/// Field of `RowGroup`: its number of rows.
const NUM_ROWS: i64 = 3;
/// Types of the compact protocol.
const I64: u8 = 6;
const LIST: u8 = 9;
const STRUCT: u8 = 12;
/// Most structures within each other; those of Parquet have six.
const DEPTH: u8 = 16;

/// The footer of a file, walked.
#[derive(Debug)]
pub(crate) struct Footer {
    bytes: Vec<u8>,
    /// Where the list of row groups stands, with its head.
    list: Range<usize>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    place: Range<usize>,
    rows: usize,
}

impl Footer {
    /// Reads that of a file.
    ///
    /// # Errors
    /// Where the file does not read, or its end is no footer.
    pub(crate) fn read(file: &mut File, path: &Path) -> Result<Self, StoreError> {
        let (start, length) = place(file, path)?;
        let mut bytes = vec![0; length];
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|e| StoreError::io(path, e))?;
        Self::walk(bytes).map_err(|e| StoreError::Integrity {
            path: path.to_owned(),
            message: format!("its footer does not read: {e}"),
        })
    }

    fn walk(bytes: Vec<u8>) -> io::Result<Self> {
        let mut list = None;
        let mut groups = Vec::new();
        let mut rest = bytes.as_slice();
        let at = |rest: &[u8]| bytes.len() - rest.len();
        let mut field = 0;
        while let Some(kind) = next_field(&mut rest, &mut field)? {
            if field != ROW_GROUPS {
                skip(&mut rest, kind, DEPTH)?;
                continue;
            }
            let start = at(rest);
            let (count, items) = list_head(&mut rest)?;
            if kind != LIST || items != STRUCT || list.is_some() {
                return Err(bad("row groups are no list, or two"));
            }
            for _ in 0..count {
                let start = at(rest);
                let rows = skip_group(&mut rest)?;
                groups.push(Group { place: start..at(rest), rows });
            }
            list = Some(start..at(rest));
        }
        let list = list.ok_or_else(|| bad("no list of row groups"))?;
        Ok(Self { bytes, list, groups })
    }

    /// Number of rows of each row group.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> {
        self.groups.iter().map(|group| group.rows)
    }

    /// What it says of some row groups, which are all that the result knows of; without statistics.
    ///
    /// # Errors
    /// Where the library can't read that.
    pub(crate) fn of_groups(&self, groups: &[usize]) -> Result<ParquetMetaData, ParquetError> {
        let of = |place: Range<usize>| self.bytes.get(place).unwrap_or_default();
        let mut some = of(0..self.list.start).to_vec();
        // the head of a list; one of many items has their number behind it
        some.push(0xf0 | STRUCT);
        write_varint(&mut some, groups.len() as u64);
        let groups = groups.iter().filter_map(|&at| self.groups.get(at));
        groups.for_each(|group| some.extend_from_slice(of(group.place.clone())));
        some.extend_from_slice(of(self.list.end..self.bytes.len()));
        ParquetMetaDataReader::decode_metadata_with_options(
            &some,
            Some(tables::without_statistics().metadata_options()),
        )
    }
}

/// Where the footer of a file begins, and its length; its length and the magic number follow.
///
/// # Errors
/// Where the file does not read, or its end is no footer.
pub(crate) fn place(file: &mut File, path: &Path) -> Result<(u64, usize), StoreError> {
    let wrap = |e| StoreError::io(path, e);
    let mut tail = [0; FOOTER_SIZE];
    let bytes = file.seek(SeekFrom::End(0)).map_err(wrap)?;
    file.seek(SeekFrom::Start(bytes.saturating_sub(tail.len() as u64))).map_err(wrap)?;
    file.read_exact(&mut tail).map_err(wrap)?;
    let tail = FooterTail::try_new(&tail).map_err(|e| StoreError::parquet(path, e))?;
    let length = tail.metadata_length();
    let start = bytes.checked_sub((length + FOOTER_SIZE) as u64).ok_or_else(|| {
        let message = "its footer is longer than the file".into();
        StoreError::Integrity { path: path.to_owned(), message }
    })?;
    Ok((start, length))
}

/// Passes over a `RowGroup`; gives its number of rows.
fn skip_group(rest: &mut &[u8]) -> io::Result<usize> {
    let (mut field, mut rows) = (0, None);
    while let Some(kind) = next_field(rest, &mut field)? {
        if field == NUM_ROWS && kind == I64 {
            rows = usize::try_from(zigzag(read_varint(rest)?)).ok();
        } else {
            skip(rest, kind, DEPTH)?;
        }
    }
    rows.ok_or_else(|| bad("a row group without a number of rows"))
}

/// The type of a structure's next field, whose number comes in place of the one before; `None` at its end.
fn next_field(rest: &mut &[u8], field: &mut i64) -> io::Result<Option<u8>> {
    let head = byte(rest)?;
    if head == 0 {
        return Ok(None);
    }
    *field = match head >> 4 {
        0 => zigzag(read_varint(rest)?),
        more => field.saturating_add(i64::from(more)),
    };
    Ok(Some(head & 0xf))
}

/// Number and type of the items of a list.
fn list_head(rest: &mut &[u8]) -> io::Result<(u64, u8)> {
    let head = byte(rest)?;
    let count = match head >> 4 {
        0xf => read_varint(rest)?,
        few => u64::from(few),
    };
    Ok((count, head & 0xf))
}

/// Passes over the value of a field. Every item of a list takes a byte at least, so the bytes bound the work.
fn skip(rest: &mut &[u8], kind: u8, depth: u8) -> io::Result<()> {
    match kind {
        // a boolean, which stands in the head of its field
        1 | 2 => Ok(()),
        // a byte
        3 => byte(rest).map(|_| ()),
        4..=I64 => {
            let end = rest.iter().position(|&byte| byte < 0x80).ok_or_else(|| bad("cut off"))?;
            *rest = rest.get(end + 1..).unwrap_or_default();
            Ok(())
        }
        // a double, and bytes or text
        7 => read_array::<8>(rest).map(|_| ()),
        8 => read_bytes(rest).map(|_| ()),
        _ => skip_many(rest, kind, depth.checked_sub(1).ok_or_else(|| bad("too many within each other"))?),
    }
}

/// Passes over a value that has others.
fn skip_many(rest: &mut &[u8], kind: u8, depth: u8) -> io::Result<()> {
    let item = |rest: &mut &[u8], kind| match kind {
        // a boolean has a byte here
        1 | 2 => skip(rest, 3, depth),
        kind => skip(rest, kind, depth),
    };
    match kind {
        // a set is written as a list
        LIST | 10 => {
            let (count, kind) = list_head(rest)?;
            (0..count).try_for_each(|_| item(rest, kind))
        }
        // a map
        11 => {
            let count = read_varint(rest)?;
            let kinds = if count > 0 { byte(rest)? } else { 0 };
            (0..count).try_for_each(|_| item(rest, kinds >> 4).and_then(|()| item(rest, kinds & 0xf)))
        }
        STRUCT => loop {
            let head = byte(rest)?;
            match (head, head >> 4) {
                (0, _) => break Ok(()),
                (_, 0) => skip(rest, I64, depth)?,
                _ => {}
            }
            skip(rest, head & 0xf, depth)?;
        },
        _ => Err(bad("unknown type")),
    }
}

fn byte(rest: &mut &[u8]) -> io::Result<u8> {
    let (&byte, others) = rest.split_first().ok_or_else(|| bad("cut off"))?;
    *rest = others;
    Ok(byte)
}

/// A signed number, as the compact protocol writes it.
const fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use proptest::prelude::*;

    use super::*;
    use crate::durable::Stage;
    use crate::tables::TableWriter;

    /// A file of four row groups, its footer, and what the library says of it.
    fn example() -> (Vec<u8>, ParquetMetaData) {
        let scratch = tempfile::tempdir().unwrap();
        let stage = Stage::new(scratch.path(), "t").unwrap();
        let path = stage.path().join("t.parquet");
        let batch = |rows: i64| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
            let texts: ArrayRef = Arc::new((0..rows).map(|n| Some(n.to_string())).collect::<StringArray>());
            RecordBatch::try_from_iter([("number", numbers), ("text", texts)]).unwrap()
        };
        let file = stage.create("t.parquet").unwrap();
        let mut table = TableWriter::new(file, &path, &batch(1).schema(), &[]).unwrap();
        [5, 1, 2000, 70_000].into_iter().for_each(|rows| table.group(&[batch(rows)]).unwrap());
        table.finish().unwrap();
        let library = ParquetMetaDataReader::new()
            .with_metadata_options(Some(tables::without_statistics().metadata_options().clone()));
        let whole = library.parse_and_finish(&File::open(&path).unwrap()).unwrap();
        let footer = Footer::read(&mut File::open(&path).unwrap(), &path).unwrap();
        (footer.bytes, whole)
    }

    #[test]
    fn it_says_of_some_groups_what_the_library_says_of_all() {
        let (bytes, whole) = example();
        let footer = Footer::walk(bytes).unwrap();
        assert!(footer.rows().eq([5, 1, 2000, 70_000]));
        for groups in [&[][..], &[0], &[1, 3], &[0, 1, 2, 3]] {
            let some = footer.of_groups(groups).unwrap();
            assert!(some.row_groups().iter().eq(groups.iter().map(|&at| &whole.row_groups()[at])));
            assert_eq!(some.file_metadata(), whole.file_metadata());
        }
    }

    #[test]
    fn what_parquet_has_not_is_passed_over_too() {
        // doubles, maps, sets, booleans in lists, numbers of fields that do not ascend, before the row groups
        let mut bytes = vec![0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0x1b, 1, 0x81, 1, b'a', 2, 0x0a, 1, 0x21, 1, 2];
        bytes.extend([0x09, 8, 0x1c, 0x36, 14, 0, 0]);
        let footer = Footer::walk(bytes).unwrap();
        assert!(footer.rows().eq([7]));
        let nested = [0x1c; 100_000];
        assert!(Footer::walk(nested.to_vec()).unwrap_err().to_string().contains("within each other"));
        let many = [0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(Footer::walk(many.to_vec()).unwrap_err().to_string().contains("cut off"));
    }

    proptest! {
        #[test]
        fn changed_footers_are_read_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
            is_cut: bool,
        ) {
            let (mut bytes, _) = example();
            for (at, new) in changes {
                let at = at.index(bytes.len());
                bytes[at] = new;
            }
            if is_cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(footer) = Footer::walk(bytes) {
                let all: Vec<_> = (0..footer.groups.len()).collect();
                let _ = footer.of_groups(&all);
            }
        }
    }
}
