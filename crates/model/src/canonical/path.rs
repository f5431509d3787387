//! File paths, file names and registry keys.
//!
//! | text | canonical |
//! |---|---|
//! | `\\?\C:/Users//Eve\a.EXE` | `c:\users\eve\a.exe` |
//! | `\\?\UNC\Server\share\a.txt` | `\\server\share\a.txt` |
//! | `/home/Eve//a.sh` | `/home/Eve/a.sh` |
//! | `HKLM:\Software\Run\` | `hkey_local_machine\software\run` |
//!
//! A path is one of Windows where it begins with a drive or a backslash, or holds a backslash and does
//! not begin with a slash; those are compared without case (ASCII) and the others with it. A path has a
//! separator: a bare name is a `file-name`, compared without case on every system, and a `file-name`
//! indicator with a separator claims the narrower `file-path`. `.` and `..` are not
//! resolved: a log names what was asked for, and links can make `a/../b` differ from `b`.

use super::Flaw;

const NO_PATH: Flaw = Flaw::malformed("holds no separator: it is a file name, not a path");
const NO_NAME: Flaw = Flaw::malformed("names no file");
const NO_KEY: Flaw = Flaw::malformed("is no registry key");

/// Whether a text is a path rather than a name.
pub(super) fn has_separator(text: &str) -> bool {
    text.contains(['/', '\\'])
}

/// A whole path.
pub(super) fn path(text: &str) -> Result<String, Flaw> {
    if !has_separator(text) {
        return Err(NO_PATH);
    }
    if !is_windows(text) {
        return Ok(collapsed(text, '/'));
    }
    let mut path = text.to_ascii_lowercase().replace('/', "\\");
    let server = if path.starts_with(r"\\") { "\\" } else { "" };
    path = format!("{server}{}", collapsed(&path, '\\'));
    loop {
        path = if let Some(share) = path.strip_prefix(r"\\?\unc\") {
            format!(r"\\{share}")
        } else if let Some(inner) = path.strip_prefix(r"\\?\").or_else(|| path.strip_prefix(r"\??\")) {
            inner.trim_start().to_owned()
        } else {
            break;
        };
    }
    if has_separator(&path) { Ok(path) } else { Err(NO_PATH) }
}

/// The last component of a path, or a bare name; lower case. A backslash separates here even in a
/// UNIX path: `/mnt/share\a.exe` is more often a mixed path than a name with a backslash in it.
pub(super) fn name(text: &str) -> Result<String, Flaw> {
    match text.rsplit(['/', '\\']).next().map(str::trim) {
        None | Some("" | "." | "..") => Err(NO_NAME),
        Some(name) => Ok(name.to_ascii_lowercase()),
    }
}

/// A key, its root by its full name where it has one.
pub(super) fn registry_key(text: &str) -> Result<String, Flaw> {
    let key = collapsed(&text.to_ascii_lowercase(), '\\');
    let mut key = key.trim_end_matches(|c: char| c == '\\' || c.is_whitespace());
    while let Some(inner) = key.strip_prefix(r"computer\") {
        key = inner.trim_start();
    }
    for (short, root) in ROOTS {
        let rest = key.strip_prefix(short);
        match rest.map(|rest| rest.strip_prefix(':').unwrap_or(rest)) {
            Some(rest) if rest.is_empty() || rest.starts_with('\\') => return Ok(format!("{root}{rest}")),
            _ => {}
        }
    }
    if key.trim_start_matches('\\').is_empty() { Err(NO_KEY) } else { Ok(key.to_owned()) }
}

/// Names of the roots: abbreviations, PowerShell drives (`HKLM:`), and the kernel's.
const ROOTS: &[(&str, &str)] = &[
    ("hklm", "hkey_local_machine"),
    ("hkcu", "hkey_current_user"),
    ("hkcr", "hkey_classes_root"),
    ("hku", "hkey_users"),
    ("hkcc", "hkey_current_config"),
    (r"\registry\machine", "hkey_local_machine"),
    (r"\registry\user", "hkey_users"),
];

fn is_windows(text: &str) -> bool {
    match text.as_bytes() {
        [b'/', ..] => false,
        [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic() => true,
        _ => text.contains('\\'),
    }
}

/// The text with each run of separators made one.
fn collapsed(text: &str, separator: char) -> String {
    let mut previous = None;
    let keep = |c: &char| {
        let repeated = *c == separator && previous == Some(separator);
        previous = Some(*c);
        !repeated
    };
    text.chars().filter(keep).collect()
}
