//! The public suffix list's own tests, and every rule of the list against the compiled snapshot.

use comity_model::Reason;
use comity_model::canonical::indicator;

use super::{name, shared, suite};
use comity_model::Kind;

/// 78 cases, no disagreement: a null is either no name by our rules (empty, leading dot) or a suffix.
#[test]
fn registrable_domains() {
    let Some(rows) = suite("psl.jsonl") else { return };
    for row in &rows {
        let domain = row["input"]["domain"].as_str().unwrap_or("");
        let expected = row["expected"]["registrable_domain"].as_str().map(|name| self::name(name).unwrap());
        let canonical = name(domain);
        let found = canonical.as_deref().and_then(psl::domain_str);
        assert_eq!(found, expected.as_deref(), "{domain:?}");
        // what is registrable can be claimed, what is a suffix can't, but for the private section
        match indicator(Kind::DomainName, domain) {
            Ok(claim) => assert!(expected.is_some() || claim.exact_only, "{domain:?}"),
            Err(reject) => assert!(expected.is_none(), "{domain:?} {}", reject.message),
        }
    }
    assert_eq!(rows.len(), 78);
}

/// Private rules of the list that `psl` 2.1.247 does not hold; it is of another day.
const NOT_IN_THE_SNAPSHOT: [&str; 14] = [
    "aliases121.com",
    "gitapp.si",
    "demo.datacenter.fi",
    "paas.datacenter.fi",
    "knightpoint.systems",
    "oya.to",
    "perspecta.cloud",
    "alpha-myqnapcloud.com",
    "dev-myqnapcloud.com",
    "replit.dev",
    "teams.replit.dev",
    "xnbay.com",
    "u2.xnbay.com",
    "u2-local.xnbay.com",
];

/// What the list says of a name.
#[derive(Debug, PartialEq, Eq)]
enum Says {
    Refused,
    ExactOnly,
    Free,
}

/// Every rule of the list as it stood at the commit in SOURCES.md. A rule that the compiled snapshot
/// does not hold is a name like any other, met with the names under it; the run's definition says
/// which snapshot was compiled in.
#[test]
fn rules_of_the_list() {
    let Some(list) = shared("data/allowlists/psl/public_suffix_list.dat") else { return };
    let (mut rules, mut other_snapshot, mut private) = (0, Vec::new(), false);
    for line in list.lines() {
        private |= line.contains("===BEGIN PRIVATE DOMAINS===");
        let rule = line.split_whitespace().next().unwrap_or("");
        if rule.is_empty() || rule.starts_with("//") {
            continue;
        }
        let (text, suffix) = match rule.strip_prefix('!') {
            Some(exception) => (exception.to_owned(), false),
            None => (rule.replace('*', "any-label"), true),
        };
        let expected = match (suffix, private && text.contains('.')) {
            (false, _) => Says::Free,
            (true, true) => Says::ExactOnly,
            (true, false) => Says::Refused,
        };
        let found = match indicator(Kind::DomainName, &text) {
            Ok(claim) if claim.exact_only => Says::ExactOnly,
            Ok(_) => Says::Free,
            Err(reject) => {
                assert_eq!(reject.reason, Reason::PublicSuffix, "{}", reject.message);
                Says::Refused
            }
        };
        rules += 1;
        if found != expected {
            other_snapshot.push(format!("{rule}: {found:?}, the list says {expected:?}"));
        }
    }
    assert_eq!(rules, 10_248);
    assert_eq!(
        other_snapshot,
        NOT_IN_THE_SNAPSHOT.map(|rule| format!("{rule}: Free, the list says ExactOnly"))
    );
}
