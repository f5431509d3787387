//! Level 0: the package, changed by one who has no key.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::fixture::Fixture;
use crate::forge::{DEFINITION, Forge, LEAVES, MANIFEST, RO_CRATE, SEAL, STATEMENTS, TAG_MANIFEST};
use crate::trial::{Row, lie};

/// Sorts of files: the bag, and what the path of one begins with.
const SORTS: [(&str, &str); 20] = [
    ("findings", "bag-info.txt"),
    ("findings", "bagit.txt"),
    ("findings", MANIFEST),
    ("findings", "data/VERIFY.md"),
    ("findings", DEFINITION),
    ("findings", "data/results/sightings.parquet"),
    ("findings", "data/report.html"),
    ("findings", "data/case.jsonld"),
    ("findings", RO_CRATE),
    ("findings", "data/verify/first-seen.sql"),
    ("findings", "data/records/"),
    ("findings", "data/indicators/"),
    ("findings", "data/inputs/allow-lists/"),
    ("findings", STATEMENTS),
    ("findings", "data/log/checkpoint"),
    ("findings", LEAVES),
    ("full", "data/inputs/evidence/"),
    ("full", "data/results/not-seen.parquet"),
    ("feed", "data/inputs/feeds/"),
    ("feed", "data/attestations/"),
];

pub(crate) fn rows(fixture: &Fixture) -> Vec<Row> {
    let mut rows = flipped(fixture);
    rows.extend(files());
    rows.extend(names());
    rows.extend(tags());
    rows.extend(bombs());
    rows
}

/// A flipped bit in each sort of file.
fn flipped(fixture: &Fixture) -> Vec<Row> {
    let mut rows = Vec::new();
    for (which, prefix) in SORTS {
        let path = Forge::of(fixture, which).first(prefix);
        rows.push(lie(format!("a flipped bit in {prefix} of a {which} bag"), "digest", 0, move |t| {
            t.outside_of(which, |bag| {
                let bytes = bag.files.get_mut(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            });
        }));
    }
    let secret = Forge::of(fixture, "full").files.into_keys().find(|path| path.ends_with(".secret")).unwrap();
    rows.push(lie("a flipped bit in the secret of the salts", "digest", 0, move |t| {
        t.outside_of("full", |bag| bag.files.get_mut(&secret).unwrap()[0] ^= 1);
    }));
    rows.push(lie("a flipped bit in the tag manifest", "digest", 0, |t| {
        t.outside(|bag| {
            let bytes = bag.files.get_mut(TAG_MANIFEST).unwrap();
            let digit = bytes.iter_mut().find(|byte| byte.is_ascii_digit()).unwrap();
            *digit ^= 1;
        });
    }));
    rows.push(lie("a changed character in the seal", "seal-false", 0, |t| {
        t.outside(|bag| {
            let bytes = bag.files.get_mut(SEAL).unwrap();
            // among the last characters of the signature
            let at = bytes.len() - 50;
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        });
    }));
    rows
}

/// Files that are more, fewer, shorter, elsewhere.
fn files() -> Vec<Row> {
    vec![
        lie("a truncated file", "oxum", 0, |t| {
            t.outside(|bag| {
                bag.files.get_mut("data/report.html").unwrap().pop();
            });
        }),
        lie("two files cut and grown alike", "digest", 0, |t| {
            t.outside(|bag| {
                bag.files.get_mut("data/report.html").unwrap().pop();
                bag.files.get_mut("data/VERIFY.md").unwrap().push(b'\n');
            });
        }),
        lie("an empty file in the place of one", "oxum", 0, |t| t.outside(|bag| bag.put(STATEMENTS, ""))),
        lie("a payload file that is not listed", "payload-extra", 0, |t| {
            t.outside(|bag| bag.put("data/run-me.sh", "#!/bin/sh\n"));
        }),
        lie("a hidden file beside the payload", "tag-file", 0, |t| t.outside(|bag| bag.put(".note", "x"))),
        lie("a directory beside the payload", "tag-file", 0, |t| t.outside(|bag| bag.put("more/file", "x"))),
        lie("a directory without files", "empty-directory", 0, |t| {
            t.on_disk(|bag| fs::create_dir(bag.join("data/empty")).unwrap());
        }),
        lie("a payload file that is missing", "payload-missing", 0, |t| {
            t.outside(|bag| drop(bag.files.remove("data/verify/first-seen.sql")));
        }),
        lie("no payload at all", "payload-missing", 0, |t| {
            t.outside(|bag| bag.files.retain(|path, _| !path.starts_with("data/")));
        }),
        lie("a tag file that is missing", "payload-missing", 0, |t| {
            t.outside(|bag| drop(bag.files.remove(TAG_MANIFEST)));
        }),
        lie("a renamed file", "payload-extra", 0, |t| {
            t.outside(|bag| {
                let bytes = bag.files.remove("data/report.html").unwrap();
                bag.put("data/report-1.html", bytes);
            });
        }),
        lie("a file twice, under two names", "payload-extra", 0, |t| {
            t.outside(|bag| {
                let bytes = bag.files["data/report.html"].clone();
                bag.put("data/report-copy.html", bytes);
            });
        }),
        lie("two files that change places", "digest", 0, |t| {
            t.outside(|bag| {
                let sql = |name: &str| format!("data/verify/{name}.sql");
                let (a, b) = (sql("first-seen"), sql("not-seen"));
                let (first, second) = (bag.files[&a].clone(), bag.files[&b].clone());
                bag.put(&a, second);
                bag.put(&b, first);
            });
        }),
        lie("a file instead of the bag's data", "tag-file", 0, |t| {
            t.on_disk(|bag| {
                fs::remove_dir_all(bag.join("data")).unwrap();
                fs::write(bag.join("data"), "x").unwrap();
            });
        }),
    ]
}

/// Names and kinds of files that lead elsewhere or mislead.
fn names() -> Vec<Row> {
    let named = |name: &'static [u8], kind: &'static str, what: &'static str| {
        lie(what, kind, 0, move |t| {
            t.on_disk(|bag| {
                fs::write(bag.join("data").join(std::ffi::OsStr::from_bytes(name)), "x").unwrap()
            });
        })
    };
    let listed = |path: &'static str, what: &'static str| {
        lie(what, "path", 0, move |t| {
            t.outside(|bag| {
                let more = format!("{}{}  {path}\n", bag.text(MANIFEST), "0".repeat(64));
                bag.put(MANIFEST, more);
                bag.tag_manifest();
            });
        })
    };
    vec![
        named(b"\x1b[2J\x1b]0;owned\x07.html", "path", "a file whose name moves the cursor"),
        named("harmless\u{202e}fdp.exe".as_bytes(), "path", "a file whose name runs from right to left"),
        named(b"line\nbreak", "path", "a file whose name has a line break"),
        named(b"\xff\xfe", "path", "a file whose name is no text"),
        named(b"$(touch owned)", "path", "a file whose name is a command"),
        named(b"REPORT.html", "path-collision", "two file names that differ in case alone"),
        lie("a directory and a file that differ in case alone", "path-collision", 0, |t| {
            t.outside(|bag| bag.put("data/Verify.MD/x", "x"));
        }),
        listed("data/../../etc/passwd", "a manifest that leads out of the bag"),
        listed("/etc/passwd", "a manifest with an absolute path"),
        listed("data/%2e%2e/x", "a manifest with a percent-encoded path"),
        listed("data/\u{202e}x", "a manifest with a path from right to left"),
        listed("~/x", "a manifest with a home directory"),
        lie("a link in the place of a file", "link", 0, |t| {
            t.on_disk(|bag| {
                fs::rename(bag.join("data/report.html"), bag.parent().unwrap().join("report.html")).unwrap();
                symlink("../../report.html", bag.join("data/report.html")).unwrap();
            });
        }),
        lie("a link in the place of a directory", "link", 0, |t| {
            t.on_disk(|bag| {
                fs::rename(bag.join("data/verify"), bag.parent().unwrap().join("verify")).unwrap();
                symlink("../../verify", bag.join("data/verify")).unwrap();
            });
        }),
        lie("a link to the payload", "link", 0, |t| {
            t.on_disk(|bag| {
                fs::rename(bag.join("data"), bag.parent().unwrap().join("data")).unwrap();
                symlink("../data", bag.join("data")).unwrap();
            });
        }),
        lie("a socket in the payload", "special-file", 0, |t| {
            t.on_disk(|bag| drop(short_socket(&bag.join("data/s"))));
        }),
        lie("a list of files to fetch from elsewhere", "fetch", 0, |t| {
            t.outside(|bag| bag.put("fetch.txt", "http://192.0.2.1/x 1 data/x\n"));
        }),
        lie("a second manifest", "second-manifest", 0, |t| {
            t.outside(|bag| {
                bag.put("manifest-md5.txt", "d41d8cd98f00b204e9800998ecf8427e  data/report.html\n")
            });
        }),
        lie("a second tag manifest", "second-manifest", 0, |t| {
            t.outside(|bag| bag.put("tagmanifest-sha512.txt", "x"));
        }),
    ]
}

/// A socket at a path that may be too long for one.
fn short_socket(path: &Path) -> UnixListener {
    let short = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(short.path().join("s")).unwrap();
    fs::rename(short.path().join("s"), path).or_else(|_| symlinked_bind(path)).unwrap();
    listener
}

/// The same through a link, where the temporary directory is on another disk.
fn symlinked_bind(path: &Path) -> std::io::Result<()> {
    let short = tempfile::tempdir()?;
    symlink(path.parent().unwrap(), short.path().join("d"))?;
    UnixListener::bind(short.path().join("d/s")).map(drop)
}

/// Tag files that say what they must not, or in another form; the tag manifest is right, the seal is not asked yet.
fn tags() -> Vec<Row> {
    let info = |what: &'static str, kind: &'static str, from: &'static str, to: &'static str| {
        lie(what, kind, 0, move |t| {
            t.outside(|bag| {
                bag.replace("bag-info.txt", from, to);
                bag.tag_manifest();
            });
        })
    };
    let manifest = |what: &'static str, kind: &'static str, change: fn(String) -> String| {
        lie(what, kind, 0, move |t| {
            t.outside(|bag| {
                let text = change(bag.text(MANIFEST));
                bag.put(MANIFEST, text);
                bag.tag_manifest();
            });
        })
    };
    let reversed = |text: String| text.lines().rev().map(|line| format!("{line}\n")).collect();
    vec![
        info("another marking in bag-info.txt", "seal-false", "Comity-TLP: amber", "Comity-TLP: clear"),
        info("text from right to left in bag-info.txt", "bag-info", "Purpose: ", "Purpose: \u{202e}"),
        info("a terminal escape in bag-info.txt", "bag-info", "Purpose: ", "Purpose: \u{1b}[31m"),
        info("an unseen character in bag-info.txt", "bag-info", "Recipient: ", "Recipient: \u{feff}"),
        info(
            "a label twice in bag-info.txt",
            "bag-info",
            "Comity-TLP: amber\n",
            "Comity-TLP: amber\nComity-TLP: clear\n",
        ),
        info(
            "an unknown label in bag-info.txt",
            "bag-info",
            "Comity-TLP: ",
            "Contact-Email: a@b\nComity-TLP: ",
        ),
        info(
            "a folded line in bag-info.txt",
            "bag-info",
            "Purpose: prosecution",
            "Purpose: prosecution\n or not",
        ),
        info("a line end of another system in bag-info.txt", "bag-info", "amber\n", "amber\r\n"),
        info("a byte order mark before bag-info.txt", "bag-info", "Bag-Soft", "\u{feff}Bag-Soft"),
        lie("bag-info.txt without its last line end", "bag-info", 0, |t| {
            t.outside(|bag| {
                bag.files.get_mut("bag-info.txt").unwrap().pop();
                bag.tag_manifest();
            });
        }),
        lie("bag-info.txt that is no text", "bag-info", 0, |t| {
            t.outside(|bag| {
                bag.files.get_mut("bag-info.txt").unwrap().insert(0, 0xff);
                bag.tag_manifest();
            });
        }),
        info("another kind in bag-info.txt", "seal-false", "Kind: findings", "Kind: full"),
        info("another number of bytes in bag-info.txt", "oxum", "Payload-Oxum: ", "Payload-Oxum: 1"),
        lie("another version of BagIt", "bagit-txt", 0, |t| {
            t.outside(|bag| {
                bag.replace("bagit.txt", "1.0", "0.97");
                bag.tag_manifest();
            });
        }),
        manifest("a path twice in the manifest", "manifest-repeated", |text| {
            let first = text.lines().next().unwrap().to_owned();
            format!("{first}\n{text}")
        }),
        manifest("a manifest in another order", "manifest-order", reversed),
        manifest("digits of a digest in upper case", "manifest-form", |text| text.replacen('a', "A", 1)),
        manifest("a shorter digest", "manifest-form", |text| text.chars().skip(1).collect()),
        manifest("a byte order mark", "manifest-form", |text| format!("\u{feff}{text}")),
        manifest("a manifest without its last line end", "manifest-form", |text| text.trim_end().to_owned()),
        manifest("a tag file in the payload's manifest", "manifest-path", |text| {
            format!("{text}{}  tagmanifest-sha256.txt\n", "0".repeat(64))
        }),
        manifest("a file dropped from the manifest", "payload-extra", |text| {
            text.lines()
                .filter(|line| !line.ends_with("report.html"))
                .map(|line| format!("{line}\n"))
                .collect()
        }),
        lie("all digests made right, without a key", "seal-false", 0, |t| {
            t.outside(|bag| {
                bag.put("data/report.html", "<p>not guilty</p>");
                bag.manifest();
            });
        }),
    ]
}

/// Files larger than anyone wants to read.
fn bombs() -> Vec<Row> {
    let sparse = |what: &'static str, kind: &'static str, path: &'static str| {
        lie(what, kind, 0, move |t| {
            t.on_disk(|bag| {
                let file =
                    File::options().write(true).create(true).truncate(false).open(bag.join(path)).unwrap();
                file.set_len(1 << 40).unwrap();
            });
        })
    };
    vec![
        sparse("a sparse file of 1 TiB in the place of one", "oxum", "data/report.html"),
        sparse("a sparse file of 1 TiB more", "payload-extra", "data/more"),
        sparse("a manifest of 1 TiB", "too-large", MANIFEST),
        sparse("a tag manifest of 1 TiB", "too-large", TAG_MANIFEST),
        sparse("a seal of 1 TiB", "too-large", SEAL),
    ]
}
