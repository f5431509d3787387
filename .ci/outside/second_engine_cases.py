#!/usr/bin/env python3
"""second_engine_cases.py COMITY [FIRST_SEED [COUNT]]: random small cases of all kinds, recomputed by DuckDB; then one fault each.

COMITY is the program. Values come from small pools in several spellings, so that much meets; lists, missing times, bounds of
validity on events' times, uncertain clocks, markings, control characters and damaged text occur. Each case must be equal.
Then a table of the run is changed, one fault at a time, and the second engine must name that table.
"""

import collections
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
BEGAN_US = 1_770_000_000_000_000
DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
LISTS = ("answers forwarded_for cert_names received_path file_name md5 sha1 sha256 sha512 imphash ssdeep "
         "email_from email_to email_reply_to mail_from rcpt_to").split()


class Values:
    """Texts of each sort, spelled in many ways."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def of(self, *choices):
        return self.random.choice(choices)

    def four(self):
        return f"10.{self.of(0, 1)}.{self.of(0, 7, 255)}.{self.of(0, 1, 2, 63, 64, 255)}"

    def six(self):
        low = self.of("1", "2", "ffff", "a0:1")
        return self.of(f"2001:db8::{low}", f"2001:DB8:0:0::{low}", f"2001:db8:0:1:0:0:0:{self.of('1', '00a')}", f"::ffff:{self.four()}",
                       f"64:ff9b::{self.four()}", "::1", f"fe80::{low}%eth0", f"1:2:3:4:5:6:7:{self.of('8', '0')}", "0:0:0:0:0:ffff:a00:1")

    def address(self):
        return self.of(self.four, self.four, self.six)()

    def network(self):
        four, six = self.four(), self.of("2001:db8::", "2001:db8:0:1::", "1:2:3:4:5:6:7:8")
        return self.of(f"{four}/{self.of(9, 15, 24, 26, 30, 31, 32)}", f"{six}/{self.of(32, 48, 64, 65, 112, 127, 128)}",
                       "0.0.0.0/0", "::/0", "::/64", f"::ffff:10.0.0.0/{self.of(104, 120)}")

    def range(self):
        return self.of("10.0.0.1-10.0.7.2", "10.1.0.63-10.1.255.64", "2001:db8::1-2001:db8::a0:0", "10.0.0.2-10.0.0.2", "::2-::ffff:10.0.0.1")

    def name(self):
        labels = [self.of("a", "b", "A", "a-b", "bücher", "xn--bcher-kva", "_dns", "notb") for _ in range(self.of(0, 1, 2))]
        text = ".".join(labels + [self.of("evil.example", "b.example", "B.Example", "example.com", "github.io", "bücher.example", "io.example")])
        return self.of("", "", "", "", "*.") + text + self.of("", "", "", ".")

    def host(self):
        return self.of(self.name, self.name, self.address)()

    def url(self):
        host = self.of(self.name().strip("*."), self.four(), "[2001:db8::1]")
        path = self.of("", "/", "/a", "/a/b?x=1", "/a/../a", "/%7ea", "/a?x=1&y=%2f", "/A", "/a#top", "/a b")
        return self.of("http://", "https://", "HTTP://u:p@", "ftp://", "tcp://", "", "//") + host + self.of("", "", ":80", ":443", ":8080") + path

    def mail(self):
        address = f"{self.of('bob', 'Bob', 'b.b')}@{self.of(self.name().strip('*'), '[10.0.0.1]', '[IPv6:2001:db8::1]')}"
        return self.of(address, address, f"Bob B <{address}>", f"mailto:{address}")

    def digest(self, algorithm="md5"):
        digits = self.of("d41d8cd98f00b204e9800998ecf8427e", "0123456789abcdef0123456789abcdef", "f" * 32, "e" * 31 + "0")
        return self.of(str.lower, str.lower, str.upper)((digits * 4)[:DIGITS[algorithm]])

    def path(self):
        return self.of("evil.exe", "EVIL.exe", r"C:\Temp\Evil.exe", "c:/temp//evil.exe", r"\\?\C:\Temp\evil.exe", "/tmp/evil.exe", "/tmp/Évil.exe",
                       "/tmp/", ".", "evil.exe ", r"\\server\share\a b.doc")

    def agent(self):
        return self.of("Bad/1.0", "Bad/1.0 ", "bad/1.0", "Böser Agent", "tab\there", "line\nend\\N", "unit\x1fseparator", "nul\x00", "\ufffd damaged",
                       "Bad/2.17 (x; y)", "x" * 300, "é", "\x01 control")

    def key(self):
        return self.of(r"HKLM\Software\Evil", r"hkey_local_machine\software\evil", r"HKCU:\Run", "Computer\\HKLM\\Software\\Evil\\")

    def serial(self):
        return self.of("00a1b2", "A1:B2", "a1b2", "0xA1B2")

    def mutex(self):
        return self.of(r"Global\evil", "evil", "Evil")

    def ssdeep(self):
        return self.of("3:abc:def", "6:AbC:d")

    def ja4(self):
        return self.of("t13d1516h2_8daaf6152771_b186095e22b6", "T13d1516h2_8daaf6152771_b186095e22b6")

    def message(self):
        return f"saw {self.host()} and {self.url()} from {self.mail()} {self.digest('sha1')}"

    # what field has which sort of text
    def text(self, field):
        sorts = {"src_ip": self.address, "dst_ip": self.address, "src_nat_ip": self.address, "dst_nat_ip": self.host, "originating_ip": self.address,
                 "query": self.name, "url": self.url, "referrer": self.url, "location": self.url, "user_agent": self.agent, "ja3": self.digest,
                 "ja3s": self.digest, "ja4": self.ja4, "cert_serial": self.serial, "file_name": self.path, "process_path": self.path,
                 "parent_path": self.path, "imphash": self.digest, "ssdeep": self.ssdeep, "registry_key": self.key, "mutex": self.mutex,
                 "subject": self.message, "message": self.message}
        if field in sorts:
            return sorts[field]()
        if field.startswith(("email", "mail", "rcpt")):
            return self.mail()
        if field.removeprefix("cert_") in DIGITS:
            return self.digest(field.removeprefix("cert_"))
        return self.host()


FIELDS = ("src_ip dst_ip src_nat_ip dst_nat_ip src_host dst_host device query host url user_agent referrer location tls_sni ja3 ja3s ja4 cert_serial "
          "cert_sha1 cert_sha256 process_path parent_path registry_key mutex subject message originating_ip").split() + LISTS


def event(values, at):
    record = {}
    for field in values.random.sample(FIELDS, values.of(1, 3, 8)):
        record[field] = [values.text(field) for _ in range(values.of(1, 2, 3))] if field in LISTS else values.text(field)
    for port in ("src_port", "dst_port"):
        if values.of(True, False):
            record[port] = values.of(80, 443, 8080)
    if values.of(True, True, True, False):
        record["time"] = BEGAN_US + values.of(0, 1, 5, 1_000_000, at * 1_000_000)
    return json.dumps(record, ensure_ascii=values.of(True, False)).encode().replace("é".encode(), values.of("é".encode(), "é".encode(), b"\xe9"))


def time_text(values):
    us = values.of(0, 1, 5, 1_000_000, 7_000_000)
    return values.of("", f"{(BEGAN_US + us) // 1_000_000}.{us % 1_000_000:06}")


def csv_feed(values):
    sorts = {"ip": values.address, "ipv4-net": values.network, "ip-range": values.range, "domain": values.name, "url": values.url, "email": values.mail,
             "md5": values.digest, "sha1": lambda: values.digest("sha1"), "sha256": lambda: values.digest("sha256"),
             "sha512": lambda: values.digest("sha512"), "imphash": values.digest, "ssdeep": values.ssdeep, "ja3": values.digest, "ja3s": values.digest,
             "ja4": values.ja4, "cert-sha1": lambda: values.digest("sha1"), "cert-sha256": lambda: values.digest("sha256"), "cert-serial": values.serial,
             "user-agent": values.agent, "file-name": values.path, "file-path": values.path, "registry-key": values.key, "mutex": values.mutex,
             "ip:port": lambda: f"{values.four()}:{values.of(80, 443, 8080)}", "cve": lambda: "CVE-2026-1234", "asn": lambda: "AS64496"}
    lines = ["value,kind,from,until,confidence,tlp"]
    for _ in range(values.of(5, 60)):
        kind = values.of(*sorts)
        value = sorts[kind]().replace('"', "").replace("\n", " ").replace("\x00", "")
        lines.append(f'"{value}",{kind},{time_text(values)},{time_text(values)},{values.of("", "0", "55", "100")},{values.of("", "green", "red", "clear")}')
    return "\n".join(lines) + "\n"


def stix_feed(values):
    quoted = lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    tests = [lambda: f"ipv4-addr:value = {quoted(values.four())}", lambda: f"domain-name:value = {quoted(values.name())}",
             lambda: f"url:value = {quoted(values.url())}", lambda: f"file:hashes.MD5 = {quoted(values.digest())}",
             lambda: f"ipv4-addr:value ISSUBSET {quoted(values.network())}", lambda: f"email-addr:value = {quoted(values.mail())}",
             lambda: f"file:name = {quoted(values.path())}", lambda: f"network-traffic:dst_ref.value = {quoted(values.host())}",
             lambda: f"network-traffic:dst_port = {values.of(80, 443)}"]
    matches = [r"(^|\.)evil\.example$", r"(?i)EVIL", r"^10\.[01]\.\d{1,3}\.[0-9]+$", r"a/\w+", r"b[a-b&&b]", r"\p{Ll}+vil", r"^[^.]+\.example$", r"\bexample"]
    objects = []
    for at in range(values.of(5, 40)):
        pattern = values.of(
            lambda: values.of(*tests)(), lambda: values.of(*tests)() + " AND " + values.of(*tests)(),
            lambda: " AND ".join(values.of(*tests)() for _ in range(3)), lambda: values.of(*tests)() + " OR " + values.of(*tests)(),
            lambda: f"{values.of('domain-name', 'url', 'email-addr')}:value MATCHES {quoted(values.of(*matches))}",
            lambda: f"{values.of('domain-name', 'url', 'file')}:{values.of('value', 'value', 'name')} LIKE {values.of(quoted('%evil%'), quoted('http:%/a_b%'), quoted('_vil.exe'))}")()
        indicator = {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{at}", "pattern_type": "stix", "pattern": f"[{pattern}]",
                     "valid_from": values.of("2026-02-02T02:40:00Z", "2026-02-02T02:40:01Z", "2026-02-02T02:40:00.000005Z")}
        if values.of(True, False):
            indicator["valid_until"] = values.of("2026-02-02T02:40:00.000006Z", "2026-02-02T02:40:07Z")
        objects.append(indicator)
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects})


def plain_feed(values):
    return "".join(values.of(values.host, values.url, values.digest, values.network, values.mail)() + "\n" for _ in range(20))


def allow_list(values, matching):
    entries = {"string": [values.digest().lower(), "evil.exe", "bad/1.0", "10.0.0.1", "example.com"], "hostname": ["example.com", ".B.example", "10.0.0.1", "com"],
               "cidr": ["10.0.0.0/16", "10.0.0.128/25", "2001:db8::/64", "::/96", "10.1.255.64"], "substring": ["evil", "/A", "é", "2001:"],
               "regex": ["/^e[a-z]+\\.exe$/i", "/a{2,3}$/", "^10\\.0\\."]}[matching]
    kinds = values.of([], ["domain", "url", "email-src"], ["ip-dst", "filename"])
    return json.dumps({"name": "n", "type": matching, "list": values.random.sample(entries, 3), "matching_attributes": kinds})


# the tables that correlations see, whole; and bound parameters
QUERIES = {
    "all-evidence": "select * from evidence order by id",
    "all-feeds": "select * from feeds order by id",
    "all-events": "select * from events order by evidence, record",
    "all-observables": "select * from observables order by evidence, kind, value, field",
    "all-indicators": "select * from indicators order by indicator_id, kind, value",
    "all-rejects": "select * from rejects order by source, record, message, text",
    "bound": "-- with a comment\nselect evidence, record, src_ip from events where jurisdiction = $wanted and record >= $least order by evidence, record;",
}


def make(place, seed):
    """Writes a job with all its inputs."""
    values = Values(seed)
    job = ['[case]\nid = "random"\njurisdiction = "DE"\npurpose = "a test"\n']
    columns = "{ " + ", ".join(f"{field} = {json.dumps(field)}" for field in [*FIELDS, "src_port", "dst_port"]) + " }"
    for at in range(values.of(1, 4)):
        place.joinpath(f"log-{at}.json").write_bytes(b"\n".join(event(values, n) for n in range(values.of(1, 40, 400))) + b"\n")
        marking = values.of("", 'tlp = "green"\n', 'tlp = "amber+strict"\n') + values.of("", 'clock_uncertainty = "PT0.000005S"\n', 'clock_uncertainty = "PT2S"\n')
        job.append(f'[[evidence]]\npath = "log-{at}.json"\nformat = "ndjson"\njurisdiction = "{values.of("DE", "JP", "NL")}"\n{marking}'
                   f'mapping = {{ time = "time", time_format = "epoch_us", columns = {columns} }}\n')
    for at in range(values.of(1, 3)):
        for format, text in (("csv", csv_feed(values)), ("stix", stix_feed(values)), ("plain", plain_feed(values))):
            place.joinpath(f"feed-{at}.{format}").write_text(text)
            mapping = 'mapping = { value = "value", kind = "kind", valid_from = "from", valid_until = "until", confidence = "confidence", tlp = "tlp" }\n'
            job.append(f'[[feed]]\npath = "feed-{at}.{format}"\nformat = "{format}"\nprovider = "provider {values.of(1, 2)}"\n'
                       f'{values.of("", "tlp = " + chr(34) + "amber" + chr(34) + chr(10))}allow_broad = {values.of("true", "false")}\n'
                       f'{"widen_names = true" if format == "stix" and values.of(True, False) else ""}\n' + (mapping if format == "csv" else ""))
    for at, matching in enumerate(values.random.sample(["string", "hostname", "cidr", "substring", "regex"], values.of(0, 2, 4))):
        place.joinpath(f"list-{at}.json").write_text(allow_list(values, matching))
        job.append(f'[[allow_list]]\npath = "list-{at}.json"\nname = "{values.of("list", "z, y")} {at}"\n')
    for name, sql in QUERIES.items():
        place.joinpath(f"{name}.sql").write_text(sql)
        job.append(f'[[correlation]]\nname = "{name}"\nsql = "{name}.sql"\n' + ('parameters = { wanted = "DE", least = 2 }\n' if "$" in sql else ""))
    job += [f'[[correlation]]\nname = "{path.stem}"\n' for path in (HERE.parents[1] / "crates/correlate/src/sql").glob("*.sql")]
    place.joinpath("job.toml").write_text("\n".join(job))


def second(case):
    run = subprocess.run([sys.executable, HERE / "second_engine.py", case], capture_output=True, text=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return run.returncode, {line["name"]: line for line in lines if "name" in line}, lines[-1] if lines else run.stderr


FAULTS = [
    ("sightings", "a row taken out", "select * from t where rowid <> (select max(rowid) from t)"),
    ("sightings", "a row added", "select * from t union all (select * replace (record + 1 as record) from t limit 1)"),
    ("sightings", "a row repeated", "select * from t union all (select * from t limit 1)"),
    ("sightings", "another valid_at_time", "select * replace (if(rowid = 0, valid_at_time is distinct from true, valid_at_time) as valid_at_time) from t"),
    ("sightings", "another tlp", "select * replace (if(rowid = 0, 'red!', tlp) as tlp) from t"),
    ("sightings", "another as_written", "select * replace (if(rowid = 0, as_written is distinct from true, as_written) as as_written) from t"),
    ("sightings", "an allow-list more", "select * replace (if(rowid = 0, coalesce(allow_list, '') || ', x', allow_list) as allow_list) from t"),
    ("cross-border", "another lead", "select * replace (if(rowid = 0, coalesce(lead_us, 0) + 1, lead_us) as lead_us) from t"),
    ("first-seen", "another record", "select * replace (if(rowid = 0, record + 1, record) as record) from t"),
    ("corroboration", "another number of providers", "select * replace (if(rowid = 0, providers + 1, providers) as providers) from t"),
    ("not-seen", "a row taken out", "select * from t where rowid <> 0"),
    ("not-seen", "another number of records", "select * replace (if(rowid = 0, records_searched - 1, records_searched) as records_searched) from t"),
]


# an index that hides or moves what was seen in its {field}: the event columns say otherwise
INDEX_FAULTS = [
    ("values left out", "select * from t where field <> '{field}'"),
    ("values in other records", "select * replace (if(field = '{field}', '\\x00'::blob, rows) as rows, "
     "if(field = '{field}', 1, count) as count, if(field = '{field}', null, altered) as altered) from t"),
]


def faults(case):
    """Changes a table of the last run, one fault at a time."""
    run = next((case / "runs").iterdir())
    wrong = 0
    for table, fault, sql in FAULTS:
        path, kept = run / f"{table}.parquet", run / "kept"
        path.rename(kept)
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            con.execute("create table t as from read_parquet(?)", [str(kept)])
            if not con.execute("select count(*) from t").fetchone()[0]:
                kept.rename(path)
                continue
            con.execute(f"create table changed as {sql}")
            con.execute(f"copy changed to '{path}' (format parquet)")
        status, tables, end = second(case)
        named = [name for name, line in tables.items() if line["equal"] is not True]
        ok = status == 4 and named == [table] and tables[table]["first_difference"]
        wrong += not ok
        print("named" if ok else "MISSED", f"{table}: {fault}", "" if ok else (status, named, end), flush=True)
        kept.rename(path)
    # where most was seen in a column of addresses
    most = "select evidence, field from read_parquet(?) where field in ('src_ip', 'dst_ip') group by all order by count(*) desc limit 1"
    evidence, field = duckdb.execute(most, [str(run / "sightings.parquet")]).fetchone()
    item = case / "evidence" / evidence
    for fault, sql in INDEX_FAULTS:
        path, kept = item / "observables.parquet", item / "kept"
        path.rename(kept)
        with duckdb.connect() as con:
            con.execute("create table t as from read_parquet(?)", [str(kept)])
            con.execute(f"copy ({sql.format(field=field)}) to '{path}' (format parquet)")
        status, tables, end = second(case)
        ok = status == 4 and tables["events"]["equal"] is False and tables["sightings"]["equal"] is False
        wrong += not ok
        print("named" if ok else "MISSED", f"index: {fault}", "" if ok else (status, end), tables.get("events", {}).get("first_difference"), flush=True)
        kept.rename(path)
    return wrong


def main():
    comity, first, count = sys.argv[1], *(int(number) for number in (sys.argv[2:] + ["1", "10"][len(sys.argv) - 2:]))
    wrong, faults_shown, met = 0, False, collections.Counter()
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory(prefix="second-engine-") as place:
            place = pathlib.Path(place)
            make(place, seed)
            run = subprocess.run([comity, "run", place / "job.toml", "--case", place / "case"], capture_output=True, text=True)
            if run.returncode not in (0, 3):
                print(f"seed {seed}: comity: {run.stderr[-2000:]}")
                wrong += 1
                continue
            status, tables, end = second(place / "case")
            wrong += status != 0
            met.update(duckdb.execute("select indicator_kind, match_kind from read_parquet(?)", [str(next((place / "case/runs").iterdir()) / "sightings.parquet")]).fetchall())
            print(f"seed {seed}: status {status}", {name: line.get("rows", line.get("rederived")) for name, line in tables.items()},
                  tables.get("sightings", {}).get("left"), "" if status == 0 else [line for line in tables.values() if line["equal"] is not True] or end, flush=True)
            has_regex = any('"type": "regex"' in path.read_text() for path in place.glob("list-*.json"))
            if not faults_shown and not has_regex and tables.get("cross-border", {}).get("rows", 0) > 100:
                faults_shown = True
                wrong += faults(place / "case")
            if status and "--keep" in sys.argv:
                shutil.copytree(place, f"/tmp/second-engine-{seed}")
    print("sightings by kind of indicator and match_kind:", {" ".join(kinds): met[kinds] for kinds in sorted(met)})
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
