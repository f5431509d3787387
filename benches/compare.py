#!/usr/bin/env python3
"""Runs comity, DuckDB and Polars in turn on the same files; checks that the sighting counts are equal; prints the ratios.

    python3 benches/compare.py [--rows 3000000] [--work DIR] [--keep FILE.md]

Needs ../shared/bench (workload.py, peers.py), python3 with duckdb>=2 and polars, and a release build (made here).
Only ratios of one run count: machines are shared. Ingest includes hashing, rejects and the index; correlate is the
whole process, start-up, every sighting written with its columns, digests and run record included.
"""
import argparse, datetime, json, os, platform, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
p = argparse.ArgumentParser()
p.add_argument("--rows", type=int, default=3_000_000)
p.add_argument("--work", default="/var/tmp/comity-bench")
p.add_argument("--shared", default=os.path.join(ROOT, "..", "shared"))
p.add_argument("--keep")
a = p.parse_args()
bench = os.path.abspath(os.path.join(a.shared, "bench"))
target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
comity = os.path.join(os.path.abspath(target), "release", "comity")
load = os.path.join(a.work, f"rows-{a.rows}")


def call(*command, **more):
    return subprocess.run(command, check=True, text=True, capture_output=True, **more).stdout


def timed(*command):
    """Seconds, peak MiB and standard output of a command."""
    began = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {child.returncode}")
    return time.time() - began, usage.ru_maxrss / 1024, out


subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
if not os.path.isdir(load):
    call(sys.executable, os.path.join(bench, "workload.py"), load, "--rows", str(a.rows))

peers = {}
for line in call(sys.executable, os.path.join(bench, "peers.py"), load).splitlines():
    row = json.loads(line)
    peers[(row["peer"].split()[0], row["task"])] = row

ours, size = {}, lambda d, end: sum(
    os.path.getsize(os.path.join(r, f)) for r, _, fs in os.walk(d) for f in fs if f.endswith(end)) / 1e6
case, small = os.path.join(a.work, "case"), os.path.join(a.work, "case-small")
for d in (case, small):
    shutil.rmtree(d, ignore_errors=True)
call(comity, "init", "--case", case, "--id", "bench", "--jurisdiction", "NL", "--purpose", "benchmark")
seconds = peak = 0
for jurisdiction in ("DE", "JP", "NL"):
    logs = [os.path.join(load, "logs", jurisdiction, f"{k}.log") for k in ("conn", "dns", "http")]
    s, m, _ = timed(comity, "ingest", "--case", case, "--jurisdiction", jurisdiction, "--format", "zeek-json", "-q", *logs)
    seconds, peak = seconds + s, max(peak, m)
ours["ingest"] = {"seconds": seconds, "peak": peak, "mb": size(os.path.join(case, "evidence"), ".parquet")}
shutil.copytree(case, small)
for task, where, feed in (("correlate", case, "bulk"), ("hunt", small, "small")):
    file = os.path.join(load, "feeds", f"{feed}.csv")
    s, m, _ = timed(comity, "feed", "add", "--case", where, "--provider", feed, "-q", file)
    ours[f"feed add ({task})"] = {"seconds": s, "peak": m}
    s, m, out = timed(comity, "correlate", "--case", where, "sightings", "--json", "-q")
    ours[task] = {"seconds": s, "peak": m, "sightings": json.loads(out)["sightings"]}

lines = [f"`benches/compare.py --rows {a.rows}`, {datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, "
         f"{peers[('duckdb', 'ingest')]['peer']}, {peers[('polars', 'ingest')]['peer']}, "
         f"{call(comity, '--version').strip()}", "",
         "| task | comity s | DuckDB s | Polars s | ratio to the faster peer | comity peak MiB | sightings comity / DuckDB |",
         "|---|--:|--:|--:|--:|--:|---|"]
wrong = []
for task in ("ingest", "correlate", "hunt"):
    duck, polars = peers[("duckdb", task)], peers.get(("polars", task))
    best = min(x["seconds"] for x in (duck, polars) if x)
    seen = ""
    if "sightings" in duck:
        seen = f"{ours[task]['sightings']} / {duck['sightings']['all']}"
        if ours[task]["sightings"] != duck["sightings"]["all"]:
            wrong.append(task)
    lines.append(f"| {task} | {ours[task]['seconds']:.2f} | {duck['seconds']:.2f} | {polars['seconds'] if polars else '–'} | "
                 f"{ours[task]['seconds'] / best:.2f} | {ours[task]['peak']:.0f} | {seen} |")
both = ours["feed add (correlate)"]["seconds"] + ours["correlate"]["seconds"]
lines += ["", f"feed add of the large feed: {ours['feed add (correlate)']['seconds']:.2f} s; with correlate {both / peers[('duckdb', 'correlate')]['seconds']:.2f} × DuckDB's correlate.",
          f"Events and index: {ours['ingest']['mb']:.0f} MB; DuckDB's Parquet: {peers[('duckdb', 'ingest')]['parquet_mb']:.0f} MB; raw: {peers[('duckdb', 'ingest')]['raw_mb']:.0f} MB."]
text = "\n".join(lines) + "\n"
print(text)
if a.keep:
    os.makedirs(os.path.dirname(os.path.abspath(a.keep)), exist_ok=True)
    open(a.keep, "w").write(text)
if wrong:
    sys.exit(f"sighting counts differ: {', '.join(wrong)}")
