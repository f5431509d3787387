//! Keccak-256 as Ethereum uses it: the Keccak submission's padding (`01`), not SHA-3's (`06`).
//!
//! Specification: FIPS 202 §3 for the permutation Keccak-f[1600]; EIP-55 is its one use here, on 40
//! bytes, so speed does not matter and no dependency is worth it.

/// Rate in bytes: 1600 bits less twice the digest's 256.
const RATE: usize = 136;

/// Digest of a message shorter than the rate; `None` for a longer one.
pub(super) fn keccak256_short(message: &[u8]) -> Option<[u8; 32]> {
    let mut block = [0_u8; RATE];
    block.get_mut(..message.len())?.copy_from_slice(message);
    *block.get_mut(message.len())? ^= 0x01;
    block[RATE - 1] ^= 0x80;
    let mut lanes = [0_u64; 25];
    for (lane, bytes) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    permute(&mut lanes);
    let mut digest = [0_u8; 32];
    for (bytes, lane) in digest.as_chunks_mut::<8>().0.iter_mut().zip(lanes) {
        *bytes = lane.to_le_bytes();
    }
    Some(digest)
}

/// Keccak-f[1600]: 24 rounds of θ, ρ, π, χ and ι over 25 lanes, lane (x, y) at `x + 5 * y`.
fn permute(lanes: &mut [u64; 25]) {
    let mut register = 1_u8;
    for _ in 0..24 {
        let mut parity = [0_u64; 5];
        for (at, lane) in lanes.iter().enumerate() {
            parity[at % 5] ^= lane;
        }
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane ^= parity[(at + 4) % 5] ^ parity[(at + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y) = (1, 0);
        let mut moved = lanes[1];
        for step in 1..=24_u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let turned = moved.rotate_left(step * (step + 1) / 2 % 64);
            moved = std::mem::replace(&mut lanes[x + 5 * y], turned);
        }
        for row in lanes.as_chunks_mut::<5>().0 {
            let old = *row;
            for (at, lane) in row.iter_mut().enumerate() {
                *lane ^= !old[(at + 1) % 5] & old[(at + 2) % 5];
            }
        }
        lanes[0] ^= round_constant(&mut register);
    }
}

/// Next constant of ι, from the linear feedback shift register of FIPS 202 §3.2.5.
fn round_constant(register: &mut u8) -> u64 {
    let mut constant = 0;
    for bit in 0..7 {
        if *register & 1 == 1 {
            constant |= 1_u64 << ((1 << bit) - 1);
        }
        *register = (*register << 1) ^ if *register & 0x80 == 0 { 0 } else { 0x71 };
    }
    constant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_the_submission() {
        let empty = keccak256_short(b"").map(hex::encode).unwrap();
        assert_eq!(empty, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        let abc = keccak256_short(b"abc").map(hex::encode).unwrap();
        assert_eq!(abc, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
        assert_eq!(keccak256_short(&[0; RATE]), None);
    }
}
