"""A second engine: DuckDB recomputes the sightings and the correlations of a run (PROVENANCE.md, section 6, level 5).

comity writes one JSON document to stdin; one JSON object a line comes back on stdout, one for each table, then a verdict.
Needs Python 3.9 and PyPI `duckdb` 2. Run as `python3 -c PROGRAM`, since stdin is the document's.

What is recomputed, and from what
---------------------------------
*From events to observables* is parsing and canonicalisation (UTS 46, the WHATWG URL parser, base64 digests), which SQL can't
do again. So the index (`observables.parquet`: kind, canonical value, field, rows) is taken as comity's word, and so are the
canonical values of `indicators.parquet` and the canonical entries of allow-lists. *Everything after that* is done here from
scratch, by SQL that knows nothing of comity's sort keys: what meets what, in which records, validity, markings, allow-lists,
correlations. `match_kind` exact, network, subdomain, url-prefix and pattern; all kinds of indicator.

The index is checked against the events as far as SQL can read a column by itself (line `events`). Whatever stands in an
event column in plain form (an IPv4 or IPv6 address, an ASCII name, a URL of plain characters, a digest in hexadecimal, a
mail address, a file name, an exact text) and meets an indicator must be a sighting of that record. The other way round can
only be counted: where a log lists several values, a text column holds the first, and texts that are searched hold theirs inside.

Left to comity: an indicator of kind `regex` that uses more than the common subset of Rust's `regex` and RE2, and matches of
any `regex` in values other than printable ASCII. Such sightings are taken from the stored table, only for indicators that are
there, and counted (`left`). Where an allow-list holds such an expression and a table differs in allow-list marks alone, nothing
is claimed: `equal` is null, with the reason.

The document
------------
    {"schema": "comity-second-engine/v1", "memory_limit": "2GB", "threads": 2, "scratch": "/a/directory" or null,
     "evidence": [{"id", "jurisdiction", "tlp", "clock_uncertainty_us", "format", "authority", "legal_basis", "bytes",
                   "headers", "intakes", "events": path, "observables": path, "rejects": path}],
     "feeds": [{"id", "provider", "tlp", "format", "intakes", "indicators": path, "rejects": path}],
     "allow_lists": [{"name", "matching", "kinds": [kind] or null, "entries": [canonical entry]}],
     "tables": {name: {"path", "logical_sha256" or null}},
     "correlations": [{"name", "sql", "parameters": {name: value}}]}

Items are those of the run. The built-in allow-list is not given; it is known here. `sightings` must be in `tables`; of
`correlations` each needs its table. Counts and spans of the `evidence` and `feeds` tables are recounted from the files.

The answer
----------
    {"name", "rows", "left", "logical_sha256", "stored_sha256", "expected_sha256", "equal", "reason", "first_difference"}

`logical_sha256` is of the table made here, `stored_sha256` of the file, `expected_sha256` as given. `equal`: true, false,
or null where it could not be made (`reason`). `left`: rows taken over from the stored table, by kind. `first_difference`:
`{"recomputed": line or null, "stored": line or null}`, lines as in `comity-rows/v1`, cut at 2,000 characters; the text comes
from evidence and must be escaped where it is shown. The line `events` has `name`, `equal`, `first_difference`, `sightings` (pairs
of indicator and record; kinds that one value alone meets), `rederived` (how many of them came out of the event columns without
the index), `values` (value, column and record of the sightings) and `literal` (how many of these stand there letter by letter).
Last: {"engine": "duckdb 2.0.1", "equal": true, false or null}. Exit status 0: equal; 4: unequal; 1: it could not be said; 2: an error, `{"error"}`; 3: the same, since DuckDB is not there.

Safety: files are read before any query of the list runs; then external access is off and the configuration locked. No value
of the data or of the document becomes SQL text but the correlations' own queries, each one SELECT, over a database that is
read-only by then. Memory is bounded by
`memory_limit`: the database is a file in a private directory under `scratch`, which is removed (not after a kill: give a
`scratch` that is swept). Time is bounded by whoever started this.
"""

import sys

sys.path[:] = [place for place in sys.path if place]  # nothing is imported from the working directory

import hashlib
import json
import os
import re
import tempfile

try:
    import duckdb
except ImportError:
    duckdb = None

# Fields that give observables: rule, and whether a party to the exchange asserts the value (schemas/events.md).
# In rules, a kind stands for itself; lists are marked with []. Texts of `extracted` fields are scanned by comity.
FIELDS = """
src_ip address; dst_ip address; src_nat_ip address; dst_nat_ip address; originating_ip address asserted
src_host host; dst_host host; device host; host host asserted; tls_sni host asserted
answers[] host; forwarded_for[] host asserted; cert_names[] host asserted; received_path[] host asserted
query domain-name; url url; referrer url asserted; location url
user_agent user-agent asserted; ja3 ja3; ja3s ja3s; ja4 ja4
cert_serial cert-serial; cert_sha1 cert-sha1; cert_sha256 cert-sha256
file_name[] path; process_path path; parent_path path
md5[] file-md5; sha1[] file-sha1; sha256[] file-sha256; sha512[] file-sha512
imphash[] file-imphash; ssdeep[] file-ssdeep; registry_key registry-key; mutex mutex
email_from[] email-addr asserted; email_to[] email-addr asserted; email_reply_to[] email-addr asserted
mail_from[] email-addr asserted; rcpt_to[] email-addr
subject extracted asserted; message extracted
"""

SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "preserve_insertion_order": "false",
}

# DuckDB's types by the words of comity-rows/v1. Everything else has no logical digest.
TYPES = {
    "VARCHAR": "text", "BOOLEAN": "boolean", "VARCHAR[]": "list<text>",
    "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamp",
    **dict.fromkeys(["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"], "integer"),
    **dict.fromkeys(["UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"], "integer"),
}

# Helper tables live in schema `m`, out of the way of queries over the tables of the case.
SCHEMA = r"""
create schema m;

-- addresses as numbers, from canonical text
create macro m.four(t) as
  list_reduce(list_transform(string_split(t, '.'), lambda part: cast(part as bigint)), lambda a, b: a * 256 + b);
-- a dotted tail (::ffff:192.0.2.7) as two groups of hexadecimal digits
create macro m.undotted(t) as
  case when contains(t, '.') then regexp_replace(t, '[0-9.]+$', '') ||
    printf('%x:%x', m.four(regexp_extract(t, '[0-9.]+$')) // 65536, m.four(regexp_extract(t, '[0-9.]+$')) % 65536)
  else t end;
create macro m.groups(t) as list_filter(string_split(t, ':'), lambda part: part <> '');
create macro m.eight(t) as
  m.groups(string_split(t, '::')[1]) ||
  list_transform(range(8 - len(m.groups(t))), lambda i: '0') ||
  m.groups(coalesce(string_split(t, '::')[2], ''));
create macro m.hexadecimal(t) as
  array_to_string(list_transform(m.eight(m.undotted(t)), lambda part: lpad(part, 4, '0')), '');
create macro m.of_digits(h) as
  cast(cast('0x' || h[1:16] as ubigint) as uhugeint) * 18446744073709551616 + cast('0x' || h[17:32] as ubigint);
create macro m.six(t) as m.of_digits(m.hexadecimal(t));
-- the last address of the network that begins at `first`
create macro m.four_last(first, length) as first + (4294967295 >> cast(length as bigint));
create macro m.six_last(first, length) as
  first + case length when 128 then 0 else cast(340282366920938463463374607431768211455 as uhugeint) >> cast(length as uhugeint) end;

-- a name and every name above it
create macro m.suffixes(name) as
  list_transform(range(1, len(string_split(name, '.')) + 1), lambda i: array_to_string(string_split(name, '.')[i:], '.'));

-- pieces of a URL; text without a scheme has none
create macro m.scheme(url) as regexp_extract(url, '^([^/:?]*)://', 1);
create macro m.rest(url) as regexp_replace(url, '^[^/:?]*://', '');
create macro m.authority(rest) as regexp_extract(rest, '^[^/?]*');
create macro m.url_host(url) as
  regexp_replace(regexp_replace(m.authority(m.rest(url)), ':[0-9]*$', ''), '^\[(.*)\]$', '\1');

create macro m.is_printable(t) as regexp_full_match(t, '[ -~]*');

-- numbers of LEB128 varints, given in hexadecimal
create macro m.decoded(hexadecimal) as list_transform(regexp_extract_all(hexadecimal, '(?:[89A-F].)*[0-7].'), lambda v:
  list_reduce(list_transform(range(len(v) // 2), lambda i:
    cast('0x' || v[2 * i + 1:2 * i + 2] as bigint) % 128 << (7 * i)), lambda a, b: a + b));
"""

# Tables of an item's files. Paths are bound; see `files`.
EVENT_HEAD = "record bigint, \"offset\" bigint, length bigint, time timestamptz, class varchar, damaged boolean, src_port bigint, dst_port bigint"
OBSERVABLE = "kind varchar, value varchar, field varchar, count bigint, rows blob, altered blob"
INDICATOR = """indicator_id varchar, kind varchar, value varchar, original varchar, valid_from timestamptz, valid_until timestamptz,
  confidence bigint, tlp varchar, claims bigint, exact_only boolean, prefix boolean, inferred_kind boolean, fields varchar[], parts varchar[]"""
REJECT = "record bigint, \"offset\" bigint, length bigint, reason varchar, message varchar, text varchar"

# The tables that correlations see, as `comity sql` shows them.
VIEWS = r"""
create table evidence as
  select i.id, i.format, i.jurisdiction, i.authority, i.legal_basis, i.tlp,
    coalesce(e.events, 0) + coalesce(r.rejects, 0) as records, coalesce(e.events, 0) as events, coalesce(r.rejects, 0) as rejects,
    i.bytes, i.headers, coalesce(e.damaged, 0) as damaged, coalesce(o.observables, 0) as observables, e.first_event, e.last_event,
    i.intakes
  from m.evidence_item as i
  left join (select evidence, count(*) as events, count(*) filter (where damaged) as damaged, min(time) as first_event,
               max(time) as last_event from m.event group by evidence) as e on e.evidence = i.id
  left join (select evidence, count(*) as observables from m.observable group by evidence) as o on o.evidence = i.id
  left join (select source, count(*) as rejects from m.reject group by source) as r on r.source = i.id;
create table feeds as
  select i.id, i.format, i.provider, i.tlp, coalesce(c.accepted, 0) + coalesce(r.rejects, 0) as seen,
    coalesce(c.accepted, 0) as accepted, coalesce(r.rejects, 0) as rejected, coalesce(c.indicators, 0) as indicators, i.intakes
  from m.feed_item as i
  left join (select feed, cast(sum(claims) as bigint) as accepted, count(*) as indicators from m.indicator group by feed) as c
    on c.feed = i.id
  left join (select source, count(*) as rejects from m.reject group by source) as r on r.source = i.id;
create view events as
  select e.* exclude (row), i.jurisdiction from m.event as e join m.evidence_item as i on i.id = e.evidence;
create view observables as
  select o.evidence, i.jurisdiction, o.kind, o.value, o.field, o.count, s.first_seen, s.last_seen
  from m.observable as o join m.evidence_item as i on i.id = o.evidence
  left join (
    select p.id, min(e.time) as first_seen, max(e.time) as last_seen
    from (select id, evidence, cast(sum(difference) over (partition by id order by number) as bigint) as row
          from (select id, evidence, unnest(numbers) as difference, generate_subscripts(numbers, 1) as number
                from (select id, evidence, m.decoded(hex(rows)) as numbers from m.observable))) as p
    join m.event as e on e.evidence = p.evidence and e.row = p.row
    group by p.id) as s on s.id = o.id;
create view indicators as
  select c.indicator_id, c.feed, i.provider, c.kind, c.value, c.valid_from, c.valid_until, c.confidence,
    coalesce(c.tlp, i.tlp) as tlp, c.claims, c.original, c.exact_only, c.prefix, c.inferred_kind, c.fields, c.parts
  from m.indicator as c join m.feed_item as i on i.id = c.feed;
create view rejects as select source, record, "offset", length, reason, message, text from m.reject;
"""

# What indicators ask for. A `stix-pattern` asks for each of its comparisons, exactly.
WANTED = r"""
create table m.wanted as
  select target, 0 as part, kind, value, exact_only, prefix, cast(null as varchar) as field from m.indicator
  where kind not in ('substring', 'regex', 'stix-pattern')
  union all
  select target, part, comparison.kind, comparison.value, true, false, nullif(comparison.field, '')
  from (select target, unnest(range(1, len(parts) + 1)) as part,
          unnest(list_transform(parts, lambda t: regexp_extract(t, '^([^ ]*) ([^ ]*) (.*)$', ['kind', 'field', 'value'], 's')))
            as comparison
        from m.indicator where kind = 'stix-pattern');

-- first and last address of networks and ranges; a range of two families holds nothing
create table m.four_range as
  select target, part, m.four(a) as first, case when kind = 'ip-range' then m.four(b) else m.four_last(m.four(a), cast(b as int)) end as last
  from (select *, string_split(value, if(kind = 'ip-range', '-', '/')) as ends, ends[1] as a, ends[2] as b from m.wanted
        where kind in ('ipv4-net', 'ip-range') and not contains(value, ':'));
create table m.six_range as
  select target, part, m.six(a) as first, case when kind = 'ip-range' then m.six(b) else m.six_last(m.six(a), cast(b as int)) end as last
  from (select *, string_split(value, if(kind = 'ip-range', '-', '/')) as ends, ends[1] as a, ends[2] as b from m.wanted
        where kind in ('ipv6-net', 'ip-range') and contains(a, ':') and (kind = 'ipv6-net' or contains(b, ':')));

-- the spellings that mean what a URL claim means. A log may give host and path only; a claim without a
-- scheme is one of http and https, whose default port canonical URLs leave away
create table m.url_form as
  with claim as (
    select target, part, prefix, m.scheme(value) as scheme, m.rest(value) as rest from m.wanted where kind = 'url'
  )
  select target, part, prefix, '' as scheme, rest from claim
  union select target, part, prefix, scheme, rest from claim where scheme <> ''
  union select target, part, prefix, 'http', regexp_replace(rest, '^([^/?]*):80(/|$)', '\1\2') from claim where scheme = ''
  union select target, part, prefix, 'https', regexp_replace(rest, '^([^/?]*):443(/|$)', '\1\2') from claim where scheme = '';
"""

# What meets what (MATCHING.md, "Meeting"). {values}: a table of (id, kind, value, field); {met}: the answer.
MEET = r"""
create table {met} as
  -- equal values
  select w.target, w.part, o.id from m.wanted as w join {values} as o on o.kind = w.kind and o.value = w.value
  where w.kind not in ('ipv6-addr', 'domain-name', 'url', 'ipv4-net', 'ipv6-net', 'ip-range', 'ip-port')
  union all
  select w.target, w.part, o.id from (select target, part, m.six(value) as number from m.wanted where kind = 'ipv6-addr') as w
  join (select id, m.six(value) as number from {values} where kind = 'ipv6-addr') as o on o.number = w.number
  union all
  -- the address of an address and port; the port is looked up in the record
  select w.target, w.part, o.id
  from (select target, part, regexp_extract(value, '^\[?(.*?)\]?:[0-9]+$', 1) as address from m.wanted where kind = 'ip-port') as w
  join {values} as o on o.value = w.address
  where o.kind in ('ipv4-addr', 'ipv6-addr')
  union all
  select w.target, w.part, o.id from m.four_range as w
  join (select id, m.four(value) as number from {values} where kind = 'ipv4-addr') as o on o.number >= w.first and o.number <= w.last
  union all
  select w.target, w.part, o.id from m.six_range as w
  join (select id, m.six(value) as number from {values} where kind = 'ipv6-addr') as o on o.number >= w.first and o.number <= w.last
  union all
  -- a name meets itself, and where not exact-only the names under it, at a label boundary
  select w.target, w.part, o.id
  from (select id, value, unnest(m.suffixes(value)) as suffix from {values} where kind = 'domain-name') as o
  join m.wanted as w on w.value = o.suffix
  where w.kind = 'domain-name' and (o.suffix = o.value or not w.exact_only)
  union all
  select distinct w.target, w.part, o.id
  from (select id, m.scheme(value) as scheme, m.rest(value) as rest, m.authority(m.rest(value)) as authority
        from {values} where kind = 'url') as o
  join m.url_form as w on w.scheme = o.scheme and m.authority(w.rest) = o.authority
  where o.rest = w.rest or w.prefix and starts_with(o.rest, w.rest) and (
    -- at a boundary: what a prefix ends with, or what follows it
    w.rest[-1] in ('/', '?', '&') or o.rest[length(w.rest) + 1] = '&' and contains(w.rest, '?')
    or o.rest[length(w.rest) + 1] in ('/', '?') and not contains(w.rest, '?'))
  union all
  select i.target, 0, o.id
  from (select target, value, unnest(fields) as field from m.indicator where kind = 'substring') as i
  join {values} as o on o.field = i.field and contains(o.value, i.value) where o.is_own;
"""

# Rows of the events file that carry an observable, from LEB128 varints: the first row, then differences.
DECODE = r"""
create table m.posting as
  with listed as (
    select id, unnest(numbers) as difference, generate_subscripts(numbers, 1) as number, is_altered
    from (select id, m.decoded(hex(rows)) as numbers, false as is_altered from m.observable where id in (select id from m.meeting)
          union all
          select id, m.decoded(hex(altered)), true from m.observable where altered is not null and id in (select id from m.meeting))
  ),
  numbered as (
    select id, is_altered, sum(difference) over (partition by id, is_altered order by number) as row from listed
  )
  select id, cast(row as bigint) as row, bool_or(is_altered) as altered from numbered group by id, row having not bool_and(is_altered);
"""

FOUND = r"""
create table m.found as
  with placed as (
    select distinct c.target, c.part, p.id, p.row, p.altered, o.evidence, i.kind, i.value, o.field
    from m.meeting as c
    join m.indicator as i on i.target = c.target
    join m.observable as o on o.id = c.id
    join m.posting as p on p.id = c.id
    left join m.wanted as w on w.target = c.target and w.part = c.part
    where w.field is null or w.field = o.field
  ),
  whole as (
    select c.target, c.evidence, c.row from placed as c join m.indicator as i on i.target = c.target
    where c.kind = 'stix-pattern'
    group by c.target, c.evidence, c.row
    having count(distinct c.part) = any_value(len(i.parts))
  )
  select distinct c.target, c.id, c.evidence, c.row, c.altered
  from placed as c
  join m.event as e on e.evidence = c.evidence and e.row = c.row
  where case c.kind
    when 'ip-port' then cast(regexp_extract(c.value, ':([0-9]+)$', 1) as bigint)
      = case c.field when 'src_ip' then e.src_port when 'dst_ip' then e.dst_port end
    when 'stix-pattern' then exists (select 1 from whole as w where w.target = c.target and w.evidence = c.evidence and w.row = c.row)
    else true end;
"""

# Which allow-lists name a value. Each list has a number, since two may have one name.
ASKED = r"""
create table m.asked as
  select distinct kind, value, lower(value) as lower, false as is_plain
  from (select kind, value from m.indicator
        union all select kind, value from m.observable where id in (select id from m.found));
update m.asked set is_plain = m.is_printable(value);
create table m.folded (value varchar, lower varchar);
create table m.named_by_regex (kind varchar, value varchar, list bigint);
"""

NAMED = r"""
create table m.named as
  with host as (
    select kind, value, lower as name from m.asked where kind = 'domain-name'
    union all select kind, value, m.url_host(lower) from m.asked where kind = 'url'
    union all select kind, value, regexp_extract(lower, '@([^@]*)$', 1) from m.asked where kind = 'email-addr'
  ),
  suffix as (select kind, value, unnest(m.suffixes(name)) as name from host where name <> ''),
  range as (
    select list, contains(entry, ':') as is_six, string_split(entry, '/')[1] as first, cast(string_split(entry, '/')[2] as int) as length
    from m.entry where matching = 'cidr'
  ),
  named as (
    select a.kind, a.value, e.list from m.asked as a join m.entry as e on e.matching = 'string' and e.entry = a.lower
    union select a.kind, a.value, e.list from m.asked as a join m.entry as e on e.matching = 'hostname' and e.entry = a.lower
      where a.kind in ('ipv4-addr', 'ipv6-addr')
    union select s.kind, s.value, e.list from suffix as s join m.entry as e on e.matching = 'hostname' and e.entry = s.name
    union select a.kind, a.value, r.list
      from (select kind, value, m.four(value) as number from m.asked where kind = 'ipv4-addr') as a
      join (select list, m.four(first) as first, m.four_last(m.four(first), length) as last from range where not is_six) as r
        on a.number >= r.first and a.number <= r.last
    union select a.kind, a.value, r.list
      from (select kind, value, m.six(value) as number from m.asked where kind = 'ipv6-addr') as a
      join (select list, m.six(first) as first, m.six_last(m.six(first), length) as last from range where is_six) as r
        on a.number >= r.first and a.number <= r.last
    union select a.kind, a.value, e.list from m.asked as a join m.entry as e on e.matching = 'substring' and contains(a.lower, e.entry)
    union select kind, value, list from m.named_by_regex
  )
  select n.kind, n.value, l.name from named as n join m.list as l on l.list = n.list
  where l.kinds is null or list_contains(l.kinds, n.kind);

create table allow_listed as
  select c.feed, i.provider, c.indicator_id, c.kind as indicator_kind, c.value as indicator_value, n.name as allow_list
  from m.indicator as c
  join m.feed_item as i on i.id = c.feed
  join m.named as n on n.kind = c.kind and n.value = c.value;
"""

SIGHTINGS = r"""
create macro m.strictness(tlp) as list_position(['clear', 'green', 'amber', 'amber+strict', 'red'], tlp);
create table sightings as
  with judged as (
    select f.*, e.record, e.time, e."offset", e.length, epoch_us(e.time) as time_us,
      -- the interval that the time stands for, in numbers that can't overflow
      cast(epoch_us(e.time) as hugeint) - v.clock_uncertainty_us as earliest,
      cast(epoch_us(e.time) as hugeint) + v.clock_uncertainty_us as latest,
      epoch_us(i.valid_from) as from_us, epoch_us(i.valid_until) as until_us,
      -- a known bound that excludes decides alone; within only if the whole interval is
      case when time_us is null then 'unknown'
           when latest < from_us then 'before'
           when earliest >= until_us then 'after'
           when from_us <= earliest and (until_us is null or latest < until_us) then 'within'
           else 'unknown' end as validity
    from m.found as f
    join m.event as e on e.evidence = f.evidence and e.row = f.row
    join m.indicator as i on i.target = f.target
    join m.evidence_item as v on v.id = f.evidence
  ),
  marked as (select kind, value, string_agg(name, ', ' order by name) as names from m.named group by kind, value)
  select i.indicator_id, i.kind as indicator_kind, i.value as indicator_value, d.provider, i.feed, j.evidence, v.jurisdiction,
    j.record, o.field, o.kind as observable_kind, o.value as observable_value,
    case when i.kind in ('ipv4-net', 'ipv6-net', 'ip-range') then 'network'
         when i.kind = 'domain-name' and i.value <> o.value then 'subdomain'
         when i.kind = 'url' and i.prefix and i.value <> o.value then 'url-prefix'
         when i.kind in ('substring', 'regex', 'stix-pattern') then 'pattern'
         else 'exact' end as match_kind,
    j.time, case j.validity when 'within' then true when 'unknown' then null else false end as valid_at_time,
    n.names as allow_list, i.confidence,
    case when coalesce(m.strictness(coalesce(i.tlp, d.tlp)), 0) >= coalesce(m.strictness(v.tlp), 0) then coalesce(i.tlp, d.tlp)
         else v.tlp end as tlp,
    j.validity,
    -- the index says whether a record was written in the canonical form, the indicator has its own text
    case when i.original = o.value then not j.altered when j.altered then null else false end as as_written,
    r.asserted, i.inferred_kind, j.time_us, v.clock_uncertainty_us, j."offset", j.length
  from judged as j
  join m.indicator as i on i.target = j.target
  join m.feed_item as d on d.id = i.feed
  join m.observable as o on o.id = j.id
  join m.evidence_item as v on v.id = j.evidence
  left join m.field as r on r.field = o.field
  left join marked as n on n.kind = o.kind and n.value = o.value;

-- what is left to comity; only for indicators that are there
create table m.left_over as
  select s.* from m.stored_sightings as s
  where s.indicator_kind = 'regex'
    and exists (select 1 from m.indicator as i where i.kind = 'regex' and i.indicator_id = s.indicator_id and i.feed = s.feed
                and i.value = s.indicator_value and (not i.is_common or not m.is_printable(s.observable_value)));
insert into sightings by name select * from m.left_over;
"""

# What can be read from an event column without comity: (value, kind) of a text in a column.
PLAIN = r"""
create macro m.is_name(t) as
  regexp_full_match(t, '([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}') and length(t) <= 253 and not contains(t, 'xn--')
  and not regexp_matches(t, '(^|\.)([0-9]+|0x[0-9a-f]*)$');
create macro m.is_four(t) as
  regexp_full_match(t, '((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.|$)){4}') and t[-1] <> '.';
create macro m.is_groups(t) as
  regexp_full_match(t, '[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}')
  or regexp_full_match(t, '([0-9a-f]{1,4}(:[0-9a-f]{1,4})*)?::([0-9a-f]{1,4}(:[0-9a-f]{1,4})*)?') and len(m.groups(t)) < 8;
-- mapped and NAT64 addresses (::ffff:0:0/96, 64:ff9b::/96) are IPv4 ones in another spelling: not plain
create macro m.is_six(t) as
  case when m.is_groups(t) then left(m.hexadecimal(t), 24) not in (repeat('0', 20) || 'ffff', '0064ff9b' || repeat('0', 16)) else false end;
create macro m.digits(kind) as case kind
  when 'file-md5' then 32 when 'file-imphash' then 32 when 'ja3' then 32 when 'ja3s' then 32 when 'file-sha1' then 40
  when 'cert-sha1' then 40 when 'file-sha256' then 64 when 'cert-sha256' then 64 when 'file-sha512' then 128 end;

create table m.plain as
  with cell as (select distinct f.rule, c.text from m.cell as c join m.field as f on f.field = c.field),
  url as (
    select text from cell where rule = 'url'
      and regexp_full_match(text, 'https?://[a-z0-9_.-]+(:[1-9][0-9]{0,3})?(/[A-Za-z0-9/?_~!$&()*+,;=:@.-]*)')
      and not contains(text, '/.') and not regexp_matches(text, '^http://[^/]*:80/|^https://[^/]*:443/')
      and (m.is_name(m.url_host(text)) or m.is_four(m.url_host(text)))
  ),
  mail as (
    select text, lower(text) as address, regexp_extract(lower(text), '@(.*)$', 1) as name from cell where rule = 'email-addr'
      and regexp_full_match(text, '[A-Za-z0-9._+-]+@[A-Za-z0-9_.-]+')
  ),
  host as (
    select rule, text, lower(text) as name from cell where rule in ('address', 'host', 'domain-name')
    union select 'url', text, m.url_host(text) from url
  )
  select rule, text, 'ipv4-addr' as kind, name as value from host where m.is_four(name) and rule <> 'domain-name'
  union select rule, text, 'ipv6-addr', name from host where m.is_six(name) and rule <> 'domain-name'
  union select rule, text, 'domain-name', name from host where m.is_name(name) and rule <> 'address'
  union select 'url', text, 'url', text from url
  union select 'email-addr', text, 'email-addr', address from mail where m.is_name(name)
  union select 'email-addr', text, 'domain-name', name from mail where m.is_name(name)
  union select 'path', text, 'file-name', lower(regexp_extract(text, '[^/\\]*$')) from cell
    where rule = 'path' and m.is_printable(text) and regexp_extract(text, '[^/\\]*$') = trim(regexp_extract(text, '[^/\\]*$'))
      and regexp_extract(text, '[^/\\]*$') not in ('', '.', '..')
  union select rule, text, rule, lower(text) from cell where regexp_full_match(text, '[0-9a-fA-F]{32,128}') and length(text) = m.digits(rule)
  union select rule, text, rule, text from cell
    where rule in ('user-agent', 'mutex', 'ja4', 'cert-serial', 'file-ssdeep', 'registry-key') and m.is_printable(text)
      and text = trim(text) and text <> '';

create table m.plain_value as
  select row_number() over () as id, kind, value, cast(null as varchar) as field, false as is_own
  from (select distinct kind, value from m.plain);
"""

# Indicators that one value alone meets; the record must be among their sightings.
REDERIVED = r"""
create table m.rederived as
  select distinct c.target, t.evidence, t.row
  from m.plain_meeting as c
  join m.indicator as i on i.target = c.target
  join m.plain_value as v on v.id = c.id
  join m.plain as p on p.kind = v.kind and p.value = v.value
  join m.cell as t on t.text = p.text
  join m.field as f on f.field = t.field and f.rule = p.rule
  where i.kind not in ('ip-port', 'stix-pattern');
create table m.alone as
  select distinct f.target, f.evidence, f.row from m.found as f join m.indicator as i on i.target = f.target
  where i.kind not in ('ip-port', 'stix-pattern', 'substring', 'regex');
create table m.seen_value as
  select distinct f.evidence, f.row, o.field, o.value from m.found as f join m.observable as o on o.id = f.id;
"""

# The common subset of Rust's `regex` and RE2, over printable ASCII: both mean the same by it.
IN_CLASS = r"(?:[^\[\]\\&~-]|-(?!-)|\\[dDwWsS]|\\[\\.^$*+?(){}|/\[\]-])"
COMMON_REGEX = re.compile(
    r"(?:\(\?[is]{1,2}\))?(?:[^\\\[\](){}*+?]|\\[dDwWsSb]|\\[\\.^$*+?(){}|/#&~\[\]-]|\((?:\?[is]{0,2}:|(?!\?))|\)|\[\^?" + IN_CLASS +
    r"+\]|[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})+")


def is_common(pattern):
    """Whether a regular expression is in the common subset."""
    return pattern.isascii() and pattern.isprintable() and COMMON_REGEX.fullmatch(pattern) is not None


def fields():
    """(field, is_list, rule, asserted) of each field that gives observables."""
    for entry in re.split(r"[;\n]", FIELDS):
        words = entry.split()
        if words:
            yield words[0].removesuffix("[]"), words[0].endswith("[]"), words[1], "asserted" in words


def rows(con, sql, parameters=None):
    return con.execute(sql, parameters or []).fetchall()


def one(con, sql, parameters=None):
    return rows(con, sql, parameters)[0][0]


def files(path):
    """A path as an argument of read_parquet, which would read `*?[` as a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", os.path.abspath(path))


READ = "read_parquet(?, hive_partitioning = false)"
READ_NUMBERED = "read_parquet(?, hive_partitioning = false, file_row_number = true)"


def load(con, document):
    """Reads every file, before external access ends."""
    con.execute(SCHEMA)
    con.execute("""
        create table m.evidence_item (id varchar, jurisdiction varchar, tlp varchar, clock_uncertainty_us bigint, format varchar,
          authority varchar, legal_basis varchar, bytes bigint, headers bigint, intakes bigint);
        create table m.feed_item (id varchar, provider varchar, tlp varchar, format varchar, intakes bigint);
        create table m.field (field varchar, is_list boolean, rule varchar, asserted boolean);
        create table m.list (list bigint, name varchar, kinds varchar[]);
        create table m.entry (list bigint, matching varchar, entry varchar)""")
    for row in fields():
        con.execute("insert into m.field values (?, ?, ?, ?)", list(row))
    load_evidence(con, document["evidence"])
    load_feeds(con, document["feeds"])
    con.execute(f"create table m.reject ({REJECT}, source varchar)")
    for item in document["evidence"] + document["feeds"]:
        con.execute(f"insert into m.reject by name select *, ? as source from {READ}", [item["id"], files(item["rejects"])])
    load_lists(con, document["allow_lists"])
    for at, table in enumerate(document["tables"].values()):
        con.execute(f"create table m.stored_{at} as from {READ}", [files(table["path"])])
    con.execute(f"create view m.stored_sightings as from m.stored_{list(document['tables']).index('sightings')}")
    con.execute(VIEWS)


def load_evidence(con, items):
    # all event columns are kept, as the files have them: a correlation may ask for any
    observed = ", ".join(f"{name} varchar{'[]' if is_list else ''}" for name, is_list, _, _ in fields())
    con.execute(f"create table m.event ({EVENT_HEAD}, {observed}, evidence varchar, row bigint)")
    con.execute(f"create table m.observable (id bigint, evidence varchar, {OBSERVABLE})")
    if items:
        con.execute(f"create or replace table m.event as "
                    f"select * exclude (file_row_number), '' as evidence, file_row_number as row from {READ_NUMBERED} limit 0",
                    [files(items[0]["events"])])
    for at, item in enumerate(items):
        con.execute("insert into m.evidence_item values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [item[name] for name in (
            "id", "jurisdiction", "tlp", "clock_uncertainty_us", "format", "authority", "legal_basis", "bytes", "headers", "intakes")])
        con.execute(f"insert into m.event by name select * exclude (file_row_number), ? as evidence, file_row_number as row "
                    f"from {READ_NUMBERED}", [item["id"], files(item["events"])])
        # numbers of observables: 2^40 for each item
        con.execute(f"insert into m.observable by name select * exclude (file_row_number, key), ? as evidence, "
                    f"? * 1099511627776 + file_row_number as id from {READ_NUMBERED}", [item["id"], at, files(item["observables"])])


def load_feeds(con, items):
    con.execute(f"create table m.indicator (target bigint, feed varchar, {INDICATOR}, is_common boolean)")
    for at, item in enumerate(items):
        con.execute("insert into m.feed_item values (?, ?, ?, ?, ?)",
                    [item[name] for name in ("id", "provider", "tlp", "format", "intakes")])
        con.execute(f"insert into m.indicator by name select * exclude (file_row_number), ? as feed, "
                    f"? * 1099511627776 + file_row_number as target, false as is_common from {READ_NUMBERED}",
                    [item["id"], at, files(item["indicators"])])
    for target, value in rows(con, "select target, value from m.indicator where kind = 'regex'"):
        con.execute("update m.indicator set is_common = ? where target = ?", [is_common(value), target])


def load_lists(con, lists):
    algorithms = ["md5", "sha1", "sha256", "sha512"]
    built_in = {"name": "comity/empty-file-hashes", "matching": "string", "kinds": ["file-" + a for a in algorithms],
                "entries": [hashlib.new(a).hexdigest() for a in algorithms]}
    for at, given in enumerate([built_in, *lists]):
        con.execute("insert into m.list values (?, ?, ?)", [at, given["name"], given["kinds"]])
        for start in range(0, len(given["entries"]), 10_000):
            con.execute("insert into m.entry select ?, ?, unnest(cast(? as varchar[]))",
                        [at, given["matching"], given["entries"][start:start + 10_000]])


def recompute(con):
    """Makes `sightings` and `allow_listed`; gives the reason why allow-lists can't be told, or None."""
    con.execute(WANTED)
    con.execute("create view m.searched as select o.id, o.kind, o.value, o.field, "
                # what a field holds, not a part of it: of a URL the URL, of an address the address
                "f.rule not in ('url', 'email-addr') or f.rule = o.kind as is_own "
                "from m.observable as o left join m.field as f on f.field = o.field")
    con.execute(MEET.format(values="m.searched", met="m.meeting"))
    for target, value in rows(con, "select target, value from m.indicator where is_common"):
        con.execute("insert into m.meeting select i.target, 0, o.id "
                    "from (select target, unnest(fields) as field from m.indicator where target = ?) as i "
                    "join m.searched as o on o.field = i.field "
                    "where o.is_own and m.is_printable(o.value) and regexp_matches(o.value, ?)", [target, value])
    con.execute(DECODE)
    if one(con, "select count(*) from (select id, count(*) as n from m.posting group by id) as p "
                "full join (select id, count from m.observable where id in (select id from m.meeting)) as o on o.id = p.id "
                "where p.n is distinct from o.count"):
        raise ValueError("the rows of an observable do not decode")
    con.execute(FOUND)
    reason = lists(con)
    con.execute(SIGHTINGS)
    return reason


def lists(con):
    """Makes `m.named`; gives the reason why that may not be right, or None."""
    con.execute(ASKED)
    # Unicode's full mapping, which SQL's lower() is not
    values = [value for (value,) in rows(con, "select distinct value from m.asked where not is_plain")]
    for start in range(0, len(values), 10_000):
        part = values[start:start + 10_000]
        con.execute("insert into m.folded select unnest(cast(? as varchar[])), unnest(cast(? as varchar[]))",
                    [part, [value.lower() for value in part]])
    con.execute("update m.asked set lower = f.lower from m.folded as f where f.value = asked.value")
    reason = None
    for at, pattern in rows(con, "select list, entry from m.entry where matching = 'regex'"):
        if not is_common(pattern):
            reason = f"an allow-list has the expression {pattern!r}, which the two engines may read differently"
        elif one(con, "select count(*) from m.asked where not is_plain"):
            reason = "allow-lists of expressions are asked about values other than printable ASCII"
        try:
            con.execute("insert into m.named_by_regex select kind, value, ? from m.asked where regexp_matches(lower, ?)", [at, pattern])
        except duckdb.InvalidInputException:
            pass  # no expression of this engine; said in the reason
    con.execute(NAMED)
    return reason


def from_events(con):
    """What the event columns alone give, without the index, must be among the sightings."""
    cells = []
    for name, is_list, rule, _ in fields():
        text = f"unnest({name})" if is_list else name
        if rule != "extracted":
            cells.append(f"select evidence, row, '{name}' as field, {text} as text from m.event where {name} is not null")
    con.execute("create view m.cell as " + " union all ".join(cells))
    con.execute(PLAIN)
    con.execute(MEET.format(values="m.plain_value", met="m.plain_meeting"))
    con.execute(REDERIVED)
    missing = rows(con, """
        select i.indicator_id || ' in record ' || e.record || ' of ' || r.evidence
        from (select * from m.rederived except select * from m.alone) as r
        join m.indicator as i on i.target = r.target
        join m.event as e on e.evidence = r.evidence and e.row = r.row order by 1 limit 1""")
    literal = one(con, "select count(*) from m.seen_value as l semi join m.cell as c "
                  "on c.evidence = l.evidence and c.row = l.row and c.field = l.field and c.text = l.value")
    return {"name": "events", "equal": not missing, "sightings": one(con, "select count(*) from m.alone"),
            "rederived": one(con, "select count(*) from (from m.rederived intersect from m.alone)"),
            "values": one(con, "select count(*) from m.seen_value"), "literal": literal,
            "first_difference": {"recomputed": missing[0][0], "stored": None} if missing else None}


class NotDigestible(Exception):
    """A table with a column that has no logical digest."""


ESCAPED = r"replace(replace(replace(replace(replace({0}, '\', '\\'), chr(9), '\t'), chr(13), '\r'), chr(10), '\n'), chr(31), '\u')"
CELL = {
    "text": ESCAPED,
    "integer": "cast({0} as varchar)",
    "boolean": "cast({0} as varchar)",
    "timestamp": "cast(epoch_us({0}) as varchar)",
    "list<text>": "array_to_string(list_transform({0}, lambda t: " + ESCAPED.format("coalesce(t, '')") + " || chr(31)), '')",
}


def digest(con, name, table, into):
    """Puts the lines of a table (comity-rows/v1) into another, and gives the header and their SHA-256."""
    columns = [(row[0], TYPES.get(row[1])) for row in rows(con, f"describe from {table}")]
    for column, kind in columns:
        if kind is None or not re.fullmatch("[a-z0-9_]+", column):
            raise NotDigestible(f"column {column!r} has no logical digest")
    cells = [f"coalesce({CELL[kind].format(chr(34) + column + chr(34))}, '\\N')" for column, kind in columns]
    con.execute(f"create temp table {into} as select {' || chr(9) || '.join(cells)} as line from {table}")
    header = "\t".join(["#comity-rows/v1", name, *(f"{column}:{kind}" for column, kind in columns)])
    hasher = hashlib.sha256(header.encode() + b"\n")
    answer, before = con.execute(f"select line from {into} order by line"), b""
    while batch := answer.fetchmany(10_000):
        for (line,) in batch:
            line = line.encode()
            if line < before:
                raise RuntimeError("the engine does not sort bytewise")
            hasher.update(line + b"\n")
            before = line
    return header, hasher.hexdigest()


UNMARKED = "(select columns(lambda c: c not in ('allow_list', 'allow_listed')) from {0})"


def compare(con, at, name, table, expected, left, reason):
    """Compares a recomputed table with the stored one and with the expected digest; `reason`: why allow-lists may differ."""
    mine, stored = f"lines_{at}", f"stored_lines_{at}"
    answer = {"name": name, "rows": one(con, f"select count(*) from {table}"), "left": left, "logical_sha256": None,
              "stored_sha256": None, "expected_sha256": expected, "equal": None, "reason": None, "first_difference": None}
    try:
        header, answer["logical_sha256"] = digest(con, name, table, mine)
        stored_header, answer["stored_sha256"] = digest(con, name, f"m.stored_{at}", stored)
    except NotDigestible as error:
        return {**answer, "reason": str(error)}
    answer["equal"] = answer["logical_sha256"] == answer["stored_sha256"] == (expected or answer["stored_sha256"])
    if header != stored_header:
        answer["first_difference"] = {"recomputed": header, "stored": stored_header}
    elif not answer["equal"]:
        only = [one(con, f"select min(line)[:2000] from (select line from {a} except all select line from {b})")
                for a, b in ((mine, stored), (stored, mine))]
        answer["first_difference"] = {"recomputed": only[0], "stored": only[1]}
    if reason and answer["equal"] is False:
        # not told by a difference in marks alone
        both = (digest(con, name, UNMARKED.format(table), mine + "_unmarked"),
                digest(con, name, UNMARKED.format(f"m.stored_{at}"), stored + "_unmarked"))
        if name == "allow-listed" or both[0] == both[1]:
            answer.update(equal=None, reason=reason)
    return answer


def correlate(con, at, correlation):
    """Runs a correlation into a table; gives the reason why that failed, or None."""
    try:
        statements = con.extract_statements(correlation["sql"])
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return "the query is not one SELECT"
        con.execute(f"create temp table result_{at} as {statements[0].query}", correlation["parameters"] or None)
    except duckdb.Error as error:
        return f"DuckDB refuses the query: {error}"[:2000]
    return None


def verdict(parts):
    """False where any is false, else null where any is null."""
    return False if False in parts else None if None in parts else True


def lock(con):
    """Ends what reaches outside the database; nothing can undo it."""
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")


def answers(con, document, reason):
    """Gives a line for each table; `con` is read-only."""
    names = list(document["tables"])
    left = dict(rows(con, "select indicator_kind, count(*) from m.left_over group by all"))
    expected = {name: table.get("logical_sha256") for name, table in document["tables"].items()}
    yield compare(con, names.index("sightings"), "sightings", "sightings", expected["sightings"], left, reason)
    for correlation in document["correlations"]:
        name = correlation["name"]
        at = names.index(name)
        failed = correlate(con, at, correlation)
        if failed:
            yield {"name": name, "equal": None, "reason": failed}
        else:
            yield compare(con, at, name, f"result_{at}", expected[name], {}, reason)


def run(document, place):
    """Gives all lines but the last; `place` is a directory for the database."""
    def connect(**more):
        con = duckdb.connect(os.path.join(place, "case.duckdb"), config={
            **SETTINGS, "memory_limit": document["memory_limit"], "threads": str(document["threads"]),
            "temp_directory": os.path.join(place, "spill")}, **more)
        con.execute("set timezone = 'UTC'")
        con.execute("set integer_division = true")  # as the first engine divides
        con.execute("set enable_progress_bar = false")  # it is drawn on stdout
        return con

    with connect() as con:
        load(con, document)
        lock(con)
        reason = recompute(con)
        events = from_events(con)
    # a SELECT may hold a DELETE: correlations see tables that can't be changed
    with connect(read_only=True) as con:
        lock(con)
        yield from answers(con, document, reason)
    yield events


def main():
    if duckdb is None or int(duckdb.__version__.split(".")[0]) < 2:
        print(json.dumps({"error": "DuckDB for Python, version 2 or later, is not installed", "missing": "duckdb>=2"}))
        return 3
    document = json.load(sys.stdin.buffer)
    if document.get("schema") != "comity-second-engine/v1":
        raise ValueError("the document is not comity-second-engine/v1")
    parts = []
    with tempfile.TemporaryDirectory(prefix="comity-second-engine-", dir=document.get("scratch")) as place:
        for answer in run(document, place):
            parts.append(answer["equal"])
            print(json.dumps(answer), flush=True)
    print(json.dumps({"engine": f"duckdb {duckdb.__version__}", "equal": verdict(parts)}), flush=True)
    return {True: 0, False: 4, None: 1}[verdict(parts)]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:  # whatever it was, nothing was shown
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:2000]}))
        sys.exit(2)
