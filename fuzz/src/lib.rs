//! What the fuzz targets share. A target is a file of `targets/`; it reads foreign bytes as comity does, and
//! asserts more than that nothing panics:
//!
//! - what is read writes back to the same bytes, or where spellings are free (JSON), to the same meaning;
//! - what verifies is what was signed or proven, and nothing near it: the targets hold the secret keys, and
//!   know the only signature that each can have made;
//! - memory stays within a multiple of the input.
//!
//! `.ci/fuzz` builds the targets with LLVM's SanitizerCoverage, by flags that stable Rust takes, and runs them
//! under libFuzzer. Seeds are written by the targets themselves, when `COMITY_FUZZ_SEEDS` names a directory.
//! A target's binary with a file as its argument runs that one input again. What crashed a target becomes a
//! test of the crate, or a seed.

pub mod samples;

use std::fs;
use std::path::PathBuf;

use comity_provenance::SecretKey;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs a reader, which may hold so many bytes at a time.
pub fn bounded<T>(limit_bytes: usize, run: impl FnOnce() -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = run();
    let taken = MEMORY.peak_usage().saturating_sub(before);
    assert!(taken <= limit_bytes, "{taken} bytes were held, of {limit_bytes} allowed");
    result
}

/// Writes the inputs to begin with, where they are asked for.
pub fn seeds(inputs: impl IntoIterator<Item = Vec<u8>>) {
    let Some(dir) = std::env::var_os("COMITY_FUZZ_SEEDS") else { return };
    for (number, input) in inputs.into_iter().enumerate() {
        fs::write(PathBuf::from(&dir).join(format!("seed-{number:02}")), input).unwrap();
    }
}

/// A directory of this process, in memory where the machine has that, for targets that need files.
pub fn scratch() -> PathBuf {
    let base = std::env::var_os("COMITY_FUZZ_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = base.join(format!("comity-fuzz-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The key of the node.
pub fn node() -> SecretKey {
    SecretKey::from_seed([1; 32])
}

/// The key of the log.
pub fn log() -> SecretKey {
    SecretKey::from_seed([2; 32])
}

/// The key of an officer, who seals and releases.
pub fn officer() -> SecretKey {
    SecretKey::from_seed([3; 32])
}

/// The key of a witness.
pub fn witness() -> SecretKey {
    SecretKey::from_seed([4; 32])
}

/// The key of a custodian.
pub fn custodian() -> SecretKey {
    SecretKey::from_seed([5; 32])
}
