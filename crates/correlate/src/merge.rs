//! The merge: index rows in key order against key ranges in key order, each part of the index walked once with the
//! ranges that reach it.
//!
//! A range is open from the first key not below its start to the first key not below its end; a
//! row meets every open range. Ranges are few deep (networks within networks, names within names),
//! so the open ones are a short list.

use std::slice;

use comity_store::StoreError;
use comity_store::observables::{Index, IndexKey, Part};
use rayon::prelude::*;

use crate::claims::{Piece, Range, Sorted, Target};

/// An index row and the indicator that it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    /// Number of the row in `observables.parquet`.
    pub row: u64,
    /// The indicator.
    pub target: Target,
}

/// Every meeting of an item's index with the key ranges, sorted and without repetition.
///
/// # Errors
/// Where the index does not read.
pub fn meetings(index: &Index, claims: &Sorted) -> Result<Vec<Meeting>, StoreError> {
    let fewer = claims.without_strangers(index)?;
    let claims = fewer.as_ref().unwrap_or(claims);
    let wanted = |least, greatest| claims.meets(least, greatest);
    let of_part = |part: &Part| {
        let mut met = Vec::new();
        let mut sweep = Sweep::from(claims, part.least());
        index.scan(part, &wanted, &mut |row, key| {
            sweep.advance(key);
            met.extend(sweep.open.iter().map(|range| Meeting { row, target: range.target }));
        })?;
        Ok(met)
    };
    let parts = index.parts(&wanted)?;
    let mut all = parts.par_iter().map(of_part).collect::<Result<Vec<_>, StoreError>>()?.concat();
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

struct Sweep<'a> {
    claims: &'a Sorted,
    /// Ranges that have not begun, and the pieces of those behind them.
    next: &'a [Range],
    later: slice::Iter<'a, Piece>,
    open: Vec<&'a Range>,
}

impl<'a> Sweep<'a> {
    /// Begins where no key has a smaller order than this.
    fn from(claims: &'a Sorted, least: u128) -> Self {
        let (next, later) = claims.reaching(least);
        Self { claims, next, later, open: Vec::new() }
    }

    /// Opens and closes ranges so that `open` are those that hold `key`; keys ascend.
    fn advance(&mut self, key: &IndexKey<'_>) {
        let claims = self.claims;
        if !self.open.is_empty() {
            self.open.retain(|range| claims.holds(range, key));
        }
        // most ranges lie between two keys: skip to the last that begins at or below the key
        loop {
            while let Some((range, rest)) =
                self.next.split_first().filter(|next| claims.has_begun(next.0, key))
            {
                if claims.holds(range, key) {
                    self.open.push(range);
                }
                self.next = rest;
            }
            let later = if self.next.is_empty() { self.later.next() } else { None };
            let Some(piece) = later else { return };
            self.next = &piece.ranges;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::tests::index_of;
    use comity_model::{Claim, Kind, key};
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof!["a", "b", "ab", "b-a"], 1..4).prop_map(|l| l.join("."))
    }

    fn address() -> impl Strategy<Value = String> {
        (0_u8..4, 0_u8..4, 0_u8..8).prop_map(|(a, b, c)| format!("10.{a}.{b}.{c}"))
    }

    fn claim() -> impl Strategy<Value = Claim> {
        prop_oneof![
            (name(), any::<bool>()).prop_map(|(value, exact_only)| Claim {
                exact_only,
                ..Claim::new(Kind::DomainName, value, "")
            }),
            address().prop_map(|value| Claim::new(Kind::Ipv4Addr, value, "")),
            (address(), 14_u8..31).prop_map(|(value, bits)| {
                let ip: u32 = value.parse::<std::net::Ipv4Addr>().unwrap().into();
                let net = std::net::Ipv4Addr::from(ip & (u32::MAX << (32 - bits)));
                Claim::new(Kind::Ipv4Net, format!("{net}/{bits}"), "")
            }),
        ]
    }

    /// The oracle: by text and masks, knowing nothing of keys.
    fn meets(claim: &Claim, kind: Kind, value: &str) -> bool {
        match (claim.kind, kind) {
            (Kind::DomainName, Kind::DomainName) => {
                value == claim.value || (!claim.exact_only && value.ends_with(&format!(".{}", claim.value)))
            }
            (Kind::Ipv4Addr, Kind::Ipv4Addr) => value == claim.value,
            (Kind::Ipv4Net, Kind::Ipv4Addr) => {
                let (net, bits) = claim.value.split_once('/').unwrap();
                let shift = 32 - bits.parse::<u32>().unwrap();
                let number = |t: &str| u32::from(t.parse::<std::net::Ipv4Addr>().unwrap());
                number(net) >> shift == number(value) >> shift
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_sweep_meets_what_comparing_each_with_each_meets(
            claims in proptest::collection::vec(claim(), 0..30),
            names in proptest::collection::btree_set(name(), 0..20),
            addresses in proptest::collection::btree_set(address(), 0..20),
        ) {
            let index = index_of(claims.iter().cloned()).sorted;
            let mut values: Vec<(Kind, String)> = names.into_iter().map(|n| (Kind::DomainName, n)).collect();
            values.extend(addresses.into_iter().map(|a| (Kind::Ipv4Addr, a)));
            let mut keyed: Vec<_> = values.iter().map(|(k, v)| (*k, key::of_observable(*k, v), v)).collect();
            keyed.sort();
            let mut sweep = Sweep::from(&index, 0);
            for (kind, key, value) in &keyed {
                let key = &IndexKey::new(*kind, key);
                sweep.advance(key);
                let mut found: Vec<u32> = sweep.open.iter().map(|range| range.target.indicator).collect();
                found.sort_unstable();
                let mut from_here = Sweep::from(&index, key.order);
                from_here.advance(key);
                let mut here: Vec<u32> = from_here.open.iter().map(|range| range.target.indicator).collect();
                here.sort_unstable();
                prop_assert_eq!(&here, &found, "{} from {:x}", value, key.order);
                let expected: Vec<u32> = (0..).zip(&claims).filter(|(_, c)| meets(c, *kind, value)).map(|(i, _)| i).collect();
                prop_assert_eq!(found, expected, "{}", value);
                prop_assert!(index.meets(key.order, key.order) || !claims.iter().any(|c| meets(c, *kind, value)));
            }
        }
    }
}
