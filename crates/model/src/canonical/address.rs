//! Addresses, networks, ranges, and addresses with a port.
//!
//! Parsed, never compared as text. An IPv4 address is four decimal numbers without leading zeros
//! (RFC 6943 §3.1.1, the strict form): `01.2.3.4` is decimal to some readers and octal to others, so
//! it is no address. IPv6 text is read by RFC 4291 §2.2 and written by RFC 5952; a zone (RFC 4007 §11)
//! is cut, since it means something on one host only. IPv4-mapped `::ffff:0:0/96` (RFC 4291 §2.5.5.2)
//! and NAT64 `64:ff9b::/96` (RFC 6052 §2.1) fold to the IPv4 address that they carry.
//!
//! | text | canonical |
//! |---|---|
//! | `64:ff9b::c000:207` | `192.0.2.7` |
//! | `FE80::1%eth0` | `fe80::1` |
//! | `192.0.2.7/24` | `192.0.2.0/24` |
//! | `::ffff:192.0.2.0/120` | `192.0.2.0/24` |
//! | `192.0.2.1 - 192.0.2.9` | `192.0.2.1-192.0.2.9` |
//! | `[2001:DB8::1]:443` | `[2001:db8::1]:443` |
//!
//! An IPv6 network shorter than /96 that holds the mapped block stays one of IPv6 and never meets a
//! folded address. Refused: the unspecified addresses, networks and ranges wider than /8 (/19), mixed
//! families, ports 0 and above 65535.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Breadth, Canonical, Flaw, Note, Part};
use crate::{Kind, Reason};

const NO_ADDRESS: Flaw = Flaw::malformed("is no address");
const NO_NETWORK: Flaw = Flaw::malformed("is no network: its prefix length is not a number that fits");
const NO_RANGE: Flaw = Flaw::malformed("is no range of addresses: \"first-last\" of one family expected");
const NO_PORT: Flaw = Flaw::malformed("is no address with a port from 1 to 65535");
const UNSPECIFIED: Flaw = Flaw::new(Reason::TooBroad, "stands for no address in particular");
const TOO_BROAD: Flaw = Flaw::new(Reason::TooBroad, "is wider than /8 (/19 for IPv6)");

/// Reads an address as it stands in a log: quad, IPv6, or IPv6 in brackets.
pub(super) fn observed(text: &str) -> Option<Part> {
    if quad(text).is_some() {
        return Some(Part { kind: Kind::Ipv4Addr, value: text.to_owned() });
    }
    let inner = text.strip_prefix('[').map_or(Some(text), |inner| inner.strip_suffix(']'))?;
    let address = fold(IpAddr::V6(six(inner)?));
    Some(Part { kind: kind_of(address), value: address.to_string() })
}

/// Reads an address or network of either family; the text decides which.
pub(super) fn network(text: &str, breadth: Breadth) -> Result<Canonical, Flaw> {
    let Some((address, length)) = text.split_once('/') else {
        return single(parse(text).ok_or(NO_ADDRESS)?);
    };
    let address = unfolded(address).ok_or(NO_ADDRESS)?;
    let width = width(address);
    let length = decimal(length).filter(|length| *length <= u32::from(width)).ok_or(NO_NETWORK)?;
    let (first, length) = fold_network(address, length);
    let (bits, width) = (number(first), self::width(first));
    let host = u32::from(width) - length;
    let base = bits & !low(host);
    if host == 0 {
        return single(first);
    }
    if breadth == Breadth::Limited && host > widest(first) {
        return Err(TOO_BROAD);
    }
    let kind = if first.is_ipv4() { Kind::Ipv4Net } else { Kind::Ipv6Net };
    let mut canonical = Canonical::new(kind, format!("{}/{length}", of_number(base, first)));
    canonical.note = (base != bits).then_some(Note::HostBitsCleared);
    Ok(canonical)
}

/// Reads `first-last`; a network or an address is taken as what it is.
pub(super) fn range(text: &str, breadth: Breadth) -> Result<Canonical, Flaw> {
    let Some((first, last)) = text.split_once('-') else { return network(text, breadth) };
    let first = parse(first.trim()).ok_or(NO_RANGE)?;
    let last = parse(last.trim()).ok_or(NO_RANGE)?;
    let (low, high) = (number(first), number(last));
    if first.is_ipv4() != last.is_ipv4() || low > high {
        return Err(NO_RANGE);
    }
    if low == high {
        return single(first);
    }
    if breadth == Breadth::Limited && high - low > self::low(widest(first)) {
        return Err(TOO_BROAD);
    }
    Ok(Canonical::new(Kind::IpRange, format!("{first}-{last}")))
}

/// Reads `192.0.2.7:443` or `[2001:db8::1]:443`.
pub(super) fn ip_port(text: &str) -> Result<Canonical, Flaw> {
    let (address, port) = text.rsplit_once(':').ok_or(NO_PORT)?;
    let port = decimal(port).filter(|port| (1..=65535).contains(port)).ok_or(NO_PORT)?;
    let address = match address.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').and_then(six).map(|six| fold(IpAddr::V6(six))),
        None => quad(address).map(IpAddr::V4),
    };
    let address = address.ok_or(NO_PORT)?;
    if address.is_unspecified() {
        return Err(UNSPECIFIED);
    }
    let value = match address {
        IpAddr::V4(four) => format!("{four}:{port}"),
        IpAddr::V6(six) => format!("[{six}]:{port}"),
    };
    Ok(Canonical::new(Kind::IpPort, value))
}

/// Address (without brackets) and port of a canonical `ip-port`.
pub fn ip_port_parts(value: &str) -> Option<(&str, u16)> {
    let (address, port) = value.rsplit_once(':')?;
    let address = address.strip_prefix('[').map_or(Some(address), |inner| inner.strip_suffix(']'))?;
    Some((address, port.parse().ok()?))
}

/// Reads an address strictly and folds it.
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    unfolded(text).map(fold)
}

/// Kind of an address.
pub(super) fn kind_of(address: IpAddr) -> Kind {
    if address.is_ipv4() { Kind::Ipv4Addr } else { Kind::Ipv6Addr }
}

fn single(address: IpAddr) -> Result<Canonical, Flaw> {
    if address.is_unspecified() {
        return Err(UNSPECIFIED);
    }
    let text = match address {
        IpAddr::V4(four) => {
            let mut text = Vec::with_capacity(16);
            write_quad(four.octets(), &mut text);
            String::from_utf8(text).unwrap_or_default()
        }
        IpAddr::V6(six) => six.to_string(),
    };
    Ok(Canonical::new(kind_of(address), text))
}

fn unfolded(text: &str) -> Option<IpAddr> {
    quad(text).map(IpAddr::V4).or_else(|| six(text).map(IpAddr::V6))
}

/// Four decimal numbers up to 255, none with a leading zero: an IPv4 address as it is written canonically.
pub fn quad(text: impl AsRef<[u8]>) -> Option<Ipv4Addr> {
    let bytes = text.as_ref();
    if bytes.len() > 15 || !bytes.first()?.is_ascii_digit() {
        return None; // most texts here are names
    }
    let (mut address, mut dots) = (0, 0);
    // the number begun, and how many digits it has
    let (mut octet, mut digits) = (0, 0);
    for &byte in bytes {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 if octet > 0 || digits == 0 => {
                octet = octet * 10 + u32::from(digit);
                digits += 1;
            }
            _ if byte == b'.' && digits > 0 && dots < 3 => {
                address = address << 8 | octet;
                dots += 1;
                (octet, digits) = (0, 0);
            }
            _ => return None,
        }
        if octet > 255 {
            return None;
        }
    }
    (dots == 3 && digits > 0).then(|| Ipv4Addr::from_bits(address << 8 | octet))
}

/// The octets as text: a dot, the digits, what is of no account; and the length of the first two.
static OCTETS: [([u8; 4], u8); 256] = {
    let (mut all, mut octet) = ([([b'.'; 4], 0); 256], 0_u8);
    loop {
        let [hundreds, tens, ones] = [b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10];
        all[octet as usize] = match octet {
            0..=9 => ([b'.', ones, 0, 0], 2),
            10..=99 => ([b'.', tens, ones, 0], 3),
            100.. => ([b'.', hundreds, tens, ones], 4),
        };
        match octet.checked_add(1) {
            Some(next) => octet = next,
            None => break all,
        }
    }
};

/// Writes an IPv4 address canonically. Most of an index is written by this.
pub fn write_quad(octets: [u8; 4], out: &mut Vec<u8>) {
    let (mut text, mut length) = ([0; 16], 0);
    for octet in octets {
        let (bytes, count) = OCTETS[usize::from(octet)];
        text[length..length + 4].copy_from_slice(&bytes);
        length += usize::from(count);
    }
    out.extend_from_slice(text.get(1..length).unwrap_or_default());
}

/// An IPv6 address, its zone cut.
fn six(text: &str) -> Option<Ipv6Addr> {
    if !text.contains(':') {
        return None; // most texts here are names
    }
    let address = match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic()) => {
            address
        }
        Some(_) => return None,
        None => text,
    };
    address.parse().ok()
}

/// A decimal number of at most five digits, without a sign or leading zeros.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if plain && !padded { text.parse().ok() } else { None }
}

fn fold(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => carried(six).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The IPv4 address that a mapped or NAT64 one carries.
fn carried(six: Ipv6Addr) -> Option<Ipv4Addr> {
    match six.octets() {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

/// A network inside one of the blocks that carry IPv4 is one of IPv4.
fn fold_network(address: IpAddr, length: u32) -> (IpAddr, u32) {
    match (length.checked_sub(96), fold(address)) {
        (Some(inside), folded @ IpAddr::V4(_)) if address.is_ipv6() => (folded, inside),
        _ => (address, length),
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Host bits of the widest network accepted: /8 of IPv4, /19 of IPv6.
fn widest(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 - 8 } else { 128 - 19 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => u128::from(four.to_bits()),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// The address of a number, of the family of `like`.
fn of_number(bits: u128, like: IpAddr) -> IpAddr {
    match (like, u32::try_from(bits)) {
        (IpAddr::V4(_), Ok(bits)) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
        _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// A number with that many low bits set.
fn low(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1)
}
