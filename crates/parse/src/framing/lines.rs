//! Cuts lines. Looks for the one line feed at which a chunk may end, and counts the others.

use memchr::{memchr, memchr_iter, memrchr};

use super::{Out, count};

#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Offset in the stream of the buffer's first byte, or of the next byte while skipping.
    pub(super) offset: u64,
    buffer: Vec<u8>,
    /// Set while in a line that is too long to be held.
    skipping: Option<Skipping>,
}

#[derive(Debug)]
struct Skipping {
    offset: u64,
    length: u64,
    ends_with_cr: bool,
}

/// Start and length of each line, without its LF or CRLF.
pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut start = 0;
    let mut ends = memchr_iter(b'\n', bytes);
    std::iter::from_fn(move || {
        let (end, next) = match ends.next() {
            Some(lf) if lf > start && bytes.get(lf - 1) == Some(&b'\r') => (lf - 1, lf + 1),
            Some(lf) => (lf, lf + 1),
            None if start < bytes.len() => (bytes.len(), bytes.len()),
            None => return None,
        };
        let record = (start, end - start);
        start = next;
        Some(record)
    })
}

fn first_too_long(bytes: &[u8], max: usize) -> Option<(usize, usize)> {
    if bytes.len() <= max {
        return None;
    }
    records(bytes).find(|&(_, length)| length > max)
}

impl Lines {
    pub(super) fn push(&mut self, mut part: &[u8], out: &mut Out) {
        while !part.is_empty() {
            if self.skipping.is_some() {
                part = self.skip(part, out);
                continue;
            }
            // the first byte of `part` that may end a chunk
            let from = (out.target - 1).saturating_sub(self.buffer.len());
            let end = part.get(from..).and_then(|tail| memchr(b'\n', tail)).map(|lf| from + lf + 1);
            let (taken, rest) = part.split_at(end.unwrap_or(part.len()));
            if self.buffer.capacity() == 0 {
                self.buffer = out.buffer();
            }
            self.buffer.extend_from_slice(taken);
            part = rest;
            if end.is_some() {
                self.cut(out);
            } else if self.buffer.len() > out.max {
                self.skip_if_too_long(out);
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Out) {
        if let Some(skipped) = self.skipping.take() {
            out.too_long(skipped.offset, skipped.length);
        }
        self.cut(out);
        self.emit(self.buffer.len(), out);
    }

    /// The buffer ends at a line's end: hands it out if it is full, without lines that are too long.
    fn cut(&mut self, out: &mut Out) {
        while let Some((start, length)) = first_too_long(&self.buffer, out.max) {
            self.emit(start, out);
            out.too_long(self.offset, count(length));
            let line_end = memchr(b'\n', self.buffer.get(length..).unwrap_or_default());
            let next = line_end.map_or(self.buffer.len(), |lf| length + lf + 1);
            self.buffer.drain(..next);
            self.offset += count(next);
        }
        if self.buffer.len() >= out.target {
            self.emit(self.buffer.len(), out);
        }
    }

    /// The buffer ends inside a line: lets go of that line if it is too long already.
    fn skip_if_too_long(&mut self, out: &mut Out) {
        let start = memrchr(b'\n', &self.buffer).map_or(0, |lf| lf + 1);
        // the last two bytes may yet turn out to be of the line end
        if self.buffer.len() - start < out.max.saturating_add(2) {
            return;
        }
        let open = self.buffer.split_off(start);
        self.cut(out);
        self.emit(self.buffer.len(), out);
        self.skipping = Some(Skipping {
            offset: self.offset,
            length: count(open.len()),
            ends_with_cr: open.last() == Some(&b'\r'),
        });
        self.offset += count(open.len());
    }

    /// Lets bytes of a line that is too long go by; gives what follows the line.
    fn skip<'a>(&mut self, part: &'a [u8], out: &mut Out) -> &'a [u8] {
        let Some(skipping) = &mut self.skipping else { return part };
        let line_end = memchr(b'\n', part);
        let (line, rest) = part.split_at(line_end.unwrap_or(part.len()));
        skipping.length += count(line.len());
        skipping.ends_with_cr = line.last().map_or(skipping.ends_with_cr, |&last| last == b'\r');
        self.offset += count(line.len());
        let Some((_, rest)) = rest.split_first() else { return rest };
        out.too_long(skipping.offset, skipping.length - u64::from(skipping.ends_with_cr));
        self.offset += 1;
        self.skipping = None;
        rest
    }

    /// Hands out the first `length` bytes of the buffer.
    fn emit(&mut self, length: usize, out: &mut Out) {
        if length == 0 {
            return;
        }
        let rest = if length == self.buffer.len() { Vec::new() } else { self.buffer.split_off(length) };
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let unended = u64::from(bytes.last() != Some(&b'\n'));
        let records = count(memchr_iter(b'\n', &bytes).count()) + unended;
        let offset = self.offset;
        self.offset += count(bytes.len());
        out.chunk(bytes, offset, records, None);
    }
}
