//! The merge: index rows in key order against key ranges in key order, each part of the index walked once with the
//! ranges that reach it.
//!
//! A range is open from the first key not below its start to the first key not below its end; a
//! row meets every open range. Ranges are few deep (networks within networks, names within names),
//! so the open ones are a short list.

use comity_store::StoreError;
use comity_store::observables::{Index, IndexKey, Part};
use rayon::prelude::*;

use crate::claims::{Sorted, Target};

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
        let mut sweep = Sweep { claims, next: claims.first_reaching(part.least()), open: Vec::new() };
        index.scan(part, &wanted, &mut |row, key| {
            sweep.advance(key);
            met.extend(sweep.open.iter().map(|&at| Meeting { row, target: claims.ranges[at].target }));
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
    next: usize,
    open: Vec<usize>,
}

impl Sweep<'_> {
    /// Opens and closes ranges so that `open` are those that hold `key`; keys ascend.
    fn advance(&mut self, key: &IndexKey<'_>) {
        let claims = self.claims;
        if !self.open.is_empty() {
            self.open.retain(|&at| claims.holds(&claims.ranges[at], key));
        }
        // most ranges lie between two keys: skip to the last that begins at or below the key
        while let Some(range) = claims.ranges.get(self.next).filter(|range| claims.has_begun(range, key)) {
            if claims.holds(range, key) {
                self.open.push(self.next);
            }
            self.next += 1;
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
            let mut sweep = Sweep { claims: &index, next: 0, open: Vec::new() };
            for (kind, key, value) in &keyed {
                let key = &IndexKey::new(*kind, key);
                sweep.advance(key);
                let mut found: Vec<u32> = sweep.open.iter().map(|&at| index.ranges[at].target.indicator).collect();
                found.sort_unstable();
                let expected: Vec<u32> = (0..).zip(&claims).filter(|(_, c)| meets(c, *kind, value)).map(|(i, _)| i).collect();
                prop_assert_eq!(found, expected, "{}", value);
                prop_assert!(index.meets(key.order, key.order) || !claims.iter().any(|c| meets(c, *kind, value)));
            }
        }
    }
}
