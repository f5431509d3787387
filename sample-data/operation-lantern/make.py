#!/usr/bin/env python3
"""Writes the logs, feeds and expectations of Operation Lantern; `--check` compares instead of writing.

Standard library only, one fixed seed, no clock: the same bytes everywhere. While a record is written, the observables that
it gives are noted from the story (MATCHING.md, "Which fields are observables"), not read back from the text; what must be
found is then counted by comparing every noted observable with every claim, the slow and plain way.
"""

import datetime as dt
import hashlib
import ipaddress
import json
import pathlib
import random
import struct
import sys
import uuid
import zlib

HERE = pathlib.Path(__file__).resolve().parent
UTC = dt.timezone.utc
JST = dt.timezone(dt.timedelta(hours=9))
rng = random.Random("operation lantern")
out = {}       # path -> bytes
records = []   # every event: what it shows, where and when
evidence = {}  # path -> counts and rejects
feeds = []     # every feed: provider, claims, rejects

# ---------------------------------------------------------------------------------------------- the cast

C2_V4, C2_V6, STAGING, SCANNER, MAILER = "198.51.100.23", "2001:db8:66::23", "203.0.113.70", "203.0.113.77", "203.0.113.71"
PHISH = "login.accounts-verify.example.net"
PHISH_PATH = "/session/verify.php?id=lantern"
PHISH_URL = f"http://{PHISH}{PHISH_PATH}"
GATE, DROP, OLD = "gate.lantern-panel.example.org", "files.lantern-drop.example", "old-lantern.example"
SENDER = "billing@lantern-invoice.example.com"
AGENT = "LanternLoader/1.2"
LURE = "lantern_invoice.zip"
LURE_BYTES = b"the lure of operation lantern"
MD5, SHA1, SHA256 = (getattr(hashlib, name)(LURE_BYTES).hexdigest() for name in ("md5", "sha1", "sha256"))

SITES = [  # benign: name, address
    ("www.example.com", "192.0.2.10"),
    ("news.example.com", "192.0.2.11"),
    ("mail.example.org", "192.0.2.25"),
    ("cdn.example.net", "192.0.2.30"),
    ("updates.example.org", "192.0.2.31"),
    ("wiki.example.org", "192.0.2.40"),
    ("bank.example.com", "192.0.2.41"),
    ("weather.test", "192.0.2.42"),
    ("shop.example", "198.51.100.40"),             # claimed with port 8443, seen with 443 only
    ("notlantern-panel.example.org", "198.51.100.230"),  # ends like a claimed name, but not at a label
]
AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:134.0) Gecko/20100101 Firefox/134.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15",
]

# ---------------------------------------------------------------------------------------------- time


def utc(text):
    """A time given as `2026-02-09 08:14:07`, UTC."""
    return dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def us(time):
    """Microseconds since 1970 UTC."""
    return (time - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1)


def later(time, seconds):
    return time + dt.timedelta(microseconds=round(seconds * 1e6))


def amsterdam(time):
    """European summer time began on 29 March 2026 at 01:00 UTC."""
    return time.astimezone(dt.timezone(dt.timedelta(hours=2 if time >= utc("2026-03-29 01:00:00") else 1)))


def work_hours(first, days, hour_shift):
    """A moment of an ordinary day, between 8 and 18 o'clock local time."""
    day = dt.timedelta(days=rng.randrange(days), hours=8 - hour_shift, microseconds=rng.randrange(10 * 3600 * 10**6))
    return utc(first + " 00:00:00") + day


def rfc3339(microseconds):
    time = dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(microseconds=microseconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S") + (f".{time.microsecond:06}" if time.microsecond else "") + "Z"


# ---------------------------------------------------------------------------------------------- observables


class Shows:
    """The observables of one record."""

    def __init__(self, src=None, src_port=None, dst=None, dst_port=None):
        self.own, self.derived, self.endpoints, self.src = set(), set(), set(), src
        for field, address, port in (("src_ip", src, src_port), ("dst_ip", dst, dst_port)):
            if address:
                self.host(field, address)
                self.endpoints.add((field, str(ipaddress.ip_address(address)), port))

    def host(self, field, text):
        try:
            address = ipaddress.ip_address(text)
            self.own.add((field, f"ipv{address.version}-addr", str(address)))
        except ValueError:
            self.own.add((field, "domain-name", text))
        return self

    def url(self, field, text):
        self.own.add((field, "url", text))
        self.derived.add((field, "domain-name", text.split("/")[2]))
        return self

    def email(self, field, text):
        self.own.add((field, "email-addr", text))
        self.derived.add((field, "domain-name", text.split("@")[1]))
        return self

    def path(self, field, text):
        self.derived.add((field, "file-name", text.rsplit("/", 1)[-1]))
        return self

    def one(self, field, kind, text):
        self.own.add((field, kind, text))
        return self

    def all(self):
        """A derived value is not repeated where the record has the value in a field of its own."""
        in_own_field = {(kind, value) for _, kind, value in self.own}
        return self.own | {item for item in self.derived if item[1:] not in in_own_field}


class Log:
    """One evidence file: records in the order of time, bad ones between them."""

    def __init__(self, path, jurisdiction, head=(), tail=()):
        self.path, self.jurisdiction, self.head, self.tail = path, jurisdiction, list(head), list(tail)
        self.lines = []

    def event(self, time, text, shows, true_time=None):
        self.lines.append((time, text, shows, true_time or time, None))

    def bad(self, time, text, reason):
        self.lines.append((time, text, None, None, reason))

    def write(self, wrap=lambda content: content):
        self.lines.sort(key=lambda line: line[0])
        texts = self.head + [line[1] for line in self.lines] + self.tail
        out[self.path] = wrap("".join(text + "\n" for text in texts).encode())
        rejects = []
        for number, (_, text, shows, true_time, reason) in enumerate(self.lines, len(self.head) + 1):
            if reason:
                rejects.append({"record": number, "reason": reason})
            else:
                records.append((self.path, self.jurisdiction, number, us(true_time), shows))
        headers = len(self.head) + len(self.tail)
        evidence[self.path] = {
            "path": self.path,
            "jurisdiction": self.jurisdiction,
            "records": len(texts),
            "headers": headers,
            "events": len(texts) - headers - len(rejects),
            "rejects": rejects,
        }


def gzip_stored(content):
    """A gzip file of stored blocks: its bytes depend on no version of zlib."""
    body = b""
    blocks = [content[at:at + 0xFFFF] for at in range(0, len(content), 0xFFFF)] or [b""]
    for number, block in enumerate(blocks):
        body += struct.pack("<BHH", number == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return head + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


# ---------------------------------------------------------------------------------------------- Germany: Zeek


def zeek(name, columns):
    fields, types = zip(*(column.split(":") for column in columns.split()))
    head = [
        "#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{name}",
        "#open\t2026-02-01-00-00-00", "#fields\t" + "\t".join(fields), "#types\t" + "\t".join(types),
    ]
    return Log(f"de/{name}.log", "DE", head, ["#close\t2026-04-29-00-00-00"])


ID = "ts:time uid:string id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port "
CONN = zeek("conn", ID + "proto:enum service:string duration:interval orig_bytes:count resp_bytes:count conn_state:string "
            "local_orig:bool local_resp:bool missed_bytes:count history:string orig_pkts:count orig_ip_bytes:count "
            "resp_pkts:count resp_ip_bytes:count tunnel_parents:set[string]")
DNS = zeek("dns", ID + "proto:enum trans_id:count rtt:interval query:string qclass:count qclass_name:string qtype:count "
           "qtype_name:string rcode:count rcode_name:string AA:bool TC:bool RD:bool RA:bool Z:count answers:vector[string] "
           "TTLs:vector[interval] rejected:bool")
HTTP = zeek("http", ID + "trans_depth:count method:string host:string uri:string referrer:string version:string "
            "user_agent:string origin:string request_body_len:count response_body_len:count status_code:count "
            "status_msg:string info_code:count info_msg:string tags:set[enum] username:string password:string "
            "proxied:set[string] resp_fuids:vector[string] resp_mime_types:vector[string]")
FILES = zeek("files", "ts:time fuid:string uid:string id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port "
             "source:string depth:count analyzers:set[string] mime_type:string filename:string duration:interval "
             "local_orig:bool is_orig:bool seen_bytes:count total_bytes:count missing_bytes:count overflow_bytes:count "
             "timedout:bool parent_fuid:string md5:string sha1:string sha256:string")
RESOLVER = "10.10.0.53"


def epoch(time):
    return f"{us(time) // 10**6}.{us(time) % 10**6:06}"


def uid(letter):
    return letter + "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789") for _ in range(17))


def row(*values):
    return "\t".join("-" if value is None else str(value) for value in values)


def de_conn(time, src, dst, port, proto="tcp", service=None, up=None, down=None, state="SF", conn=None):
    src_port, up, down = rng.randrange(49152, 65535), up or rng.randrange(300, 9000), down or rng.randrange(500, 90000)
    packets = (up // 1200 + 3, down // 1200 + 3)
    text = row(epoch(time), conn or uid("C"), src, src_port, dst, port, proto, service, f"{rng.uniform(0.02, 40):.6f}", up, down,
               state, "T", "F", 0, "ShADadFf" if proto == "tcp" else "Dd", packets[0], up + 40 * packets[0], packets[1],
               down + 40 * packets[1], None)
    CONN.event(time, text, Shows(src, src_port, dst, port))


def de_dns(time, src, name, answers, kind="A"):
    src_port = rng.randrange(49152, 65535)
    code = (0, "NOERROR") if answers else (3, "NXDOMAIN")
    text = row(epoch(time), uid("C"), src, src_port, RESOLVER, 53, "udp", rng.randrange(65536), f"{rng.uniform(0.001, 0.08):.6f}", name,
               1, "C_INTERNET", {"A": 1, "AAAA": 28}[kind], kind, *code, "F", "F", "T", "T", 0, ",".join(answers) or None,
               ",".join("300.000000" for _ in answers) or None, "F")
    shows = Shows(src, src_port, RESOLVER, 53).one("query", "domain-name", name)
    for answer in answers:
        shows.host("answers", answer)
    DNS.event(time, text, shows)


def de_http(time, src, dst, host, uri, referrer=None, agent=None, mime="text/html", method="GET", conn=None, file=None):
    agent, src_port = agent or AGENTS[0], rng.randrange(49152, 65535)
    text = row(epoch(time), conn or uid("C"), src, src_port, dst, 80, 1, method, host, uri, referrer, "1.1", agent, None, 0,
               rng.randrange(400, 60000), 200, "OK", None, None, "(empty)", None, None, None, file or uid("F"), mime)
    shows = Shows(src, src_port, dst, 80).host("host", host).url("url", f"http://{host}{uri}").one("user_agent", "user-agent", agent)
    if referrer:
        shows.url("referrer", referrer)
    HTTP.event(time, text, shows)


def de_file(time, src, dst, mime, name, size, digests, conn=None, file=None):
    src_port = rng.randrange(49152, 65535)
    text = row(epoch(time), file or uid("F"), conn or uid("C"), src, src_port, dst, 80, "HTTP", 0, "MD5,SHA1,SHA256", mime, name,
               "0.010000", "F", "F", size, size, 0, 0, "F", None, *digests)
    shows = Shows(src, src_port, dst, 80)
    for field, digest in zip(("md5", "sha1", "sha256"), digests):
        shows.one(field, f"file-{field}", digest)
    if name:
        shows.path("file_name", name)
    FILES.event(time, text, shows)


def some_digests(seed):
    return [getattr(hashlib, name)(f"benign {seed}".encode()).hexdigest() for name in ("md5", "sha1", "sha256")]


def germany():
    hosts = [f"10.10.{net}.{host}" for net in (1, 2, 3) for host in (11, 14, 17, 23, 42)]
    for number in range(190):
        time, src, (name, address) = work_hours("2026-02-01", 87, 1), rng.choice(hosts), rng.choice(SITES)
        answers = ["edge.cdn.example.net", address] if name == "cdn.example.net" else [address]
        de_dns(time, src, name, answers)
        if rng.random() < 0.5:
            de_conn(later(time, 0.1), src, address, 443, service="ssl")
        else:
            referrer = rng.choice([None, None, "http://www.example.com/start"])
            uri = rng.choice(["/", "/index.html", "/style.css", "/search?q=train", f"/article/{number}"])
            de_conn(later(time, 0.1), src, address, 80, service="http")
            de_http(later(time, 0.15), src, address, name, uri, referrer, rng.choice(AGENTS))
            if rng.random() < 0.35:
                de_file(later(time, 0.2), src, address, "text/html", None, rng.randrange(900, 40000), some_digests(number))
        if rng.random() < 0.15:
            de_dns(later(time, 3), src, f"wpad.site{rng.randrange(4)}.example.org", [])
    # 9 February: one person in accounting follows the link, the lure is opened
    victim, day = "10.10.3.17", utc("2026-02-09 08:14:07")
    de_dns(day, victim, PHISH, ["203.0.113.66"])
    de_conn(later(day, 0.2), victim, "203.0.113.66", 80, service="http")
    de_http(later(day, 0.3), victim, "203.0.113.66", PHISH, PHISH_PATH)
    de_dns(later(day, 40), victim, DROP, [STAGING])
    de_dns(later(day, 41), victim, "eu1.files.lantern-drop.example", [])  # claimed exact-only: not met
    conn, file = uid("C"), uid("F")
    de_conn(later(day, 41.5), victim, STAGING, 80, service="http", conn=conn)
    de_http(later(day, 41.6), victim, STAGING, DROP, f"/dl/{LURE}", PHISH_URL, mime="application/zip", conn=conn, file=file)
    de_file(later(day, 41.7), victim, STAGING, "application/zip", LURE, 48211, (MD5, SHA1, SHA256), conn=conn, file=file)
    # 9 to 20 February: the loader calls home twice a day
    for beacon in range(22):
        time = later(day, 300 + beacon * 43200 + rng.uniform(-300, 300))
        de_dns(time, victim, GATE, [C2_V4])
        de_conn(later(time, 0.2), victim, C2_V4, 443, service="ssl", up=1800, down=700)
    # 13 February: a check-in in the clear, on another port; 18 February: 180 MB leave at night
    time = utc("2026-02-13 21:02:55")
    de_conn(time, victim, C2_V4, 80, service="http", up=512, down=256)
    de_http(later(time, 0.1), victim, C2_V4, GATE, "/check-in", agent=AGENT, method="POST")
    de_conn(utc("2026-02-18 23:40:12"), victim, STAGING, 443, service="ssl", up=188_743_680, down=91_000)
    CONN.bad(utc("2026-02-21 12:00:00"), "1771675200.000000\tCk3\t10.10.1.11\t50111\t192.0.2.10", "wrong-field-count")
    good = DNS.lines[0][1].split("\t")
    DNS.bad(utc("2026-03-02 09:00:00"), "\t".join(["yesterday"] + good[1:]), "bad-time")
    for log in (CONN, DNS, HTTP, FILES):
        log.write()


# ---------------------------------------------------------------------------------------------- Japan: Suricata and a provider's proxy

EVE = Log("jp/eve.json.gz", "JP")
PROXY = Log("jp/proxy-export.csv", "JP", ["日時,利用者番号,割当IP,接続先,ポート,URL,結果"])


def eve(time, kind, src, src_port, dst, dst_port, proto="TCP", shows=None, **rest):
    long_form = lambda address: ipaddress.ip_address(address).exploded  # Suricata writes IPv6 in full
    local = time.astimezone(JST)
    entry = {
        "timestamp": local.strftime("%Y-%m-%dT%H:%M:%S.%f%z"), "flow_id": rng.randrange(10**15), "in_iface": "ens5",
        "event_type": kind, "src_ip": long_form(src), "src_port": src_port, "dest_ip": long_form(dst),
        "dest_port": dst_port, "proto": proto, **rest,
    }
    EVE.event(time, json.dumps(entry, separators=(",", ":")), shows or Shows(src, src_port, dst, dst_port))


def jp_flow(time, src, dst, port):
    src_port = rng.randrange(32768, 60999)
    eve(time, "flow", src, src_port, dst, port, app_proto="tls" if port == 443 else "http",
        flow={"pkts_toserver": rng.randrange(4, 40), "pkts_toclient": rng.randrange(4, 60), "bytes_toserver": rng.randrange(400, 9000),
              "bytes_toclient": rng.randrange(600, 90000), "state": "closed", "reason": "timeout", "alerted": False})


def jp_dns(time, src, name, answers):
    src_port, ident = rng.randrange(32768, 60999), rng.randrange(65536)
    resolver = "192.168.10.53"
    query = {"type": "query", "id": ident, "rrname": name, "rrtype": "A", "tx_id": 0}
    eve(time, "dns", src, src_port, resolver, 53, "UDP", Shows(src, src_port, resolver, 53).one("query", "domain-name", name), dns=query)
    shows = Shows(src, src_port, resolver, 53).one("query", "domain-name", name)
    data = []
    for address in answers:
        shows.host("answers", address)
        data.append({"rrname": name, "rrtype": "AAAA" if ":" in address else "A", "ttl": 300, "rdata": ipaddress.ip_address(address).exploded})
    answer = {"version": 2, "type": "answer", "id": ident, "rrname": name, "rrtype": "A", "rcode": "NOERROR", "answers": data}
    eve(later(time, 0.02), "dns", src, src_port, resolver, 53, "UDP", shows, dns=answer)


def web(shows, host, uri, agent, referrer=None):
    shows.host("host", host).url("url", f"http://{host}{uri}").one("user_agent", "user-agent", agent)
    block = {"hostname": host, "url": uri, "http_user_agent": agent, "http_method": "GET", "protocol": "HTTP/1.1", "status": 200,
             "length": rng.randrange(300, 50000)}
    if referrer:
        shows.url("referrer", referrer)
        block["http_refer"] = referrer
    return block


def jp_http(time, src, dst, host, uri, agent=None, referrer=None):
    src_port = rng.randrange(32768, 60999)
    shows = Shows(src, src_port, dst, 80)
    eve(time, "http", src, src_port, dst, 80, shows=shows, tx_id=0, http=web(shows, host, uri, agent or AGENTS[1], referrer))


def jp_proxy(time, user, address, host, port, url, outcome="OK"):
    quoted = f'"{url}"' if "," in url else url
    local = time.astimezone(JST).strftime("%Y/%m/%d %H:%M:%S")
    shows = Shows(address).host("dst_host", host)
    if url:
        shows.url("url", url)
    PROXY.event(time.replace(microsecond=0), f"{local},{user},{address},{host},{port},{quoted},{outcome}", shows)


def japan():
    hosts = [f"192.168.10.{host}" for host in (21, 22, 35, 36, 50, 77)]
    for number in range(62):
        time, src, (name, address) = work_hours("2026-02-01", 87, 9), rng.choice(hosts), rng.choice(SITES)
        jp_dns(time, src, name, [address])
        jp_flow(later(time, 0.2), src, address, rng.choice((80, 443)))
        if rng.random() < 0.5:
            jp_http(later(time, 0.3), src, address, name, rng.choice(["/", "/index.html", f"/p/{number}"]))
    # 4 March, 23 days after the first sighting in Germany
    victim, day = "192.168.10.35", utc("2026-03-04 01:22:31")
    jp_dns(day, victim, PHISH, ["203.0.113.66"])
    jp_http(later(day, 0.3), victim, "203.0.113.66", PHISH, PHISH_PATH)
    jp_dns(later(day, 30), victim, DROP, [STAGING])
    jp_http(later(day, 31), victim, STAGING, DROP, f"/dl/{LURE}", referrer=PHISH_URL)
    src_port = rng.randrange(32768, 60999)
    shows = Shows(STAGING, 80, victim, src_port).path("file_name", f"/dl/{LURE}")
    shows.one("md5", "file-md5", MD5).one("sha256", "file-sha256", SHA256)
    eve(later(day, 31.4), "fileinfo", STAGING, 80, victim, src_port, shows=shows,
        http=web(shows, DROP, f"/dl/{LURE}", AGENTS[1], PHISH_URL), app_proto="http",
        fileinfo={"filename": f"/dl/{LURE}", "gaps": False, "state": "CLOSED", "md5": MD5, "sha256": SHA256, "stored": False,
                  "size": 48211, "tx_id": 0})
    for number in range(8):
        size, shows = rng.randrange(900, 70000), Shows("192.0.2.11", 80, hosts[number % 6], 40000 + number)
        digests = some_digests(f"jp {number}")
        shows.one("md5", "file-md5", digests[0]).one("sha256", "file-sha256", digests[2]).path("file_name", f"/media/{number}.jpg")
        eve(work_hours("2026-02-01", 87, 9), "fileinfo", "192.0.2.11", 80, hosts[number % 6], 40000 + number, shows=shows,
            http=web(shows, "news.example.com", f"/media/{number}.jpg", AGENTS[2]), app_proto="http",
            fileinfo={"filename": f"/media/{number}.jpg", "gaps": False, "state": "CLOSED", "md5": digests[0], "sha256": digests[2],
                      "stored": False, "size": size, "tx_id": 0})
    for beacon in range(9):  # over IPv4 first, then over IPv6
        time, address = later(day, 600 + beacon * 86400 + rng.uniform(-900, 900)), C2_V4 if beacon < 5 else C2_V6
        jp_dns(time, victim, GATE, [C2_V4, C2_V6])
        jp_flow(later(time, 0.2), victim, address, 443)
    for time in (utc("2026-03-04 01:33:00"), utc("2026-03-11 02:10:44")):
        src_port = rng.randrange(32768, 60999)
        shows = Shows(victim, src_port, C2_V4, 443).host("tls_sni", GATE).host("cert_names", "lantern-panel.example.org")
        eve(time, "tls", victim, src_port, C2_V4, 443, shows=shows,
            tls={"subject": "CN=lantern-panel.example.org", "issuerdn": "CN=lantern-panel.example.org", "sni": GATE, "version": "TLS 1.2",
                 "notbefore": "2026-01-12T00:00:00", "notafter": "2027-01-12T00:00:00"})
    # 3 March: the mail that carried the link
    shows = Shows(MAILER, 41022, "192.168.10.25", 25)
    shows.email("mail_from", SENDER).email("email_from", SENDER).email("rcpt_to", "keiri@example.org").email("email_to", "keiri@example.org")
    eve(utc("2026-03-03 23:58:10"), "smtp", MAILER, 41022, "192.168.10.25", 25, shows=shows, tx_id=0,
        smtp={"helo": "mx", "mail_from": f"<{SENDER}>", "rcpt_to": ["<keiri@example.org>"]},
        email={"status": "PARSE_DONE", "from": f"Billing <{SENDER}>", "to": ["keiri@example.org"]})
    EVE.bad(utc("2026-03-15 03:00:00"), '{"timestamp":"2026-03-15T12:00:00.000000+0900","event_type":"flow","src_ip":"192.168.10', "bad-json")
    EVE.bad(utc("2026-03-15 03:00:01"), "suricata: rotating eve.json", "bad-json")
    EVE.write(gzip_stored)

    for number in range(170):
        time, (name, _) = work_hours("2026-02-01", 87, 9), rng.choice(SITES)
        customer = rng.randrange(40)
        url = rng.choice(["", "", f"http://{name}/", f"http://{name}/list?a=1,2&n={number}"])
        jp_proxy(time, f"C{4100 + customer}", f"10.77.{customer % 4}.{20 + customer}", name, 80 if url else 443, url)
    for time, user, address in (("2026-03-19 12:40:05", "C4107", "10.77.3.27"), ("2026-03-23 22:05:41", "C4131", "10.77.3.51")):
        jp_proxy(utc(time), user, address, PHISH, 80, PHISH_URL)
        for beacon in range(1, 5):
            jp_proxy(later(utc(time), beacon * 21600), user, address, GATE, 443, "")
    PROXY.bad(utc("2026-03-20 00:00:00"), "2026/03/20 09:00:00,C4110,10.77.2.30", "wrong-field-count")
    PROXY.bad(utc("2026-03-01 15:00:00"), "2026/02/30 12:00:00,C4111,10.77.3.31,www.example.com,443,,OK", "bad-time")
    PROXY.write()


# ---------------------------------------------------------------------------------------------- Netherlands: Apache and syslog

ACCESS, MAIL, FIREWALL = Log("nl/access.log", "NL"), Log("nl/mail.log", "NL"), Log("nl/firewall.log", "NL")
CLOCK_OFFSET = dt.timedelta(seconds=2.5)  # the firewall's clock was fast, as job.toml says


def nl_access(time, src, target, referrer="-", agent=None, status=200, method="GET"):
    time, agent = time.replace(microsecond=0), agent or rng.choice(AGENTS)
    stamp = amsterdam(time).strftime("%d/%b/%Y:%H:%M:%S %z")
    shows = Shows(src).one("user_agent", "user-agent", agent)
    if referrer != "-":
        shows.url("referrer", referrer)
    ACCESS.event(time, f'{src} - - [{stamp}] "{method} {target} HTTP/1.1" {status} {rng.randrange(200, 40000)} "{referrer}" "{agent}"', shows)


def nl_mail(time, program, message, shows):
    time = time.replace(microsecond=0)
    stamp = amsterdam(time).isoformat(timespec="seconds")
    MAIL.event(time, f"<22>1 {stamp} mx1.example.org {program} {rng.randrange(900, 9000)} - - {message}", shows.host("device", "mx1.example.org"))


def nl_firewall(time, action, src, dst, port):
    stamp = amsterdam(time.replace(microsecond=0))
    text = (f"<134>{stamp:%b} {stamp.day:2} {stamp:%H:%M:%S} fw1 kernel: {action} IN=eth0 OUT=eth1 SRC={src} DST={dst} "
            f"LEN={rng.randrange(40, 1500)} TTL={rng.randrange(40, 64)} PROTO=TCP SPT={rng.randrange(1024, 65535)} DPT={port}")
    shows = Shows().host("message", src).host("message", dst)
    FIREWALL.event(time, text, shows, time.replace(microsecond=0) - CLOCK_OFFSET)


def netherlands():
    queue = lambda: f"{rng.randrange(16**9):09X}"
    for number in range(260):
        client = f"198.51.100.{rng.randrange(100, 200)}"
        target = rng.choice(["/", "/contact", "/index.html", "/img/logo.png", f"/nieuws/{number}", "/zoeken?q=trein"])
        referrer = rng.choice(["-", "-", "http://www.example.com/start", "https://wiki.example.org/Amsterdam"])
        nl_access(work_hours("2026-02-01", 87, 1), client, target, referrer)
    for number in range(90):
        time, ident = work_hours("2026-02-01", 87, 1), queue()
        person = rng.choice(["a.jansen", "m.devries", "s.bakker"])
        nl_mail(time, "postfix/smtpd", f"{ident}: client=mail.example.com[192.0.2.26]",
                Shows().host("message", "mail.example.com").host("message", "192.0.2.26"))
        nl_mail(later(time, 1), "postfix/qmgr", f"{ident}: from=<{person}@example.com>, size={rng.randrange(900, 90000)}, nrcpt=1 (queue active)",
                Shows().email("message", f"{person}@example.com"))
    for number in range(120):
        src = f"198.51.100.{rng.randrange(100, 200)}"
        nl_firewall(work_hours("2026-02-01", 87, 1), "ACCEPT" if number % 3 else "DROP", src, "192.0.2.80", rng.choice((22, 80, 443, 3389)))
    # 20 March: somebody comes from a page of last year's campaign, which its claim no longer covers
    nl_access(utc("2026-03-20 10:03:17"), "198.51.100.144", "/contact", f"http://{OLD}/offer")
    # 1 April: the mails arrive; two people click and come back to the real site from the false one
    for minute, person in enumerate(("m.devries", "s.bakker", "a.jansen")):
        time, ident = later(utc("2026-04-01 06:31:00"), 60 * minute), queue()
        nl_mail(time, "postfix/smtpd", f"{ident}: client=mail.lantern-invoice.example.com[{MAILER}]",
                Shows().host("message", "mail.lantern-invoice.example.com").host("message", MAILER))
        nl_mail(later(time, 2), "postfix/qmgr", f"{ident}: from=<{SENDER}>, size=18233, nrcpt=1 (queue active)", Shows().email("message", SENDER))
    nl_access(utc("2026-04-01 07:12:40"), "198.51.100.121", "/", PHISH_URL)
    nl_access(utc("2026-04-01 07:40:02"), "198.51.100.167", "/contact", PHISH_URL)
    nl_mail(utc("2026-04-02 04:00:09"), "named", f"query: {GATE} IN A + (192.0.2.53)", Shows().host("message", GATE).host("message", "192.0.2.53"))
    # 3 to 5 April: the crew looks for a way into the web server
    for number, target in enumerate(["/wp-login.php", "/admin/", "/.git/config", "/backup.zip", "/phpmyadmin/", "/upload.php"]):
        nl_access(later(utc("2026-04-03 01:00:00"), 40000 * number), SCANNER, target, agent=AGENT, status=404)
    for number in range(7):
        nl_firewall(later(utc("2026-04-03 02:00:00"), 30000 * number), "DROP", SCANNER, "192.0.2.80", (22, 3389, 445, 8443)[number % 4])
    ACCESS.bad(utc("2026-03-01 05:00:00"), "-- access.log rotated by logrotate --", "not-this-format")
    MAIL.bad(utc("2026-03-08 05:00:00"), "<22>1 2026-13-08T06:00:00+01:00 mx1.example.org postfix/qmgr 1201 - - disk almost full", "bad-time")
    for log in (ACCESS, MAIL, FIREWALL):
        log.write()


# ---------------------------------------------------------------------------------------------- feeds


class Feed:
    def __init__(self, path, provider, **about):
        self.path, self.provider, self.claims, self.rejects, self.about = path, provider, [], [], about
        feeds.append(self)

    def claim(self, kind, value, exact_only=False, valid_from=None, valid_until=None):
        self.claims.append((kind, value, exact_only, valid_from, valid_until))

    def reject(self, record, reason, text):
        """`record`: 1-based number of the line, the STIX object or the MISP attribute."""
        self.rejects.append({"record": record, "reason": reason, "text": text})


def northlight():
    feed = Feed("feeds/northlight.txt", "Northlight Research")
    lines = ["# Northlight Research: lantern infrastructure as of 2026-04-15", "# one value a line, defanged", ""]
    for kind, value, text in [
        ("domain-name", "lantern-panel.example.org", "lantern-panel[.]example[.]org"),
        ("domain-name", "accounts-verify.example.net", "accounts-verify[.]example[.]net"),
        ("url", PHISH_URL, PHISH_URL.replace("http:", "hxxp:").replace(".example", "[.]example")),
        ("ipv4-addr", C2_V4, "198.51.100[.]23"),
        ("ipv6-addr", C2_V6, "2001:db8:66::23"),
        ("domain-name", "cdn.example.net", "cdn.example.net"),
        ("domain-name", "lantern-backup.example", "lantern-backup[.]example"),
        ("ipv4-addr", "203.0.113.250", "203.0.113[.]250"),
        ("domain-name", "lantern-panel.example.org", "LANTERN-PANEL.example.org"),
    ]:
        feed.claim(kind, value)
        lines.append(text)
    lines += ["", "# below: not checked yet"]
    for reason, text in [
        ("public-suffix", "co.uk"),
        ("malformed", "01.2.3.4"),
        ("not-an-indicator", "see the report of last week"),
        ("url-fragment", "hxxps://files[.]example[.]org/#!lantern"),
        ("too-broad", "192.0.0.0/3"),
    ]:
        lines.append(text)
        feed.reject(len(lines), reason, text)
    out[feed.path] = "".join(line + "\n" for line in lines).encode()


def beacon_tracker():
    feed = Feed("feeds/beacon-tracker.csv", "Beacon Tracker")
    rows = [
        ("2026-02-20 07:00:00", f"{C2_V4}:443", "ip:port", "botnet_cc", 100, ("ip-port", f"{C2_V4}:443")),
        ("2026-02-20 07:00:00", "198.51.100.40:8443", "ip:port", "botnet_cc", 50, ("ip-port", "198.51.100.40:8443")),
        ("2026-03-28 10:30:00", "lantern-invoice.example.com", "domain", "payload_delivery", 75, ("domain-name", "lantern-invoice.example.com")),
        ("2026-03-28 10:30:00", "relay.lantern-panel.example.org", "domain", "botnet_cc", 50, ("domain-name", "relay.lantern-panel.example.org")),
        ("2026-02-10 16:20:00", PHISH_URL, "url", "payload_delivery", 90, ("url", PHISH_URL)),
        ("2026-02-10 16:25:00", MD5, "md5_hash", "payload", 90, ("file-md5", MD5)),
        ("2026-04-02 12:00:00", hashlib.sha256(b"never seen").hexdigest(), "sha256_hash", "payload", 60,
         ("file-sha256", hashlib.sha256(b"never seen").hexdigest())),
        ("2026-04-03 12:00:00", "198.51.100.300:443", "ip:port", "botnet_cc", 10, "malformed"),
        ("2026-04-03 12:05:00", "glow-worm", "yara_rule_name", "payload", 10, "unsupported-type"),
    ]
    names = ["first_seen_utc", "ioc_id", "ioc_value", "ioc_type", "threat_type", "malware", "confidence_level", "reporter"]
    lines = ["################################################################", "# Beacon Tracker: recent claims (CSV)                         #",
             "# Last updated: 2026-04-20 06:00:00 UTC                        #", "################################################################",
             "#", "# " + ",".join(f'"{name}"' for name in names)]
    for number, (seen, value, kind, threat, confidence, claim) in enumerate(rows):
        lines.append(",".join(f'"{cell}"' for cell in (seen, 880100 + number, value, kind, threat, "lantern", confidence, "anonymous")))
        if isinstance(claim, str):
            feed.reject(len(lines), claim, value)
        else:
            feed.claim(*claim, valid_from=us(utc(seen)))
    lines.append(f"# Number of entries: {len(rows)}")
    out[feed.path] = "".join(line + "\n" for line in lines).encode()


def stix_id(kind, name):
    return f"{kind}--{uuid.UUID(bytes=hashlib.sha256((kind + name).encode()).digest()[:16], version=4)}"


def lighthouse():
    feed = Feed("feeds/lighthouse.json", "Lighthouse Alliance")
    amber = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
    author = stix_id("identity", "lighthouse")
    objects = [
        {"type": "identity", "spec_version": "2.1", "id": author, "created": "2025-01-10T09:00:00.000Z", "modified": "2025-01-10T09:00:00.000Z",
         "name": "Lighthouse Alliance", "identity_class": "organization"},
        {"type": "marking-definition", "spec_version": "2.1", "id": amber, "created": "2022-10-01T00:00:00.000Z", "name": "TLP:AMBER",
         "extensions": {"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {"extension_type": "property-extension", "tlp_2_0": "amber"}}},
        {"type": "malware", "spec_version": "2.1", "id": stix_id("malware", "lantern"), "created": "2026-02-12T08:00:00.000Z",
         "modified": "2026-02-12T08:00:00.000Z", "name": "LanternLoader", "is_family": True},
    ]

    def indicator(name, pattern, start, end, confidence, claims=(), reason=None, **more):
        made = "2026-04-10T12:00:00.000Z"
        entry = {"type": "indicator", "spec_version": "2.1", "id": stix_id("indicator", name), "created_by_ref": author, "created": made,
                 "modified": made, "name": name, "indicator_types": ["malicious-activity"], "pattern": pattern, "pattern_type": "stix",
                 "valid_from": f"{start}T00:00:00Z", "valid_until": f"{end}T00:00:00Z", "confidence": confidence, "object_marking_refs": [amber], **more}
        objects.append(entry)
        for kind, value in claims:
            bounds = [us(utc(f"{day} 00:00:00")) for day in (start, end)]
            feed.claim(kind, value, kind == "domain-name", *bounds)
        if reason:
            feed.reject(len(objects), reason, pattern)

    indicator("drop site", f"[domain-name:value = '{DROP}']", "2026-02-01", "2026-06-01", 90, [("domain-name", DROP)])
    indicator("rented network", "[ipv4-addr:value ISSUBSET '203.0.113.64/28']", "2026-02-15", "2026-06-01", 70, [("ipv4-net", "203.0.113.64/28")])
    indicator("lure", f"[file:hashes.'SHA-256' = '{SHA256}' OR file:hashes.MD5 = '{MD5}']", "2026-02-01", "2027-02-01", 95,
              [("file-sha256", SHA256), ("file-md5", MD5)])
    indicator("campaign of last year", f"[domain-name:value = '{OLD}']", "2025-09-01", "2026-02-01", 60, [("domain-name", OLD)])
    indicator("sender", f"[email-addr:value = '{SENDER}']", "2026-03-01", "2026-06-01", 80, [("email-addr", SENDER)])
    never = "https://lantern-backup.example/panel/login"
    indicator("spare panel", f"[url:value = '{never}']", "2026-03-01", "2026-06-01", 40, [("url", never)])
    indicator("steps in order", f"[domain-name:value = '{PHISH}'] FOLLOWEDBY [ipv4-addr:value = '{C2_V4}']", "2026-02-01", "2026-06-01", 80,
              reason="needs-several-records")
    indicator("withdrawn", "[domain-name:value = 'www.example.com']", "2026-02-01", "2026-06-01", 20, reason="revoked", revoked=True)
    bundle = {"type": "bundle", "id": stix_id("bundle", "lantern"), "objects": objects}
    out[feed.path] = (json.dumps(bundle, indent=2) + "\n").encode()


def tulip():
    feed = Feed("feeds/tulip-csirt.json", "Tulip CSIRT")
    attributes = []

    def attribute(kind, value, category="Network activity", claim=None, reason=None, to_ids=True):
        number = len(attributes) + 1
        attributes.append({"id": str(9000 + number), "uuid": stix_id("x", value + kind)[3:], "event_id": "614", "type": kind, "category": category,
                           "value": value, "to_ids": to_ids, "timestamp": "1775635200", "comment": "", "distribution": "5", "deleted": False})
        if claim:
            feed.claim(claim, value, exact_only=kind == "hostname")
        if reason:
            feed.reject(number, reason, value)

    attribute("domain", "lantern-panel.example.org", claim="domain-name")
    attribute("hostname", "panel2.lantern-panel.example.org", claim="domain-name")
    attribute("ip-dst", SCANNER, claim="ipv4-addr")
    attribute("sha256", SHA256, "Payload delivery", claim="file-sha256")
    attribute("filename", LURE, "Payload delivery", claim="file-name")
    attribute("email-src", SENDER, "Payload delivery", claim="email-addr")
    attribute("user-agent", AGENT, claim="user-agent")
    attribute("email-src", "hr@lantern-invoice.example.com", "Payload delivery", claim="email-addr")
    attribute("domain", "www.example.com", reason="not-for-detection", to_ids=False)
    attribute("sha256", SHA256[:-1], "Payload delivery", reason="malformed")
    event = {"Event": {"id": "614", "uuid": stix_id("x", "event")[3:], "info": "Lantern: phishing of accounting staff", "date": "2026-04-08",
                       "threat_level_id": "2", "analysis": "2", "published": True, "timestamp": "1775635200", "distribution": "3",
                       "Orgc": {"name": "Tulip CSIRT", "uuid": stix_id("x", "tulip")[3:]}, "Tag": [{"name": "tlp:green"}], "Attribute": attributes}}
    out[feed.path] = (json.dumps(event, indent=2) + "\n").encode()


ALLOWED = ["cdn.example.net", "updates.example.org"]


def allow_list():
    content = {"name": "Content networks and update servers", "type": "hostname", "version": 20260401, "list": ALLOWED,
               "description": "Names that many unrelated parties use", "matching_attributes": ["domain", "hostname", "url", "domain|ip"]}
    out["allow/content-networks.json"] = (json.dumps(content, indent=2) + "\n").encode()


# ---------------------------------------------------------------------------------------------- what must be found


def meets(kind, value, exact_only, shown_kind, shown):
    if kind == "domain-name" and shown_kind == kind and not exact_only and shown.endswith("." + value):
        return "subdomain"
    if kind == "ipv4-net" and shown_kind == "ipv4-addr":
        return "network" if ipaddress.ip_address(shown) in ipaddress.ip_network(value) else None
    if kind in ("file-name", "email-addr") and shown_kind == kind:
        return "exact" if value.lower() == shown.lower() else None
    return "exact" if (kind, value) == (shown_kind, shown) else None


def sightings():
    """Every (provider, kind, value, path, jurisdiction, record, time, field, observable, match kind, outside validity)."""
    for feed in feeds:
        for kind, value, exact_only, start, end in sorted(set(feed.claims), key=str):
            for path, jurisdiction, number, time, shows in records:
                outside = (start is not None and time < start) or (end is not None and time >= end)
                common = (feed.provider, kind, value, path, jurisdiction, number, time)
                if kind == "ip-port":
                    for field, address, port in shows.endpoints:
                        if f"{address}:{port}" == value:
                            yield (*common, field, address, "exact", outside, shows)
                    continue
                for field, shown_kind, shown in shows.all():
                    how = meets(kind, value, exact_only, shown_kind, shown)
                    if how:
                        yield (*common, field, shown, how, outside, shows)


def expectations():
    found = sorted(sightings(), key=lambda s: s[:-1])
    groups, seen, places, hosts = {}, set(), {}, {}
    for provider, kind, value, path, jurisdiction, number, time, field, shown, how, outside, shows in found:
        group = groups.setdefault((provider, kind, value, jurisdiction, path, field, how), {"count": 0, "outside_validity": 0, "allow_listed": 0})
        group["count"] += 1
        group["outside_validity"] += outside
        group["allow_listed"] += any(shown == name or shown.endswith("." + name) for name in ALLOWED)
        seen.add((provider, kind, value))
        place = places.setdefault((kind, value), {}).setdefault(jurisdiction, [time, time, set()])
        place[0], place[1] = min(place[0], time), max(place[1], time)
        place[2].add((path, number, field, shown))
        if shows.src and ipaddress.ip_address(shows.src).is_private and shows.src.startswith(("10.", "192.168.")):
            hosts.setdefault((jurisdiction, shows.src), set()).add((path, number))
    claims = {(feed.provider, kind, value) for feed in feeds for kind, value, *_ in feed.claims}
    providers = {}
    for provider, kind, value in claims:
        providers.setdefault((kind, value), set()).add(provider)
    indicator = lambda key: dict(zip(("provider", "kind", "value"), key))
    return {
        "about": "Written by make.py; times are UTC. `outside_validity` counts sightings whose event lies before or after the claim's stated bounds.",
        "evidence": [evidence[path] for path in sorted(evidence)],
        "feeds": [
            {"path": feed.path, "provider": feed.provider, "seen": len(feed.claims) + len(feed.rejects), "accepted": len(feed.claims),
             "rejected": len(feed.rejects), "indicators": len({claim[:2] for claim in feed.claims}), "rejects": feed.rejects}
            for feed in sorted(feeds, key=lambda feed: feed.path)
        ],
        "sightings_total": len(found),
        "sightings": [
            {**dict(zip(("provider", "kind", "value", "jurisdiction", "path", "field", "match_kind"), key)), **group}
            for key, group in sorted(groups.items())
        ],
        "not_seen": [indicator(key) for key in sorted(claims - seen)],
        "cross_border": [
            {"kind": kind, "value": value,
             "jurisdictions": [{"jurisdiction": code, "first": rfc3339(first), "last": rfc3339(last), "places": len(where)}
                               for code, (first, last, where) in sorted(by_code.items(), key=lambda item: item[1][0])]}
            for (kind, value), by_code in sorted(places.items()) if len(by_code) > 1
        ],
        "corroborated": [{"kind": kind, "value": value, "providers": sorted(names)} for (kind, value), names in sorted(providers.items()) if len(names) > 1],
        "affected_hosts": [{"jurisdiction": code, "src_ip": address, "records": len(where)} for (code, address), where in sorted(hosts.items())],
    }


def table(header, rows):
    lines = [header, ["---"] * len(header)] + rows
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def short(value):
    return f"`{value[:12]}…`" if len(value) >= 32 and value.isalnum() else f"`{value}`"


def readme(expected):
    totals = {}
    for group in expected["sightings"]:
        line = totals.setdefault((group["provider"], group["kind"], group["value"]), {"DE": 0, "JP": 0, "NL": 0, "outside": 0, "allowed": 0, "how": set()})
        line[group["jurisdiction"]] += group["count"]
        line["outside"] += group["outside_validity"]
        line["allowed"] += group["allow_listed"]
        line["how"].add(group["match_kind"])
    found = [[key[0], key[1], short(key[2]), line["DE"], line["JP"], line["NL"], ", ".join(sorted(line["how"])), line["outside"], line["allowed"]]
             for key, line in sorted(totals.items())]
    borders = [[item["kind"], short(item["value"]), "; ".join(f"{place['jurisdiction']} {place['first'][:10]} to {place['last'][:10]}" for place in item["jurisdictions"])]
               for item in expected["cross_border"]]
    text = f"Sightings: **{expected['sightings_total']}**, by claim and jurisdiction; `outside`: the event lies outside the claim's stated validity; `allowed`: an allow-list names the observable.\n\n"
    text += table(["provider", "kind", "value", "DE", "JP", "NL", "match", "outside", "allowed"], found)
    text += "\nSeen in two or more jurisdictions, first country first:\n\n" + table(["kind", "value", "where and when (UTC)"], borders)
    text += "\nSearched and not seen:\n\n" + table(["provider", "kind", "value"], [[item["provider"], item["kind"], short(item["value"])] for item in expected["not_seen"]])
    text += "\nClaimed by more than one provider:\n\n" + table(["kind", "value", "providers"], [[item["kind"], short(item["value"]), ", ".join(item["providers"])] for item in expected["corroborated"]])
    text += "\nEvidence:\n\n" + table(["file", "records", "headers", "events", "rejects"], [
        [f"`{item['path']}`", item["records"], item["headers"], item["events"], ", ".join(f"record {bad['record']}: {bad['reason']}" for bad in item["rejects"]) or "none"]
        for item in expected["evidence"]])
    text += "\nFeeds:\n\n" + table(["file", "provider", "seen", "accepted", "indicators", "rejected"], [
        [f"`{item['path']}`", item["provider"], item["seen"], item["accepted"], item["indicators"], ", ".join(f"{bad['record']}: {bad['reason']}" for bad in item["rejects"])]
        for item in expected["feeds"]])
    begin, end = "<!-- expected: written by make.py -->\n", "<!-- end -->\n"
    before, rest = (HERE / "README.md").read_text(encoding="utf-8").split(begin)
    return before + begin + "\n" + text + "\n" + end + rest.split(end)[1]


def main():
    germany()
    japan()
    netherlands()
    northlight()
    beacon_tracker()
    lighthouse()
    tulip()
    allow_list()
    expected = expectations()
    out["expected.json"] = (json.dumps(expected, indent=1, ensure_ascii=False) + "\n").encode()
    out["README.md"] = readme(expected).encode()
    restricted = range(9, 10)  # as job.toml says; none of them bears a sighting, so nothing below depends on how they are handled
    if any(path == "jp/proxy-export.csv" and number in restricted for path, _, number in (sighting[3:6] for sighting in sightings())):
        sys.exit("a restricted record bears a sighting")
    wrong = []
    for path, content in sorted(out.items()):
        target = HERE / path
        if "--check" in sys.argv:
            if not target.is_file() or target.read_bytes() != content:
                wrong.append(path)
        else:
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
    if wrong:
        sys.exit("not as make.py writes it: " + ", ".join(wrong))
    digest = hashlib.sha256(out["jp/proxy-export.csv"]).hexdigest()
    if digest not in (HERE / "job.toml").read_text(encoding="utf-8"):
        sys.exit(f"job.toml must give the digest of jp/proxy-export.csv: {digest}")


main()
