#!/usr/bin/env python3
"""Tampers with bags, one fault a copy, and asks `comity verify` and docs/verify.sh about each.

    tamper.py COMITY VERIFY_SH WORLD [NAME…]

WORLD, as .ci/outside/run makes it: case/, keys/, trust, and the bags findings, full and feed. Three kinds of tamperer:
one who has the bag alone; one who can seal it again (the releaser); and one who can also sign statements and the log
(an insider of the authority that made it), so that each check is reached with all before it in order. Both verifiers
must end with 4 and name the kind that is expected; a few faults only one of them looks for. Needs `cryptography`.
"""
import base64
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

STATEMENTS = "data/attestations/statements.intoto.jsonl"
CRATE = "data/ro-crate-metadata.json"
CUSTODY = "urn:comity:custody-event:v1"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def b64(data):
    return base64.b64encode(data).decode()


class Key:
    def __init__(self, file):
        self.file = file
        self.private = load_ssh_private_key(file.read_bytes(), None)
        self.raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.wire = b"\0\0\0\x0bssh-ed25519\0\0\0 " + self.raw
        self.print = "SHA256:" + b64(hashlib.sha256(self.wire).digest()).rstrip("=")
        self.line = "ssh-ed25519 " + b64(self.wire)


class World:
    def __init__(self, place):
        self.place = place
        files = [place / "case/keys/node", place / "case/keys/log", *(f for f in (place / "keys").iterdir() if f.suffix != ".pub")]
        self.keys = {file.name: Key(file) for file in files if file.name != "rsa"}
        self.by_print = {key.print: key for key in self.keys.values()}
        self.trust = (place / "trust").read_text()


class Bag:
    """A copy of a bag, for those who can write to it or seal it."""

    def __init__(self, world, source, place):
        self.world, self.dir, self.source = world, place / "bag", world.place / source
        shutil.copytree(self.source, self.dir)
        self.trust = world.trust
        self.remembered, self.remembered_leaves = [], None
        self.releaser = "submitter" if source == "feed" else "releaser"

    def path(self, name):
        return self.dir / name

    def first(self, pattern):
        return sorted(self.dir.glob(pattern))[0].relative_to(self.dir).as_posix()

    def read(self, name):
        return self.path(name).read_bytes()

    def write(self, name, data):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(data if isinstance(data, bytes) else data.encode())

    def edit(self, name, change):
        before = self.read(name)
        after = change(before)
        assert after != before, f"{name} is unchanged"
        self.write(name, after)

    def flip(self, name, at=0.5, bit=1):
        def change(data):
            place = int(len(data) * at)
            return data[:place] + bytes([data[place] ^ bit]) + data[place + 1:]
        self.edit(name, change)

    def files(self):
        return sorted(f.relative_to(self.dir).as_posix() for f in self.path("data").rglob("*") if f.is_file())

    def seal(self, key=None, namespace="comity-evidence", manifests=True, oxum=True):
        if manifests:
            files = self.files()
            self.write("manifest-sha256.txt", "".join(f"{sha256(self.read(f))}  {f}\n" for f in files))
            if oxum:
                sizes = f"{sum(self.path(f).stat().st_size for f in files)}.{len(files)}"
                self.write("bag-info.txt", re.sub(rb"(?m)^Payload-Oxum: .*$", b"Payload-Oxum: " + sizes.encode(), self.read("bag-info.txt")))
        tags = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
        self.write("tagmanifest-sha256.txt", "".join(f"{sha256(self.read(f))}  {f}\n" for f in tags))
        self.path("tagmanifest-sha256.txt.sig").unlink(missing_ok=True)
        sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", self.world.place / "keys" / (key or self.releaser)]
        subprocess.run([*sign, self.path("tagmanifest-sha256.txt")], check=True, capture_output=True)


class Statement:
    """A line of the statements, with the places of its signatures in the log."""

    def __init__(self, line, at):
        envelope = json.loads(line)
        self.line, self.at = line, at
        self.payload = base64.b64decode(envelope["payload"])
        self.signers = [one["keyid"] for one in envelope["signatures"]]

    @property
    def value(self):
        return json.loads(self.payload)

    @property
    def event(self):
        return self.value["predicate"].get("eventType")


class Insider(Bag):
    """One who holds the keys of the node and the log, and those of members."""

    def __init__(self, *args):
        super().__init__(*args)
        self.leaves = self.read("data/log/leaves").decode().splitlines()
        self.statements, place = [], {leaf: at for at, leaf in enumerate(self.leaves)}
        for line in self.read(STATEMENTS).decode().splitlines():
            self.statements.append(Statement(line, [place[leaf] for leaf in leaves_of(line)]))

    def find(self, event, name=""):
        return next(s for s in self.statements if s.event == event and name in s.value["subject"][0]["name"])

    def restate(self, statement, payload, signers=None):
        """Signs another payload; by as many as before, or the log has no place for them."""
        statement.payload = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        statement.signers = [self.world.keys[name].print for name in signers] if signers else statement.signers
        predicate_type = json.loads(statement.payload)["predicateType"]
        message = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(statement.payload), statement.payload)
        sigs = [self.world.by_print[one].private.sign(message) for one in statement.signers]
        signatures = [{"keyid": one, "sig": b64(sig)} for one, sig in zip(statement.signers, sigs)]
        statement.line = json.dumps({"payloadType": "application/vnd.in-toto+json", "payload": b64(statement.payload), "signatures": signatures}, separators=(",", ":"))
        for at, leaf in zip(statement.at, leaves_of(statement.line, predicate_type), strict=True):
            self.leaves[at] = leaf

    def change(self, statement, change):
        value = statement.value
        change(value)
        self.restate(statement, value)

    def insert(self, value, signers):
        """Adds a statement before the disclosure, which is the last."""
        last = self.statements[-1]
        at = min(last.at)
        self.leaves[at:at] = [""] * len(signers)
        last.at = [place + len(signers) for place in last.at]
        if "nonce" in value["predicate"]:
            value["predicate"]["nonce"] = "0" * 32    # or the signature would be the one that is there already
        else:
            value["predicate"].get("buildDefinition", {}).get("internalParameters", {})["nonce"] = "0" * 32
        statement = Statement(last.line, list(range(at, at + len(signers))))
        self.restate(statement, value, signers)
        self.statements.insert(-1, statement)

    def custody(self, event, subject, details=None, records=()):
        value = self.find("collection").value
        value["subject"] = [subject]
        value["predicate"] |= {"eventType": event, "eventId": "00000000-0000-4000-8000-000000000000", "details": details or {}, "records": list(records)}
        return {key: value[key] for key in ("_type", "subject", "predicateType", "predicate")}

    def finish(self, disclose=True, log_key="log"):
        """All is made to agree again: disclosure, log, RO-Crate, manifests, seal."""
        if disclose:
            last = self.statements[-1].value
            named = [f for f in self.files() if not f.startswith(("data/attestations/", "data/log/")) and f != CRATE]
            last["subject"] = [{"name": f, "digest": {"sha256": sha256(self.read(f))}} for f in named]
            info = self.read("bag-info.txt").decode()
            run = re.search(r"(?m)^Comity-Run: (.*)$", info)
            last["predicate"]["details"] |= {"run": run[1]} if run else {}
            self.restate(self.statements[-1], last)
        self.write(STATEMENTS, "".join(s.line + "\n" for s in self.statements))
        self.log(log_key)
        crate = json.loads(self.read(CRATE))
        for entity in crate["@graph"]:
            file = "data/" + entity["@id"]
            if entity.get("@type") == "File" and self.path(file).is_file():
                data = self.read(file)
                entity |= {"contentSize": str(len(data)), "sha256": sha256(data)}
        self.write(CRATE, json.dumps(crate, indent=2, ensure_ascii=False) + "\n")
        self.seal()

    def log(self, key="log"):
        self.write("data/log/leaves", "".join(leaf + "\n" for leaf in self.leaves))
        origin = self.read("data/log/checkpoint").decode().splitlines()[0]
        head = f"{origin}\n{len(self.leaves)}\n{b64(root([leaf.encode() for leaf in self.leaves]))}\n"
        key = self.world.keys[key]
        key_hash = hashlib.sha256(origin.encode() + b"\n\x01" + key.raw).digest()[:4]
        self.write("data/log/checkpoint", f"{head}\n— {origin} {b64(key_hash + key.private.sign(head.encode()))}\n")


def leaves_of(line, predicate_type=None):
    envelope = json.loads(line)
    payload = base64.b64decode(envelope["payload"])
    kind = predicate_type or json.loads(payload)["predicateType"]
    return [f"sha256:{sha256(payload)} {s['keyid']} sha256:{sha256(base64.b64decode(s['sig']))} {kind}" for s in envelope["signatures"]]


def root(entries):
    level = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2])]
        level = pairs + level[len(pairs) * 2:]
    return level[0]


# ------------------------------------------------------------------ the faults

FAULTS = {}


BOTH, COMITY, SCRIPT = {"comity", "verify.sh"}, {"comity"}, {"verify.sh"}


def fault(kinds, bag="findings", by=BOTH, who=Bag):
    """`kinds`: words for it, any of them; of what is wrong in two ways, the verifiers may name either."""
    def register(tamper):
        FAULTS[tamper.__name__.replace("_", "-")] = (tamper, kinds.split(), bag, by, who)
        return tamper
    return register


# -- by one who has the bag alone

FLIPPED = {
    "table": "data/results/sightings.parquet", "records": "data/records/*.jsonl", "indicators": "data/indicators/*.jsonl",
    "statements": STATEMENTS, "leaves": "data/log/leaves", "checkpoint": "data/log/checkpoint", "witnessed": "data/log/witnessed",
    "definition": "data/definition.json", "query": "data/verify/*.sql", "report": "data/report.html", "case-jsonld": "data/case.jsonld",
    "ro-crate": CRATE, "guide": "data/VERIFY.md", "allow-list": "data/inputs/allow-lists/*/original", "bag-info": "bag-info.txt",
}
for sort, pattern in FLIPPED.items():
    FAULTS[f"flipped-bit-in-{sort}"] = (lambda bag, pattern=pattern: bag.flip(bag.first(pattern)), ["digest"], "findings", BOTH, Bag)
for sort, pattern in {"evidence": "data/inputs/evidence/*/original", "secret": "data/inputs/evidence/*/record-salts.secret", "feed": "data/inputs/feeds/*/original"}.items():
    FAULTS[f"flipped-bit-in-{sort}"] = (lambda bag, pattern=pattern: bag.flip(bag.first(pattern)), ["digest"], "full", BOTH, Bag)


@fault("digest manifest-form")
def flipped_bit_in_tag_manifest(bag):
    bag.flip("tagmanifest-sha256.txt", at=0.01)


@fault("digest payload-missing payload-extra manifest-form path")
def flipped_bit_in_manifest(bag):
    bag.flip("manifest-sha256.txt")


@fault("digest oxum")
def truncated_file(bag):
    bag.edit("data/report.html", lambda data: data[:-1])


@fault("digest oxum")
def emptied_file(bag):
    bag.write("data/log/leaves", b"")


@fault("payload-extra")
def extra_file(bag):
    bag.write("data/results/other.parquet", b"PAR1")


@fault("payload-missing")
def missing_file(bag):
    bag.path("data/report.html").unlink()


@fault("payload-missing payload-extra")
def renamed_file(bag):
    bag.path("data/report.html").rename(bag.path("data/report2.html"))


@fault("digest")
def swapped_files(bag):
    one, other = "data/verify/first-seen.sql", "data/verify/not-seen.sql"
    first, second = bag.read(one), bag.read(other)
    bag.write(one, second)
    bag.write(other, first)


@fault("payload-extra")
def duplicated_file(bag):
    bag.write("data/results/sightings2.parquet", bag.read("data/results/sightings.parquet"))


@fault("path-collision")
def other_case(bag):
    bag.write("data/verify.MD", bag.read("data/VERIFY.md"))


@fault("manifest-repeated")
def path_listed_twice(bag):
    bag.edit("manifest-sha256.txt", lambda data: data.splitlines(True)[0] + data)
    bag.seal(manifests=False)


@fault("manifest-order")
def manifest_not_sorted(bag):
    bag.edit("manifest-sha256.txt", lambda data: b"".join(reversed(data.splitlines(True))))
    bag.seal(manifests=False)


@fault("path")
def path_that_leads_up(bag):
    bag.edit("manifest-sha256.txt", lambda data: data + b"0" * 64 + b"  data/../../secret\n")
    bag.seal(manifests=False)


@fault("path")
def absolute_path(bag):
    bag.edit("manifest-sha256.txt", lambda data: b"0" * 64 + b"  /etc/passwd\n" + data)
    bag.seal(manifests=False)


@fault("path")
def percent_encoded_path(bag):
    bag.write("data/a%0Ab", b"")


@fault("path")
def name_with_a_line_end(bag):
    bag.write("data/a\nok  all is well", b"")


@fault("path")
def name_that_turns_writing(bag):
    bag.write("data/\u202etxt.exe", b"")


@fault("link")
def link_in_place_of_a_file(bag):
    bag.path("data/report.html").unlink()
    bag.path("data/report.html").symlink_to(bag.source / "data/report.html")


@fault("link")
def link_in_place_of_a_directory(bag):
    shutil.rmtree(bag.path("data/records"))
    bag.path("data/records").symlink_to(bag.source / "data/records")


@fault("special-file")
def pipe(bag):
    os.mkfifo(bag.path("data/pipe"))


@fault("empty-directory")
def empty_directory(bag):
    bag.path("data/nothing").mkdir()


@fault("fetch")
def fetch_txt(bag):
    bag.write("fetch.txt", "https://example.org/x 1 data/x\n")


@fault("second-manifest")
def second_manifest(bag):
    bag.write("manifest-md5.txt", "d41d8cd98f00b204e9800998ecf8427e  data/report.html\n")


@fault("tag-file")
def other_tag_file(bag):
    bag.write("verify.sh", "#!/bin/sh\necho ok\n")


@fault("unsealed")
def no_seal(bag):
    bag.path("tagmanifest-sha256.txt.sig").unlink()


@fault("seal-altered")
def line_end_after_the_seal(bag):
    bag.edit("tagmanifest-sha256.txt.sig", lambda data: data + b"\n")


@fault("seal-altered")
def windows_line_ends_in_the_seal(bag):
    bag.edit("tagmanifest-sha256.txt.sig", lambda data: data.replace(b"\n", b"\r\n"))


@fault("seal-altered")
def text_before_the_seal(bag):
    bag.edit("tagmanifest-sha256.txt.sig", lambda data: b"signed by all\n" + data)


@fault("seal-malformed")
def bytes_after_the_seal(bag):
    def change(data):
        blob = base64.b64decode(b"".join(data.splitlines()[1:-1])) + b"\0"
        text = b64(blob)
        lines = [text[at:at + 70] for at in range(0, len(text), 70)]
        return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]).encode()
    bag.edit("tagmanifest-sha256.txt.sig", change)


@fault("seal-false")
def seal_of_another_bag(bag):
    bag.write("tagmanifest-sha256.txt.sig", (bag.world.place / "full/tagmanifest-sha256.txt.sig").read_bytes())


@fault("seal-false seal-malformed")
def flipped_bit_in_the_seal(bag):
    def change(data):
        lines = data.splitlines(True)
        lines[4] = lines[4][:10] + (b"A" if lines[4][10:11] != b"A" else b"B") + lines[4][11:]
        return b"".join(lines)
    bag.edit("tagmanifest-sha256.txt.sig", change)


# -- by one who can seal

@fault("wrong-namespace")
def seal_for_another_purpose(bag):
    bag.seal(namespace="file")


@fault("unknown-signer")
def unknown_sealer(bag):
    bag.seal("stranger")


@fault("wrong-role")
def sealed_by_the_custodian(bag):
    bag.seal("custodian")


@fault("wrong-role")
def sealed_by_the_submitter(bag):
    bag.seal("submitter")


@fault("seal-key")
def sealed_by_another_algorithm(bag):
    bag.seal("rsa")


@fault("wrong-role", bag="feed")
def feed_without_a_submitter(bag):
    bag.trust = bag.trust.replace("comity-evidence,comity-submitter", "comity-evidence")


@fault("wrong-role")
def line_without_namespaces(bag):
    bag.trust = re.sub(r' namespaces="comity-evidence,comity-releaser"', "", bag.trust)


@fault("expired-key")
def expired_sealer(bag):
    bag.trust = bag.trust.replace('"comity-evidence,comity-releaser"', '"comity-evidence,comity-releaser",valid-before="20260101Z"')


@fault("expired-key")
def sealer_of_tomorrow(bag):
    bag.trust = bag.trust.replace('"comity-evidence,comity-releaser"', '"comity-evidence,comity-releaser",valid-after="20990101Z"')


@fault("oxum")
def false_oxum(bag):
    bag.edit("bag-info.txt", lambda data: re.sub(rb"(Payload-Oxum: )\d+", rb"\g<1>7", data))
    bag.seal(manifests=False)


@fault("bag-info")
def other_label(bag):
    bag.edit("bag-info.txt", lambda data: data + b"Contact-Name: nobody\n")
    bag.seal()


@fault("bag-info")
def label_twice(bag):
    bag.edit("bag-info.txt", lambda data: data + b"Comity-Recipient: somebody\n")
    bag.seal()


@fault("bag-info")
def windows_bag_info(bag):
    bag.edit("bag-info.txt", lambda data: data.replace(b"\n", b"\r\n"))
    bag.seal(manifests=False)


@fault("bag-info")
def byte_order_mark_in_bag_info(bag):
    bag.edit("bag-info.txt", lambda data: b"\xef\xbb\xbf" + data)
    bag.seal(manifests=False)


@fault("bag-info")
def bag_info_without_its_last_line_end(bag):
    bag.edit("bag-info.txt", lambda data: data[:-1])
    bag.seal(manifests=False)


@fault("bagit-txt")
def other_bagit_txt(bag):
    bag.write("bagit.txt", "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n")
    bag.seal()


@fault("manifest-form")
def windows_manifest(bag):
    bag.edit("manifest-sha256.txt", lambda data: data.replace(b"\n", b"\r\n"))
    bag.seal(manifests=False)


@fault("disclosure-content")
def other_table_sealed(bag):
    bag.flip("data/results/sightings.parquet")
    bag.seal()


@fault("disclosure-content")
def extra_file_sealed(bag):
    bag.write("data/results/other.parquet", b"PAR1")
    bag.seal()


@fault("disclosure-content payload-missing")
def missing_file_sealed(bag):
    bag.path(bag.first("data/records/*.jsonl")).unlink()
    bag.seal()


@fault("disclosure-content")
def other_run_in_bag_info(bag):
    bag.edit("bag-info.txt", lambda data: re.sub(rb"(Comity-Run: ).*", rb"\g<1>" + b"0" * 64, data))
    bag.seal()


@fault("other-case")
def other_case_in_bag_info(bag):
    bag.edit("bag-info.txt", lambda data: data.replace(b"External-Identifier: 2026-014", b"External-Identifier: 2026-015"))
    bag.seal()


def lines(bag, change):
    def edit(data):
        out = data.splitlines(True)
        return b"".join(change(out) or out)
    return edit


@fault("statement-order")
def swapped_statements(bag):
    bag.edit(STATEMENTS, lines(bag, lambda all: [all[1], all[0], *all[2:]]))
    bag.seal()


@fault("statement-missing")
def missing_statement(bag):
    bag.edit(STATEMENTS, lines(bag, lambda all: all[1:]))
    bag.seal()


@fault("statement-order")
def statement_twice(bag):
    bag.edit(STATEMENTS, lines(bag, lambda all: [all[0], *all]))
    bag.seal()


@fault("no-disclosure statement-missing")
def no_disclosure(bag):
    bag.edit(STATEMENTS, lines(bag, lambda all: all[:-1]))
    bag.seal()


@fault("envelope")
def repeated_key_in_an_envelope(bag):
    bag.edit(STATEMENTS, lambda data: data.replace(b'{"payloadType"', b'{"payloadType":"text/plain","payloadType"', 1))
    bag.seal()


@fault("envelope")
def other_payload_type(bag):
    bag.edit(STATEMENTS, lambda data: data.replace(b"vnd.in-toto+json", b"vnd.other+json", 1))
    bag.seal()


@fault("envelope")
def one_signer_twice(bag):
    bag.edit(STATEMENTS, lambda data: re.sub(rb'"signatures":\[(\{[^}]*\})\]', rb'"signatures":[\1,\1]', data, count=1))
    bag.seal()


@fault("envelope")
def unpadded_base64(bag):
    bag.edit(STATEMENTS, lambda data: data.replace(b'=="}', b'"}', 1))
    bag.seal()


@fault("envelope")
def other_base64_of_the_same_bytes(bag):
    # the last digit before == has four bits that count for nothing
    bag.edit(STATEMENTS, lambda data: re.sub(rb'([AQgw])=="\}', lambda m: bytes([m[1][0] + 1]) + b'=="}', data, count=1))
    bag.seal()


@fault("envelope")
def windows_statements(bag):
    bag.edit(STATEMENTS, lambda data: data.replace(b"\n", b"\r\n"))
    bag.seal()


@fault("envelope")
def statements_without_their_last_line_end(bag):
    bag.edit(STATEMENTS, lambda data: data[:-1])
    bag.seal()


@fault("envelope")
def empty_line_after_the_statements(bag):
    bag.edit(STATEMENTS, lambda data: data + b"\n")
    bag.seal()


@fault("envelope")
def blank_in_an_envelope(bag):
    bag.edit(STATEMENTS, lambda data: data.replace(b'"payload":"', b'"payload": "', 1))
    bag.seal()


@fault("envelope")
def other_order_in_an_envelope(bag):
    bag.edit(STATEMENTS, lambda data: re.sub(rb'\{("keyid":"[^"]*"),("sig":"[^"]*")\}', rb"{\2,\1}", data, count=1))
    bag.seal()


def changed_payload(bag, change):
    def edit(data):
        first, rest = data.split(b"\n", 1)
        envelope = json.loads(first)
        envelope["payload"] = b64(change(base64.b64decode(envelope["payload"])))
        return json.dumps(envelope, separators=(",", ":")).encode() + b"\n" + rest
    bag.edit(STATEMENTS, edit)
    bag.seal()


@fault("not-logged")
def other_time_unsigned(bag):
    changed_payload(bag, lambda payload: re.sub(rb'"time":"20\d\d', b'"time":"2025', payload))


@fault("not-logged")
def other_signature(bag):
    def change(data):
        return re.sub(rb'"sig":"(.)', lambda m: b'"sig":"' + (b"A" if m[1] != b"A" else b"B"), data, count=1)
    bag.edit(STATEMENTS, change)
    bag.seal()


@fault("not-logged")
def keyid_of_another(bag):
    bag.edit(STATEMENTS, lambda data: data.replace(bag.world.keys["node"].print.encode(), bag.world.keys["custodian"].print.encode(), 1))
    bag.seal()


@fault("log-root")
def removed_leaf(bag):
    bag.edit("data/log/leaves", lines(bag, lambda all: all[1:]))
    bag.seal()


@fault("log-root")
def swapped_leaves(bag):
    bag.edit("data/log/leaves", lines(bag, lambda all: [all[1], all[0], *all[2:]]))
    bag.seal()


@fault("log-form")
def windows_leaves(bag):
    bag.edit("data/log/leaves", lambda data: data.replace(b"\n", b"\r\n"))
    bag.seal()


@fault("log-form")
def leaves_without_their_last_line_end(bag):
    bag.edit("data/log/leaves", lambda data: data[:-1])
    bag.seal()


@fault("log-form")
def empty_line_after_the_leaves(bag):
    bag.edit("data/log/leaves", lambda data: data + b"\n")
    bag.seal()


@fault("log-unknown")
def flipped_bit_in_the_log_signature(bag):
    bag.edit("data/log/checkpoint", lambda data: data[:-20] + (b"A" if data[-20:-19] != b"A" else b"B") + data[-19:])
    bag.seal()


@fault("log-unknown")
def unknown_log(bag):
    bag.trust = re.sub(r"(?m)^comity/\S+", "comity/2026-014/00000000", bag.trust)


@fault("checkpoint-form")
def line_more_in_the_checkpoint(bag):
    bag.edit("data/log/checkpoint", lambda data: data.replace(b"\n\n", b"\nmore\n\n", 1))
    bag.seal()


@fault("witnessed-elsewhere")
def witnessed_other_root(bag):
    bag.edit("data/log/witnessed", lines(bag, lambda all: [*all[:2], b64(b"\0" * 32).encode() + b"\n", *all[3:]]))
    bag.seal()


@fault("unknown-signer")
def unknown_node(bag):
    bag.trust = re.sub(r"(?m)^node.*\n", "", bag.trust)


@fault("wrong-role")
def node_without_its_role(bag):
    bag.trust = bag.trust.replace('"comity-node"', '"comity-auditor"')


@fault("wrong-role unknown-signer")
def custodian_without_the_role(bag):
    bag.trust = bag.trust.replace('"comity-custodian"', '"comity-analyst"')


@fault("expired-key")
def node_of_tomorrow(bag):
    bag.trust = bag.trust.replace('"comity-node"', '"comity-node",valid-after="20990101Z"')


@fault("expired-key")
def node_that_had_ended(bag):
    bag.trust = bag.trust.replace('"comity-node"', '"comity-node",valid-before="20260101Z"')


@fault("expired-unwitnessed")
def node_that_has_ended_since(bag):
    ended = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - 1))
    bag.trust = bag.trust.replace('"comity-node"', f'"comity-node",valid-before="{ended}"')


@fault("checkpoint-older-unproven")
def older_log(bag):
    origin, size, _ = bag.read("data/log/checkpoint").decode().splitlines()[:3]
    bag.remembered = [f"{int(size) + 5} {'0' * 64} {origin}"]


@fault("log-forked")
def forked_log(bag):
    origin, size, _ = bag.read("data/log/checkpoint").decode().splitlines()[:3]
    bag.remembered = [f"{int(size) - 5} {'0' * 64} {origin}"]


@fault("log-forked")
def older_log_that_is_another(bag):
    origin = bag.read("data/log/checkpoint").decode().splitlines()[0]
    leaves = bag.read("data/log/leaves").decode().splitlines()
    bag.remembered_leaves = [leaves[1], leaves[0], *leaves[2:], leaves[0]]
    head = root([leaf.encode() for leaf in bag.remembered_leaves]).hex()
    bag.remembered = [f"{len(bag.remembered_leaves)} {head} {origin}"]


# -- by an insider

@fault("log-forked", who=Insider)
def rewritten_log(bag):
    origin, size, root64 = bag.read("data/log/checkpoint").decode().splitlines()[:3]
    bag.remembered = [f"{size} {base64.b64decode(root64).hex()} {origin}"]
    bag.path("data/log/witnessed").unlink()
    bag.change(bag.statements[0], lambda value: value["predicate"].update(purpose="another"))
    bag.finish()


@fault("witnessed-elsewhere", who=Insider)
def rewritten_log_that_was_witnessed(bag):
    bag.change(bag.statements[0], lambda value: value["predicate"].update(purpose="another"))
    bag.finish()


def unwitnessed(bag):
    bag.path("data/log/witnessed").unlink()


@fault("log-unknown", who=Insider)
def log_signed_by_the_node(bag):
    bag.finish(log_key="node")


@fault("statement-form", who=Insider)
def repeated_key_in_a_statement(bag):
    unwitnessed(bag)
    bag.restate(bag.statements[0], bag.statements[0].payload.replace(b'"purpose"', b'"purpose":"another","purpose"', 1))
    bag.finish()


@fault("statement-form", who=Insider)
def repeated_key_spelled_otherwise(bag):
    unwitnessed(bag)
    bag.restate(bag.statements[0], bag.statements[0].payload.replace(b'"purpose"', b'"p\\u0075rpose":"another","purpose"', 1))
    bag.finish()


@fault("statement-form", who=Insider)
def number_in_a_statement(bag):
    unwitnessed(bag)
    bag.restate(bag.statements[0], re.sub(rb'"records":"(\d+)"', rb'"records":\1', bag.statements[0].payload))
    bag.finish()


@fault("statement-form", who=Insider)
def unknown_field_in_a_statement(bag):
    unwitnessed(bag)
    bag.change(bag.statements[0], lambda value: value["predicate"].update(remark="trust me"))
    bag.finish()


@fault("statement-form", who=Insider)
def content_that_is_not_its_digest(bag):
    unwitnessed(bag)
    bag.change(bag.statements[0], lambda value: value["predicate"]["records"][0].update(content=b64(b"{}")))
    bag.finish()


@fault("statement-form", who=Insider)
def verdict_among_the_statements(bag):
    subject = {"name": "tagmanifest-sha256.txt", "digest": {"sha256": "0" * 64}}
    bag.insert({"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
                "predicate": {"result": "PASSED", "configuration": []}}, ["node"])
    bag.finish()


@fault("other-case", who=Insider)
def statement_of_another_case(bag):
    unwitnessed(bag)
    bag.change(bag.statements[0], lambda value: value["predicate"].update(caseId="2026-015"))
    bag.finish()


@fault("second-root", who=Insider)
def second_root(bag):
    value = bag.find("collection", "evidence/").value
    value["predicate"]["details"]["recordTree"]["root"] = "0" * 64
    bag.insert(value, ["node"])
    bag.finish()


@fault("second-run", who=Insider)
def second_statement_of_the_run(bag):
    bag.insert(next(s for s in bag.statements if "correlate:v1" in s.payload.decode()).value, ["node"])
    bag.finish()


@fault("expired-key", who=Insider)
def time_shifted(bag):
    unwitnessed(bag)
    bag.trust = bag.trust.replace('"comity-node"', '"comity-node",valid-after="20260101Z"')
    bag.change(bag.statements[0], lambda value: value["predicate"].update(time="2025-12-31T23:59:59Z"))
    bag.finish()


@fault("revoked-key", who=Insider)
def revoked_node(bag):
    subject = {"name": "key", "digest": {"sha256": sha256(bag.world.keys["node"].wire)}}
    bag.insert(bag.custody("revocation", subject, {"since": "2020-01-01T00:00:00Z"}), ["node", "custodian"])
    bag.finish()


@fault("revoked-key", who=Insider)
def erasure_by_a_revoked_custodian(bag):
    erased_after_a_revocation(bag, later=5)


@fault("revoked-key", who=Insider)
def erasure_backdated_by_a_revoked_custodian(bag):
    erased_after_a_revocation(bag, later=-5)


def erased_after_a_revocation(bag, later):
    now = int(time.time())
    revoke(bag, {}, now)
    value = bag.custody("erasure", bag.find("collection", "evidence/").value["subject"][0], {"reason": "none", "leaves": []})
    value["predicate"]["time"] = stamp(now + later)
    bag.insert(value, ["node", "custodian"])
    bag.finish()


@fault("expired-unwitnessed", who=Insider)
def stolen_key_whose_erasure_nobody_saw(bag):
    now = int(time.time())
    revoke(bag, {"since": stamp(now)}, now)
    bag.finish()


def revoke(bag, details, at):
    """Another custodian revokes the key of the first."""
    bag.trust += 'b@lka.example namespaces="comity-custodian" ' + bag.world.keys["stranger"].line + "\n"
    value = bag.custody("revocation", {"name": "key", "digest": {"sha256": sha256(bag.world.keys["custodian"].wire)}}, details)
    value["predicate"]["time"] = stamp(at)
    bag.insert(value, ["node", "stranger"])


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@fault("wrong-role", who=Insider)
def erasure_by_the_node_alone(bag):
    item = bag.find("collection", "evidence/").value["subject"][0]
    bag.insert(bag.custody("erasure", item, {"reason": "none", "leaves": []}), ["node"])
    bag.finish()


@fault("wrong-role", who=Insider)
def membership_by_the_node_alone(bag):
    subject = {"name": "key", "digest": {"sha256": sha256(bag.world.keys["stranger"].wire)}}
    bag.insert(bag.custody("membership", subject), ["node"])
    bag.finish()


@fault("wrong-role", who=Insider)
def collection_by_a_custodian(bag):
    value = bag.find("collection", "evidence/").value
    bag.insert(value, ["custodian"])
    bag.finish()


@fault("wrong-role", who=Insider)
def earlier_disclosure_by_the_node_alone(bag):
    value = bag.statements[-1].value
    bag.insert(value, ["node"])
    bag.finish()


@fault("unknown-signer", who=Insider)
def statement_by_a_stranger(bag):
    bag.insert(bag.find("collection", "evidence/").value, ["stranger"])
    bag.finish()


@fault("signature-false", who=Insider)
def false_signature_that_is_logged(bag):
    unwitnessed(bag)
    statement = bag.statements[0]
    statement.line = re.sub(r'"sig":"(.)', lambda m: '"sig":"' + ("A" if m[1] != "A" else "B"), statement.line)
    bag.leaves[statement.at[0]] = leaves_of(statement.line)[0]
    bag.finish()


@fault("statement-missing", who=Insider)
def entry_without_its_statement(bag):
    last = bag.statements[-1]
    at = min(last.at)
    bag.leaves[at:at] = ["sha256:" + "0" * 64 + bag.leaves[0][71:]]
    last.at = [place + 1 for place in last.at]
    bag.finish()


@fault("signature-late", who=Insider)
def signature_put_later(bag):
    bag.path("data/log/witnessed").unlink()
    # of the disclosure, whose entries are the last: its second is logged after that of another statement
    last = bag.statements[-1]
    bag.insert(bag.find("collection", "evidence/").value, ["node"])
    added, (first, second) = bag.statements[-2], last.at
    bag.leaves[added.at[0]], bag.leaves[first] = bag.leaves[first], bag.leaves[added.at[0]]
    last.at, added.at = [added.at[0], second], [first]
    bag.finish()


@fault("not-logged", who=Insider)
def statement_that_is_not_logged(bag):
    bag.insert(bag.find("collection", "evidence/").value, ["node"])
    added = bag.statements[-2]
    del bag.leaves[added.at[0]]
    bag.statements[-1].at = [place - 1 for place in bag.statements[-1].at]
    bag.finish()


@fault("table-swapped", who=Insider)
def other_table(bag):
    bag.write("data/results/first-seen.parquet", bag.read("data/results/cross-border.parquet"))
    bag.finish()


@fault("table-missing", who=Insider)
def missing_table(bag):
    bag.path("data/results/first-seen.parquet").unlink()
    bag.finish()


@fault("table-extra", who=Insider)
def extra_table(bag):
    bag.write("data/results/other.parquet", bag.read("data/results/cross-border.parquet"))
    bag.finish()


@fault("query-changed", who=Insider)
def other_query(bag):
    bag.edit("data/verify/first-seen.sql", lambda data: data + b"-- \n")
    bag.finish()


@fault("payload-extra", who=Insider)
def query_that_nobody_ran(bag):
    bag.write("data/verify/zzz.sql", "select 1\n")
    bag.finish()


@fault("payload-extra", bag="full", who=Insider)
def original_that_no_run_used(bag):
    bag.write(f"data/inputs/evidence/{'0' * 64}/original", "GET /\n")
    bag.finish()


@fault("payload-extra", bag="full", who=Insider)
def allow_list_that_no_run_used(bag):
    bag.write(f"data/inputs/allow-lists/{'0' * 64}/original", "192.0.2.1\n")
    bag.finish()


@fault("payload-extra", bag="full", who=Insider)
def records_in_a_full_bag(bag):
    item = bag.first("data/inputs/evidence/*/original").split("/")[3]
    bag.write(f"data/records/{item}.jsonl", "{}\n")
    bag.finish()


@fault("payload-extra", who=Insider)
def original_in_a_findings_bag(bag):
    item = bag.first("data/records/*.jsonl")[len("data/records/"):-len(".jsonl")]
    bag.write(f"data/inputs/evidence/{item}/original", "GET /\n")
    bag.finish()


@fault("payload-extra", bag="feed", who=Insider)
def secret_of_no_feed(bag):
    bag.write(f"data/inputs/feeds/{'0' * 64}/record-salts.secret", "0" * 64 + "\n")
    bag.finish()


@fault("payload-extra", bag="feed", who=Insider)
def report_in_a_feed_bag(bag):
    bag.write("data/report.html", "<p>All is well.</p>\n")
    bag.finish()


@fault("table-extra", who=Insider)
def table_under_another_ending(bag):
    bag.path("data/results/first-seen.parquet").rename(bag.path("data/results/first-seen"))
    bag.finish()


@fault("definition-changed", who=Insider)
def other_definition(bag):
    bag.edit("data/definition.json", lambda data: data + b"\n")
    bag.finish()


@fault("run-not-stated", who=Insider)
def definition_of_no_run(bag):
    bag.edit("data/definition.json", lambda data: data + b"\n")
    run = sha256(bag.read("data/definition.json")).encode()
    bag.edit("bag-info.txt", lambda data: re.sub(rb"(Comity-Run: ).*", rb"\g<1>" + run, data))
    bag.finish()


@fault("not-stated statement-missing", who=Insider)
def evidence_that_nobody_collected(bag):
    unwitnessed(bag)
    gone = [s for s in bag.statements if s.event == "collection"][0]
    item = gone.value["subject"][0]["digest"]["sha256"]
    for statement in [s for s in bag.statements[:-1] if item in s.payload.decode() and "correlate:v1" not in s.payload.decode()]:
        bag.statements.remove(statement)
        withheld = statement.at
        bag.change(bag.statements[-1], lambda value: value["predicate"]["details"].update(
            withheld=ranges(value["predicate"]["details"]["withheld"], withheld)))
    bag.finish()


def ranges(texts, more):
    indexes = {i for text in texts for i in range(int(text.split("-")[0]), int(text.split("-")[1]) + 1)} | set(more)
    starts = sorted(i for i in indexes if i - 1 not in indexes)
    ends = sorted(i for i in indexes if i + 1 not in indexes)
    return [f"{first}-{last}" for first, last in zip(starts, ends)]


@fault("input-swapped", who=Insider)
def other_allow_list(bag):
    bag.edit(bag.first("data/inputs/allow-lists/*/original"), lambda data: data + b"\n")
    bag.finish()


@fault("input-swapped", bag="full", who=Insider)
def other_evidence(bag):
    bag.edit(bag.first("data/inputs/evidence/*/original"), lambda data: data + b"\n")
    bag.finish()


@fault("input-swapped", bag="feed", who=Insider)
def other_feed(bag):
    bag.edit(bag.first("data/inputs/feeds/*/original"), lambda data: data + b"\n")
    bag.finish()


@fault("root-differs", bag="full", who=Insider, by=COMITY)
def other_secret(bag):
    bag.edit(bag.first("data/inputs/evidence/*/record-salts.secret"), lambda data: (b"0" * 64 if data[:1] != b"0" else b"1" * 64) + b"\n")
    bag.finish()


@fault("document-differs", who=Insider, by=COMITY)
def other_report(bag):
    bag.edit("data/report.html", lambda data: data.replace(b"</body>", b"<p>And he confessed.</p></body>"))
    bag.finish()


@fault("document-differs", who=Insider, by=COMITY)
def other_guide(bag):
    bag.edit("data/VERIFY.md", lambda data: data + b"\nAll of this is right.\n")
    bag.finish()


@fault("document-differs", who=Insider, by=COMITY)
def other_report_by_no_version(bag):
    bag.change(bag.statements[-1], lambda value: value["predicate"].pop("method"))
    bag.edit("data/report.html", lambda data: data.replace(b"</body>", b"<p>And he confessed.</p></body>"))
    bag.finish()


def one_proof(bag, change, pattern="data/records/*.jsonl"):
    def edit(data):
        first, rest = data.split(b"\n", 1)
        return change(first) + b"\n" + rest
    bag.edit(bag.first(pattern), edit)
    bag.finish()


@fault("proof-form", who=Insider)
def proofs_without_their_last_line_end(bag):
    bag.edit(bag.first("data/records/*.jsonl"), lambda data: data[:-1])
    bag.finish()


def digit(text):
    return b"0" if text != b"0" else b"1"


@fault("proof-false", who=Insider)
def other_salt(bag):
    one_proof(bag, lambda line: re.sub(rb'"salt":"(.)', lambda m: b'"salt":"' + digit(m[1]), line))


@fault("proof-false", who=Insider)
def proof_for_another_record(bag):
    one_proof(bag, lambda line: re.sub(rb'"record":"(\d+)"', lambda m: b'"record":"%d"' % (int(m[1]) - 1), line))


@fault("proof-false", who=Insider)
def proof_of_record_0(bag):
    one_proof(bag, lambda line: re.sub(rb'"record":"\d+"', b'"record":"0"', line))


@fault("proof-false", who=Insider)
def other_offset(bag):
    one_proof(bag, lambda line: re.sub(rb'"offset":"(\d+)"', lambda m: b'"offset":"%d"' % (int(m[1]) + 1), line))


@fault("proof-false", who=Insider)
def other_record(bag):
    one_proof(bag, lambda line: re.sub(rb'"bytes":"(.)', lambda m: b'"bytes":"' + (b"A" if m[1] != b"A" else b"B"), line))


@fault("proof-false", who=Insider)
def other_indicator(bag):
    one_proof(bag, lambda line: re.sub(rb'"bytes":"(.)', lambda m: b'"bytes":"' + (b"A" if m[1] != b"A" else b"B"), line), "data/indicators/*.jsonl")


@fault("proof-false", who=Insider)
def shorter_path(bag):
    one_proof(bag, lambda line: re.sub(rb',"[0-9a-f]{64}"\]', b"]", line))


@fault("proof-false", who=Insider)
def longer_path(bag):
    one_proof(bag, lambda line: line.replace(b'"]', b'","' + b"0" * 64 + b'"]'))


@fault("proof-form", who=Insider)
def byte_moved_from_the_salt(bag):
    one_proof(bag, lambda line: re.sub(rb'"salt":"..', b'"salt":"', line))


@fault("proof-form", who=Insider)
def other_length(bag):
    one_proof(bag, lambda line: re.sub(rb'"length":"(\d+)"', lambda m: b'"length":"%d"' % (int(m[1]) + 1), line))


@fault("proof-form", who=Insider)
def repeated_key_in_a_proof(bag):
    one_proof(bag, lambda line: line.replace(b'{"record"', b'{"record":"1","record"', 1))


@fault("proof-form", who=Insider)
def proof_twice(bag):
    one_proof(bag, lambda line: line + b"\n" + line)


@fault("payload-extra", who=Insider)
def records_of_other_evidence(bag):
    bag.write(f"data/records/{'0' * 64}.jsonl", bag.read(bag.first("data/records/*.jsonl")))
    bag.finish()


# ------------------------------------------------------------------ asking both

class Judge:
    def __init__(self, comity, script, world):
        self.comity, self.script, self.world = comity, script, world

    def judge(self, name):
        tamper, kinds, source, by, who = FAULTS[name]
        with tempfile.TemporaryDirectory(prefix="tamper-") as place:
            place = pathlib.Path(place)
            bag = who(self.world, source, place)
            tamper(bag)
            (place / "trust").write_text(bag.trust)
            origin = (bag.source / "data/log/checkpoint").read_text().splitlines()[0]
            for memory in ("memory-comity", "memory-script"):
                (place / memory).mkdir()
                if bag.remembered:
                    (place / memory / (sha256(origin.encode()) + ".txt")).write_text("\n".join(bag.remembered) + "\n")
                if bag.remembered_leaves:
                    (place / memory / (sha256(origin.encode()) + ".leaves")).write_text("\n".join(bag.remembered_leaves) + "\n")
            wrong = self.by_comity(place, bag, kinds) if "comity" in by else []
            return wrong + (self.by_script(place, bag, kinds) if "verify.sh" in by else [])

    def by_comity(self, place, bag, kinds):
        command = [self.comity, "-q", "--json", "verify", bag.dir, "--trust", place / "trust", "--memory", place / "memory-comity", "--level", "2"]
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            found = (json.loads(done.stdout)["fault"] or {}).get("kind")
        except ValueError:
            found = done.stdout[-300:] + done.stderr[-300:]
        return [] if done.returncode == 4 and found in kinds else [f"comity: status {done.returncode}, {found}"]

    def by_script(self, place, bag, kinds):
        command = ["bash", self.script, "--no-bagit", "--memory", place / "memory-script", bag.dir, place / "trust"]
        done = subprocess.run(command, capture_output=True, text=True)
        found = re.findall(r"(?m)^NOT OK  (\S+)", done.stdout)
        good = done.returncode == 4 and set(found) & set(kinds) and not done.stderr
        return [] if good else [f"verify.sh: status {done.returncode}, {found}, {done.stderr[-300:]}"]


def main(comity, script, place, *names):
    judge = Judge(comity, script, World(pathlib.Path(place)))
    names = names or FAULTS
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for name, wrong in zip(names, pool.map(judge.judge, names)):
            if wrong:
                missed += 1
                print(f"MISSED  {name} ({' or '.join(FAULTS[name][1])}): {'; '.join(wrong)}", flush=True)
    print(f"{len(names) - missed} of {len(names)} tampered bags are refused for the right reason, "
          f"{sum('comity' in FAULTS[name][3] for name in names)} by comity, {sum('verify.sh' in FAULTS[name][3] for name in names)} by verify.sh")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
