//! Walks JSON without building trees: the members of an object and the elements of an array, their
//! values as they stand in the text (RFC 8259).
//!
//! Plain objects are walked by [`scan`]; for all else `serde_json` checks the syntax and finds the values'
//! ends. Nothing is allocated but for keys that have escapes. A text that does not parse is rejected with
//! the column.

use std::borrow::Cow;
use std::fmt;

use comity_model::{Reason, Reject};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Outcome, detect};

pub(crate) mod scan;

/// Most members that are held back until an object is known to be one.
const MEMBERS: usize = 48;

/// What a record of a JSON format is: a blank one carries no event, any other what `object` makes of
/// its text.
pub(crate) fn outcome(record: &[u8], object: impl FnOnce(&str) -> Result<(), Reject>) -> Outcome {
    if record.trim_ascii().is_empty() {
        return Outcome::Header;
    }
    match object(&detect::as_text(record)) {
        Ok(()) => Outcome::Event,
        Err(reject) => Outcome::Reject(reject),
    }
}

/// Hands the members of the object `text` to `each`: key, and value as it stands there.
pub(crate) fn members<'a>(text: &'a str, mut each: impl FnMut(&str, &'a str)) -> Result<(), Reject> {
    match members_by_scan(text, &mut each) {
        Some(()) => Ok(()),
        None => members_by_serde(text, each),
    }
}

/// The same where the scan takes the object; `None`, and nothing handed over, where it does not.
fn members_by_scan<'a>(text: &'a str, mut each: impl FnMut(&str, &'a str)) -> Option<()> {
    let (mut spans, mut count) = ([[0_u32; 4]; MEMBERS], 0);
    u32::try_from(text.len()).ok()?;
    scan::members(
        text,
        |at| scan::key(text.as_bytes(), at),
        |_, key, value, _| {
            let places = [key.start, key.end, value.start, value.end];
            // the length fits, so do all places
            *spans.get_mut(count)? = places.map(|at| u32::try_from(at).unwrap_or(u32::MAX));
            count += 1;
            Some(())
        },
    )?;
    for span in spans.iter().take(count) {
        let [key, key_end, value, value_end] = span.map(|at| at as usize);
        // spans begin and end at ASCII
        if let (Some(key), Some(value)) = (text.get(key..key_end), text.get(value..value_end)) {
            each(key, value);
        }
    }
    Some(())
}

/// The same as `serde_json` reads it; where that is an error, some members were handed over before it.
pub(crate) fn members_by_serde<'a>(text: &'a str, each: impl FnMut(&str, &'a str)) -> Result<(), Reject> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Members(each)).and_then(|()| json.end()).map_err(|error| bad_json(&error))
}

/// Hands the elements of the array `text` to `each`.
pub(crate) fn elements<'a>(text: &'a str, mut each: impl FnMut(&'a str)) -> Result<(), Reject> {
    // arrays are short: a first pass sees whether the scan takes the whole of it
    if scan::elements(text, |_| {}).is_some() {
        // elements begin and end at ASCII
        let _ = scan::elements(text, |element| text.get(element).into_iter().for_each(&mut each));
        return Ok(());
    }
    elements_by_serde(text, each)
}

fn elements_by_serde<'a>(text: &'a str, each: impl FnMut(&'a str)) -> Result<(), Reject> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_seq(Elements(each)).and_then(|()| json.end()).map_err(|error| bad_json(&error))
}

/// Hands the scalars of a value to `each`: itself, or the elements of an array; nulls and objects
/// give nothing. `value` must be whole JSON.
pub(crate) fn scalars(value: &str, scratch: &mut String, each: &mut dyn FnMut(&str)) {
    if value.starts_with('[') {
        // whole JSON: cannot fail
        let _ = elements(value, |element| {
            if let Some(text) = scalar(element, scratch) {
                each(text);
            }
        });
    } else if let Some(text) = scalar(value, scratch) {
        each(text);
    }
}

/// Text of a string, number or literal; `None` for null, objects and arrays.
pub(crate) fn scalar<'a>(value: &'a str, scratch: &'a mut String) -> Option<&'a str> {
    match value.as_bytes().first()? {
        b'"' => {
            let inner = value.strip_prefix('"')?.strip_suffix('"')?;
            Some(if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                inner
            } else {
                unescape(inner, scratch);
                scratch.as_str()
            })
        }
        b'{' | b'[' | b'n' => None,
        _ => Some(value),
    }
}

/// Undoes the escapes of a string; a lone surrogate becomes U+FFFD.
fn unescape(inner: &str, text: &mut String) {
    text.clear();
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut after = escaped.chars();
        match after.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                rest = unescape_unit(after.as_str(), text);
                continue;
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = after.as_str();
    }
    text.push_str(rest);
}

/// Undoes the `XXXX` of `\uXXXX`, and of the second half of a pair; gives what follows.
fn unescape_unit<'a>(rest: &'a str, text: &mut String) -> &'a str {
    let Some((high, after_high)) = unit(rest) else { return rest };
    let low = after_high.strip_prefix("\\u").and_then(unit);
    match low {
        Some((low, after_low)) if (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low) => {
            let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            after_low
        }
        _ => {
            text.push(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
            after_high
        }
    }
}

fn unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

fn bad_json(error: &serde_json::Error) -> Reject {
    let message = error.to_string();
    let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    let place = match (error.line(), error.column()) {
        (_, 0) => String::new(),
        (1, column) => format!(" at column {column}"),
        (line, column) => format!(" at line {line} of the record, column {column}"),
    };
    Reject::new(Reason::BadJson, format!("{what}{place}"))
}

struct Members<F>(F);

impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let value: &'de RawValue = map.next_value()?;
            self.0(&key, value.get());
        }
        Ok(())
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<&'de RawValue>()? {
            self.0(value.get());
        }
        Ok(())
    }
}

/// A key, borrowed unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Listed = Result<Vec<(String, String)>, Reject>;

    fn list(text: &str) -> Listed {
        let mut found = Vec::new();
        members(text, |key, value| found.push((key.to_owned(), value.to_owned())))?;
        Ok(found)
    }

    #[test]
    fn members_come_as_they_stand() {
        let found = list(r#" {"a" : 1.50, "b\u0041":"x\"", "c":{"d":[1]} } "#).unwrap();
        let expected = [("a", "1.50"), ("bA", r#""x\"""#), ("c", r#"{"d":[1]}"#)];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_reject_names_the_column() {
        let message = |text| list(text).unwrap_err().message;
        assert_eq!(message(r#"{"a":1,}"#), "trailing comma at column 8");
        assert_eq!(message(""), "EOF while parsing a value");
        assert_eq!(message("[1]"), "invalid type: sequence, expected an object");
        assert_eq!(message("{\"a\":1}x"), "trailing characters at column 8");
        assert_eq!(message("{\n\"a\"}"), "expected `:` at line 2 of the record, column 4");
        assert_eq!(list(&"[".repeat(100_000)).unwrap_err().reason, Reason::BadJson);
        assert_eq!(list(&format!("{{\"a\":{}", "[".repeat(100_000))).unwrap_err().reason, Reason::BadJson);
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        let mut scratch = String::new();
        assert_eq!(scalar(r#""a\ud83d\ude00\ud83dx\/\n""#, &mut scratch), Some("a😀\u{fffd}x/\n"));
        assert_eq!(scalar("null", &mut scratch), None);
        assert_eq!(scalar("-1e3", &mut scratch), Some("-1e3"));
    }

    /// What the scan makes of a text, where it takes it, and what serde does.
    fn both(text: &str) -> Option<[Listed; 2]> {
        let (mut ours, mut serdes) = (Vec::new(), Vec::new());
        let taken = members_by_scan(text, |key, value| ours.push((key.to_owned(), value.to_owned())));
        if taken.is_none() {
            assert_eq!(ours, [], "nothing is handed over that is left to serde");
            return None;
        }
        let read = members_by_serde(text, |key, value| serdes.push((key.to_owned(), value.to_owned())));
        Some([Ok(ours), read.map(|()| serdes)])
    }

    #[test]
    fn the_scan_takes_what_logs_hold() {
        for text in [
            r#"{"ts":1521911720.629574,"uid":"CmC9","id.orig_p":-0,"a":[],"b":[1,"x\/"],"c":{"d":[{}]},"e":1E+2}"#,
            " {} ",
            "{\"ü\" : null ,\t\"b\":[ true , false ] }",
        ] {
            let [ours, serdes] = both(text).unwrap();
            assert_eq!(ours, serdes);
        }
    }

    /// Texts of the members as the scan's forms give them.
    fn by_form(text: &str) -> Option<Vec<Option<String>>> {
        let (mut texts, mut scratch) = (Vec::new(), String::new());
        scan::members(
            text,
            |at| scan::key(text.as_bytes(), at),
            |_, _, value, form| {
                let raw = text.get(value)?;
                let text = match form {
                    scan::Form::Plain => raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')),
                    scan::Form::Bare => Some(raw),
                    scan::Form::Escaped => scalar(raw, &mut scratch),
                    scan::Form::Null | scan::Form::Array | scan::Form::Object => None,
                };
                texts.push(text.map(str::to_owned));
                Some(())
            },
        )?;
        Some(texts)
    }

    fn by_serde(text: &str) -> Vec<Option<String>> {
        let (mut texts, mut scratch) = (Vec::new(), String::new());
        members_by_serde(text, |_, value| texts.push(scalar(value, &mut scratch).map(str::to_owned)))
            .unwrap();
        texts
    }

    #[test]
    fn words_of_eight_bytes_may_lie_anywhere() {
        for (length, before) in (0..26).flat_map(|length| (0..9).map(move |before| (length, before))) {
            let (run, key) = ("x".repeat(length), "k".repeat(before));
            let digits: String = ('0'..='9').cycle().skip(1).take(length + 1).collect();
            for value in [
                format!("\"{run}\""),
                format!("\"{run}\\\"x\""),
                format!("\"{run}ü{run}\""),
                format!("\"{run}\u{1f}\""),
                digits.clone(),
                format!("-{digits}.{digits}e+{digits}"),
                format!("{digits}."),
                format!("{digits}x"),
            ] {
                let text = format!("{{\"{key}\":{value}}}");
                let serdes = members_by_serde(&text, |_, _| {});
                assert_eq!(by_form(&text).is_some(), serdes.is_ok(), "{text}");
                if serdes.is_ok() {
                    assert_eq!(by_form(&text).unwrap(), by_serde(&text), "{text}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn forms_give_the_scalars_of_serdes_values(
            inner in r#"("[a-z]{0,9}": ?(-?[1-9][0-9]{0,18}(\.[0-9]{1,9})?|"([ -!#-\[\]-~ü]|\\[nt"\\]){0,20}"|true|false|null|\[\]|\["x",1\]|\{"a":\[\]\}),){0,5}"#
        ) {
            let text = format!("{{{inner}\"last\":0}}");
            prop_assert_eq!(by_form(&text).unwrap(), by_serde(&text), "{}", text);
        }

        #[test]
        fn elements_are_serdes(text in r#"\[( ?("[a-z\\"]{0,10}"|-?[0-9.]{1,4}|null|\{"a":[1x]\}|\[1?\]) ?,?){0,4}\]?"#) {
            let (mut ours, mut serdes) = (Vec::new(), Vec::new());
            let taken = elements(&text, |element| ours.push(element.to_owned()));
            let read = elements_by_serde(&text, |element| serdes.push(element.to_owned()));
            prop_assert_eq!(taken, read);
            prop_assert_eq!(ours, serdes);
        }

        #[test]
        fn the_scan_takes_nothing_but_json_and_reads_it_as_serde_does(
            inner in r#"("[a-z\\ü"\x01/n]{0,9}":(-?[0-9.eE+-]{1,12}|"[^"]{0,12}"|true|nul|\[[0-9,"a\]]{0,6}|\{\}) ?,?){0,4}"#
        ) {
            let text = format!("{{{inner}}}");
            if let Some([ours, serdes]) = both(&text) {
                prop_assert_eq!(ours, serdes, "{}", text);
            }
        }

        #[test]
        fn every_control_character_quote_and_backslash_stops(before in "[ -~ü]{0,20}", stop in 0..0x80_u8, after in "[a-z]{0,20}") {
            let text = format!("{{\"k\":\"{before}{}{after}\"}}", char::from(stop));
            if let Some([ours, serdes]) = both(&text) {
                prop_assert_eq!(ours, serdes, "{}", text);
            }
        }

        #[test]
        fn strings_are_serdes(text in any::<String>()) {
            let mut scratch = String::new();
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(scalar(&json, &mut scratch), Some(text.as_str()));
        }

        #[test]
        fn any_text_is_read_or_rejected(text in r#"[\[\]{}",:\\u0-9a-fntrul. -]{0,40}"#) {
            let whole = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            if whole.is_ok() {
                prop_assert!(list(&text).is_ok());
            }
        }
    }
}
