//! Sightings of an evidence item: meetings looked up, judged as of the event, and laid out as rows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Field as ArrowField, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use comity_model::allow_list::AllowLists;
use comity_model::{Claim, Field, Kind, Observe, Tlp, key};
use comity_store::columns::time_type;
use comity_store::feed::Indicator;
use comity_store::observables::{Index, Observable};
use comity_store::{StoreError, evidence};
use rayon::prelude::*;

use crate::CorrelateError;
use crate::claims::{ClaimIndex, Feed};
use crate::merge::{Meeting, meetings};

/// An evidence item to be searched.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// SHA-256 of the original, hexadecimal.
    pub id: String,
    /// Where its tables lie.
    pub item: PathBuf,
    /// Whose it is.
    pub jurisdiction: String,
    /// Its marking.
    pub tlp: Option<Tlp>,
    /// Half-width of the interval that a time stands for, microseconds.
    pub clock_uncertainty_us: i64,
}

/// Schema of `sightings.parquet`; the first seventeen names are stable (DESIGN.md §3).
pub fn schema() -> SchemaRef {
    let text = |name: &str, nullable| ArrowField::new(name, DataType::Utf8, nullable);
    let flag = |name: &str, nullable| ArrowField::new(name, DataType::Boolean, nullable);
    let number = |name: &str, nullable| ArrowField::new(name, DataType::Int64, nullable);
    Arc::new(Schema::new(vec![
        text("indicator_id", false),
        text("indicator_kind", false),
        text("indicator_value", false),
        text("provider", false),
        text("feed", false),
        text("evidence", false),
        text("jurisdiction", false),
        number("record", false),
        text("field", false),
        text("observable_kind", false),
        text("observable_value", false),
        text("match_kind", false),
        ArrowField::new("time", time_type(), true),
        flag("valid_at_time", true),
        text("allow_list", true),
        number("confidence", true),
        text("tlp", true),
        text("validity", false),
        flag("as_written", true),
        flag("asserted", false),
        flag("inferred_kind", false),
        number("time_us", true),
        number("clock_uncertainty_us", false),
        number("offset", false),
        number("length", false),
    ]))
}

/// How an indicator met an observable (MATCHING.md, "Meeting").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchKind {
    Exact,
    Subdomain,
    Network,
    UrlPrefix,
    Pattern,
}

impl MatchKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Subdomain => "subdomain",
            Self::Network => "network",
            Self::UrlPrefix => "url-prefix",
            Self::Pattern => "pattern",
        }
    }

    fn of(claim: &Claim, observable: &Observable) -> Self {
        match claim.kind {
            Kind::Ipv4Net | Kind::Ipv6Net | Kind::IpRange => Self::Network,
            Kind::DomainName if claim.value != observable.value => Self::Subdomain,
            Kind::Url if claim.prefix && claim.value != observable.value => Self::UrlPrefix,
            Kind::Substring | Kind::Regex | Kind::StixPattern => Self::Pattern,
            _ => Self::Exact,
        }
    }
}

/// Where an event's time lies against the validity of an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validity {
    Before,
    Within,
    After,
    Unknown,
}

impl Validity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Within => "within",
            Self::After => "after",
            Self::Unknown => "unknown",
        }
    }

    /// Judges an interval of times; a known bound that excludes decides alone, and the whole
    /// interval must lie inside for `Within`. A claim without an end stands until withdrawn; one
    /// without a beginning says nothing about when it began.
    fn judge(claim: &Claim, time: Option<i64>, uncertainty_us: i64) -> Self {
        let Some(time) = time else { return Self::Unknown };
        let (first, last) = (time.saturating_sub(uncertainty_us), time.saturating_add(uncertainty_us));
        if claim.valid_from.is_some_and(|from| last < from) {
            return Self::Before;
        }
        if claim.valid_until.is_some_and(|until| first >= until) {
            return Self::After;
        }
        let begun = claim.valid_from.is_some_and(|from| from <= first);
        let not_over = claim.valid_until.is_none_or(|until| last < until);
        if begun && not_over { Self::Within } else { Self::Unknown }
    }

    const fn valid(self) -> Option<bool> {
        match self {
            Self::Before | Self::After => Some(false),
            Self::Within => Some(true),
            Self::Unknown => None,
        }
    }
}

/// An indicator that was met.
#[derive(Debug)]
struct Known<'a> {
    /// Positions of its feed and within it.
    target: (u32, u32),
    feed: &'a Feed,
    indicator: Indicator,
    /// Its place among the others by id.
    rank: usize,
}

impl Known<'_> {
    const fn claim(&self) -> &Claim {
        &self.indicator.claim
    }
}

/// A sighting before it is laid out: its event, and positions of its indicator and observable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    known: usize,
    part: u32,
    event: u64,
    observable: usize,
}

/// The sightings of some items, a batch for each item that has meetings; in a batch sorted by indicator, record,
/// field and value, one row per (indicator, record, field, observable value).
///
/// # Errors
/// Where the tables of an item or a feed do not read.
pub fn of_items(
    items: &[Evidence],
    feeds: &[Feed],
    claims: &ClaimIndex,
    allow_lists: &AllowLists,
) -> Result<Vec<RecordBatch>, CorrelateError> {
    let met = items.par_iter().map(|item| met(item, claims)).collect::<Result<Vec<_>, _>>()?;
    // of all items at once: the feeds are read once
    let known = indicators_of(met.iter().flatten().flat_map(|met| &met.meetings), feeds)?;
    let batch =
        |(item, met): (&Evidence, Option<Met>)| met.map(|met| of_item(item, &met, &known, allow_lists));
    items.par_iter().zip(met).filter_map(batch).collect()
}

/// Where an item's index meets the indicators.
struct Met {
    index: Index,
    meetings: Vec<Meeting>,
}

/// The meetings of an item; none where it has none.
fn met(item: &Evidence, claims: &ClaimIndex) -> Result<Option<Met>, StoreError> {
    let index = Index::open(&item.item)?;
    let mut meetings = meetings(&index, &claims.sorted)?;
    meetings.extend(pattern_meetings(&index, claims)?);
    meetings.sort_unstable();
    meetings.dedup();
    Ok((!meetings.is_empty()).then_some(Met { index, meetings }))
}

fn of_item(
    item: &Evidence,
    met: &Met,
    known: &[Known<'_>],
    allow_lists: &AllowLists,
) -> Result<RecordBatch, CorrelateError> {
    let mut numbers: Vec<u64> = met.meetings.iter().map(|m| m.row).collect();
    numbers.dedup();
    let seen = met.index.fetch(&numbers)?;
    let found = found(&met.meetings, &numbers, &seen, known);
    let events = Events::fetch(item, &found, known)?;
    let found = settle(found, &events, &seen, known);
    layout(item, allow_lists, &seen, known, &events, &found)
}

/// The indicators that were met, by feed and position.
fn indicators_of<'a, 'm>(
    met: impl Iterator<Item = &'m Meeting>,
    feeds: &'a [Feed],
) -> Result<Vec<Known<'a>>, StoreError> {
    let mut targets: Vec<(u32, u32)> = met.map(|m| (m.target.feed, m.target.indicator)).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut all = Vec::with_capacity(targets.len());
    for of_feed in targets.chunk_by(|a, b| a.0 == b.0) {
        let Some(feed) = of_feed.first().and_then(|target| feeds.get(target.0 as usize)) else { continue };
        let positions: Vec<u64> = of_feed.iter().map(|target| u64::from(target.1)).collect();
        let indicators = feed.indicators.fetch(&positions)?;
        let known = |(&target, indicator)| Known { target, feed, indicator, rank: 0 };
        all.extend(of_feed.iter().zip(indicators).map(known));
    }
    let mut ids: Vec<String> = all.iter().map(|known| known.indicator.id.clone()).collect();
    ids.sort_unstable();
    for known in &mut all {
        known.rank = ids.partition_point(|id| *id < known.indicator.id);
    }
    Ok(all)
}

/// Index rows whose text an expression matches, in the expression's declared fields.
fn pattern_meetings(index: &Index, claims: &ClaimIndex) -> Result<Vec<Meeting>, StoreError> {
    let mut all = Vec::new();
    if claims.patterns.is_empty() {
        return Ok(all);
    }
    index.scan_values(&mut |row, kind, field, value| {
        if !is_own_kind(field, kind) {
            return;
        }
        let matched = claims.patterns.iter().filter(|p| p.fields.contains(&field) && p.regex.is_match(value));
        all.extend(matched.map(|p| Meeting { row, target: p.target }));
    })?;
    Ok(all)
}

/// Whether a value of this kind is what the field holds, not a part of it.
fn is_own_kind(field: Field, kind: Kind) -> bool {
    match field.info().observe {
        Observe::Url => kind == Kind::Url,
        Observe::Email => kind == Kind::EmailAddr,
        _ => true,
    }
}

/// Spreads meetings over the events that carry the observables.
fn found(met: &[Meeting], numbers: &[u64], seen: &[Observable], known: &[Known<'_>]) -> Vec<Found> {
    let mut all = Vec::new();
    for Meeting { row, target } in met {
        let Ok(observable) = numbers.binary_search(row) else { continue };
        let Ok(at) = known.binary_search_by_key(&(target.feed, target.indicator), |k| k.target) else {
            continue;
        };
        let (seen, claim) = (&seen[observable], known[at].claim());
        let part = claim.parts.get(target.part as usize);
        if part.and_then(|p| p.field).is_some_and(|field| field != seen.field) {
            continue;
        }
        if claim.kind == Kind::Url && claim.prefix && !key::url_scheme_agrees(&claim.value, &seen.value) {
            continue;
        }
        let sighting = |&event| Found { known: at, part: target.part, event, observable };
        all.extend(seen.rows.iter().map(sighting));
    }
    all
}

/// What sightings need of the events they lie in.
#[derive(Debug)]
struct Events {
    rows: Vec<u64>,
    record: Vec<i64>,
    offset: Vec<i64>,
    length: Vec<i64>,
    time: Vec<Option<i64>>,
    ports: Vec<(Option<i64>, Option<i64>)>,
}

impl Events {
    fn fetch(item: &Evidence, found: &[Found], known: &[Known<'_>]) -> Result<Self, StoreError> {
        let mut rows: Vec<u64> = found.iter().map(|f| f.event).collect();
        rows.sort_unstable();
        rows.dedup();
        let wants_ports = found.iter().any(|f| known[f.known].claim().kind == Kind::IpPort);
        let mut names = vec!["record", "offset", "length", "time"];
        if wants_ports {
            names.extend([Field::SrcPort.as_str(), Field::DstPort.as_str()]);
        }
        let mut events =
            Self { rows, record: vec![], offset: vec![], length: vec![], time: vec![], ports: vec![] };
        if events.rows.is_empty() {
            return Ok(events);
        }
        for batch in evidence::fetch(&item.item, &names, &events.rows)? {
            let number = |at: usize| batch.column(at).as_primitive::<Int64Type>();
            events.record.extend(number(0).values());
            events.offset.extend(number(1).values());
            events.length.extend(number(2).values());
            events.time.extend(batch.column(3).as_primitive::<TimestampMicrosecondType>().iter());
            if wants_ports {
                events.ports.extend(number(4).iter().zip(number(5).iter()));
            }
        }
        Ok(events)
    }

    fn position(&self, row: u64) -> usize {
        self.rows.binary_search(&row).unwrap_or(0)
    }

    /// Whether the record has this port at the endpoint whose address stands in `field`.
    fn has_port(&self, row: u64, field: Field, port: i64) -> bool {
        let (src, dst) = self.ports.get(self.position(row)).copied().unwrap_or_default();
        match field {
            Field::SrcIp => src == Some(port),
            Field::DstIp => dst == Some(port),
            _ => false,
        }
    }
}

/// Drops what the meeting of keys alone did not settle (ports, conjunctions) and sorts.
fn settle(mut found: Vec<Found>, events: &Events, seen: &[Observable], known: &[Known<'_>]) -> Vec<Found> {
    let claim = |f: &Found| known[f.known].claim();
    found.retain(|f| {
        let port = || claim(f).value.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        claim(f).kind != Kind::IpPort
            || port().is_some_and(|port| events.has_port(f.event, seen[f.observable].field, port))
    });
    let mut parts: BTreeMap<(usize, u64), Vec<u32>> = BTreeMap::new();
    for f in found.iter().filter(|f| claim(f).kind == Kind::StixPattern) {
        let met = parts.entry((f.known, f.event)).or_default();
        if !met.contains(&f.part) {
            met.push(f.part);
        }
    }
    found.retain_mut(|f| {
        f.part = 0;
        let met = |f: &Found| parts.get(&(f.known, f.event)).map_or(0, Vec::len);
        claim(f).kind != Kind::StixPattern || met(f) == claim(f).parts.len()
    });
    found.sort_unstable_by(|a, b| {
        let place = |f: &Found| (known[f.known].rank, f.event, seen[f.observable].field);
        let value = |f: &Found| (&seen[f.observable].value, f.observable);
        place(a).cmp(&place(b)).then_with(|| value(a).cmp(&value(b)))
    });
    found.dedup();
    found
}

fn layout<'a>(
    item: &'a Evidence,
    allow_lists: &AllowLists,
    seen: &'a [Observable],
    known: &'a [Known<'a>],
    events: &'a Events,
    found: &'a [Found],
) -> Result<RecordBatch, CorrelateError> {
    let named: Vec<Option<String>> = seen.iter().map(|o| naming(allow_lists, o.kind, &o.value)).collect();
    let at: Vec<usize> = found.iter().map(|f| events.position(f.event)).collect();
    let time = |row: usize| events.time.get(at[row]).copied().flatten();
    let validity: Vec<Validity> = found
        .iter()
        .enumerate()
        .map(|(row, f)| Validity::judge(known[f.known].claim(), time(row), item.clock_uncertainty_us))
        .collect();
    let feed = |f: &Found| known[f.known].feed;
    let indicator = |f: &Found| -> &'a Indicator { &known[f.known].indicator };
    let number = |of: &dyn Fn(usize) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..found.len()).map(of)))
    };
    let flag = |of: &dyn Fn(usize, &Found) -> Option<bool>| -> ArrayRef {
        Arc::new(found.iter().enumerate().map(|(row, f)| of(row, f)).collect::<BooleanArray>())
    };
    let tlp = |f: &Found| indicator(f).claim.tlp.or(feed(f).tlp).max(item.tlp);
    let times = || (0..found.len()).map(time);
    let columns: Vec<ArrayRef> = vec![
        text(found, |f| &indicator(f).id),
        text(found, |f| indicator(f).claim.kind.as_str()),
        text(found, |f| &indicator(f).claim.value),
        text(found, |f| &feed(f).provider),
        text(found, |f| &feed(f).id),
        text(found, |_| &item.id),
        text(found, |_| &item.jurisdiction),
        number(&|row| events.record[at[row]]),
        text(found, |f| seen[f.observable].field.as_str()),
        text(found, |f| seen[f.observable].kind.as_str()),
        text(found, |f| &seen[f.observable].value),
        text(found, |f| MatchKind::of(&indicator(f).claim, &seen[f.observable]).as_str()),
        Arc::new(TimestampMicrosecondArray::from_iter(times()).with_timezone("UTC")),
        flag(&|row, _| validity[row].valid()),
        Arc::new(found.iter().map(|f| named[f.observable].as_deref()).collect::<StringArray>()),
        Arc::new(found.iter().map(|f| indicator(f).claim.confidence.map(i64::from)).collect::<Int64Array>()),
        Arc::new(found.iter().map(|f| tlp(f).map(Tlp::as_str)).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(validity.iter().map(|v| v.as_str()))),
        flag(&|_, f| as_written(&indicator(f).claim, &seen[f.observable], f.event)),
        flag(&|_, f| Some(seen[f.observable].field.info().asserted)),
        flag(&|_, f| Some(indicator(f).claim.inferred_kind)),
        Arc::new(Int64Array::from_iter(times())),
        number(&|_| item.clock_uncertainty_us),
        number(&|row| events.offset[at[row]]),
        number(&|row| events.length[at[row]]),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

fn text<'a>(found: &'a [Found], of: impl Fn(&'a Found) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(found.iter().map(of)))
}

/// The allow-lists that name a value, comma between; `None` where none does.
fn naming(allow_lists: &AllowLists, kind: Kind, value: &str) -> Option<String> {
    let mut names = Vec::new();
    allow_lists.naming(kind, value, &mut names);
    names.sort_unstable();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Whether the feed's text and the record's text were equal before canonicalisation; `None` where
/// both were written in another way than the canonical one.
fn as_written(claim: &Claim, observable: &Observable, event: u64) -> Option<bool> {
    let altered = observable.altered.binary_search(&event).is_ok();
    match (claim.original == observable.value, altered) {
        (true, altered) => Some(!altered),
        (false, false) => Some(false),
        (false, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_judged_by_the_whole_interval_and_by_known_bounds() {
        let claim =
            |from, until| Claim { valid_from: from, valid_until: until, ..Claim::new(Kind::Mutex, "m", "m") };
        let cases = [
            (claim(Some(10), Some(20)), Some(10), 0, "within"),
            (claim(Some(10), Some(20)), Some(19), 0, "within"),
            (claim(Some(10), Some(20)), Some(20), 0, "after"),
            (claim(Some(10), Some(20)), Some(9), 0, "before"),
            (claim(Some(10), Some(20)), Some(9), 1, "unknown"),
            (claim(Some(10), Some(20)), Some(15), 5, "unknown"),
            (claim(Some(10), None), Some(11), 0, "within"),
            (claim(Some(10), None), Some(9), 0, "before"),
            (claim(None, Some(20)), Some(19), 0, "unknown"),
            (claim(None, Some(20)), Some(25), 5, "after"),
            (claim(None, None), Some(5), 0, "unknown"),
            (claim(Some(10), Some(20)), None, 0, "unknown"),
        ];
        for (claim, time, uncertainty, expected) in cases {
            assert_eq!(
                Validity::judge(&claim, time, uncertainty).as_str(),
                expected,
                "{time:?} ± {uncertainty}"
            );
        }
    }
}
