//! Finds the members of an object in one pass, for the objects that logs are made of: no escapes in keys,
//! no `\u` in strings, few members, little nesting. What is not of this kind, or is no JSON, it leaves to
//! `serde_json`, which also says what is wrong; so all that this must never do is take what is no JSON.

/// Most members that are held.
const MEMBERS: usize = 48;
/// Deepest nesting that is followed.
const DEPTH: u32 = 8;

/// Hands key and value of each member of the object `text` to `each`, in order; `None`, and nothing handed
/// over, where that is left to others.
pub(super) fn members<'a>(text: &'a str, mut each: impl FnMut(&str, &'a str)) -> Option<()> {
    let (mut spans, mut count) = ([[0_u32; 4]; MEMBERS], 0);
    u32::try_from(text.len()).ok()?;
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    scan.blanks();
    scan.object(DEPTH, &mut |span| {
        // the length fits, so do all places
        *spans.get_mut(count)? = span.map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        count += 1;
        Some(())
    })?;
    scan.blanks();
    if scan.at != scan.bytes.len() {
        return None;
    }
    for span in spans.iter().take(count) {
        let [key, key_end, value, value_end] = span.map(|at| at as usize);
        // spans begin and end at ASCII
        if let (Some(key), Some(value)) = (text.get(key..key_end), text.get(value..value_end)) {
            each(key, value);
        }
    }
    Some(())
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn object(&mut self, depth: u32, member: &mut impl FnMut([usize; 4]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        self.blanks();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.at + 1;
            if self.string()? {
                return None;
            }
            let key_end = self.at - 1;
            self.blanks();
            self.take(b':')?;
            self.blanks();
            let value = self.at;
            self.value(depth)?;
            member([key, key_end, value, self.at])?;
            self.blanks();
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
            self.blanks();
        }
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            b'[' => self.array(depth.checked_sub(1)?),
            b'{' => self.nested(depth.checked_sub(1)?),
            _ => None,
        }
    }

    /// An object whose members are not wanted.
    fn nested(&mut self, depth: u32) -> Option<()> {
        self.object(depth, &mut |_| Some(()))
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.take(b'[')?;
        self.blanks();
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            self.blanks();
            if self.take(b',').is_none() {
                return self.take(b']');
            }
            self.blanks();
        }
    }

    /// Goes behind a string; whether it has escapes.
    fn string(&mut self) -> Option<bool> {
        self.take(b'"')?;
        let mut escapes = false;
        loop {
            self.plain();
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(escapes);
                }
                b'\\' => {
                    escapes = true;
                    self.at += 1;
                    let (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') = self.peek()? else {
                        return None;
                    };
                    self.at += 1;
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    /// Goes to the next quote, backslash or control character, or near it, eight bytes at a time.
    fn plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        while let Some(word) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word);
            // in the lowest byte with its high bit set, and in those below it, these are exact
            let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
            let quote = is_zero(word ^ ONES.wrapping_mul(u64::from(b'"')));
            let backslash = is_zero(word ^ ONES.wrapping_mul(u64::from(b'\\')));
            let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
            let stops = (quote | backslash | control) & HIGH;
            if stops != 0 {
                self.at += (stops.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(literal).then(|| self.at += literal.len())
    }
}
