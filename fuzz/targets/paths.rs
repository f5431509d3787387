//! Paths of a bag, one a line: which may lie side by side.

#![no_main]

use comity_fuzz::{bounded, seeds};
use comity_provenance::Sha256Digest;
use comity_provenance::bag::{BagInfo, BagKind, PayloadFile, check_path, collision, tag_files};

libfuzzer_sys::fuzz_target!(init: seeds(inputs()), |bytes: &[u8]| check(bytes));

fn inputs() -> impl Iterator<Item = Vec<u8>> {
    let texts = [
        "data/a\ndata/b/c\ndata/b/d\ndata/B-d",
        "data/a/x\ndata/a.b\ndata/a\ndata/A/y",
        "data/a-b/c\ndata/a/b\ndata/a.b/c\ndata/a/c/d",
        "a/x\nA/y",
        "data/../a\n/data/a\ndata//a\ndata/./a\n%\ndata/a/",
    ];
    texts.into_iter().map(|text| text.as_bytes().to_vec())
}

fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let paths: Vec<&str> = text.split('\n').filter(|path| check_path(path).is_ok()).take(40).collect();
    for path in &paths {
        assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
        assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte)));
    }
    let pairs = || paths.iter().enumerate().flat_map(|(at, a)| paths[at + 1..].iter().map(move |b| (*a, *b)));
    let any = pairs().any(|(a, b)| clash(a, b));
    let mut sorted = paths.clone();
    let found = bounded((16 << 10) + 8 * bytes.len(), || collision(&mut sorted));
    assert_eq!(found.is_some(), any, "{paths:?}: {found:?}");
    if let Some((a, b)) = found {
        assert!(clash(a, b));
        assert!(pairs().any(|pair| pair == (a, b) || pair == (b, a)));
    }
    check_tag_files(&paths, any);
}

/// Whether a file system blind to case can't have both: by the names of all their directories.
fn clash(a: &str, b: &str) -> bool {
    let above = |path: &str| -> Vec<String> {
        path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect()
    };
    let (above_a, above_b) = (above(a), above(b));
    let directories = above_a.iter().any(|x| above_b.iter().any(|y| x != y && x.eq_ignore_ascii_case(y)));
    let file_is_directory = above_a.iter().any(|x| x.eq_ignore_ascii_case(b))
        || above_b.iter().any(|y| y.eq_ignore_ascii_case(a));
    directories || file_is_directory || a.eq_ignore_ascii_case(b)
}

/// Tag files are made exactly for what may be a payload.
fn check_tag_files(paths: &[&str], any_clash: bool) {
    let file = |path: &&str| PayloadFile {
        path: (*path).to_owned(),
        sha256: Sha256Digest::of(path.as_bytes()),
        bytes: u64::MAX,
    };
    let payload: Vec<PayloadFile> = paths.iter().map(file).collect();
    let info = BagInfo {
        software_agent: "comity".to_owned(),
        bagging_date: "2026-11-25".to_owned(),
        external_identifier: "1".to_owned(),
        source_organization: String::new(),
        kind: BagKind::Feed,
        case: String::new(),
        run: None,
        jurisdiction: String::new(),
        purpose: String::new(),
        tlp: String::new(),
        recipient: String::new(),
    };
    let fine = !any_clash && !paths.is_empty() && paths.iter().all(|path| path.starts_with("data/"));
    assert_eq!(tag_files(&payload, &info).is_ok(), fine);
}
