#!/usr/bin/env python3
"""second_engine.py CASE_DIR [RUN]: the last run of a case (or the one that begins so), recomputed by DuckDB.

Needs PyPI `duckdb` 2. Exit status 0: every table is equal; otherwise that of the second engine. With --document, prints what it would be given.

Allow-lists are read here in the plain cases only (lower case, one spelling of addresses), since comity hands over
their canonical entries and no command prints them.
"""

import ipaddress
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = ROOT / "crates/jobs/src/second_engine/second_engine.py"
SQL = ROOT / "crates/correlate/src/sql"
MISP_KINDS = {
    "domain": ["domain-name"], "hostname": ["domain-name"], "url": ["url"], "uri": ["url"], "email-src": ["email-addr"],
    **dict.fromkeys(["ip", "ip-src", "ip-dst"], ["ipv4-addr", "ipv6-addr"]),
    "md5": ["file-md5"], "sha1": ["file-sha1"], "sha256": ["file-sha256"], "user-agent": ["user-agent"], "filename": ["file-name"],
}


def record(path):
    return json.loads(path.read_text())


def intakes(item):
    return len(list(item.glob("intake*.json")))


def chosen(case, prefix):
    runs = [run for run in (case / "runs").iterdir() if run.name.startswith(prefix)]
    return max(runs, key=lambda run: record(run / "details.json")["finished_at"])


def canonical(matching, entry):
    if matching == "cidr":
        return str(ipaddress.ip_network(entry, strict=False))
    if matching == "regex":
        inner = re.fullmatch(r"/(.*)/([a-z]*)", entry)
        return entry if not inner else ("(?i)" if "i" in inner[2] else "") + inner[1]
    return entry.lower().removeprefix("*.").removeprefix(".") if matching == "hostname" else entry.lower()


def allow_list(item, name):
    text = next((item / "original").iterdir()).read_text()
    if text.lstrip().startswith("{"):
        given = json.loads(text)
        matching, entries = given.get("type", "string"), given["list"]
        parts = [part for kind in given.get("matching_attributes", []) for part in kind.split("|")]
        kinds = sorted({kind for part in parts for kind in MISP_KINDS.get(part, [])}) if parts else None
    else:
        entries = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        is_network = [re.match(r"[0-9a-fA-F:.]+(/\d+)?$", entry) is not None for entry in entries]
        matching, kinds = ("cidr" if sum(is_network) * 2 > len(entries) else "hostname"), None
        entries = [entry for entry, network in zip(entries, is_network) if network or matching == "hostname"]
    entries = sorted({canonical(matching, entry.strip()) for entry in entries})
    return {"name": name, "matching": matching, "kinds": kinds, "entries": entries}


def document(case, run):
    definition, details = record(run / "definition.json"), record(run / "details.json")
    evidence, feeds = [], []
    for item in definition["evidence"]:
        place = case / "evidence" / item["id"]
        normalised = record(place / "normalise.json")
        evidence.append({
            **{name: item[name] for name in ("id", "jurisdiction", "tlp", "clock_uncertainty_us", "authority", "legal_basis")},
            "format": normalised["format"], "bytes": normalised["bytes"], "headers": normalised["counts"]["headers"],
            "intakes": intakes(place), "events": str(place / "events-0.parquet"),
            "observables": str(place / "observables.parquet"), "rejects": str(place / "rejects.parquet")})
    for item in definition["feeds"]:
        place = case / "feeds" / item["id"]
        feeds.append({
            **{name: item[name] for name in ("id", "provider", "tlp")}, "format": record(place / "feed.json")["format"],
            "intakes": intakes(place), "indicators": str(place / "indicators.parquet"), "rejects": str(place / "rejects.parquet")})
    declared = {correlation["name"]: correlation for correlation in details["job"].get("correlation") or []}
    outputs = {output["name"]: output for output in details["outputs"]}
    correlations = []
    for correlation in definition["correlations"]:
        own = declared.get(correlation["name"], {}).get("sql")
        path = pathlib.Path(details["base_dir"]) / own if own else SQL / f"{correlation['name']}.sql"
        if correlation["name"] in outputs:
            correlations.append({"name": correlation["name"], "sql": path.read_text(), "parameters": correlation["parameters"]})
    return {
        "schema": "comity-second-engine/v1", "memory_limit": "2GB", "threads": 2, "scratch": None,
        "evidence": evidence, "feeds": feeds,
        "allow_lists": [allow_list(case / "allow-lists" / item["id"], item["name"]) for item in definition["allow_lists"]],
        "tables": {name: {"path": str(run / output["path"]), "logical_sha256": output["logical_sha256"]} for name, output in outputs.items()},
        "correlations": correlations,
    }


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--document"]
    case = pathlib.Path(arguments[0])
    given = json.dumps(document(case, chosen(case, arguments[1] if arguments[1:] else "")))
    if "--document" in sys.argv:
        print(given)
        return 0
    return subprocess.run([sys.executable, "-c", ENGINE.read_text()], input=given, text=True).returncode


if __name__ == "__main__":
    sys.exit(main())
