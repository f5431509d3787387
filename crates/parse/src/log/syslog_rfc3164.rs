//! Syslog as BSD has written it (RFC 3164 §4), with the liberties that daemons take.
//!
//! ```text
//! <34>Oct 11 22:14:15 mymachine su[230]: 'su root' failed for lonvick on /dev/pts/8
//! Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 203.0.113.31
//! 2024-04-19T00:10:01.123+02:00 web01 CRON[71]: (root) CMD (true)
//! ```
//!
//! The priority may be missing, and an ISO 8601 stamp may stand for the old one. A time without a year
//! lies in the job's zone and in the latest year that puts it before the end of the job's period; it is
//! null where the job declares no period. The message is searched for observables.
//! Rejects: a line without a time at its beginning, a day that no calendar has.

use comity_model::{Reason, Reject};

use super::detect::{self, Sample};
use super::put::clipped;
use super::syslog::{Parts, priority};
use super::{LogFormat, LogOptions, LogReader, OptionsError, Outcome, RecordSink};
use crate::framing::Framing;
use crate::time::{Civil, Zone};

pub(super) const FORMAT: LogFormat = LogFormat {
    name: "syslog-rfc3164",
    title: "Syslog, the old form",
    needs_mapping: false,
    has_context: false,
    detect,
    framing: |_: &Sample<'_>| Framing::Lines,
    open,
};

fn detect(sample: &Sample<'_>) -> u8 {
    detect::share(sample, 90, |line| {
        split(line, &Zone::Utc).is_ok_and(|(_, parts)| !(parts.host.is_empty() && parts.program.is_empty()))
    })
}

fn open(options: &LogOptions) -> Result<Box<dyn LogReader>, OptionsError> {
    Ok(Box::new(Reader { zone: super::zone(options)?, before_us: options.period.map(|(_, end)| end) }))
}

#[derive(Debug, Clone)]
struct Reader {
    zone: Zone,
    /// End of the period in which times without a year lie.
    before_us: Option<i64>,
}

impl LogReader for Reader {
    fn read(&mut self, record: &[u8], sink: &mut dyn RecordSink) -> Outcome {
        if record.trim_ascii().is_empty() {
            return Outcome::Header;
        }
        let text = detect::as_text(record);
        match self.line(&text, sink) {
            Ok(()) => Outcome::Event,
            Err(reject) => Outcome::Reject(reject),
        }
    }

    fn fork(&self) -> Box<dyn LogReader> {
        Box::new(self.clone())
    }
}

impl Reader {
    fn line(&self, text: &str, sink: &mut dyn RecordSink) -> Result<(), Reject> {
        let (stamp, parts) = split(text, &self.zone)?;
        if let Some(at_us) = self.time_of(stamp, text)? {
            sink.time(at_us);
        }
        parts.put(sink)
    }

    fn time_of(&self, stamp: Stamp, text: &str) -> Result<Option<i64>, Reject> {
        let at_us = match stamp {
            Stamp::At(at_us) => Some(at_us),
            Stamp::Civil(civil) if civil.year > 0 => civil.at_zone(&self.zone),
            Stamp::Civil(civil) if civil.is_a_day() => {
                let Some(before_us) = self.before_us else { return Ok(None) };
                civil.in_period(before_us, &self.zone)
            }
            Stamp::Civil(_) => None,
        };
        let message = || format!("time at the beginning of {:?} is not in the calendar", clipped(text));
        at_us.map(Some).ok_or_else(|| Reject::new(Reason::BadTime, message()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamp {
    At(i64),
    Civil(Civil),
}

/// Takes a line apart.
fn split<'a>(text: &'a str, zone: &Zone) -> Result<(Stamp, Parts<'a>), Reject> {
    let not_syslog = || Reject::new(Reason::NotThisFormat, "no time at the beginning of the line");
    let (priority, rest) = priority(text).ok_or_else(not_syslog)?;
    let (stamp, rest) = match Civil::month_first(rest) {
        Some((civil, rest)) => (Stamp::Civil(civil), rest),
        None => {
            let (at_us, rest) = Civil::iso_prefix(rest, zone).ok_or_else(not_syslog)?;
            (Stamp::At(at_us), rest)
        }
    };
    // Cisco puts a colon behind the stamp
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let rest = rest.strip_prefix(' ').ok_or_else(not_syslog)?.trim_start();
    // a first word that ends with a colon is the program: the host was left out
    let (host, rest) = match rest.split_once(' ').unwrap_or((rest, "")) {
        (word, _) if word.ends_with(':') => ("", rest),
        found => found,
    };
    let (program, message) = split_tag(rest.trim_start());
    Ok((stamp, Parts { priority, host, program, message: message.into() }))
}

/// Program and message of `sshd(pam_unix)[19939]: text` and `kernel: text`; a message without a tag is
/// all message.
fn split_tag(rest: &str) -> (&str, &str) {
    let end = rest.find([' ', ':', '[']).unwrap_or(rest.len());
    let Some((program, after)) = rest.split_at_checked(end) else { return ("", rest) };
    let after_pid = match after.strip_prefix('[') {
        Some(pid) => pid.split_once(']').map_or(after, |(_, after)| after),
        None => after,
    };
    match after_pid.strip_prefix(':') {
        Some(message) if !program.is_empty() => (program, message.trim()),
        _ => ("", rest.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_from_text() {
        assert_eq!(split_tag("sshd(pam_unix)[19939]: check pass"), ("sshd(pam_unix)", "check pass"));
        assert_eq!(split_tag("kernel: x: y"), ("kernel", "x: y"));
        assert_eq!(split_tag("syslogd 1.4.1: restart."), ("", "syslogd 1.4.1: restart."));
        assert_eq!(split_tag("-- root[2421]: ROOT LOGIN"), ("", "-- root[2421]: ROOT LOGIN"));
        assert_eq!(split_tag(""), ("", ""));
    }

    #[test]
    fn an_error_log_of_apache_is_not_syslog() {
        let reject = split("[Sun Dec 04 04:47:44 2005] [notice] x", &Zone::Utc).unwrap_err();
        assert_eq!(reject.reason, Reason::NotThisFormat);
    }
}
