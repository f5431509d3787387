//! Why a record or a claim was refused. A reject is data, not an error.

use crate::tokens::tokens;

tokens! {
    /// Reason code of a reject.
    Reason, "reason", {
        // records of logs
        /// The record is not of the declared format.
        NotThisFormat = "not-this-format",
        /// A JSON text that does not parse.
        BadJson = "bad-json",
        /// More or fewer columns than the header in force names.
        WrongFieldCount = "wrong-field-count",
        /// A data record before any header.
        NoHeader = "no-header",
        /// A header that can't be used.
        BadHeader = "bad-header",
        /// A time stamp that is no time, or outside the years 0001 to 9999.
        BadTime = "bad-time",
        /// A quote that is not closed, or a stray quote.
        BadQuoting = "bad-quoting",
        /// A record longer than the limit.
        TooLong = "too-long",
        /// The compressed stream ended early or is damaged; what came before it is kept.
        DamagedStream = "damaged-stream",
        /// The stream expands beyond the allowed ratio or size.
        Decompression = "decompression-limit",
        /// A value that does not fit its column.
        BadValue = "bad-value",
        // claims of feeds
        /// Nothing in the text is an indicator that comity knows.
        NotAnIndicator = "not-an-indicator",
        /// A type that comity does not match on.
        UnsupportedType = "unsupported-type",
        /// The provider marks the value as context, not for detection (MISP `to_ids` false).
        NotForDetection = "not-for-detection",
        /// The text could mean several things.
        Ambiguous = "ambiguous",
        /// A value with leading zeros, a bad length, a bad checksum or bad characters.
        Malformed = "malformed",
        /// A network so wide that it says nothing.
        TooBroad = "too-broad",
        /// A single label or a public suffix.
        PublicSuffix = "public-suffix",
        /// A URL whose fragment carries the meaning.
        UrlFragment = "url-fragment",
        /// A STIX pattern that needs several records.
        NeedsSeveralRecords = "needs-several-records",
        /// A STIX pattern or regular expression that does not parse or is not supported.
        BadPattern = "bad-pattern",
        /// An object that was revoked by its provider.
        Revoked = "revoked",
        /// A substring or regular expression without declared fields.
        NoDeclaredField = "no-declared-field",
    }
}

/// A refused record or claim: reason code and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Reason code.
    pub reason: Reason,
    /// What was wrong, lower case, values quoted; without the place, which the caller knows.
    pub message: String,
}

impl Reject {
    /// Makes a reject.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
