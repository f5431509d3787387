//! The built program, as people and scripts meet it.

mod bad_input;
mod common;
mod crashes;
mod machine;
mod people;
