//! Syslog as the IETF has it (RFC 5424 §6).
//!
//! ```text
//! <165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3"] An event
//! ```
//!
//! The `message` is the structured data, if any, and the text, as they stand: both are searched for
//! observables. `-` is no value. Rejects: a line without priority and version, a broken header, structured
//! data that do not close, a stamp that is no time.

use comity_model::{Reason, Reject};

use super::detect::{self, Sample};
use super::put::clipped;
use super::syslog::{Parts, priority};
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};
use crate::framing::Framing;
use crate::time::{self, Zone};

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "syslog-rfc5424",
    title: "Syslog, RFC 5424",
    needs_mapping: false,
    has_context: false,
    detect: |sample| detect::share(sample, 97, |line| split(line).is_ok()),
    framing: |_: &Sample<'_>| Framing::Lines,
    open,
};

fn open(_: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    Ok(Box::new(Reader))
}

#[derive(Debug, Clone)]
struct Reader;

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        if record.trim_ascii().is_empty() {
            return Outcome::Header;
        }
        let text = detect::as_text(record);
        match line(&text, sink) {
            Ok(()) => Outcome::Event,
            Err(reject) => Outcome::Reject(reject),
        }
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

fn line(text: &str, sink: &mut dyn RecordSink) -> Result<(), Reject> {
    let (stamp, parts) = split(text)?;
    if let Some(stamp) = stamp {
        let at_us = time::rfc3339(stamp, &Zone::Utc).ok_or_else(|| {
            Reject::new(Reason::BadTime, format!("timestamp {:?} is not a time", clipped(stamp)))
        })?;
        sink.time(at_us);
    }
    parts.put(sink)
}

/// Takes a line apart: stamp and parts.
fn split(text: &str) -> Result<(Option<&str>, Parts<'_>), Reject> {
    let broken = |what: &str| Reject::new(Reason::NotThisFormat, format!("no {what}"));
    let (value, rest) = priority(text).ok_or_else(|| broken("priority of 0 to 191"))?;
    let priority = Some(value.ok_or_else(|| broken("priority in angle brackets"))?);
    let mut words = rest.splitn(7, ' ');
    let mut word = |what: &str| words.next().filter(|word| !word.is_empty()).ok_or_else(|| broken(what));
    let version = word("version")?;
    if !(version.len() <= 2 && version.bytes().all(|byte| byte.is_ascii_digit()) && version != "0") {
        return Err(broken("version"));
    }
    let stamp = Some(word("timestamp")?).filter(|&stamp| stamp != "-");
    let host = unless_nil(word("host name")?);
    let program = unless_nil(word("program")?);
    word("process id")?;
    word("message id")?;
    let rest = word("structured data")?;
    let text = after_structured_data(rest).ok_or_else(|| broken("end of the structured data"))?;
    // a byte order mark says that the text is UTF-8, and is not of it
    let (text, marked) = text.strip_prefix('\u{feff}').map_or((text, false), |text| (text, true));
    let message = match rest.starts_with('[') {
        true if marked => rest.replacen('\u{feff}', "", 1).trim_end().to_owned().into(),
        true => rest.trim_end().into(),
        false => text.trim_end().into(),
    };
    Ok((stamp, Parts { priority, host, program, message }))
}

fn unless_nil(word: &str) -> &str {
    if word == "-" { "" } else { word }
}

/// What follows `-` or `[id name="value" …][…]`, without the blank between.
fn after_structured_data(text: &str) -> Option<&str> {
    let rest = match text.strip_prefix('-') {
        Some(rest) => rest,
        None => {
            let mut rest = element(text)?;
            while rest.starts_with('[') {
                rest = element(rest)?;
            }
            rest
        }
    };
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// What follows one `[…]`; inside quotes, a backslash escapes and brackets are content.
fn element(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return inner.get(at + 1..),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_data_ends_where_its_brackets_do() {
        assert_eq!(after_structured_data("- text"), Some("text"));
        assert_eq!(after_structured_data("-"), Some(""));
        assert_eq!(after_structured_data(r#"[a b="]\"x"][c] text"#), Some("text"));
        assert_eq!(after_structured_data(r#"[a b="x] text"#), None);
        assert_eq!(after_structured_data("text"), None);
    }

    #[test]
    fn a_header_is_whole_or_rejected() {
        let reason = |text| split(text).unwrap_err().reason;
        for bad in ["", "x", "<192>1 - - - - - -", "<34>0 - - - - - -", "<34>1 - - - -", "34 1 - - - - - -"] {
            assert_eq!(reason(bad), Reason::NotThisFormat, "{bad:?}");
        }
        let (stamp, parts) = split("<34>1 - - - - - - \u{feff}text").unwrap();
        assert_eq!((stamp, parts.host, &*parts.message), (None, "", "text"));
    }
}
