//! Cuts streams whose record ends can be told only by reading from the beginning: CSV and JSON arrays.

use memchr::{memchr, memchr2};

use super::{Out, count};

/// A state machine that finds records.
pub(super) trait Machine: Default {
    /// Goes on from `at` in the part at hand, until it comes upon something; `None` when the part
    /// is used up.
    fn step(&mut self, part: &[u8], at: &mut usize) -> Option<Step>;
}

/// What a machine came upon. `at` is just behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A record's first byte is the next one.
    Begin,
    /// A record has ended, this many bytes before `at`: 0 to 2.
    End(usize),
}

#[derive(Debug, Default)]
pub(super) struct Scan<M> {
    /// Offset in the stream of the next byte.
    pub(super) offset: u64,
    machine: M,
    /// Bytes since the last chunk; not those of a record that is too long to be held.
    buffer: Vec<u8>,
    /// Offset in the stream of the buffer's first byte.
    buffer_offset: u64,
    /// Records that have ended in the buffer.
    spans: Vec<(usize, usize)>,
    /// Length of the buffer at the end of the last of them, separator included.
    cut: usize,
    /// Offset in the stream of the record that is open.
    open: Option<u64>,
    /// Whether the open record is too long to be held.
    skipping: bool,
}

impl<M: Machine> Scan<M> {
    pub(super) fn push(&mut self, part: &[u8], out: &mut Out) {
        let (mut at, mut kept) = (0, 0);
        while let Some(step) = self.machine.step(part, &mut at) {
            self.keep(part.get(kept..at).unwrap_or_default());
            kept = at;
            let here = self.offset;
            match step {
                Step::Begin => {
                    self.open = Some(here);
                    self.end_gap(out);
                }
                Step::End(separator) => self.end_record(separator, out),
            }
        }
        self.keep(part.get(kept..).unwrap_or_default());
        if self.open.is_none() {
            self.end_gap(out);
        }
        let open_length = self.open.map_or(0, |open| self.offset - open);
        // the last two bytes may yet turn out to be of the separator
        if !self.skipping && open_length >= count(out.max).saturating_add(2) {
            self.emit(out);
            self.buffer.clear();
            self.skipping = true;
        }
    }

    pub(super) fn finish(&mut self, out: &mut Out) {
        self.end_record(0, out);
        self.emit(out);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if !self.skipping {
            if self.buffer.is_empty() {
                self.buffer_offset = self.offset;
            }
            self.buffer.extend_from_slice(bytes);
        }
        self.offset += count(bytes.len());
    }

    /// The buffer ends with a gap. One at the beginning is let go of, and a chunk ends before one
    /// that is longer than a record may be.
    fn end_gap(&mut self, out: &mut Out) {
        if self.buffer.len() - self.cut > out.max {
            self.emit(out);
        }
        if self.spans.is_empty() {
            self.buffer.clear();
        }
    }

    /// The open record ends `separator` bytes before `self.offset`; the buffer ends at `self.offset`.
    fn end_record(&mut self, separator: usize, out: &mut Out) {
        let Some(open) = self.open.take() else { return };
        let length = self.offset - open - count(separator);
        if length > count(out.max) {
            self.emit(out);
            self.buffer.clear();
            self.skipping = false;
            out.too_long(open, length);
            return;
        }
        let start = usize::try_from(open - self.buffer_offset).unwrap_or(usize::MAX);
        self.spans.push((start, usize::try_from(length).unwrap_or(usize::MAX)));
        self.cut = self.buffer.len();
        if self.cut >= out.target {
            self.emit(out);
        }
    }

    /// Hands out the records that have ended; a record that is open after them is let go of.
    fn emit(&mut self, out: &mut Out) {
        if self.spans.is_empty() {
            return;
        }
        self.buffer.truncate(self.cut);
        self.cut = 0;
        let bytes = std::mem::replace(&mut self.buffer, out.buffer());
        let spans = std::mem::take(&mut self.spans);
        out.chunk(bytes, self.buffer_offset, count(spans.len()), Some(spans));
    }
}

/// Rows of CSV.
#[derive(Debug, Default)]
pub(super) struct Csv {
    state: CsvState,
    /// The byte before the next one.
    last: Option<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum CsvState {
    /// At a row's first byte.
    #[default]
    Start,
    /// Outside quotes.
    Plain,
    /// Inside quotes.
    Quoted,
    /// Behind a quote inside quotes: it closes, or is the first of a doubled one.
    Closing,
}

impl Machine for Csv {
    fn step(&mut self, part: &[u8], at: &mut usize) -> Option<Step> {
        while let Some(&byte) = part.get(*at) {
            let tail = part.get(*at..).unwrap_or_default();
            match self.state {
                CsvState::Start => {
                    self.state = CsvState::Plain;
                    self.last = None;
                    return Some(Step::Begin);
                }
                CsvState::Plain => {
                    let stop = memchr2(b'\n', b'"', tail);
                    let skipped = stop.unwrap_or(tail.len());
                    self.last = skipped.checked_sub(1).and_then(|last| tail.get(last)).copied().or(self.last);
                    *at += skipped + usize::from(stop.is_some());
                    match tail.get(skipped) {
                        Some(b'\n') => {
                            self.state = CsvState::Start;
                            return Some(Step::End(1 + usize::from(self.last == Some(b'\r'))));
                        }
                        Some(_) => {
                            if matches!(self.last, None | Some(b',' | b';' | b'\t' | b'|')) {
                                self.state = CsvState::Quoted;
                            }
                            self.last = Some(b'"');
                        }
                        None => {}
                    }
                }
                CsvState::Quoted => match memchr(b'"', tail) {
                    Some(quote) => {
                        *at += quote + 1;
                        self.state = CsvState::Closing;
                    }
                    None => *at = part.len(),
                },
                CsvState::Closing if byte == b'"' => {
                    *at += 1;
                    self.state = CsvState::Quoted;
                }
                CsvState::Closing => {
                    self.last = Some(b'"');
                    self.state = CsvState::Plain;
                }
            }
        }
        None
    }
}

/// Elements of a JSON array.
#[derive(Debug, Default)]
pub(super) struct JsonArray {
    state: JsonState,
    /// Brackets open in the element.
    depth: u64,
    /// Whether the last byte of a line outside the array is a CR.
    ends_with_cr: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum JsonState {
    /// Before the array.
    #[default]
    Before,
    /// Between elements.
    Between,
    /// In an element, outside strings.
    Nested,
    /// In a number, literal or garbage that is an element.
    Bare,
    /// In a string.
    Text,
    /// Behind a backslash in a string.
    Escape,
    /// Outside the array.
    Outside,
    /// In a line outside the array.
    Line,
}

impl Machine for JsonArray {
    fn step(&mut self, part: &[u8], at: &mut usize) -> Option<Step> {
        while let Some(&byte) = part.get(*at) {
            let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            match self.state {
                JsonState::Before if byte == b'[' => self.state = JsonState::Between,
                JsonState::Before | JsonState::Outside if blank => {}
                JsonState::Before | JsonState::Outside => {
                    self.ends_with_cr = false;
                    self.state = JsonState::Line;
                    return Some(Step::Begin);
                }
                JsonState::Between if blank || byte == b',' => {}
                JsonState::Between if byte == b']' => self.state = JsonState::Outside,
                JsonState::Between => {
                    self.depth = 0;
                    self.state = match byte {
                        b'{' | b'[' | b'"' => JsonState::Nested,
                        _ => JsonState::Bare,
                    };
                    return Some(Step::Begin);
                }
                JsonState::Bare if blank || byte == b',' || byte == b']' => {
                    self.state = JsonState::Between;
                    return Some(Step::End(0));
                }
                JsonState::Bare => {}
                JsonState::Nested => match byte {
                    b'{' | b'[' => self.depth += 1,
                    b'"' => self.state = JsonState::Text,
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            *at += 1;
                            self.state = JsonState::Between;
                            return Some(Step::End(0));
                        }
                    }
                    _ => {}
                },
                JsonState::Text => {
                    let tail = part.get(*at..).unwrap_or_default();
                    *at += memchr::memchr3(b'"', b'\\', b'\n', tail).unwrap_or(tail.len());
                    match part.get(*at) {
                        None => return None,
                        Some(b'\\') => self.state = JsonState::Escape,
                        Some(_) if self.depth == 0 => {
                            *at += 1;
                            self.state = JsonState::Between;
                            return Some(Step::End(0));
                        }
                        Some(_) => self.state = JsonState::Nested,
                    }
                }
                JsonState::Escape => {
                    self.state = JsonState::Text;
                    if byte == b'\n' {
                        continue;
                    }
                }
                JsonState::Line if byte == b'\n' => {
                    *at += 1;
                    self.state = JsonState::Outside;
                    return Some(Step::End(1 + usize::from(self.ends_with_cr)));
                }
                JsonState::Line => self.ends_with_cr = byte == b'\r',
            }
            *at += 1;
        }
        None
    }
}
