//! Addresses of crypto currencies, their checksum verified.
//!
//! | form | sample | checksum | canonical |
//! |---|---|---|---|
//! | Base58Check (Bitcoin, Litecoin, Dogecoin, Zcash, Tron …) | `1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa` | first 4 bytes of SHA-256 twice | as written |
//! | Bech32 (BIP-173), Bech32m (BIP-350) | `bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4` | BCH code | lower case |
//! | Ethereum | `0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed` | EIP-55, in the case of the letters | lower case |
//!
//! Ethereum's in one case carries no checksum and is accepted. Refused: a wrong checksum, mixed case in
//! Bech32, and forms with other checksums (Monero, CashAddr, Ripple).

use sha2::{Digest, Sha256};

use super::Flaw;
use super::keccak::keccak256_short;

const BAD: Flaw = Flaw::malformed("is no crypto address whose checksum holds");

/// An address in any of the known forms.
pub(super) fn address(text: &str) -> Result<String, Flaw> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return ethereum(digits).ok_or(BAD);
    }
    if is_base58check(text) {
        return Ok(text.to_owned());
    }
    bech32(text).ok_or(BAD)
}

fn ethereum(digits: &str) -> Option<String> {
    if digits.len() != 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let one_case = digits == lower || digits == digits.to_ascii_uppercase();
    if !one_case {
        let digest = hex::encode(keccak256_short(lower.as_bytes())?);
        let agrees = digits
            .bytes()
            .zip(digest.bytes())
            .all(|(digit, nibble)| digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= b'8'));
        if !agrees {
            return None;
        }
    }
    Some(format!("0x{lower}"))
}

/// One or two bytes of version, 20 of a hash, 4 of a checksum.
fn is_base58check(text: &str) -> bool {
    if !(25..=36).contains(&text.len()) {
        return false;
    }
    let Some(bytes) = base58(text) else { return false };
    let Some((payload, checksum)) = bytes.split_last_chunk::<4>() else { return false };
    let digest = Sha256::digest(Sha256::digest(payload));
    matches!(payload.len(), 21 | 22) && digest.starts_with(checksum)
}

fn base58(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::with_capacity(32); // little-endian, without leading zeros
    for byte in text.bytes() {
        let mut carry = u32::try_from(DIGITS.iter().position(|digit| *digit == byte)?).ok()?;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push(u8::try_from(carry & 0xff).ok()?);
            carry >>= 8;
        }
    }
    bytes.extend(text.bytes().take_while(|byte| *byte == b'1').map(|_| 0));
    bytes.reverse();
    Some(bytes)
}

/// A Bech32 or Bech32m text; where BIP-350 says which of the two a network uses, only that.
fn bech32(text: &str) -> Option<String> {
    const BECH32: u32 = 1;
    const BECH32M: u32 = 0x2bc8_30a3;
    let lower = text.to_ascii_lowercase();
    let one_case = text == lower || text == text.to_ascii_uppercase();
    let (prefix, data) = lower.rsplit_once('1')?;
    let printable = prefix.bytes().all(|byte| byte.is_ascii_graphic());
    if !one_case || !printable || prefix.is_empty() || data.len() < 6 || lower.len() > 120 {
        return None;
    }
    let values = bech32_values(data)?;
    let expanded =
        prefix.bytes().map(|byte| byte >> 5).chain([0]).chain(prefix.bytes().map(|byte| byte & 31));
    let checksum = polymod(expanded.chain(values.iter().copied()));
    let segwit = matches!(prefix, "bc" | "tb" | "bcrt" | "ltc" | "tltc");
    let holds = match (segwit, values.first()) {
        (true, Some(0)) => checksum == BECH32,
        (true, Some(1..=16)) => checksum == BECH32M,
        (true, _) => false,
        (false, _) => checksum == BECH32 || checksum == BECH32M,
    };
    // one value of version, at least 2 bytes of programme, 6 values of checksum; BIP-173's length
    let fits = !segwit || (lower.len() <= 90 && values.len() >= 1 + 4 + 6);
    (holds && fits).then_some(lower)
}

fn bech32_values(data: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let value = |byte| DIGITS.iter().position(|digit| *digit == byte).and_then(|at| u8::try_from(at).ok());
    data.bytes().map(value).collect()
}

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let mut state = 1_u32;
    for value in values {
        let top = state >> 25;
        state = (state & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, term) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                state ^= term;
            }
        }
    }
    state
}
