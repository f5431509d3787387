//! Text from outside, made harmless for where it is shown.

use std::fmt;

/// Whether a character is not seen, or moves what is: controls, those that turn the direction of
/// writing, line separators, those without width, tags (Unicode UAX #9, TR #36 §2; "Trojan Source").
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Writes the characters of a text that are not seen, or move what is, as `\u{…}`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Text that can be shown: [`plain`], whatever it was. HTML escapes it like any other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plain(String);

impl Plain {
    pub(crate) fn of(text: &str) -> Self {
        Self(plain(text))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that means nothing to Markdown, to HTML within it, or to what makes links of bare addresses
/// (CommonMark 0.31, GFM 0.29 "Autolinks"). Not for code, where a backslash stays one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inert(String);

impl Inert {
    pub(crate) fn of(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for c in plain(text).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '@' => out.push_str("&#64;"),
                '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '$' => {
                    out.push('\\');
                    out.push(c);
                }
                other => out.push(other),
            }
        }
        Self(out.replace("://", "&#58;//").replace("www.", "www&#46;"))
    }
}

impl fmt::Display for Inert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes a number with commas between thousands.
pub(crate) fn count_text(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The text, where it is a SHA-256 as 64 lower-case hexadecimal digits.
pub(crate) fn digest(text: &str) -> Option<&str> {
    let fits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    fits.then_some(text)
}

/// The text, where it has the shape of an RFC 3339 time: `2026-02-03T04:05:06.789Z`.
pub(crate) fn time(text: &str) -> Option<&str> {
    let (seconds, rest) = text.split_at_checked(19)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    let fits = shaped(seconds, "0000-00-00T00:00:00")
        && (zone == "Z" || shaped(zone, "+00:00") || shaped(zone, "-00:00"));
    fits.then_some(text)
}

/// Whether a text has the shape of a pattern, in which `0` stands for any digit.
fn shaped(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(b, p)| if p == b'0' { b.is_ascii_digit() } else { b == p })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\u{200b}\n"), r"a\u{1b}[31mb\u{202e}c\u{200b}\u{a}");
        assert_eq!(plain("Ünïcode, 日本, <b>"), "Ünïcode, 日本, <b>");
    }

    #[test]
    fn markdown_finds_no_markup() {
        assert_eq!(
            Inert::of("<b>|[x](http://e) `c` a@b www.e\n# t").to_string(),
            r"&lt;b&gt;\|\[x\](http&#58;//e) \`c\` a&#64;b www&#46;e\\u{a}\# t"
        );
    }

    #[test]
    fn numbers_have_commas() {
        let texts = [0, 999, 1_000, 1_234_567].map(count_text);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn only_what_has_the_shape_is_a_digest_or_a_time() {
        assert!(digest(&"0a".repeat(32)).is_some());
        assert!(
            [&"0A".repeat(32), &"0a".repeat(31), "", &"é".repeat(32)].iter().all(|t| digest(t).is_none())
        );
        for good in ["2026-02-03T04:05:06Z", "2026-02-03T04:05:06.7+01:00", "2026-02-03T04:05:06-11:30"] {
            assert_eq!(time(good), Some(good));
        }
        for bad in
            ["", "2026-02-03", "2026-02-03T04:05:06", "2026-02-03T04:05:06.Z", "2026-02-03 04:05:06Z", "é"]
        {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
