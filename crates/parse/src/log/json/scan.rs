//! Finds the members of an object in one pass, for the objects that logs are made of: no escapes in keys,
//! no `\u` in strings, little nesting. What is not of this kind, or is no JSON, it leaves to `serde_json`,
//! which also says what is wrong; so all that this must never do is take what is no JSON.
//!
//! Each function takes a place in the text and gives the one behind what it read, so that the place stays in
//! a register; what reads a plain member is inlined for that. Strings and numbers are read eight bytes at a time.

use std::ops::Range;

/// Deepest nesting that is followed.
const DEPTH: u32 = 8;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    /// A number, `true` or `false`.
    Bare,
    /// `null`.
    Null,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Hands each member of the object `text` to `each`, in order: the place of its key, what `key` made of that,
/// where its value stands and how that is written. `key` is given the place of the opening quote, and gives
/// the one behind the colon. `None` where the object is left to others; what was handed over until then is void.
#[inline]
pub(crate) fn members<K>(
    text: &str,
    key: impl FnMut(usize) -> Option<(usize, K)>,
    each: impl FnMut(usize, K, Range<usize>, Form) -> Option<()>,
) -> Option<()> {
    let bytes = text.as_bytes();
    let (b'{', start) = token(bytes, 0)? else { return None };
    let end = object(bytes, start + 1, DEPTH, key, each)?;
    token(bytes, end).is_none().then_some(())
}

/// Goes behind the colon of the key whose opening quote is at `at`, and gives where the key stands without
/// its quotes; `None` where it has escapes.
#[inline]
pub(crate) fn key(bytes: &[u8], at: usize) -> Option<(usize, Range<usize>)> {
    let (end, false) = string(bytes, at + 1)? else { return None };
    let (b':', colon) = token(bytes, end)? else { return None };
    Some((colon + 1, at + 1..end - 1))
}

/// Hands each element of the array `text` to `each`, as [`members`] does.
pub(super) fn elements(text: &str, mut each: impl FnMut(Range<usize>)) -> Option<()> {
    let bytes = text.as_bytes();
    let (b'[', start) = token(bytes, 0)? else { return None };
    let end = array(bytes, start + 1, DEPTH, &mut each)?;
    token(bytes, end).is_none().then_some(())
}

/// The next byte that is no blank, and its place.
#[inline(always)]
fn token(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let byte = *bytes.get(at)?;
    if byte > b' ' { Some((byte, at)) } else { token_behind_blanks(bytes, at) }
}

#[cold]
fn token_behind_blanks(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    while let b' ' | b'\n' | b'\t' | b'\r' = *bytes.get(at)? {
        at += 1;
    }
    Some((*bytes.get(at)?, at))
}

#[inline(always)]
fn object<K>(
    bytes: &[u8],
    at: usize,
    depth: u32,
    mut key: impl FnMut(usize) -> Option<(usize, K)>,
    mut each: impl FnMut(usize, K, Range<usize>, Form) -> Option<()>,
) -> Option<usize> {
    let (mut byte, mut at) = token(bytes, at)?;
    if byte == b'}' {
        return Some(at + 1);
    }
    loop {
        if byte != b'"' {
            return None;
        }
        let (behind, known) = key(at)?;
        let (first, start) = token(bytes, behind)?;
        let (end, form) = value(bytes, first, start, depth)?;
        each(at, known, start..end, form)?;
        match token(bytes, end)? {
            (b',', comma) => (byte, at) = token(bytes, comma + 1)?,
            (b'}', brace) => return Some(brace + 1),
            _ => return None,
        }
    }
}

/// Goes behind the value that begins with `first` at `at`.
#[inline(always)]
fn value(bytes: &[u8], first: u8, at: usize, depth: u32) -> Option<(usize, Form)> {
    match first {
        b'"' => {
            let (end, escapes) = string(bytes, at + 1)?;
            Some((end, if escapes { Form::Escaped } else { Form::Plain }))
        }
        b'-' | b'0'..=b'9' => Some((number(bytes, first, at)?, Form::Bare)),
        b't' => Some((literal(bytes, at, b"true")?, Form::Bare)),
        b'f' => Some((literal(bytes, at, b"false")?, Form::Bare)),
        b'n' => Some((literal(bytes, at, b"null")?, Form::Null)),
        b'[' => Some((array(bytes, at + 1, depth.checked_sub(1)?, &mut |_| {})?, Form::Array)),
        b'{' => Some((nested(bytes, at + 1, depth.checked_sub(1)?)?, Form::Object)),
        _ => None,
    }
}

/// An object whose members are not wanted.
#[inline(never)]
fn nested(bytes: &[u8], at: usize, depth: u32) -> Option<usize> {
    object(bytes, at, depth, |at| key(bytes, at), |_, _, _, _| Some(()))
}

#[inline(never)]
fn array(bytes: &[u8], at: usize, depth: u32, each: &mut dyn FnMut(Range<usize>)) -> Option<usize> {
    let (mut first, mut at) = token(bytes, at)?;
    if first == b']' {
        return Some(at + 1);
    }
    loop {
        let (end, _) = value(bytes, first, at, depth)?;
        each(at..end);
        match token(bytes, end)? {
            (b',', comma) => (first, at) = token(bytes, comma + 1)?,
            (b']', bracket) => return Some(bracket + 1),
            _ => return None,
        }
    }
}

/// Goes behind a string from behind its opening quote; whether it has escapes.
#[inline(always)]
fn string(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escapes = false;
    loop {
        at = plain(bytes, at);
        match *bytes.get(at)? {
            b'"' => return Some((at + 1, escapes)),
            b'\\' => {
                let (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') = *bytes.get(at + 1)? else {
                    return None;
                };
                escapes = true;
                at += 2;
            }
            _ => return None,
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Eight bytes, the first the lowest.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// Goes to the next quote, backslash or control character, or to the end.
#[inline(always)]
fn plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        // what is below 0x21 once its second bit is flipped is a quote or a control character; the lowest
        // byte with its high bit set, and those below it, are exact
        let quote = (word ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
        let backslash = (word ^ (ONES * 0x5C)).wrapping_sub(ONES);
        let stops = (quote | backslash) & !word & HIGH;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
        at += 1;
    }
    at
}

#[inline(always)]
fn number(bytes: &[u8], first: u8, at: usize) -> Option<usize> {
    let start = at + usize::from(first == b'-');
    let mut at = if bytes.get(start) == Some(&b'0') { start + 1 } else { digits(bytes, start)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(bytes, at + 1 + usize::from(signed))?;
    }
    Some(at)
}

/// Goes behind digits, of which there must be one or more.
#[inline(always)]
fn digits(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(word) = word(bytes, at) {
        // digits are 0 to 9 after this; the lowest byte with its high bit set, and those below it, are exact
        let digits = word ^ (ONES * 0x30);
        let stops = (digits.wrapping_add(ONES * 0x76) | digits) & HIGH;
        if stops != 0 {
            at += (stops.trailing_zeros() / 8) as usize;
            return (at > start).then_some(at);
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

#[inline]
fn literal(bytes: &[u8], at: usize, literal: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(literal).then_some(at + literal.len())
}
