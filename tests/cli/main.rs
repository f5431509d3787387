//! The built program, as people and scripts meet it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::string_slice,
    reason = "helpers of tests are tests too: they fail by panicking"
)]

mod bad_input;
mod common;
mod crashes;
mod machine;
mod people;
