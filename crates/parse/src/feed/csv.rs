//! `csv`: rows with named columns (RFC 4180), such as the exports of abuse.ch and MISP.
//!
//! ```text
//! # abuse.ch banner
//! # "first_seen_utc","ioc_value","ioc_type","confidence_level"
//! "2024-04-04 07:03:03", "203.0.113.7:443", "ip:port", "75"
//! # END 1 entries
//! ```
//!
//! Columns come from the job's mapping or from a header of well-known names, which may be commented
//! out. Rows that begin with `#` are comments. Blanks between a delimiter and a quote are allowed,
//! since abuse.ch writes them. A row without a `value` column claims each of its typed columns
//! (`sha256_hash`, `url` …); file names beside hashes are no claims of their own. An address and a
//! port in one row are one `ip-port`.
//!
//! `first_seen` is a start of validity; `last_seen` and `last_online` are no end of it: they say when
//! the provider last looked, not when the claim ceased to hold.

use std::borrow::Cow;

use comity_model::{Claim, Kind, Reason, Reject, Tlp};

use super::plain::wide;
use super::value::{What, claim, confidence, instant, named_type, shown};
use super::{ClaimSink, FeedFormat, FeedMapping, FeedOptions, Place, in_order};
use crate::extract::has_public_suffix;
use crate::log::{OptionsError, Sample};

/// The table's row.
pub(super) const FORMAT: FeedFormat = FeedFormat {
    name: "csv",
    title: "CSV with a header of well-known names, or a column mapping",
    detect,
    read,
};

/// Longest row that may span lines, bytes; a quote that stays open longer was never meant as one.
const LONGEST_ROW: usize = 64 * 1024;

fn detect(sample: &Sample<'_>) -> u8 {
    match find_header(sample.head) {
        Some(_) => 85,
        None => 0,
    }
}

fn read(feed: &[u8], options: &FeedOptions, sink: &mut dyn ClaimSink) -> Result<(), OptionsError> {
    let header = find_header(feed);
    let table = match (&options.mapping, header) {
        (Some(mapping), header) => Some(Table::mapped(mapping, options.kind, header, feed)?),
        (None, Some(header)) => Some(Table::named(header, options.kind)),
        (None, None) => None,
    };
    let read = |(place, row), put: &mut Vec<_>| {
        read_row(table.as_ref(), place, row, options, &mut |stated| put.push((place, stated)));
    };
    in_order(rows(feed), read, |(place, stated)| match stated {
        Ok(claim) => sink.accept(place, claim),
        Err((reject, text)) => sink.reject(place, reject, &text),
    });
    Ok(())
}

/// A claim, or what is wrong with it and its text.
type Stated<'a> = Result<Claim, (Reject, Cow<'a, str>)>;

/// Hands over what a row states; nothing where it is the header.
fn read_row<'a>(
    table: Option<&Table>,
    place: Place,
    row: &'a [u8],
    options: &FeedOptions,
    put: &mut dyn FnMut(Stated<'a>),
) {
    let mut refuse = |reason, why: &str| {
        put(Err((Reject::new(reason, why), String::from_utf8_lossy(row))));
    };
    let Some(table) = table else {
        return refuse(Reason::NoHeader, "feed has no header that names a value");
    };
    if Some(place.offset) == table.header_at {
        return;
    }
    let Ok(line) = std::str::from_utf8(row) else { return refuse(Reason::Malformed, "row is not UTF-8") };
    match fields(line, table.delimiter) {
        Some(cells) => table.row(&cells, line, options, put),
        None => refuse(Reason::BadQuoting, "a quote is not closed"),
    }
}

/// The rows of a feed with their places, without comments and blank lines.
fn rows(feed: &[u8]) -> impl Iterator<Item = (Place, &[u8])> {
    let mut at = if feed.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut record = 1u64;
    std::iter::from_fn(move || {
        loop {
            let rest = feed.get(at..).filter(|rest| !rest.is_empty())?;
            let first = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..first)?;
            let skipped = line.starts_with(b"#") || line.iter().all(u8::is_ascii_whitespace);
            let length = if skipped { first } else { row_length(rest, first) };
            let row = rest.get(..length)?;
            let place_record = record;
            record += if length == first { 1 } else { wide(memchr::memchr_iter(b'\n', row).count()) };
            let start = at;
            at += length;
            if !skipped {
                let row = row.strip_suffix(b"\n").unwrap_or(row);
                let row = row.strip_suffix(b"\r").unwrap_or(row);
                return Some((
                    Place { record: place_record, offset: wide(start), length: wide(row.len()) },
                    row,
                ));
            }
        }
    })
}

/// Length of the row at the beginning of `rest`, line end included; `first` is that of its first
/// line. A row goes on while a quote is open.
fn row_length(rest: &[u8], first: usize) -> usize {
    let quotes = |bytes: &[u8]| memchr::memchr_iter(b'"', bytes).count();
    let mut length = first;
    let mut open = quotes(rest.get(..first).unwrap_or_default()) % 2 == 1;
    while open {
        let Some(more) = rest.get(length..LONGEST_ROW.min(rest.len())).filter(|more| !more.is_empty()) else {
            return first;
        };
        let next = memchr::memchr(b'\n', more).map_or(more.len(), |end| end + 1);
        open ^= quotes(more.get(..next).unwrap_or_default()) % 2 == 1;
        length += next;
    }
    length
}

/// The fields of a row; `None` where a quote is not closed.
fn fields(row: &str, delimiter: u8) -> Option<Vec<Cow<'_, str>>> {
    let delimiter = char::from(delimiter);
    let mut all = Vec::with_capacity(8);
    let mut rest = row;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        let (field, after) = match trimmed.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, delimiter)?,
            None => match rest.split_once(delimiter) {
                Some((field, after)) => (Cow::Borrowed(field.trim()), Some(after)),
                None => (Cow::Borrowed(rest.trim()), None),
            },
        };
        all.push(field);
        match after {
            Some(after) => rest = after,
            None => return Some(all),
        }
    }
}

/// The field after an opening quote, and what follows its delimiter.
fn quoted_field(text: &str, delimiter: char) -> Option<(Cow<'_, str>, Option<&str>)> {
    let mut field = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        if field.is_empty() {
            field = Cow::Borrowed(part);
        } else {
            field.to_mut().push_str(part);
        }
        match after.strip_prefix('"') {
            Some(more) => {
                field.to_mut().push('"');
                rest = more;
            }
            None => {
                let (tail, after) = match after.split_once(delimiter) {
                    Some((tail, after)) => (tail, Some(after)),
                    None => (after, None),
                };
                if !tail.trim().is_empty() {
                    field.to_mut().push_str(tail);
                }
                return Some((field, after));
            }
        }
    }
}

/// A header of names that are known, and how the rows under it are delimited.
struct Header {
    names: Vec<String>,
    delimiter: u8,
    /// Offset of the header where it is a row and no comment.
    row_at: Option<u64>,
}

impl Header {
    /// Whether every column that a job numbers has a well-known name.
    fn names_all(&self, mapping: &FeedMapping) -> bool {
        let name_of = |number: &String| self.names.get(number.parse::<usize>().ok()?.checked_sub(1)?);
        mapping.columns.values().all(|number| name_of(number).is_some_and(|name| role(name).is_some()))
    }
}

/// Finds the header: the last comment before the first row, or the first row itself.
fn find_header(feed: &[u8]) -> Option<Header> {
    let mut commented = None;
    for (place, line) in super::plain::lines(feed) {
        let Ok(text) = std::str::from_utf8(line) else { return commented };
        match text.strip_prefix('#') {
            Some(comment) => commented = header_of(comment.trim(), None).or(commented),
            None if text.trim().is_empty() => {}
            None => return header_of(text, Some(place.offset)).or(commented),
        }
    }
    commented
}

/// A line as a header: known columns, one of which names values.
fn header_of(line: &str, row_at: Option<u64>) -> Option<Header> {
    let header = |delimiter: u8| {
        let cells = fields(line, delimiter)?;
        if cells.iter().any(|cell| is_value(cell)) {
            return None;
        }
        let names: Vec<String> = cells.iter().map(|name| key(name)).collect();
        let claims = names.iter().any(|name| matches!(role(name), Some(Role::Value | Role::Typed(_))));
        let known = names.iter().filter(|name| role(name).is_some()).count();
        // of a comment more is asked, since it may be prose
        let enough = if row_at.is_some() { 1 } else { 2 };
        (claims && known >= enough).then_some(Header { names, delimiter, row_at })
    };
    [b',', b';', b'\t', b'|'].into_iter().find_map(header)
}

/// Whether a cell is a value rather than a column's name.
fn is_value(cell: &str) -> bool {
    cell.contains("://") || has_public_suffix(cell) || cell.parse::<std::net::IpAddr>().is_ok()
}

/// A column's name without case and marks between words.
fn key(name: &str) -> String {
    name.trim()
        .trim_matches('"')
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '_'))
        .collect::<String>()
        .to_ascii_lowercase()
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Value,
    Typed(What),
    Kind,
    Port,
    ValidFrom,
    ValidUntil,
    Confidence,
    Tlp,
    ToIds,
}

/// The role of a well-known column.
fn role(key: &str) -> Option<Role> {
    use Role::Typed;
    Some(match key {
        "value" | "indicator" | "indicatorvalue" | "ioc" | "iocvalue" | "observable" => Role::Value,
        "type" | "kind" | "indicatortype" | "ioctype" | "observabletype" => Role::Kind,
        "url" => Typed(What::One(Kind::Url)),
        "domain" | "domainname" | "fqdn" | "hostname" => Typed(What::One(Kind::DomainName)),
        "host" => Typed(What::Host),
        "ip" | "ipaddress" | "ipaddr" | "dstip" | "ipv4" | "ipv6" => Typed(What::Address),
        "cidr" | "network" | "netblock" => Typed(What::Address),
        "sha256" | "sha256hash" => Typed(What::One(Kind::FileSha256)),
        "sha1" | "sha1hash" => Typed(What::One(Kind::FileSha1)),
        "md5" | "md5hash" => Typed(What::One(Kind::FileMd5)),
        "sha512" | "sha512hash" => Typed(What::One(Kind::FileSha512)),
        "hash" => Typed(What::Hash),
        "ja3md5" | "ja3" => Typed(What::One(Kind::Ja3)),
        "email" | "emailaddress" => Typed(What::One(Kind::EmailAddr)),
        "port" | "dstport" => Role::Port,
        "validfrom" | "firstseen" | "firstseenutc" | "dateadded" | "listingdate" | "submissiontime" => {
            Role::ValidFrom
        }
        "validuntil" | "validto" | "expires" | "expiry" | "expiration" | "expirationdate" => Role::ValidUntil,
        "confidence" | "confidencelevel" => Role::Confidence,
        "tlp" => Role::Tlp,
        "toids" => Role::ToIds,
        _ => return None,
    })
}

/// Which column holds what; columns are counted from 0.
#[derive(Debug, Default)]
struct Table {
    delimiter: u8,
    header_at: Option<u64>,
    /// Number of columns that the header names; `None` without a header.
    width: Option<usize>,
    values: Vec<(usize, What)>,
    kind: Option<usize>,
    port: Option<usize>,
    valid_from: Option<usize>,
    valid_until: Option<usize>,
    confidence: Option<usize>,
    tlp: Option<usize>,
    to_ids: Option<usize>,
}

impl Table {
    /// The columns of a header of well-known names.
    fn named(header: Header, kind: Option<Kind>) -> Self {
        let mut table = Self {
            delimiter: header.delimiter,
            header_at: header.row_at,
            width: Some(header.names.len()),
            ..Self::default()
        };
        let roles: Vec<Option<Role>> = header.names.iter().map(|name| role(name)).collect();
        let has_value = roles.contains(&Some(Role::Value));
        // SSLBL lists digests of certificates under the name of the algorithm
        let certificates = header.names.iter().any(|name| name == "listingreason");
        for (column, role) in roles.into_iter().enumerate() {
            match role {
                Some(Role::Value) if table.values.is_empty() => {
                    table.values.push((column, kind.map_or(What::Unsaid, What::One)));
                }
                Some(Role::Typed(What::One(Kind::FileSha1))) if certificates => {
                    table.values.push((column, What::One(Kind::CertSha1)));
                }
                Some(Role::Typed(what)) if !has_value => table.values.push((column, what)),
                Some(role) => table.put(role, column),
                None => {}
            }
        }
        table
    }

    /// The columns that a job declares.
    fn mapped(
        mapping: &FeedMapping,
        kind: Option<Kind>,
        header: Option<Header>,
        feed: &[u8],
    ) -> Result<Self, OptionsError> {
        let delimiter = mapping.delimiter.or(header.as_ref().map(|header| header.delimiter)).unwrap_or(b',');
        let by_number = mapping.columns.values().all(|column| column.parse::<usize>().is_ok());
        let header = header.filter(|header| !by_number || header.names_all(mapping));
        let header = header.or_else(|| if by_number { None } else { first_row(feed, delimiter) });
        let mut table = Self {
            delimiter,
            header_at: header.as_ref().and_then(|header| header.row_at),
            width: header.as_ref().map(|header| header.names.len()),
            ..Self::default()
        };
        for (role, column) in &mapping.columns {
            let column = find_column(column, header.as_ref())?;
            match role.as_str() {
                "value" => table.values.push((column, kind.map_or(What::Unsaid, What::One))),
                "kind" => table.put(Role::Kind, column),
                "port" => table.put(Role::Port, column),
                "valid_from" => table.put(Role::ValidFrom, column),
                "valid_until" => table.put(Role::ValidUntil, column),
                "confidence" => table.put(Role::Confidence, column),
                "tlp" => table.put(Role::Tlp, column),
                _ => {
                    return Err(options_error(format!(
                        "role {role:?} is not known; one of: value, kind, port, valid_from, valid_until, confidence, tlp"
                    )));
                }
            }
        }
        if table.values.is_empty() {
            return Err(options_error("mapping names no column for role \"value\"".to_owned()));
        }
        Ok(table)
    }

    fn put(&mut self, role: Role, column: usize) {
        let slot = match role {
            Role::Kind => &mut self.kind,
            Role::Port => &mut self.port,
            Role::ValidFrom => &mut self.valid_from,
            Role::ValidUntil => &mut self.valid_until,
            Role::Confidence => &mut self.confidence,
            Role::Tlp => &mut self.tlp,
            Role::ToIds => &mut self.to_ids,
            Role::Value | Role::Typed(_) => return,
        };
        slot.get_or_insert(column);
    }

    /// Reads one row: a claim for each value that it states.
    fn row<'a>(
        &self,
        cells: &[Cow<'a, str>],
        line: &'a str,
        options: &FeedOptions,
        put: &mut dyn FnMut(Stated<'a>),
    ) {
        if let Some(width) = self.width.filter(|width| *width != cells.len()) {
            let why = format!("row has {} fields, the header names {width}", cells.len());
            return put(Err((Reject::new(Reason::WrongFieldCount, why), line.into())));
        }
        let mut states_none = true;
        for &(column, what) in &self.values {
            let Some(cell) = cells.get(column).filter(|cell| !matches!(cell.as_ref(), "" | "n/a" | "None"))
            else {
                continue;
            };
            states_none = false;
            put(self.claim(cells, cell, what, options).map_err(|reject| (reject, cell.clone())));
        }
        if states_none {
            put(Err((Reject::new(Reason::NotAnIndicator, "row states no value"), line.into())));
        }
    }

    fn claim(
        &self,
        cells: &[Cow<'_, str>],
        cell: &str,
        what: What,
        options: &FeedOptions,
    ) -> Result<Claim, Reject> {
        let at = |column: Option<usize>| {
            column.and_then(|column| cells.get(column)).map_or("", |cell| cell.trim())
        };
        if matches!(at(self.to_ids), "0" | "false" | "False") {
            return Err(Reject::new(
                Reason::NotForDetection,
                format!("{:?} is marked as not for detection", shown(cell)),
            ));
        }
        let what = match at(self.kind) {
            "" => what,
            name => named_type(name).ok_or_else(|| {
                Reject::new(Reason::UnsupportedType, format!("type {:?} is not matched on", shown(name)))
            })?,
        };
        let mut claim = match at(self.port) {
            "" | "0" => claim(cell, what, options)?,
            port => with_port(cell, port, what, options)?,
        };
        claim.valid_from = instant(at(self.valid_from))?;
        claim.valid_until = instant(at(self.valid_until))?;
        claim.confidence = confidence(at(self.confidence))?;
        claim.tlp = match at(self.tlp) {
            "" => None,
            name => Some(Tlp::read(name).map_err(|error| Reject::new(Reason::BadValue, error.to_string()))?),
        };
        Ok(claim)
    }
}

/// A claim of an address and a port in one row; of all else the port says nothing that is matched on.
fn with_port(cell: &str, port: &str, what: What, options: &FeedOptions) -> Result<Claim, Reject> {
    let alone = claim(cell, what, options)?;
    let text = match alone.kind {
        Kind::Ipv4Addr => format!("{}:{port}", alone.value),
        Kind::Ipv6Addr => format!("[{}]:{port}", alone.value),
        Kind::DomainName => {
            let why = format!("{:?} with port {:?} is narrower than the name", shown(cell), shown(port));
            return Err(Reject::new(Reason::UnsupportedType, why));
        }
        _ => return Ok(alone),
    };
    let both = claim(&text, What::IpPort, options)?;
    Ok(Claim { original: if cell.contains(':') { text } else { format!("{cell}:{port}") }, ..both })
}

/// The first row as a header, whatever its names.
fn first_row(feed: &[u8], delimiter: u8) -> Option<Header> {
    let (place, row) = rows(feed).next()?;
    let names = fields(std::str::from_utf8(row).ok()?, delimiter)?.iter().map(|name| key(name)).collect();
    Some(Header { names, delimiter, row_at: Some(place.offset) })
}

/// Number of a column, counted from 0, that a job names or numbers from 1.
fn find_column(column: &str, header: Option<&Header>) -> Result<usize, OptionsError> {
    if let Ok(number) = column.parse::<usize>() {
        return number
            .checked_sub(1)
            .ok_or_else(|| options_error("column \"0\" is not one; columns are counted from 1".to_owned()));
    }
    let names = header.map_or(&[][..], |header| &header.names);
    let wanted = key(column);
    names.iter().position(|name| *name == wanted).ok_or_else(|| {
        options_error(format!("column {column:?} is not in the feed's header: {}", names.join(", ")))
    })
}

fn options_error(message: String) -> OptionsError {
    OptionsError { message }
}
