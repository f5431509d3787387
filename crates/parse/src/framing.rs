//! Where a record ends. The only place that sees chunk borders; knows nothing of meaning.
//!
//! | framing | a record is |
//! |---|---|
//! | `lines/v1` | a line without its LF or CRLF; a lone CR is content; a blank line is a record; what follows the last LF is a record if it is not empty |
//! | `csv/v1` | an RFC 4180 row without its LF or CRLF; line ends inside quotes belong to it |
//! | `json-array/v1` | an element of the one top-level array |

/// How a stream is cut into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framing {
    /// `lines/v1`
    Lines,
    /// `csv/v1`
    Csv,
    /// `json-array/v1`
    JsonArray,
}
