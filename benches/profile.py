#!/usr/bin/env python3
"""Where the time of ingest, feed add, correlate and a hunt goes: shares of CPU time by stage, and within each by function.

    python3 benches/compare.py && python3 benches/profile.py [--work DIR] [--keep FILE.md]

Needs what compare.py leaves (its workload and cases) and Linux' perf. A sample counts for the first stage below that has a
function on its stack; stages are named by parts of function names, so what the compiler inlined counts for its caller.
"""
import argparse, collections, datetime, os, pathlib, shutil, subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMITY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release/comity"
p = argparse.ArgumentParser()
p.add_argument("--rows", type=int, default=3_000_000)
p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/var/tmp/comity-bench"))
p.add_argument("--keep", type=pathlib.Path)
a = p.parse_args()
load = a.work / f"rows-{a.rows}"
READ = ["parquet::", "zstd"]
STAGES = {
    "ingest": ["record_tree", "source::", "splitter", "Splitter", "postings", "Group::encode", "observables::", "index::", "pages::", "evidence::",
               "columns::", "zeek_json", "zeek_tsv", "json::", "log::", "chunk::", "ingest::", "custody"],
    "feed add": ["csv::", "feed::value", "feed::in_order", "Claims::finish", "rows::lines", "pages::", "tables::", "record_tree", "feeds::tree",
                 "logical", "store::feed", "source::", "custody"],
    "correlate": ["ClaimIndex", "claims::", "Index::scan", "merge::", "Index::fetch", "Events::fetch", "sightings::", "store::feed",
                  "rows::lines", "logical", "pages::", "tables::write", "summary::", "custody", *READ],
}
STAGES["hunt"], STAGES["ingest, Zeek TSV"] = STAGES["correlate"], STAGES["ingest"]
lines = []


def say(line=""):
    print(line, flush=True)
    lines.append(line)


def profile(stage, *command):
    data = a.work / "perf.data"
    subprocess.run(["perf", "record", "-q", "-N", "-o", data, "-F", "997", "--call-graph", "dwarf,16384", "--", COMITY, "-q", *command],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out = subprocess.run(["perf", "script", "--no-inline", "-i", data, "-F", "ip,sym"], text=True, capture_output=True).stdout
    data.unlink()
    whole, leaves, samples = collections.Counter(), collections.defaultdict(collections.Counter), 0
    for block in out.split("\n\n"):
        stack = [line.strip().split(" ", 1)[-1] for line in block.splitlines() if line.strip()]
        if stack:
            samples += 1
            of = next((name for name in STAGES[stage] if any(name in frame for frame in stack)), "other")
            whole[of] += 1
            leaves[of][stack[0]] += 1
    say(f"\n## {stage}\n\n{samples:,} samples.\n\n| share | stage | most of it in |\n|--:|---|---|")
    for of, count in whole.most_common(14):
        most = ", ".join(f"`{name[:60]}` {n / samples:.1%}" for name, n in leaves[of].most_common(3))
        say(f"| {count / samples:.1%} | `{of}` | {most} |")


def fresh(name, of=None):
    case = a.work / name
    shutil.rmtree(case, ignore_errors=True)
    if of:
        shutil.copytree(a.work / of, case)
        for run in (case / "runs").iterdir():
            shutil.rmtree(run)
    else:
        subprocess.run([COMITY, "-q", "init", "--case", case, "--id", "profile", "--jurisdiction", "NL", "--purpose", "benchmark"],
                       check=True, stdout=subprocess.DEVNULL)
    return case


version = subprocess.run([COMITY, "--version"], capture_output=True, text=True).stdout.strip()
say(f"`benches/profile.py --rows {a.rows}`, {datetime.date.today()}, {os.cpu_count()} cores, {version}")
profile("ingest", "ingest", "--case", fresh("profile"), "--jurisdiction", "NL", "--format", "zeek-json", "--threads", "1", *sorted((load / "logs/NL").iterdir()))
tsv = a.work / f"rows-{a.rows}-tsv/logs/NL"
profile("ingest, Zeek TSV", "ingest", "--case", fresh("profile"), "--jurisdiction", "NL", "--format", "zeek-tsv", "--threads", "1", *sorted(tsv.iterdir()))
profile("feed add", "feed", "add", "--case", fresh("profile"), "--provider", "p", load / "feeds/bulk.csv")
profile("correlate", "correlate", "--case", fresh("profile", "case"), "sightings")
profile("hunt", "correlate", "--case", fresh("profile", "case-small"), "sightings")
shutil.rmtree(a.work / "profile")
if a.keep:
    a.keep.write_text("\n".join(lines) + "\n")
