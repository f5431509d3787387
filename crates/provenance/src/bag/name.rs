//! Which paths a bag may have: `[A-Za-z0-9._/-]`, no part empty, `.` or `..`, and no two that a file
//! system blind to case would take for one. So a path reads the same on every system, needs no
//! escaping anywhere, and cannot lead out of the bag.

use thiserror::Error;

/// Length of the longest path, in bytes: leaves room for the bag's own place below `PATH_MAX` (4096).
pub const MAX_PATH_BYTES: usize = 1024;

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameFault {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It begins with `/`.
    #[error("is absolute")]
    Absolute,
    /// `//`, or `/` at the end.
    #[error("has an empty part")]
    EmptyPart,
    /// A part is `.` or `..`.
    #[error("has a part that is \".\" or \"..\"")]
    DotPart,
    /// It has a `%`: RFC 8493 §2.1.3 escapes line ends so, which no path of ours has.
    #[error("has a %: nothing is percent-encoded here")]
    Percent,
    /// Another character.
    #[error("has the character {0:?}; only letters and digits of ASCII, . _ - and / are allowed")]
    Character(char),
    /// It is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// It is longer than [`MAX_PATH_BYTES`].
    #[error("is longer than {MAX_PATH_BYTES} bytes")]
    TooLong,
}

/// Holds a path against the rules.
///
/// # Errors
/// The first fault.
pub fn check_path(path: &str) -> Result<(), NameFault> {
    if path.is_empty() {
        return Err(NameFault::Empty);
    }
    if path.len() > MAX_PATH_BYTES {
        return Err(NameFault::TooLong);
    }
    if path.starts_with('/') {
        return Err(NameFault::Absolute);
    }
    let strange = path.chars().find(|&c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-')));
    match strange {
        Some('%') => return Err(NameFault::Percent),
        Some(other) => return Err(NameFault::Character(other)),
        None => {}
    }
    for part in path.split('/') {
        match part {
            "" => return Err(NameFault::EmptyPart),
            "." | ".." => return Err(NameFault::DotPart),
            _ => {}
        }
    }
    Ok(())
}

/// Two paths of these that cannot lie side by side where case does not count, if any: equal paths,
/// directories that differ in case alone (`a/x`, `A/y`), a file and a directory of the same name.
/// Sorts the paths. They must keep [`check_path`].
pub fn collision<'a>(paths: &mut [&'a str]) -> Option<(&'a str, &'a str)> {
    // '/' sorts lowest, so that what shares a directory stands together, after a file of its name;
    // then of all that clash, some neighbours do
    fn folded(path: &str) -> impl Iterator<Item = u8> {
        path.bytes().map(|b| if b == b'/' { 0 } else { b.to_ascii_lowercase() })
    }
    paths.sort_unstable_by(|a, b| folded(a).cmp(folded(b)).then_with(|| a.cmp(b)));
    paths.windows(2).find_map(|pair| match pair {
        [a, b] if clash(a, b) => Some((*a, *b)),
        _ => None,
    })
}

fn clash(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (Some(x), Some(y)) if x == y => {}
            (Some(x), Some(y)) => return x.eq_ignore_ascii_case(y),
            // the same path, or a file where the other has a directory
            _ => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let longest = "a".repeat(MAX_PATH_BYTES);
        let long = format!("{longest}a");
        let table: &[(&str, Result<(), NameFault>)] = &[
            ("data/a", Ok(())),
            ("data/.hidden/..a/a..", Ok(())),
            ("-a", Ok(())),
            ("", Err(NameFault::Empty)),
            ("/data/a", Err(NameFault::Absolute)),
            ("data//a", Err(NameFault::EmptyPart)),
            ("data/", Err(NameFault::EmptyPart)),
            ("data/../a", Err(NameFault::DotPart)),
            ("..", Err(NameFault::DotPart)),
            ("./data", Err(NameFault::DotPart)),
            ("data/a%0A", Err(NameFault::Percent)),
            ("data/a b", Err(NameFault::Character(' '))),
            ("data\\a", Err(NameFault::Character('\\'))),
            ("C:a", Err(NameFault::Character(':'))),
            ("data/a\n", Err(NameFault::Character('\n'))),
            ("data/a\0", Err(NameFault::Character('\0'))),
            ("data/\u{202e}", Err(NameFault::Character('\u{202e}'))),
            ("data/ä", Err(NameFault::Character('ä'))),
            (&longest, Ok(())),
            (&long, Err(NameFault::TooLong)),
        ];
        for (path, want) in table {
            assert_eq!(check_path(path), *want, "{path:?}");
        }
    }

    #[test]
    fn collisions() {
        for apart in
            [&["data/a", "data/b", "data/a-b/c", "data/a.b", "data/aa"][..], &["data/a/x", "data/b/x"]]
        {
            assert_eq!(collision(&mut apart.to_vec()), None);
        }
        for (paths, want) in [
            (vec!["b", "a", "A"], ("A", "a")),
            (vec!["d/x", "d/y", "D/z"], ("d/y", "D/z")),
            (vec!["d/x/1", "e", "D"], ("D", "d/x/1")),
            (vec!["d", "d-", "d/x"], ("d", "d/x")),
            (vec!["a", "b", "a"], ("a", "a")),
        ] {
            let mut sorted = paths.clone();
            assert_eq!(collision(&mut sorted), Some(want), "{paths:?}");
        }
    }
}
