//! The manifests, written and read, and the tag files of a payload.

use super::{
    BAG_INFO, BAGIT, BagError, BagInfo, DATA, MANIFEST, MAX_FILES, MAX_MANIFEST_BYTES, PayloadFile,
    TAG_MANIFEST, check_path, collision, total_bytes,
};
use crate::Sha256Digest;

/// `bagit.txt`, the same in every bag.
pub const BAGIT_TXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// Tag files of a bag with its seal and a time stamp.
const TAG_FILES: usize = 6;

/// The four tag files for a payload, name and bytes, in the order to write them; the seal is over the
/// last. The payload may come in any order.
///
/// # Errors
/// Where a path is outside the rules, is not below `data/`, or clashes with another; where there are
/// none or too many; or where `info` is not to be written.
pub fn tag_files(payload: &[PayloadFile], info: &BagInfo) -> Result<[(&'static str, Vec<u8>); 4], BagError> {
    check_payload(payload)?;
    let info = info.to_text((total_bytes(payload), payload.len()))?;
    let manifest = lines(payload.iter().map(|file| (file.path.as_str(), file.sha256)).collect());
    if u64::try_from(manifest.len()).unwrap_or(u64::MAX) > MAX_MANIFEST_BYTES {
        return Err(BagError::TooLarge { path: MANIFEST.into(), limit_bytes: MAX_MANIFEST_BYTES });
    }
    let tags = [(BAGIT, BAGIT_TXT), (BAG_INFO, &info), (MANIFEST, &manifest)];
    let tag_manifest =
        lines(tags.iter().map(|(name, text)| (*name, Sha256Digest::of(text.as_bytes()))).collect());
    Ok([
        (BAGIT, BAGIT_TXT.into()),
        (BAG_INFO, info.into_bytes()),
        (MANIFEST, manifest.into_bytes()),
        (TAG_MANIFEST, tag_manifest.into_bytes()),
    ])
}

fn check_payload(payload: &[PayloadFile]) -> Result<(), BagError> {
    if payload.is_empty() {
        return Err(BagError::Absent { path: DATA.into() });
    }
    if payload.len() > MAX_FILES - TAG_FILES {
        return Err(BagError::TooManyFiles { path: DATA.into() });
    }
    for file in payload {
        check_path(&file.path).map_err(|fault| BagError::name(&file.path, fault))?;
        if !is_payload(&file.path) {
            return Err(BagError::Misplaced { path: file.path.clone(), manifest: MANIFEST });
        }
    }
    refuse_collision(payload.iter().map(|file| file.path.as_str()).collect())
}

pub(super) fn is_payload(path: &str) -> bool {
    path.strip_prefix(DATA).is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn refuse_collision(mut paths: Vec<&str>) -> Result<(), BagError> {
    match collision(&mut paths) {
        Some((other, path)) => Err(BagError::Collision { path: path.to_owned(), other: other.to_owned() }),
        None => Ok(()),
    }
}

fn lines(mut entries: Vec<(&str, Sha256Digest)>) -> String {
    entries.sort_unstable();
    let mut text = String::new();
    for (path, sha256) in entries {
        text.extend([&sha256.to_string(), "  ", path, "\n"]);
    }
    text
}

/// Reads a manifest.
pub(super) fn parse(manifest: &'static str, bytes: &[u8]) -> Result<Vec<(String, Sha256Digest)>, BagError> {
    let mut entries: Vec<(String, Sha256Digest)> = Vec::new();
    for (line, index) in text(manifest, bytes)?.lines().zip(1..) {
        if index > MAX_FILES {
            return Err(BagError::TooManyFiles { path: manifest.into() });
        }
        let (path, sha256) = entry(line).ok_or(BagError::Line { path: manifest, line: index })?;
        check_path(path).map_err(|fault| BagError::name(path, fault))?;
        match entries.last().map(|(last, _)| path.cmp(last)) {
            Some(std::cmp::Ordering::Less) => {
                return Err(BagError::NotSorted { path: manifest, line: index });
            }
            Some(std::cmp::Ordering::Equal) => {
                return Err(BagError::Repeated { path: manifest, line: index });
            }
            _ => entries.push((path.to_owned(), sha256)),
        }
    }
    Ok(entries)
}

fn entry(line: &str) -> Option<(&str, Sha256Digest)> {
    let (digest, rest) = line.split_at_checked(64)?;
    Some((rest.strip_prefix("  ")?, digest.parse().ok()?))
}

/// The text of a tag file: UTF-8, no byte order mark, each line ended by LF alone.
pub(super) fn text<'a>(path: &'static str, bytes: &'a [u8]) -> Result<&'a str, BagError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(BagError::ByteOrderMark { path });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| BagError::NotUtf8 { path })?;
    if text.contains('\r') {
        return Err(BagError::CarriageReturn { path });
    }
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(BagError::NoLineEnd { path });
    }
    Ok(text)
}
