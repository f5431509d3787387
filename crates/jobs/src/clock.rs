//! The one place that reads the clock. Times from here go into intakes, details and statements, never
//! into anything that is compared between machines.

use comity_provenance::statement::Time;

use crate::JobError;

/// Now, RFC 3339 in UTC, to the second.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

/// Now, seconds since 1970 UTC.
pub(crate) fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Now, as statements have it.
pub(crate) fn time() -> Result<Time, JobError> {
    time_of(&now())
}

/// A time that came from [`now`].
pub(crate) fn time_of(text: &str) -> Result<Time, JobError> {
    text.parse().map_err(|_| JobError::Nothing(format!("time {text:?} of this machine's clock is no time")))
}

/// Seconds since 1970 UTC as people and files have them.
pub(crate) fn text_of(at_s: i64) -> String {
    jiff::Timestamp::from_second(at_s).map_or_else(|_| at_s.to_string(), |time| time.to_string())
}
