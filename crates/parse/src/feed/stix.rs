//! `stix`: bundles of STIX 2.0 and 2.1, a TAXII envelope, or bare objects. The indicators are read;
//! all else in a bundle makes no claim.
//!
//! ```json
//! {"type": "bundle", "objects": [{"type": "indicator", "pattern": "[ipv4-addr:value = '203.0.113.7']",
//!   "valid_from": "2026-01-01T00:00:00Z", "confidence": 80}]}
//! ```
//!
//! A comparison is a claim; so is each of several joined by OR or listed by IN, within an observation
//! or between observations. Comparisons joined by AND are one `stix-pattern` that is met in one
//! record, save an address with its port, which is an `ip-port`. LIKE and MATCHES become `regex` over
//! the fields that carry the property. `START … STOP …` narrows the validity.
//!
//! Refused: AND, FOLLOWEDBY, WITHIN and REPEATS between observations (they need several records);
//! negations, orders, ISSUPERSET and EXISTS; properties that no event column holds; indicators that
//! are revoked or in another pattern language.

use std::collections::BTreeMap;

use comity_model::{Claim, FIELDS, Field, Kind, Observe, Part, Reason, Reject, Tlp};
use serde_json::Value;

use super::pattern::{Comparison, Literal, Observation, Operator, Qualifier, Test, parse};
use super::value::{What, claim, instant, shown};
use super::{ClaimSink, FeedFormat, FeedOptions, Place};
use crate::log::{OptionsError, Sample};

/// Longest stretch of a pattern that a claim or reject quotes, bytes.
const LONGEST_QUOTE: usize = 4096;

/// The table's row.
pub(super) const FORMAT: FeedFormat =
    FeedFormat { name: "stix", title: "STIX 2.0 and 2.1 bundles, JSON", detect, read };

/// Most alternatives that a conjunction of disjunctions may be multiplied out to.
const MOST_ALTERNATIVES: usize = 1024;

fn detect(sample: &Sample<'_>) -> u8 {
    let head = sample.head.trim_ascii_start();
    if !head.starts_with(b"{") && !head.starts_with(b"[") {
        return 0;
    }
    let has = |text: &[u8]| memchr::memmem::find(sample.head, text).is_some();
    match (has(b"\"bundle\""), has(b"\"spec_version\"") || has(b"bundle--")) {
        (true, true) => 95,
        _ if has(b"\"indicator--") && has(b"\"pattern\"") => 90,
        (false, true) if has(b"\"objects\"") => 60,
        _ => 0,
    }
}

fn read(feed: &[u8], options: &FeedOptions, sink: &mut dyn ClaimSink) -> Result<(), OptionsError> {
    let whole = Place { record: 1, offset: 0, length: super::plain::wide(feed.len()) };
    let feed = feed.strip_prefix(b"\xef\xbb\xbf").unwrap_or(feed);
    let value = match super::json::tree(feed) {
        Ok(value) => value,
        Err(error) => {
            sink.reject(whole, Reject::new(Reason::BadJson, format!("feed is no JSON: {error}")), "");
            return Ok(());
        }
    };
    let Some(objects) = objects(&value) else {
        sink.reject(whole, Reject::new(Reason::NotThisFormat, "JSON holds no STIX objects"), "");
        return Ok(());
    };
    let markings = markings(objects);
    for (record, object) in (1u64..).zip(objects) {
        if text(object, "type") == "indicator" {
            let mut indicator = Indicator {
                place: Place { record, offset: 0, length: 0 },
                pattern: text(object, "pattern"),
                options,
                stated: Stated::default(),
                sink: &mut *sink,
            };
            match Stated::read(object, &markings) {
                Ok(stated) => {
                    indicator.stated = stated;
                    indicator.read();
                }
                Err(reject) => indicator.reject(reject),
            }
        }
    }
    Ok(())
}

/// The objects of a bundle, of a TAXII envelope, of an array, or the one object there is.
fn objects(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(objects) => Some(objects),
        Value::Object(object) if text(value, "type") == "bundle" || object.contains_key("objects") => {
            Some(object.get("objects").and_then(Value::as_array).map_or(&[], Vec::as_slice))
        }
        Value::Object(object) if object.contains_key("type") => Some(std::slice::from_ref(value)),
        _ => None,
    }
}

fn text<'v>(object: &'v Value, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or("")
}

/// The fixed marking definitions: TLP 1.0 (STIX 2.1, section 7.2.1.4) and TLP 2.0 (OASIS extension
/// `60a3c5c5-0d10-413e-aab3-9e08dde9e88d`).
const MARKINGS: [(&str, Tlp); 9] = [
    ("613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp::Clear),
    ("34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp::Green),
    ("f88d31f6-486f-44da-b317-01333bde0b82", Tlp::Amber),
    ("5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp::Red),
    ("94868c89-83c2-464b-929b-a1a8aa3c8487", Tlp::Clear),
    ("bab4a63c-aed9-4cf5-a766-dfca5abac2bb", Tlp::Green),
    ("55d920b0-5e8b-4f79-9ee9-91f868d9b421", Tlp::Amber),
    ("939a9414-2ddd-4d32-a0cd-375ea402b003", Tlp::AmberStrict),
    ("e828b379-4e03-4974-9ac4-e53a884c97c1", Tlp::Red),
];

/// The TLP of each marking definition, fixed or in the bundle, by identifier.
fn markings(objects: &[Value]) -> BTreeMap<String, Tlp> {
    let mut all: BTreeMap<String, Tlp> =
        MARKINGS.iter().map(|(id, tlp)| (format!("marking-definition--{id}"), *tlp)).collect();
    for object in objects.iter().filter(|object| text(object, "type") == "marking-definition") {
        let extended = object.get("extensions").and_then(Value::as_object).and_then(|extensions| {
            extensions.values().map(|extension| text(extension, "tlp_2_0")).find(|name| !name.is_empty())
        });
        let named = object.get("definition").map_or("", |definition| text(definition, "tlp"));
        if let Ok(tlp) = Tlp::read(extended.unwrap_or(named)) {
            all.entry(text(object, "id").to_owned()).or_insert(tlp);
        }
    }
    all
}

/// What an indicator states beside its pattern.
#[derive(Debug, Clone, Copy, Default)]
struct Stated {
    valid_from: Option<i64>,
    valid_until: Option<i64>,
    confidence: Option<u8>,
    tlp: Option<Tlp>,
}

impl Stated {
    fn read(object: &Value, markings: &BTreeMap<String, Tlp>) -> Result<Self, Reject> {
        if object.get("revoked").and_then(Value::as_bool) == Some(true) {
            return Err(Reject::new(Reason::Revoked, "indicator was revoked"));
        }
        if let language @ ("yara" | "snort" | "suricata" | "sigma" | "pcre" | "spl") =
            text(object, "pattern_type")
        {
            return Err(Reject::new(
                Reason::UnsupportedType,
                format!("pattern language {language:?} is not read"),
            ));
        }
        let confidence = match object.get("confidence") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let number = value
                    .as_u64()
                    .and_then(|number| u8::try_from(number).ok())
                    .filter(|number| *number <= 100);
                let bad =
                    || Reject::new(Reason::BadValue, format!("confidence {value} is not from 0 to 100"));
                Some(number.ok_or_else(bad)?)
            }
        };
        let references = object.get("object_marking_refs").and_then(Value::as_array).into_iter().flatten();
        let tlp = references.filter_map(|id| markings.get(id.as_str()?)).max().copied();
        Ok(Self {
            valid_from: instant(text(object, "valid_from"))?,
            valid_until: instant(text(object, "valid_until"))?,
            confidence,
            tlp,
        })
    }

    /// Narrows the validity to a window.
    fn within(mut self, start: &str, stop: &str) -> Result<Self, Reject> {
        self.valid_from = self.valid_from.max(instant(start)?);
        let stop = instant(stop)?;
        self.valid_until = match (self.valid_until, stop) {
            (Some(until), Some(stop)) => Some(until.min(stop)),
            (until, stop) => until.or(stop),
        };
        Ok(self)
    }
}

/// An indicator under reading.
struct Indicator<'r> {
    place: Place,
    pattern: &'r str,
    options: &'r FeedOptions,
    stated: Stated,
    sink: &'r mut dyn ClaimSink,
}

/// One comparison with one literal.
#[derive(Clone, Copy)]
struct Term<'t> {
    test: &'t Test,
    literal: Option<&'t Literal>,
}

impl<'r> Indicator<'r> {
    fn reject(&mut self, reject: Reject) {
        self.sink.reject(self.place, reject, self.quoted());
    }

    /// The pattern, cut where each of its many alternatives would carry a long copy of it.
    fn quoted(&self) -> &'r str {
        self.pattern.get(..self.pattern.floor_char_boundary(LONGEST_QUOTE)).unwrap_or(self.pattern)
    }

    fn read(&mut self) {
        match parse(self.pattern) {
            Ok(pattern) => self.observation(&pattern, self.stated),
            Err(why) => self.reject(Reject::new(Reason::BadPattern, why)),
        }
    }

    fn observation(&mut self, observation: &Observation, stated: Stated) {
        let needs = |what: &str| Reject::new(Reason::NeedsSeveralRecords, format!("pattern holds {what}"));
        match observation {
            Observation::One(comparison) => match alternatives(comparison) {
                Ok(alternatives) if alternatives.is_empty() => {
                    self.reject(Reject::new(Reason::BadPattern, "pattern holds an IN without values"));
                }
                Ok(alternatives) => alternatives.iter().for_each(|terms| self.conjunction(terms, stated)),
                Err(reject) => self.reject(reject),
            },
            Observation::Or(parts) => parts.iter().for_each(|part| self.observation(part, stated)),
            Observation::And(_) => self.reject(needs("AND between observations")),
            Observation::FollowedBy(_) => self.reject(needs("FOLLOWEDBY")),
            Observation::Qualified(_, Qualifier::Within) => self.reject(needs("WITHIN")),
            Observation::Qualified(_, Qualifier::Repeats) => self.reject(needs("REPEATS")),
            Observation::Qualified(inner, Qualifier::StartStop(start, stop)) => {
                match stated.within(start, stop) {
                    Ok(narrowed) => self.observation(inner, narrowed),
                    Err(reject) => self.reject(reject),
                }
            }
        }
    }

    /// Gives the one claim that comparisons make which must all hold.
    fn conjunction(&mut self, terms: &[Term<'_>], stated: Stated) {
        let claim = self.claim(terms).map(|claim| Claim {
            valid_from: stated.valid_from,
            valid_until: stated.valid_until,
            confidence: stated.confidence,
            tlp: stated.tlp,
            ..claim
        });
        match claim {
            Ok(claim) => self.sink.accept(self.place, claim),
            Err(reject) => self.reject(reject),
        }
    }

    fn claim(&self, terms: &[Term<'_>]) -> Result<Claim, Reject> {
        // `dst_ref.type = 'ipv4-addr'` says no more than the value beside it
        let telling: Vec<Term<'_>> = terms.iter().filter(|term| !is_type_test(term)).copied().collect();
        let telling = if telling.is_empty() { terms } else { &telling };
        match telling {
            [only] => term_claim(only, self.options),
            [a, b] => match ip_port(a, b).or_else(|| ip_port(b, a)) {
                Some(text) => claim(&text, What::IpPort, self.options),
                None => self.all_of(telling),
            },
            _ => self.all_of(telling),
        }
    }

    /// A claim of comparisons that must all hold in one record.
    fn all_of(&self, terms: &[Term<'_>]) -> Result<Claim, Reject> {
        let mut parts = Vec::new();
        for term in terms {
            let claim = term_claim(term, self.options)?;
            if !claim.kind.is_observable() {
                let why = format!("{} within AND is not an equality", named(term.test));
                return Err(Reject::new(Reason::BadPattern, why));
            }
            parts.push(Part { kind: claim.kind, value: claim.value, field: side(term.test) });
        }
        parts.sort();
        parts.dedup();
        let texts: Vec<String> = parts.iter().map(part_text).collect();
        let mut claim = Claim::new(Kind::StixPattern, texts.join(" AND "), self.quoted());
        claim.parts = parts;
        Ok(claim)
    }
}

fn part_text(part: &Part) -> String {
    match part.field {
        Some(field) => format!("{field}:{}={:?}", part.kind, part.value),
        None => format!("{}={:?}", part.kind, part.value),
    }
}

/// The ways in which a comparison can hold, each a list of comparisons that must all hold.
fn alternatives(comparison: &Comparison) -> Result<Vec<Vec<Term<'_>>>, Reject> {
    match comparison {
        Comparison::Test(test) if test.operator == Operator::In && !test.negated => {
            Ok(test.literals.iter().map(|literal| vec![Term { test, literal: Some(literal) }]).collect())
        }
        Comparison::Test(test) => Ok(vec![vec![Term { test, literal: test.literals.first() }]]),
        Comparison::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(alternatives(part)?);
            }
            Ok(all)
        }
        Comparison::And(parts) => {
            let mut all: Vec<Vec<Term<'_>>> = vec![Vec::new()];
            for part in parts {
                let next = alternatives(part)?;
                if all.len().saturating_mul(next.len()) > MOST_ALTERNATIVES {
                    let why = format!("pattern has more than {MOST_ALTERNATIVES} alternatives within AND");
                    return Err(Reject::new(Reason::BadPattern, why));
                }
                let mut joined = Vec::with_capacity(all.len() * next.len());
                for left in &all {
                    joined.extend(next.iter().map(|right| [left.as_slice(), right].concat()));
                }
                all = joined;
            }
            Ok(all)
        }
    }
}

/// Whether a comparison only says of what type a referenced object is.
fn is_type_test(term: &Term<'_>) -> bool {
    let test = term.test;
    test.operator == Operator::Equal
        && !test.negated
        && test.path.len() > 1
        && test.path.last().is_some_and(|step| step == "type")
}

fn steps(test: &Test) -> Vec<&str> {
    test.path.iter().map(String::as_str).collect()
}

/// The event column of the side that a comparison speaks of.
fn side(test: &Test) -> Option<Field> {
    match (test.object.as_str(), test.path.first().map(String::as_str)) {
        ("network-traffic", Some("src_ref")) => Some(Field::SrcIp),
        ("network-traffic", Some("dst_ref")) => Some(Field::DstIp),
        _ => None,
    }
}

/// `address:port` of two equalities on the same side of a connection.
fn ip_port(address: &Term<'_>, port: &Term<'_>) -> Option<String> {
    let equal =
        |term: &Term<'_>| matches!(term.test.operator, Operator::Equal | Operator::In) && !term.test.negated;
    let port_step = match side(address.test)? {
        Field::SrcIp => "src_port",
        _ => "dst_port",
    };
    let is_pair = equal(address)
        && equal(port)
        && steps(address.test).get(1..) == Some(&["value"])
        && port.test.object == "network-traffic"
        && steps(port.test) == [port_step];
    let (Literal::Text(address), Literal::Number(port)) = (address.literal?, port.literal?) else {
        return None;
    };
    let address = address.strip_suffix("/32").or_else(|| address.strip_suffix("/128")).unwrap_or(address);
    let text =
        if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    (is_pair && address.parse::<std::net::IpAddr>().is_ok()).then_some(text)
}

/// The claim of one comparison.
fn term_claim(term: &Term<'_>, options: &FeedOptions) -> Result<Claim, Reject> {
    let test = term.test;
    let unsupported = || Reject::new(Reason::UnsupportedType, format!("{} is not matched on", named(test)));
    let what = property(test).ok_or_else(unsupported)?;
    let bad = |why: &str| Err(Reject::new(Reason::BadPattern, format!("{} {why}", named(test))));
    if test.negated {
        return bad("is negated");
    }
    let literal = match term.literal {
        Some(Literal::Text(text) | Literal::Number(text) | Literal::Hex(text)) => text.as_str(),
        _ => return bad("is compared with no text"),
    };
    match test.operator {
        Operator::Equal | Operator::In => {}
        Operator::IsSubset if what == What::Address => {}
        Operator::IsSubset if what == What::Host => return claim(literal, What::Address, options),
        Operator::Like if !literal.contains(['%', '_']) => {}
        Operator::Like => return pattern_claim(what, &like(literal), literal).ok_or_else(unsupported)?,
        Operator::Matches => return pattern_claim(what, literal, literal).ok_or_else(unsupported)?,
        Operator::NotEqual => return bad("is a negation"),
        Operator::Order => return bad("is an order"),
        Operator::IsSubset => return bad("is asked for a subset, which only addresses have"),
        Operator::IsSuperset => return bad("is asked for a superset, which no single address is"),
        Operator::Exists => return bad("is only asked to exist"),
    }
    let mut claim = claim(literal, what, options)?;
    claim.exact_only |= claim.kind == Kind::DomainName && !options.widen_names;
    Ok(claim)
}

/// A regular expression over every field that carries what is compared.
fn pattern_claim(what: What, regex: &str, original: &str) -> Option<Result<Claim, Reject>> {
    let carries = |observe: Observe| match what {
        What::Address => matches!(observe, Observe::Address | Observe::Host),
        What::Host => matches!(observe, Observe::Address | Observe::Host | Observe::One(Kind::DomainName)),
        What::One(Kind::DomainName) => matches!(observe, Observe::Host | Observe::One(Kind::DomainName)),
        What::One(Kind::Url) => observe == Observe::Url,
        What::One(Kind::EmailAddr) => observe == Observe::Email,
        What::One(Kind::FileName | Kind::FilePath) => observe == Observe::Path,
        What::One(kind) => observe == Observe::One(kind),
        _ => false,
    };
    let fields: Vec<Field> =
        FIELDS.iter().filter(|info| carries(info.observe)).map(|info| info.field).collect();
    if fields.is_empty() {
        return None;
    }
    Some(comity_model::canonical::indicator(Kind::Regex, regex).map(|canonical| {
        let mut claim = Claim::new(canonical.kind, canonical.value, original);
        claim.fields = fields;
        claim
    }))
}

/// A LIKE pattern as a regular expression: `%` is any text, `_` any character.
fn like(pattern: &str) -> String {
    let mut regex = String::from("^(?s:");
    for c in pattern.chars() {
        match c {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            _ => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(")$");
    regex
}

fn named(test: &Test) -> String {
    shown(&format!("{}:{}", test.object, test.path.join("."))).into_owned()
}

/// What a property of an object holds; `None` where no event column holds it.
fn property(test: &Test) -> Option<What> {
    let path = steps(test);
    let one = |kind| Some(What::One(kind));
    match (test.object.as_str(), path.as_slice()) {
        ("ipv4-addr" | "ipv6-addr", ["value"]) => Some(What::Address),
        ("domain-name", ["value"]) => one(Kind::DomainName),
        ("url", ["value"]) => one(Kind::Url),
        ("email-addr", ["value"])
        | ("email-message", ["from_ref" | "sender_ref", "value"])
        | ("email-message", ["to_refs" | "cc_refs" | "bcc_refs", _, "value"]) => one(Kind::EmailAddr),
        ("network-traffic", ["src_ref" | "dst_ref", "value"]) => Some(What::Host),
        ("network-traffic", ["extensions", "http-request-ext", "request_header", header]) => {
            if header.eq_ignore_ascii_case("user-agent") { one(Kind::UserAgent) } else { None }
        }
        ("file", ["extensions", "windows-pebinary-ext", "imphash"]) => one(Kind::FileImphash),
        ("file", ["name"]) | ("process", ["name"]) => one(Kind::FileName),
        ("process", ["image_ref" | "binary_ref", "name"]) => one(Kind::FileName),
        ("file" | "artifact", ["hashes", name])
        | ("process", ["image_ref" | "binary_ref", "hashes", name]) => digest(name),
        ("windows-registry-key" | "win-registry-key", ["key"]) => one(Kind::RegistryKey),
        ("mutex", ["name"]) => one(Kind::Mutex),
        ("autonomous-system", ["number"]) => one(Kind::Asn),
        ("x509-certificate", ["serial_number"]) => one(Kind::CertSerial),
        ("x509-certificate", ["hashes", name]) => match digest(name)? {
            What::One(Kind::FileSha1) => one(Kind::CertSha1),
            What::One(Kind::FileSha256) => one(Kind::CertSha256),
            _ => None,
        },
        _ => None,
    }
}

/// What a digest's name in a `hashes` dictionary stands for.
fn digest(name: &str) -> Option<What> {
    if name == "[*]" {
        return Some(What::Hash);
    }
    let key: String = name.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    Some(What::One(match key.as_str() {
        "md5" => Kind::FileMd5,
        "sha1" => Kind::FileSha1,
        "sha256" => Kind::FileSha256,
        "sha512" => Kind::FileSha512,
        "ssdeep" => Kind::FileSsdeep,
        _ => return None,
    }))
}
