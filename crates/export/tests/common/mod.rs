//! Dossiers to export: one as of a real case, one of a feed bag, one with hostile text in every field.

#![allow(dead_code, reason = "each user takes what it needs")]

use comity_export::{
    AllowListFacts, BagKind, CaseFacts, CorrelationFacts, Dossier, EvidenceFacts, FeedFacts, FileFacts,
    OutputFacts, Section, Summary, Tool,
};
use comity_model::Tlp;
use sha2::{Digest, Sha256};

/// SHA-256 of a text, hexadecimal.
pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

/// Operation Lantern, as `comity run` tells it: a findings bag.
pub(crate) fn lantern() -> Dossier {
    Dossier {
        case: CaseFacts {
            id: "2026-014".into(),
            title: Some("Operation Lantern".into()),
            jurisdiction: "DE".into(),
            purpose: "prosecution of computer fraud and data espionage, file 5 Js 1/26".into(),
        },
        run_id: Some("b18e4d731e3ffcb5d5e55ac9efdf13bb7615b50bd868e63fb17ee0b5633a8fb7".into()),
        kind: BagKind::Findings,
        tool: Tool {
            version: "0.1.0".into(),
            commit: Some("17cfc2f0d3c1a0b6a3f4b7c2d9e8f10111213141".into()),
        },
        node: Some("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGRNZYmqiWE4U2bLZ3k".into()),
        evidence: lantern_evidence(),
        feeds: lantern_feeds(),
        allow_lists: vec![AllowListFacts {
            id: sha256("content-networks"),
            name: "Content delivery networks".into(),
        }],
        correlations: ["affected-hosts", "corroboration", "cross-border", "first-seen", "not-seen"]
            .map(|name| CorrelationFacts { name: name.into(), sql_sha256: sha256(name) })
            .into(),
        outputs: lantern_outputs(),
        run_times: Some(("2026-11-24T09:12:03.481Z".into(), "2026-11-24T09:12:09.007Z".into())),
        files: lantern_files(),
        summary: lantern_summary(),
    }
}

fn lantern_evidence() -> Vec<EvidenceFacts> {
    let de = ("DE", "Landeskriminalamt Musterland", "StPO section 94, order 12 Gs 88/26", Tlp::AmberStrict);
    let jp = (
        "JP",
        "Reiji Prefectural Police",
        "EU-Japan Agreement on Mutual Legal Assistance in Criminal Matters, JP-MLA-26-113",
        Tlp::Amber,
    );
    let nl = ("NL", "Politie Eenheid Voorbeeld", "European Investigation Order NL-2026-7781", Tlp::Amber);
    let item = |(jurisdiction, authority, basis, tlp): (&str, &str, &str, Tlp),
                path: &str,
                format: &str,
                counts: [u64; 4]| {
        let [bytes, events, rejects, headers] = counts;
        let gzip = path.ends_with(".gz");
        EvidenceFacts {
            id: sha256(path),
            path: path.into(),
            bytes,
            codec: if gzip { "gzip" } else { "plain" }.into(),
            stream_sha256: if gzip { sha256("its stream") } else { sha256(path) },
            format: format.into(),
            framing: if format == "csv" { "csv/v1" } else { "lines/v1" }.into(),
            jurisdiction: jurisdiction.into(),
            authority: Some(authority.into()),
            legal_basis: Some(basis.into()),
            tlp: Some(tlp),
            received_at: "2026-05-04T07:31:12.5Z".into(),
            records: events + rejects,
            events,
            rejects,
            headers,
            record_root: Some(sha256(&format!("root of {path}"))),
        }
    };
    vec![
        item(de, "de/conn.log", "zeek-tsv", [29_445, 192, 1, 9]),
        item(de, "de/dns.log", "zeek-tsv", [41_039, 221, 0, 9]),
        item(de, "de/files.log", "zeek-tsv", [11_720, 52, 0, 9]),
        item(de, "de/http.log", "zeek-tsv", [26_643, 121, 1, 9]),
        item(jp, "jp/eve.json.gz", "suricata-eve", [103_519, 330, 2, 0]),
        item(jp, "jp/proxy-export.csv", "csv", [14_544, 118, 2, 1]),
        item(nl, "nl/access.log", "apache-combined", [55_078, 301, 1, 0]),
        item(nl, "nl/firewall.log", "syslog-rfc3164", [16_896, 122, 0, 0]),
        item(nl, "nl/mail.log", "syslog-rfc5424", [24_786, 160, 1, 0]),
    ]
}

fn lantern_feeds() -> Vec<FeedFacts> {
    let feed =
        |path: &str, provider: &str, format: &str, tlp, [seen, rejected, indicators]: [u64; 3]| FeedFacts {
            id: sha256(path),
            path: path.into(),
            provider: provider.into(),
            format: format.into(),
            tlp,
            received_at: "2026-05-05T11:02:40Z".into(),
            seen,
            accepted: seen - rejected,
            rejected,
            indicators,
        };
    vec![
        feed("feeds/beacon-tracker.csv", "Beacon Tracker", "csv", Some(Tlp::Green), [9, 2, 7]),
        feed("feeds/lighthouse.json", "Lighthouse Alliance", "stix", Some(Tlp::Amber), [9, 2, 7]),
        feed("feeds/northlight.txt", "Northlight Research", "plain", None, [14, 5, 8]),
        feed("feeds/tulip-csirt.json", "Tulip CSIRT", "misp", Some(Tlp::Green), [10, 2, 8]),
    ]
}

fn lantern_outputs() -> Vec<OutputFacts> {
    let tables = [
        ("sightings", 405),
        ("affected-hosts", 29),
        ("corroboration", 17),
        ("cross-border", 65),
        ("first-seen", 17),
        ("not-seen", 8),
    ];
    let output = |(name, rows): (&str, u64)| OutputFacts {
        name: name.into(),
        path: format!("results/{name}.parquet"),
        rows,
        sha256: sha256(&format!("{name}.parquet")),
        bytes: 2_048 + 31 * rows,
        logical_sha256: sha256(&format!("rows of {name}")),
    };
    tables.map(output).into()
}

fn lantern_files() -> Vec<FileFacts> {
    let later = ["VERIFY.md", "report.html", "case.jsonld", "ro-crate-metadata.json", "log/checkpoint"];
    let later = later.into_iter().chain(["log/leaves", "attestations/statements.intoto.jsonl"]);
    let mut files: Vec<FileFacts> =
        later.map(|p| FileFacts { path: p.into(), ..Default::default() }).collect();
    let known = |path: String, bytes| FileFacts { sha256: Some(sha256(&path)), bytes: Some(bytes), path };
    files.push(known("definition.json".into(), 6_213));
    for name in ["affected-hosts", "corroboration", "cross-border", "first-seen", "not-seen"] {
        files.push(known(format!("verify/{name}.sql"), 812));
    }
    for item in lantern_evidence() {
        files.push(known(format!("records/{}.jsonl", item.id), 9_120));
    }
    for feed in lantern_feeds() {
        files.push(known(format!("indicators/{}.jsonl", feed.id), 3_004));
    }
    files.push(known(format!("inputs/allow-lists/{}/original", sha256("content-networks")), 310));
    for output in lantern_outputs() {
        files.push(FileFacts { path: output.path, bytes: Some(output.bytes), sha256: Some(output.sha256) });
    }
    files
}

fn lantern_summary() -> Summary {
    let table =
        |title: &str, header: &[&str], numbers: &[usize], rows: Vec<Vec<String>>, note: &str| Section {
            title: title.into(),
            header: header.iter().map(|h| (*h).to_owned()).collect(),
            numbers: numbers.into(),
            rows,
            note: note.into(),
        };
    let seen = vec![
        texts(["2026-02-01 03:54:26Z", "JP", "cdn.example.net", "domain-name", "78", "unknown *"]),
        texts(["2026-02-09 08:14:02Z", "DE", "accounts-verify.example.net", "domain-name", "12", "unknown"]),
        texts(["2026-02-09 08:14:02Z", "DE", "203.0.113.64/28", "ipv4-net", "30", "mixed"]),
        texts([
            "2026-02-09 08:14:03Z",
            "DE",
            "http://login.accounts-verify.example.net/session?id=lantern",
            "url",
            "18",
            "mixed",
        ]),
        texts(["2026-02-09 08:14:11Z", "DE", "files.lantern-drop.example", "domain-name", "6", "valid"]),
        texts(["2026-02-09 08:14:11Z", "DE", "3dde7a43f6e1a9b0c4d58b7f3100047b", "file-md5", "4", "mixed"]),
        texts(["2026-02-09 08:14:11Z", "DE", "lantern_invoice.zip", "file-name", "2", "unknown"]),
        texts([
            "2026-02-09 08:14:11Z",
            "DE",
            "a2b37f996b1d4f5ac1e0f5d8e2b790a4c6f1d3e5a7b9c0d2e4f6a8b0989f08fe",
            "file-sha256",
            "4",
            "valid",
        ]),
        texts(["2026-02-09 08:17:40Z", "DE", "lantern-panel.example.org", "domain-name", "108", "unknown"]),
        texts(["2026-02-09 08:17:41Z", "DE", "198.51.100.23", "ipv4-addr", "62", "unknown"]),
        texts(["2026-02-09 08:17:41Z", "DE", "198.51.100.23:443", "ip-port", "29", "mixed"]),
        texts(["2026-02-13 21:02:55Z", "DE", "LanternLoader/1.2", "user-agent", "7", "unknown"]),
    ];
    let across = vec![
        texts(["accounts-verify.example.net", "domain-name", "DE", "2026-02-09 08:14:02Z", "first", "3"]),
        texts([
            "accounts-verify.example.net",
            "domain-name",
            "JP",
            "2026-03-04 01:22:18Z",
            "22 d 17 h later",
            "7",
        ]),
        texts([
            "accounts-verify.example.net",
            "domain-name",
            "NL",
            "2026-04-01 07:12:30Z",
            "50 d 22 h later",
            "2",
        ]),
        texts(["cdn.example.net", "domain-name", "JP", "2026-02-01 03:54:26Z", "first", "41"]),
        texts(["cdn.example.net", "domain-name", "DE", "2026-02-03 15:16:44Z", "2 d 11 h later", "21"]),
    ];
    let feeds = vec![
        texts(["Beacon Tracker", "1", "9", "2", "7", "4", "3"]),
        texts(["Lighthouse Alliance", "1", "9", "2", "7", "6", "1"]),
        texts(["Northlight Research", "1", "14", "5", "8", "6", "2"]),
        texts(["Tulip CSIRT", "1", "10", "2", "8", "6", "2"]),
    ];
    Summary {
        title: "2026-014: Operation Lantern".into(),
        answer: texts([
            "Found: 405 sightings of 17 indicator values (DE 174, JP 175, NL 56).",
            "First: 2026-02-01 03:54:26Z in JP, domain-name cdn.example.net.",
            "How sure: 59 within the indicator's validity, 35 outside it, 311 unknown; 78 named by an allow-list.",
            "Across borders: 14 indicator values in two or more jurisdictions.",
            "Searched: 30 indicators in 1,617 events of 9 evidence items.",
        ]),
        sections: vec![
            table(
                "What was seen, first sightings first",
                &["first seen", "in", "indicator", "kind", "sightings", "how sure"],
                &[4],
                seen,
                "* named by an allow-list; 5 more in first-seen.parquet",
            ),
            table(
                "Across borders",
                &["indicator", "kind", "in", "first seen", "lead", "records"],
                &[5],
                across,
                "60 more in cross-border.parquet",
            ),
            table(
                "Feeds: what was searched, and not seen",
                &["provider", "feeds", "claims", "rejected", "indicators", "seen", "not seen"],
                &[1, 2, 3, 4, 5, 6],
                feeds,
                "",
            ),
        ],
    }
}

/// A researcher's submission: feeds, no run.
pub(crate) fn submission() -> Dossier {
    let run = lantern();
    let inputs = run.feeds.iter().flat_map(|feed| {
        ["original", "record-salts.secret"].map(|name| format!("inputs/feeds/{}/{name}", feed.id))
    });
    let later = ["VERIFY.md", "report.html", "case.jsonld", "ro-crate-metadata.json", "log/checkpoint"];
    let paths = later.map(str::to_owned).into_iter().chain(inputs);
    Dossier {
        run_id: None,
        kind: BagKind::Feed,
        evidence: Vec::new(),
        allow_lists: Vec::new(),
        correlations: Vec::new(),
        outputs: Vec::new(),
        run_times: None,
        files: paths.map(|path| FileFacts { path, ..Default::default() }).collect(),
        summary: Summary { title: run.summary.title.clone(), ..Default::default() },
        ..run
    }
}

/// Text that means something to HTML, Markdown, terminals, JSON, spreadsheets, shells and the eye.
pub(crate) const HOSTILE: &str = "=1+1<script>alert(1)</script></td></table><img src=x onerror=a()>\"'`&amp; \
    \u{1b}[31m\u{9b}31m\u{202e}gpj\u{2066}\u{200b}\u{feff}\0\u{7f}\r\n\t# h\n``` | [x](javascript:a) \
    $(id) `id` {{x}} {% x %} https://e.example www.e.example a@e.example <!-- \\u{41} é 日本";

/// Hostile text in every field that takes text.
pub(crate) fn hostile() -> Dossier {
    filled(HOSTILE)
}

/// A text in every field that takes text, after the field's name.
pub(crate) fn filled(with: &str) -> Dossier {
    let text = |field: &str| format!("{field} {with}");
    Dossier {
        case: CaseFacts {
            id: text("case-id"),
            title: Some(text("case-title")),
            jurisdiction: text("case-jurisdiction"),
            purpose: text("case-purpose"),
        },
        run_id: Some(text("run-id")),
        kind: BagKind::Full,
        tool: Tool { version: text("tool-version"), commit: Some(text("tool-commit")) },
        node: Some(text("node")),
        evidence: vec![EvidenceFacts {
            id: text("evidence-id"),
            path: text("evidence-path"),
            bytes: u64::MAX,
            codec: text("evidence-codec"),
            stream_sha256: text("evidence-stream"),
            format: text("evidence-format"),
            framing: text("evidence-framing"),
            jurisdiction: text("evidence-jurisdiction"),
            authority: Some(text("evidence-authority")),
            legal_basis: Some(text("evidence-legal-basis")),
            tlp: Some(Tlp::Red),
            received_at: text("evidence-received"),
            records: 1,
            events: 2,
            rejects: 3,
            headers: 4,
            record_root: Some(text("evidence-root")),
        }],
        feeds: vec![FeedFacts {
            id: text("feed-id"),
            path: text("feed-path"),
            provider: text("feed-provider"),
            format: text("feed-format"),
            tlp: None,
            received_at: text("feed-received"),
            seen: 5,
            accepted: 6,
            rejected: 7,
            indicators: 8,
        }],
        allow_lists: vec![AllowListFacts { id: text("list-id"), name: text("list-name") }],
        correlations: vec![CorrelationFacts {
            name: text("correlation-name"),
            sql_sha256: text("correlation-sql"),
        }],
        outputs: vec![OutputFacts {
            name: text("output-name"),
            path: text("output-path"),
            rows: 9,
            sha256: text("output-sha256"),
            bytes: 10,
            logical_sha256: text("output-logical"),
        }],
        run_times: Some((text("run-started"), text("run-finished"))),
        files: vec![FileFacts {
            path: text("/../file-path"),
            bytes: Some(11),
            sha256: Some(text("file-sha256")),
        }],
        summary: Summary {
            title: text("summary-title"),
            answer: vec![text("answer: ")],
            sections: vec![Section {
                title: text("section-title"),
                header: vec![text("section-header")],
                numbers: vec![0, usize::MAX],
                rows: vec![vec![text("section-cell"), text("section-more")]],
                note: text("section-note"),
            }],
        },
    }
}
