//! `misp`: events as MISP writes them, one (`{"Event": …}`), many (`{"response": […]}`, an array) or a
//! result of an attribute search (`{"response": {"Attribute": […]}}`).
//!
//! ```json
//! {"Event": {"info": "…", "Attribute": [{"type": "ip-dst", "to_ids": true, "value": "203.0.113.7"}]}}
//! ```
//!
//! Each attribute is a claim, of the event and of its objects alike; `domain|ip` is two. An attribute
//! is refused that is deleted, a proposal, not for detection (`to_ids`), or of a type that comity does
//! not match on. `hostname` is met exactly, `domain` with the names under it. Of `filename|sha256` the
//! digest is the claim: the name says nothing more. `hostname|port` is narrower than the name and is
//! refused. `first_seen` is a start of validity; `last_seen` is no end of it.

use comity_model::{Claim, Kind, Reason, Reject, Tlp};
use serde_json::Value;

use super::value::{What, claim, instant, named_type, shown};
use super::{ClaimSink, FeedFormat, FeedOptions, Place};
use crate::log::{OptionsError, Sample};

/// The table's row.
pub(super) const FORMAT: FeedFormat = FeedFormat { name: "misp", title: "MISP events, JSON", detect, read };

fn detect(sample: &Sample<'_>) -> u8 {
    let head = sample.head.trim_ascii_start();
    if !head.starts_with(b"{") && !head.starts_with(b"[") {
        return 0;
    }
    let has = |key: &[u8]| memchr::memmem::find(sample.head, key).is_some();
    match (has(b"\"Event\""), has(b"\"Attribute\""), has(b"\"response\"")) {
        (true, true, _) | (_, true, true) => 95,
        (true, false, _) => 70,
        (false, true, false) => 50,
        _ => 0,
    }
}

fn read(feed: &[u8], options: &FeedOptions, sink: &mut dyn ClaimSink) -> Result<(), OptionsError> {
    let feed = feed.strip_prefix(b"\xef\xbb\xbf").unwrap_or(feed);
    if is_hash_list(feed) {
        return Err(not_a_feed("the hashes.csv of a MISP feed directory"));
    }
    let value = match super::json::tree(feed) {
        Ok(value) => value,
        Err(error) => {
            let place = Place { record: 1, offset: 0, length: super::plain::wide(feed.len()) };
            sink.reject(place, Reject::new(Reason::BadJson, format!("feed is no JSON: {error}")), "");
            return Ok(());
        }
    };
    if is_manifest(&value) {
        return Err(not_a_feed("the manifest.json of a MISP feed directory"));
    }
    let mut reader = Reader { options, sink, record: 0 };
    reader.top(&value, 0);
    if reader.record == 0 && !holds_events(&value) {
        let place = Place { record: 1, offset: 0, length: super::plain::wide(feed.len()) };
        let reject = Reject::new(Reason::NotThisFormat, "JSON holds no MISP event");
        reader.sink.reject(place, reject, "");
    }
    Ok(())
}

fn not_a_feed(what: &str) -> OptionsError {
    OptionsError { message: format!("file is {what} and makes no claims; give the event files beside it") }
}

/// Whether a file is a list of `md5,uuid`.
fn is_hash_list(feed: &[u8]) -> bool {
    let line = feed.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let is_hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    line.len() == 69
        && line.get(..32).is_some_and(is_hex)
        && line.get(32) == Some(&b',')
        && line.get(41) == Some(&b'-')
}

/// Whether a JSON text is an index of events by UUID.
fn is_manifest(value: &Value) -> bool {
    let is_entry = |(key, entry): (&String, &Value)| {
        key.len() == 36 && entry.get("info").is_some() && entry.get("Attribute").is_none()
    };
    value.as_object().is_some_and(|object| !object.is_empty() && object.iter().all(is_entry))
}

fn holds_events(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() || items.iter().any(holds_events),
        Value::Object(object) => {
            ["Event", "response", "Attribute"].iter().any(|key| object.contains_key(*key))
        }
        _ => false,
    }
}

/// Walks the events of a feed and counts their attributes.
struct Reader<'r> {
    options: &'r FeedOptions,
    sink: &'r mut dyn ClaimSink,
    record: u64,
}

impl Reader<'_> {
    /// Reads what wraps events; two levels are all that MISP writes.
    fn top(&mut self, value: &Value, depth: u32) {
        if depth > 4 {
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.top(item, depth + 1)),
            Value::Object(object) => {
                if let Some(response) = object.get("response") {
                    self.top(response, depth + 1);
                } else {
                    self.event(object.get("Event").unwrap_or(value));
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Value) {
        let tlp = marking(event);
        self.attributes(event, tlp, false);
        for object in list(event, "Object") {
            self.attributes(object, tlp, is_set(object.get("deleted")));
        }
    }

    fn attributes(&mut self, holder: &Value, tlp: Option<Tlp>, deleted: bool) {
        for attribute in list(holder, "Attribute") {
            self.attribute(attribute, tlp, deleted);
            for proposal in list(attribute, "ShadowAttribute") {
                self.proposal(proposal);
            }
        }
        for proposal in list(holder, "ShadowAttribute") {
            self.proposal(proposal);
        }
    }

    fn place(&mut self) -> Place {
        self.record += 1;
        Place { record: self.record, offset: 0, length: 0 }
    }

    fn proposal(&mut self, proposal: &Value) {
        let place = self.place();
        let text = text(proposal, "value");
        let why = format!("{:?} is a proposal that the event's owner has not taken over", shown(text));
        self.sink.reject(place, Reject::new(Reason::NotForDetection, why), text);
    }

    fn attribute(&mut self, attribute: &Value, event_tlp: Option<Tlp>, deleted: bool) {
        let place = self.place();
        let value = text(attribute, "value");
        let stated = match self.stated(attribute, value, deleted) {
            Ok(stated) => stated,
            Err(reject) => return self.sink.reject(place, reject, value),
        };
        let tlp = marking(attribute).max(event_tlp);
        let valid_from = instant(text(attribute, "first_seen"));
        for (what, part, exact_only) in stated {
            let claim = claim(&part, what, self.options).and_then(|claim| {
                let exact_only = claim.exact_only || exact_only && !self.options.widen_names;
                Ok(Claim {
                    original: value.to_owned(),
                    valid_from: valid_from.clone()?,
                    tlp,
                    exact_only,
                    ..claim
                })
            });
            match claim {
                Ok(claim) => self.sink.accept(place, claim),
                Err(reject) => self.sink.reject(place, reject, value),
            }
        }
    }

    /// What an attribute states: values, what each is, and whether it is met exactly.
    fn stated(
        &self,
        attribute: &Value,
        value: &str,
        deleted: bool,
    ) -> Result<Vec<(What, String, bool)>, Reject> {
        let refuse = |reason: Reason, why: String| Err(Reject::new(reason, why));
        let kind = text(attribute, "type");
        if deleted || is_set(attribute.get("deleted")) {
            return refuse(Reason::Revoked, format!("attribute {:?} was deleted", shown(value)));
        }
        if attribute.get("to_ids").is_some_and(|flag| !is_set(Some(flag))) {
            return refuse(
                Reason::NotForDetection,
                format!("{} {:?} is marked as not for detection", shown(kind), shown(value)),
            );
        }
        if value.is_empty() {
            return refuse(
                Reason::NotAnIndicator,
                format!("attribute of type {:?} has no value", shown(kind)),
            );
        }
        let Some((first_kind, second_kind)) = kind.split_once('|') else {
            let what = attribute_type(kind).ok_or_else(|| {
                Reject::new(Reason::UnsupportedType, format!("type {:?} is not matched on", shown(kind)))
            })?;
            return Ok(vec![(what, value.to_owned(), kind == "hostname")]);
        };
        let Some((first, second)) = value.split_once('|') else {
            return refuse(Reason::Malformed, format!("{kind} {:?} has no \"|\"", shown(value)));
        };
        let one = |what: What, part: &str| Ok(vec![(what, part.to_owned(), false)]);
        match (first_kind, second_kind) {
            ("domain", "ip") => Ok(vec![
                (What::One(Kind::DomainName), first.to_owned(), false),
                (What::Address, second.to_owned(), false),
            ]),
            ("ip-dst" | "ip-src", "port") if first.contains(':') => {
                one(What::IpPort, &format!("[{first}]:{second}"))
            }
            ("ip-dst" | "ip-src", "port") => one(What::IpPort, &format!("{first}:{second}")),
            ("malware-sample", _) => one(What::One(Kind::FileMd5), second),
            ("filename", hash) if attribute_type(hash).is_some_and(is_digest) => {
                one(attribute_type(hash).unwrap_or(What::Hash), second)
            }
            _ => refuse(Reason::UnsupportedType, format!("type {:?} is not matched on", shown(kind))),
        }
    }
}

fn is_digest(what: What) -> bool {
    use Kind::{FileImphash, FileMd5, FileSha1, FileSha256, FileSha512, FileSsdeep};
    matches!(what, What::One(FileMd5 | FileSha1 | FileSha256 | FileSha512 | FileImphash | FileSsdeep))
}

/// What a MISP type stands for.
fn attribute_type(kind: &str) -> Option<What> {
    Some(match kind {
        "malware-sample" => What::One(Kind::FileMd5),
        "dns-soa-email" | "email" => What::One(Kind::EmailAddr),
        "hostname" => What::One(Kind::DomainName),
        // whose wording or payload is not that of our kinds of the same name
        "host" | "hash" | "network" | "address" => return None,
        _ => return named_type(kind).filter(|what| *what != What::Unsaid),
    })
}

fn list<'v>(holder: &'v Value, key: &str) -> &'v [Value] {
    holder.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'v>(holder: &'v Value, key: &str) -> &'v str {
    holder.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Whether a flag is set, as true, 1 or "1".
fn is_set(flag: Option<&Value>) -> bool {
    match flag {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_u64() != Some(0),
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    }
}

/// The strictest TLP among the tags.
fn marking(holder: &Value) -> Option<Tlp> {
    let names = list(holder, "Tag").iter().map(|tag| text(tag, "name"));
    names
        .filter(|name| name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("tlp:")))
        .filter_map(|name| Tlp::read(name).ok())
        .max()
}
