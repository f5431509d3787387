//! Finds observables in free text: addresses, names, URLs, mail addresses, hashes.

use comity_model::Kind;

/// Hands every observable that stands in `text` to `found`, canonical, in order of appearance.
/// Does not refang: evidence is read as it is.
pub fn observables(_text: &str, _found: &mut dyn FnMut(Kind, &str)) {
    unimplemented!()
}
