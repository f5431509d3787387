#!/usr/bin/env python3
"""Parts of the second engine against oracles: what no feed format claims today (URL prefixes, substrings), addresses as
numbers, the common subset of regular expressions, and its list of fields against crates/model/src/field.rs."""

import ipaddress
import pathlib
import random
import re
import runpy

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = runpy.run_path(str(ROOT / "crates/jobs/src/second_engine/second_engine.py"), run_name="engine")
CHANCE = random.Random(3)


def split(url):
    scheme, found, rest = url.partition("://")
    return (scheme, rest) if found and not set(scheme) & set("/:?") else ("", url)


def forms(claim):
    """As `forms` of crates/model/src/key.rs: (rest, scheme)."""
    scheme, rest = split(claim)
    if scheme:
        return {(rest, ""), (rest, scheme)}
    host, slash, path = rest.partition("/")
    return {(rest, ""), (host.removesuffix(":80") + slash + path, "http"), (host.removesuffix(":443") + slash + path, "https")}


def is_under(rest, observed):
    """As `under_url` of key.rs, on whole keys."""
    key = observed + "\0"
    if rest[-1] in "/?&":
        return key.startswith(rest)
    return any(key.startswith(rest + end) for end in ("\0&" if "?" in rest else "\0/?"))


def meets(claim, prefix, observed):
    scheme, rest = split(observed)
    if not prefix:
        return (rest, scheme) in forms(claim)
    authority = lambda text: re.split("[/?]", text)[0]
    return any(is_under(form, rest) for form, _ in forms(claim)) and any(
        (own, authority(form)) == (scheme, authority(rest)) for form, own in forms(claim))


def url():
    return (CHANCE.choice(["http://", "https://", "", "tcp://"]) + CHANCE.choice(["a.b", "a.b:80", "a.b:443", "aa.b"])
            + CHANCE.choice("/ /x /x/ /x/y /x? /x?q /x?q=1 /x?q=1& /x?q=1&r /xy /x?q=12 /x?u=http://z".split()))


def prefixes_and_substrings(con):
    con.execute(f"create table m.indicator (target bigint, feed varchar, {ENGINE['INDICATOR']})")
    con.execute("create table m.v (id bigint, kind varchar, value varchar, field varchar, is_own boolean)")
    claims = sorted({(url(), CHANCE.random() < 0.7) for _ in range(150)})
    observed = [(value, ["url", "referrer"][at % 2]) for at, value in enumerate(sorted({url() for _ in range(200)}))]
    parts = ["a", "x?", "A", "%", "_", "http://a.b/"]
    new = "insert into m.indicator (target, kind, value, prefix, exact_only, fields) values (?, ?, ?, ?, false, ?)"
    for at, (value, prefix) in enumerate(claims):
        con.execute(new, [at, "url", value, prefix, None])
    for at, value in enumerate(parts):
        con.execute(new, [1000 + at, "substring", value, False, ["url", "location"]])
    for at, (value, field) in enumerate(observed):
        con.execute("insert into m.v values (?, 'url', ?, ?, true)", [at, value, field])
    con.execute(ENGINE["WANTED"])
    con.execute(ENGINE["MEET"].format(values="m.v", met="m.met"))
    expected = [(c, o) for c, (claim, prefix) in enumerate(claims) for o, (value, _) in enumerate(observed) if meets(claim, prefix, value)]
    expected += [(1000 + p, o) for p, part in enumerate(parts) for o, (value, field) in enumerate(observed) if field == "url" and part in value]
    assert sorted(con.execute("select target, id from m.met").fetchall()) == sorted(expected)
    assert len(expected) > 300


def addresses(con):
    six = lambda text: int(con.execute("select cast(m.six(?) as varchar)", [text]).fetchone()[0])
    masks = [2**128 - 1, 2**64 - 1, 2**128 - 2**100, 2**16 - 1, 0xFFFF0000FFFF0000FFFF << 32, 0]
    for _ in range(500):
        address = ipaddress.IPv6Address(CHANCE.getrandbits(128) & CHANCE.choice(masks))
        assert six(address.compressed) == six(address.exploded) == int(address), address
    for text in ("::ffff:1.2.3.4", "64:ff9b::255.0.0.1", "1:2:3:4:5:6:7.8.9.10"):
        assert six(text) == int(ipaddress.IPv6Address(text)), text
    for length in (0, 1, 32, 64, 127, 128):
        last = con.execute("select cast(m.six_last(cast(0 as uhugeint), ?) as varchar)", [length]).fetchone()[0]
        assert int(last) == 2 ** (128 - length) - 1, length
    for length in (0, 8, 31, 32):
        assert con.execute("select m.four_last(0, ?)", [length]).fetchone()[0] == 2 ** (32 - length) - 1, length


def expressions():
    common = [r"a\.b", "(?i)x", "^(?s:.*evil.*)$", "[a-z0-9_-]+", "a{2,3}", "(a|b)?", "[^.]+", r"\d\bx", "(?:a)"]
    other = [r"\p{L}", "[a&&b]", "[a--b]", "[[:alpha:]]", r"a\<b", "(?x) a", "(?P<n>a)", "é", r"\x41", "[]a]", "a{,3}", "(?-u:a)", r"\z",
             "a\nb", "[a~~b]", "(?=a)", r"\Qa\E", "(?U)a"]
    assert [text for text in common if not ENGINE["is_common"](text)] == []
    assert [text for text in other if ENGINE["is_common"](text)] == []


def fields():
    rules = {"Address": "address", "Host": "host", "Url": "url", "Email": "email-addr", "Path": "path", "Extracted": "extracted"}
    kinds = dict(re.findall(r'(\w+) = "([a-z0-9-]+)",\n', (ROOT / "crates/model/src/kind.rs").read_text()))
    rows = re.findall(r'^    \w+ = "(\w+)", (\w+), ([\w():]+), (\w+),', (ROOT / "crates/model/src/field.rs").read_text(), re.M)
    expected = {(name, column == "TextList", rules.get(rule) or kinds[rule[len("One(K::"):-1]], asserted == "asserted")
                for name, column, rule, asserted in rows if rule != "Nothing"}
    assert len(expected) > 40 and set(ENGINE["fields"]()) == expected


def main():
    with duckdb.connect() as con:
        con.execute(ENGINE["SCHEMA"])
        prefixes_and_substrings(con)
        addresses(con)
    expressions()
    fields()
    print("second engine: parts are as the oracles say")


if __name__ == "__main__":
    main()
