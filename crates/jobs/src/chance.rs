//! The one place that asks for random bytes: keys, salts' secrets, nonces. Nothing from here goes into
//! what is compared between machines.

/// Random bytes of the operating system.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // without randomness no key is safe and no statement unguessable; Linux gives it or blocks
    if getrandom::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}
