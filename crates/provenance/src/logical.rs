//! Logical digest of a table, `comity-rows/v1` (PROVENANCE.md §2): equal where the rows are equal,
//! whatever engine wrote the file.
//!
//! One line a row, columns in schema order, TAB between, LF at the end; NULL is `\N`; backslash,
//! TAB, CR, LF and U+001F in text are escaped `\\ \t \r \n \u`; integers in decimal, booleans
//! `true`/`false`, timestamps as integer microseconds since 1970 UTC; of a list each item is
//! followed by U+001F. The header `#comity-rows/v1`, the table's name and `name:type` of each
//! column, TAB between, comes first; the lines follow sorted bytewise, repeated lines kept.
//! Lists are flat. A second engine needs only its `COPY … TO`, `LC_ALL=C sort` and `sha256sum`.

use std::hint::black_box;

pub use itoa::Integer;

use crate::{Sha256Digest, Sha256Hasher};

/// Type of a column, as the header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// UTF-8 text.
    Text,
    /// Integer.
    Integer,
    /// Boolean.
    Boolean,
    /// Microseconds since 1970 UTC.
    Timestamp,
    /// Flat list of text.
    TextList,
}

impl Type {
    /// The name in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::TextList => "list<text>",
        }
    }
}

/// The lines of a table, gathered row by row; parts may be gathered apart and joined.
#[derive(Debug, Clone)]
pub struct Lines {
    header: Vec<u8>,
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// Lines that were joined to these.
    joined: Vec<Self>,
}

/// Where a line lies, and its first bytes, which settle most comparisons without a look at it.
#[derive(Debug, Clone, Copy)]
struct Line {
    first: u64,
    start: usize,
    end: usize,
}

impl Lines {
    /// Begins a table with its name and columns.
    pub fn new(table: &str, columns: &[(&str, Type)]) -> Self {
        let mut header = format!("#comity-rows/v1\t{table}");
        for (name, ty) in columns {
            header.push('\t');
            header.push_str(name);
            header.push(':');
            header.push_str(ty.as_str());
        }
        header.push('\n');
        Self { header: header.into_bytes(), bytes: Vec::new(), lines: Vec::new(), joined: Vec::new() }
    }

    /// Makes room for so many rows of so many bytes in all.
    pub fn reserve(&mut self, rows: usize, bytes: usize) {
        self.lines.reserve(rows);
        self.bytes.reserve(bytes);
    }

    /// Joins further lines of the same table.
    pub fn join(&mut self, more: Self) {
        self.joined.push(more);
    }

    /// Appends a NULL cell to the row begun.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(b"\\N\t");
    }

    /// Appends a text cell to the row begun.
    pub fn text(&mut self, text: &str) {
        self.escaped(text);
        self.bytes.push(b'\t');
    }

    /// Appends an integer (or timestamp) cell to the row begun.
    pub fn integer(&mut self, value: impl Integer) {
        self.bytes.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.bytes.push(b'\t');
    }

    /// Appends a boolean cell to the row begun.
    pub fn boolean(&mut self, value: bool) {
        self.bytes.extend_from_slice(if value { b"true\t" } else { b"false\t" });
    }

    /// Appends a list cell to the row begun.
    pub fn list<'a>(&mut self, items: impl Iterator<Item = &'a str>) {
        for item in items {
            self.escaped(item);
            self.bytes.push(0x1f);
        }
        self.bytes.push(b'\t');
    }

    /// Ends the row: the TAB after its last cell becomes the line end.
    pub fn end_row(&mut self) {
        if let Some(last) = self.bytes.last_mut() {
            *last = b'\n';
        }
        let (start, end) = (self.lines.last().map_or(0, |line| line.end), self.bytes.len());
        let mut first = [0; 8];
        first.iter_mut().zip(text(&self.bytes[start..end])).for_each(|(to, from)| *to = *from);
        self.lines.push(Line { first: u64::from_be_bytes(first), start, end });
    }

    /// Sorts these lines before they are joined to others, which spares [`Self::sorted`] most of its work.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        let of = |line: &Line| text(&bytes[line.start..line.end]);
        self.lines.sort_unstable_by(|a, b| a.first.cmp(&b.first).then_with(|| of(a).cmp(of(b))));
    }

    fn escaped(&mut self, text: &str) {
        // more than need be, but looked for in many bytes at once
        if !text.bytes().fold(false, |found, b| found | (b < b' ') | (b == b'\\')) {
            self.bytes.extend_from_slice(text.as_bytes());
            return;
        }
        for byte in text.bytes() {
            match byte {
                b'\\' => self.bytes.extend_from_slice(b"\\\\"),
                b'\t' => self.bytes.extend_from_slice(b"\\t"),
                b'\r' => self.bytes.extend_from_slice(b"\\r"),
                b'\n' => self.bytes.extend_from_slice(b"\\n"),
                0x1f => self.bytes.extend_from_slice(b"\\u"),
                other => self.bytes.push(other),
            }
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len() + self.joined.iter().map(Self::rows).sum::<usize>()
    }

    /// The lines, line ends included, sorted bytewise by what stands before the line end, as `sort` does.
    pub fn sorted(&self) -> Vec<&[u8]> {
        let mut lines = Vec::with_capacity(self.rows());
        self.gather(&mut lines);
        // the stable sort: it sees parts that are in order already
        lines.sort_by(|(first, one), (other_first, other)| {
            first.cmp(other_first).then_with(|| text(one).cmp(text(other)))
        });
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The lines, not sorted, each behind a number that settles most comparisons.
    fn gather<'a>(&'a self, lines: &mut Vec<(u64, &'a [u8])>) {
        lines.extend(self.lines.iter().map(|line| (line.first, &self.bytes[line.start..line.end])));
        self.joined.iter().for_each(|part| part.gather(lines));
    }

    /// The header line, line end included.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// SHA-256 of the header and the sorted lines.
    pub fn digest(&self) -> Sha256Digest {
        let mut hasher = Sha256Hasher::default();
        hasher.update(&self.header);
        in_time(&self.sorted()).for_each(|line| hasher.update(line));
        hasher.finish()
    }

    /// The first line, in sorted order, that one table has and the other has not, and which of the
    /// two has it; `None` where both are equal.
    pub fn first_difference<'a>(&'a self, other: &'a Self) -> Option<Difference<'a>> {
        if self.header != other.header {
            return Some(Difference { ours: Some(&self.header), theirs: Some(&other.header) });
        }
        let (ours, theirs) = (self.sorted(), other.sorted());
        let at = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at))?;
        match (ours.get(at).copied(), theirs.get(at).copied()) {
            (Some(a), Some(b)) if a < b => Some(Difference { ours: Some(a), theirs: None }),
            (Some(a), Some(b)) if a > b => Some(Difference { ours: None, theirs: Some(b) }),
            (a, b) => Some(Difference { ours: a, theirs: b }),
        }
    }
}

/// Sorted lines. They lie at random in memory: a few are asked for at once, so that one wait serves all.
pub fn in_time<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    const FEW: usize = 8;
    const CACHE_LINE: usize = 64;
    lines.chunks(FEW).flat_map(|few| {
        let of_each = few.iter().flat_map(|line| line.iter().step_by(CACHE_LINE).chain(line.last()));
        black_box(of_each.fold(0, |all, byte| all ^ byte));
        few.iter().copied()
    })
}

/// A line without its end.
fn text(line: &[u8]) -> &[u8] {
    line.split_last().map_or(&[], |(_, text)| text)
}

/// Where two tables part: the line, on the side that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The line of the first table.
    pub ours: Option<&'a [u8]>,
    /// The line of the second table.
    pub theirs: Option<&'a [u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_rows(first: &str, second: Option<&str>) -> Lines {
        let mut lines = Lines::new("t", &[("a", Type::Text), ("b", Type::TextList)]);
        for text in [Some(first), second] {
            match text {
                Some(text) => lines.text(text),
                None => lines.null(),
            }
            lines.list(["x", ""].into_iter());
            lines.end_row();
        }
        lines
    }

    #[test]
    fn lines_are_as_the_specification_says() {
        let lines = two_rows("q\\\t\r\n\u{1f}", None);
        assert_eq!(lines.header(), b"#comity-rows/v1\tt\ta:text\tb:list<text>\n");
        assert_eq!(lines.sorted(), [&b"\\N\tx\x1f\x1f\n"[..], b"q\\\\\\t\\r\\n\\u\tx\x1f\x1f\n"]);
    }

    #[test]
    fn the_digest_does_not_depend_on_row_order_but_on_repetition() {
        assert_eq!(two_rows("a", Some("b")).digest(), two_rows("b", Some("a")).digest());
        assert_ne!(two_rows("a", Some("a")).digest(), two_rows("a", Some("b")).digest());
        // printf '#comity-rows/v1\tt\ta:text\tb:list<text>\na\tx\037\037\nb\tx\037\037\n' | sha256sum
        assert_eq!(
            two_rows("a", Some("b")).digest().to_string(),
            "44183cca161ebdd1cf1086ba8ea1f87071883524c0c165b7e245814fdc290609"
        );
    }

    #[test]
    fn a_control_character_sorts_after_the_line_end_as_in_sort() {
        let mut lines = Lines::new("t", &[("a", Type::Text)]);
        for text in ["a\u{1}", "a", "a\0"] {
            lines.text(text);
            lines.end_row();
        }
        assert_eq!(lines.sorted(), [&b"a\n"[..], b"a\0\n", b"a\x01\n"]);
    }

    #[test]
    fn joined_lines_are_lines_of_one_table() {
        let mut all = two_rows("b", Some("d"));
        all.join(two_rows("a", Some("c")));
        let firsts: Vec<&[u8]> = all.sorted().into_iter().map(|line| &line[..1]).collect();
        assert_eq!((all.rows(), firsts.concat()), (4, b"abcd".to_vec()));
    }

    #[test]
    fn the_first_difference_names_the_side() {
        let (a, b) = (two_rows("a", Some("b")), two_rows("a", Some("c")));
        let found = a.first_difference(&b).map(|d| (d.ours.is_some(), d.theirs.is_some()));
        assert_eq!(found, Some((true, false)));
        assert_eq!(a.first_difference(&a.clone()), None);
    }
}
