//! The one place that reads the clock. Times from here go into intakes and details, never into
//! anything that is digested.

/// Now, RFC 3339 in UTC, to the second.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}
