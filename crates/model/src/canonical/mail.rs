//! Mail addresses (RFC 5322 §3.4, RFC 6531), out of a header or an envelope.
//!
//! Samples: `Eve <Eve@Example.COM>` → `eve@example.com`, `mailto:eve@example.com?subject=hi`,
//! `eve@[192.0.2.7]`, `"eve x"@example.com`.
//!
//! Display name, angle brackets and `mailto:` are cut. The domain is a name, or an address literal; the
//! local part is compared without case (ASCII), so the canonical form is lower case. Refused: several
//! addresses, white space or specials in an unquoted local part, control characters.

use super::{Flaw, Part, address, name};
use crate::Kind;

const NO_ADDRESS: Flaw = Flaw::malformed("is no mail address");

/// A mail address and its domain.
pub(super) struct Mail {
    pub(super) value: String,
    pub(super) domain: Part,
}

/// Reads one mail address.
pub(super) fn read(text: &str) -> Result<Mail, Flaw> {
    let (local, domain) = bare(text).rsplit_once('@').ok_or(NO_ADDRESS)?;
    if !is_local(local) {
        return Err(NO_ADDRESS);
    }
    let local = local.to_ascii_lowercase();
    if let Some(literal) = domain.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        let tag = literal.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("ipv6:"));
        let inner = literal.get(5..).filter(|_| tag).unwrap_or(literal);
        let host = address::parse(inner).ok_or(NO_ADDRESS)?;
        let tag = if host.is_ipv6() { "ipv6:" } else { "" };
        let domain = Part { kind: address::kind_of(host), value: host.to_string() };
        return Ok(Mail { value: format!("{local}@[{tag}{host}]"), domain });
    }
    let domain = name::observed(domain)?;
    Ok(Mail { value: format!("{local}@{domain}"), domain: Part { kind: Kind::DomainName, value: domain } })
}

/// The address without display name, brackets and `mailto:`.
fn bare(text: &str) -> &str {
    let inner = match text.rsplit_once('<').map(|(_, inner)| inner.split_once('>')) {
        Some(Some((inner, rest))) if rest.trim().is_empty() => inner.trim(),
        _ => text,
    };
    match inner.get(..7).zip(inner.get(7..)) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto:") => {
            rest.split_once('?').map_or(rest, |(address, _)| address).trim()
        }
        _ => inner,
    }
}

fn is_local(local: &str) -> bool {
    let quoted = local.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    match quoted {
        Some(inner) => !inner.contains(|c: char| c.is_control() || c == '"'),
        None => {
            !local.is_empty()
                && !local
                    .contains(|c: char| c.is_control() || c.is_whitespace() || "\"(),:;<>@[\\]".contains(c))
        }
    }
}
