//! Regular expressions, as the `regex` crate reads them: linear time in the text, no look-around, no
//! back-references. Sample: `(?i)^/gate\.php\?id=[0-9a-f]{16}$`.

use regex::{Regex, RegexBuilder};

use super::Flaw;
use crate::Reason;

/// Most memory that one compiled pattern may take, bytes.
const SIZE_LIMIT: usize = 1 << 20;

const BAD: Flaw = Flaw::new(
    Reason::BadPattern,
    "is not supported: look-around and back-references are not, nor patterns above 1 MiB compiled",
);

/// Compiles a canonical `regex` value; what searches must use this, so that the limits agree.
///
/// # Errors
/// Where the pattern does not parse, or is larger than 1 MiB when compiled.
pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build()
}

/// A pattern that compiles, as written.
pub(super) fn regex(text: &str) -> Result<String, Flaw> {
    compile(text).map(|_| text.to_owned()).map_err(|_| BAD)
}
