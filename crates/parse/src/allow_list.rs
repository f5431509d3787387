//! Reads allow-lists: MISP warninglists (JSON), plain lists of names, addresses, networks or digests,
//! and `rank,domain` CSV as Tranco and Alexa publish.
//!
//! ```json
//! {"name": "…", "type": "cidr", "matching_attributes": ["ip-src", "ip-dst"], "list": ["192.0.2.0/24"]}
//! ```
//!
//! A plain list of networks and addresses matches as `cidr`, one of names as `hostname`, all else as
//! `string`, whichever most of its lines are; lines of another sort are kept as rejects of the list.

use comity_model::Kind;
use comity_model::allow_list::{AllowList, Matching};
use serde::Deserialize;

use crate::extract::has_public_suffix;
use crate::feed::value::{What, named_type};
use crate::log::OptionsError;

/// A warninglist as MISP writes it.
#[derive(Deserialize)]
struct Warninglist {
    #[serde(default)]
    name: String,
    #[serde(rename = "type", default)]
    matching: Option<String>,
    #[serde(default)]
    matching_attributes: Option<Vec<String>>,
    list: Vec<String>,
}

/// Reads a list; `name_hint` names it where it does not name itself.
///
/// # Errors
/// Where the bytes are no list: JSON of another form, not UTF-8, or nothing at all.
pub fn read(name_hint: &str, bytes: &[u8]) -> Result<AllowList, OptionsError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| error(name_hint, "is not UTF-8"))?;
    if text.trim_start().starts_with('{') { warninglist(name_hint, text) } else { plain(name_hint, text) }
}

fn error(name: &str, why: &str) -> OptionsError {
    OptionsError { message: format!("allow-list {name:?} {why}") }
}

fn warninglist(name_hint: &str, text: &str) -> Result<AllowList, OptionsError> {
    let list: Warninglist = serde_json::from_str(text)
        .map_err(|fault| error(name_hint, &format!("is no MISP warninglist: {fault}")))?;
    // MISP takes `string` where a list says nothing
    let matching = list.matching.as_deref().unwrap_or("string");
    let matching: Matching = matching.parse().map_err(|fault| error(name_hint, &format!("{fault}")))?;
    let name = if list.name.is_empty() { name_hint } else { &list.name };
    let kinds = list.matching_attributes.filter(|types| !types.is_empty()).map(|types| kinds(&types));
    Ok(AllowList::new(name, matching, kinds, list.list.iter().map(String::as_str)))
}

/// The kinds that MISP types stand for; of a composite, both parts.
fn kinds(types: &[String]) -> Vec<Kind> {
    let mut all = Vec::new();
    for part in types.iter().flat_map(|name| name.split('|')) {
        match named_type(part) {
            Some(What::One(kind)) => all.push(kind),
            Some(What::Address) => all.extend([Kind::Ipv4Addr, Kind::Ipv6Addr]),
            _ => {}
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn plain(name_hint: &str, text: &str) -> Result<AllowList, OptionsError> {
    let entries: Vec<&str> = text.lines().filter_map(entry).collect();
    if entries.is_empty() {
        return Err(error(name_hint, "has no entries"));
    }
    let networks = entries.iter().filter(|entry| is_network(entry)).count();
    let names = entries.iter().filter(|entry| has_public_suffix(entry.trim_start_matches("*."))).count();
    let others = entries.len() - networks - names;
    let matching = if networks > names && networks > others {
        Matching::Cidr
    } else if names > others {
        Matching::Hostname
    } else {
        Matching::String
    };
    Ok(AllowList::new(name_hint, matching, None, entries))
}

/// The entry of a line; `None` for blank lines, comments and the header of a CSV list.
fn entry(line: &str) -> Option<&str> {
    let text = line.trim();
    let text = text.split_once(" #").map_or(text, |(entry, _)| entry.trim_end());
    if text.is_empty() || text.starts_with(['#', ';']) || text.starts_with("//") {
        return None;
    }
    let entry = match text.split_once(',') {
        Some((rank, entry)) if rank.bytes().all(|byte| byte.is_ascii_digit()) => entry,
        Some((rank, _)) if rank.eq_ignore_ascii_case("rank") => return None,
        _ => text,
    };
    Some(entry.split(',').next().unwrap_or(entry).trim_matches('"'))
}

fn is_network(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        let json = br#"{"name":"n","type":"cidr","matching_attributes":["ip-dst","domain|ip"],"list":["192.0.2.0/24","x"]}"#;
        let list = read("hint", json).unwrap();
        assert_eq!((list.name.as_str(), list.matching), ("n", Matching::Cidr));
        assert_eq!(list.kinds, Some(vec![Kind::Ipv4Addr, Kind::Ipv6Addr, Kind::DomainName]));
        assert_eq!((list.entries.len(), list.rejects.len()), (1, 1));
        let ranked = read("top", b"rank,domain\n1,example.com\r\n2,example.org\n").unwrap();
        assert_eq!((ranked.matching, ranked.entries.len()), (Matching::Hostname, 2));
        let plain = read("nets", b"# ours\n192.0.2.0/24\n2001:db8::1\nexample.com\n").unwrap();
        assert_eq!((plain.matching, plain.entries.len(), plain.rejects.len()), (Matching::Cidr, 2, 1));
        let hashes = read("hashes", b"D41D8CD98F00B204E9800998ECF8427E\n").unwrap();
        assert_eq!(hashes.entries, ["d41d8cd98f00b204e9800998ecf8427e"]);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for (bytes, message) in [
            (
                &b"{\"a\":1}"[..],
                "allow-list \"x\" is no MISP warninglist: missing field `list` at line 1 column 7",
            ),
            (b"\xff", "allow-list \"x\" is not UTF-8"),
            (b"# nothing", "allow-list \"x\" has no entries"),
        ] {
            assert_eq!(read("x", bytes).unwrap_err().message, message);
        }
        let odd = read("x", br#"{"type":"fuzzy","list":[]}"#).unwrap_err().message;
        assert!(
            odd.starts_with("allow-list \"x\" matching \"fuzzy\" is not known; one of: string,"),
            "{odd}"
        );
    }
}
