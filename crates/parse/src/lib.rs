//! Bytes to events, claims and rejects. Pure: no files, no clock, no arrow.
//!
//! A log format ([`log`]) gets the bytes of one record and drives a [`log::RecordSink`]; where a
//! record ends is [`framing`]'s business. A feed format ([`feed`]) gets a whole snapshot and drives
//! a [`feed::ClaimSink`]. [`extract`] finds indicators in free text, [`refang`] undoes defanging
//! (feeds only, never evidence).

pub mod allow_list;
pub mod extract;
pub mod feed;
pub mod framing;
pub mod log;
pub mod refang;
pub mod time;
