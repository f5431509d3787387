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

use comity_model::canonical::trimmed;
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
    let read = |rows: &[_], put: &mut Vec<_>| {
        let mut seen = Seen::default();
        rows.iter().for_each(|row| read_row(table.as_ref(), *row, options, &mut seen, put));
    };
    in_order(rows(feed), read, |(place, stated)| match stated {
        Ok(claim) => sink.accept(place, claim),
        Err((reject, text)) => sink.reject(place, reject, &text),
    });
    Ok(())
}

/// A row of a feed.
#[derive(Clone, Copy)]
struct Row<'a> {
    place: Place,
    bytes: &'a [u8],
    /// The bytes as text; `None` where the feed is not UTF-8 throughout.
    text: Option<&'a str>,
    /// Whether there may be a quote.
    quoted: bool,
}

/// Where a claim stands; the claim, or what is wrong with it and its text.
type Stated<'a> = (Place, Result<Claim, (Reject, Cow<'a, str>)>);

/// What rows before this one held, so that what rows have in common is read once.
#[derive(Default)]
struct Seen<'a> {
    /// The fields of the row; kept for their room.
    cells: Vec<Cow<'a, str>>,
    kind: Last<'a, What>,
    valid_from: Last<'a, i64>,
    valid_until: Last<'a, i64>,
}

/// The last text of a column that was read, and what it says.
#[derive(Default)]
struct Last<'a, T> {
    text: &'a str,
    says: Option<T>,
}

impl<'a, T: Copy> Last<'a, T> {
    /// What a cell says, by `read` where it is not the last text again; nothing where there is none.
    fn read(
        &mut self,
        cell: Option<&Cow<'a, str>>,
        read: impl FnOnce(&str) -> Result<Option<T>, Reject>,
    ) -> Result<Option<T>, Reject> {
        match cell {
            Some(Cow::Owned(text)) => return read(trimmed(text)),
            Some(Cow::Borrowed(text)) if *text != self.text => {
                (self.says, self.text) = (read(trimmed(text))?, text);
            }
            Some(_) => {}
            None => return Ok(None),
        }
        Ok(self.says)
    }
}

/// Hands over what a row states; nothing where it is the header.
fn read_row<'a>(
    table: Option<&Table>,
    row: Row<'a>,
    options: &FeedOptions,
    seen: &mut Seen<'a>,
    put: &mut Vec<Stated<'a>>,
) {
    let mut refuse = |reason, why: &str| {
        put.push((row.place, Err((Reject::new(reason, why), String::from_utf8_lossy(row.bytes)))));
    };
    let Some(table) = table else {
        return refuse(Reason::NoHeader, "feed has no header that names a value");
    };
    if Some(row.place.offset) == table.header_at {
        return;
    }
    let Some(line) = row.text.or_else(|| std::str::from_utf8(row.bytes).ok()) else {
        return refuse(Reason::Malformed, "row is not UTF-8");
    };
    if !row.quoted && table.delimiter.is_ascii() {
        plain_fields(line, table.delimiter, &mut seen.cells);
    } else if fields(line, table.delimiter, &mut seen.cells).is_none() {
        return refuse(Reason::BadQuoting, "a quote is not closed");
    }
    table.row(row.place, line, options, seen, put);
}

/// The rows of a feed with their places, without comments and blank lines.
fn rows(feed: &[u8]) -> impl Iterator<Item = Row<'_>> {
    let text = std::str::from_utf8(feed).ok();
    let mut at = if feed.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut record = 1u64;
    // the first quote at or after the row
    let mut quote = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = feed.get(at..).filter(|rest| !rest.is_empty())?;
            let first = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..first)?;
            if quote < at {
                quote = memchr::memchr(b'"', rest).map_or(feed.len(), |found| at + found);
            }
            let skipped = line.starts_with(b"#") || line.iter().all(u8::is_ascii_whitespace);
            let unquoted = skipped || quote >= at + first;
            let length = if unquoted { first } else { row_length(rest, first) };
            let row = rest.get(..length)?;
            let place_record = record;
            record += if length == first { 1 } else { wide(memchr::memchr_iter(b'\n', row).count()) };
            let start = at;
            at += length;
            if !skipped {
                let row = row.strip_suffix(b"\n").unwrap_or(row);
                let row = row.strip_suffix(b"\r").unwrap_or(row);
                let place = Place { record: place_record, offset: wide(start), length: wide(row.len()) };
                let text = text.and_then(|text| text.get(start..start + row.len()));
                return Some(Row { place, bytes: row, text, quoted: !unquoted });
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

/// Makes `all` the fields of a row; `None` where a quote is not closed.
fn fields<'a>(row: &'a str, delimiter: u8, all: &mut Vec<Cow<'a, str>>) -> Option<()> {
    all.clear();
    let delimiter = char::from(delimiter);
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
            None => return Some(()),
        }
    }
}

/// [`fields`] of a row without quotes, delimited in ASCII.
fn plain_fields<'a>(row: &'a str, delimiter: u8, all: &mut Vec<Cow<'a, str>>) {
    all.clear();
    let mut begin = 0;
    let mut put = |field: Option<&'a str>| all.push(Cow::Borrowed(trimmed(field.unwrap_or_default())));
    for end in memchr::memchr_iter(delimiter, row.as_bytes()) {
        put(row.get(begin..end));
        begin = end + 1;
    }
    put(row.get(begin..));
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
        let mut cells = Vec::new();
        fields(line, delimiter, &mut cells)?;
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
        place: Place,
        line: &'a str,
        options: &FeedOptions,
        seen: &mut Seen<'a>,
        put: &mut Vec<Stated<'a>>,
    ) {
        let fields = seen.cells.len();
        if let Some(width) = self.width.filter(|width| *width != fields) {
            let why = format!("row has {fields} fields, the header names {width}");
            return put.push((place, Err((Reject::new(Reason::WrongFieldCount, why), line.into()))));
        }
        let mut states_none = true;
        for &(column, what) in &self.values {
            let Some(cell) =
                seen.cells.get(column).filter(|cell| !matches!(cell.as_ref(), "" | "n/a" | "None"))
            else {
                continue;
            };
            states_none = false;
            let cell = cell.clone();
            put.push((place, self.claim(&cell, what, options, seen).map_err(|reject| (reject, cell))));
        }
        if states_none {
            let reject = Reject::new(Reason::NotAnIndicator, "row states no value");
            put.push((place, Err((reject, line.into()))));
        }
    }

    fn claim(
        &self,
        cell: &str,
        what: What,
        options: &FeedOptions,
        seen: &mut Seen<'_>,
    ) -> Result<Claim, Reject> {
        let Seen { cells, kind, valid_from, valid_until } = seen;
        let cell_at = |column: Option<usize>| column.and_then(|column| cells.get(column));
        let at = |column: Option<usize>| cell_at(column).map_or("", |cell| trimmed(cell));
        if matches!(at(self.to_ids), "0" | "false" | "False") {
            return Err(Reject::new(
                Reason::NotForDetection,
                format!("{:?} is marked as not for detection", shown(cell)),
            ));
        }
        let typed = kind.read(cell_at(self.kind), |name| {
            let unknown =
                || Reject::new(Reason::UnsupportedType, format!("type {:?} is not matched on", shown(name)));
            if name.is_empty() { Ok(None) } else { named_type(name).map(Some).ok_or_else(unknown) }
        });
        let what = typed?.unwrap_or(what);
        let mut claim = match at(self.port) {
            "" | "0" => claim(cell, what, options)?,
            port => with_port(cell, port, what, options)?,
        };
        claim.valid_from = valid_from.read(cell_at(self.valid_from), instant)?;
        claim.valid_until = valid_until.read(cell_at(self.valid_until), instant)?;
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
    let row = rows(feed).next()?;
    let mut cells = Vec::new();
    fields(std::str::from_utf8(row.bytes).ok()?, delimiter, &mut cells)?;
    let names = cells.iter().map(|name| key(name)).collect();
    Some(Header { names, delimiter, row_at: Some(row.place.offset) })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[derive(Default)]
    struct Texts(Vec<String>);

    impl ClaimSink for Texts {
        fn accept(&mut self, _: Place, claim: Claim) {
            self.0.push(format!("{claim:?}"));
        }

        fn reject(&mut self, _: Place, reject: Reject, text: &str) {
            self.0.push(format!("{reject:?} {text}"));
        }
    }

    fn stated(rows: &[String]) -> Vec<String> {
        let feed = format!("type,value,first_seen,expires\n{}", rows.join("\n"));
        let mut texts = Texts::default();
        assert_eq!(read(feed.as_bytes(), &FeedOptions::default(), &mut texts), Ok(()));
        texts.0
    }

    proptest! {
        #[test]
        fn plain_fields_are_fields(
            row in "[a-zé0-9,; \t\u{a0}|]{0,30}",
            delimiter in select(b",; \t|\"a".to_vec()),
        ) {
            let (mut plain, mut all) = (vec!["before".into()], Vec::new());
            plain_fields(&row, delimiter, &mut plain);
            prop_assert_eq!(fields(&row, delimiter, &mut all), Some(()));
            prop_assert_eq!(plain, all);
        }

        #[test]
        fn a_row_without_quotes_is_known(lines in proptest::collection::vec("#?[a-z,\" é]{0,8}\r?", 0..20)) {
            let feed = lines.join("\n");
            for row in rows(feed.as_bytes()) {
                prop_assert!(row.quoted || !row.bytes.contains(&b'"'), "{:?}", feed);
                prop_assert_eq!(row.text.map(str::as_bytes), Some(row.bytes));
            }
        }

        #[test]
        fn a_row_states_the_same_after_any_other(rows in proptest::collection::vec(
            r#"(| |domain|"domain"| "ipv4-addr" |nonsense|md5),("evil[.]example"|192[.]0[.]2[.]7|d41d8cd98f00b204e9800998ecf8427e),(|-|soon|2024-04-04 07:03:03|"2024-04-04" 07:03:03),("2025-01-01"|2024-04-04| )"#,
            1..8,
        )) {
            let alone: Vec<String> = rows.iter().flat_map(|row| stated(std::slice::from_ref(row))).collect();
            prop_assert_eq!(stated(&rows), alone);
        }
    }
}
