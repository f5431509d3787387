#!/usr/bin/env python3
"""What comity costs as cases grow: time and peak memory against records, indicators and evidence items.

    cargo build --release && python3 benches/growth.py [--records 300000,3000000,30000000] [--indicators 1000,100000,10000000]
                                                       [--items 10,1000,10000] [--one-file 10000000000] [--work DIR] [--keep FILE.md]

Needs ../shared/bench/workload.py and python3 with duckdb>=2. Each row is one run of the program, start-up included, best of two where it
changes nothing; only rows of one run of this script can be compared. A hunt is `correlate` of 1,000 indicators, 20 of which occur.
"""
import argparse, datetime, itertools, os, pathlib, shutil, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMITY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release/comity"
numbers = lambda text: [int(n) for n in text.split(",") if n]
p = argparse.ArgumentParser()
p.add_argument("--records", type=numbers, default=[300_000, 3_000_000, 30_000_000])
p.add_argument("--indicators", type=numbers, default=[1_000, 100_000, 10_000_000])
p.add_argument("--items", type=numbers, default=[10, 1_000, 10_000])
p.add_argument("--one-file", type=int, default=10_000_000_000, help="bytes of the one large file, made of the largest workload's; 0: none")
p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/var/tmp/comity-growth"))
p.add_argument("--keep", type=pathlib.Path)
a = p.parse_args()
lines = []


def say(line=""):
    print(line, flush=True)
    lines.append(line)


def comity(*command):
    """Seconds and peak MiB of a run of the program; 3 says that rows were rejected."""
    began = time.monotonic()
    pid = os.posix_spawn(COMITY, [str(c) for c in (COMITY, "-q", *command)], os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, used = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, used.ru_maxrss / 1024


def row(*cells):
    say("| " + " | ".join(cells) + " |")


def cost(seconds, peak):
    return f"{seconds:.2f} s, {peak:.0f} MiB"


def new_case(name):
    case = a.work / name
    shutil.rmtree(case, ignore_errors=True)
    comity("init", "--case", case, "--id", name, "--jurisdiction", "NL", "--purpose", "a benchmark")
    return case


def workload(rows):
    place = a.work / f"rows-{rows}"
    if not place.exists():
        subprocess.run([sys.executable, ROOT.parent / "shared/bench/workload.py", place, "--rows", str(rows)], check=True, stdout=subprocess.DEVNULL)
    return place


def ingest(case, files):
    return comity("ingest", "--case", case, "--jurisdiction", "NL", "--format", "zeek-json", *files)


def feed_and_correlate(case, feed):
    """Costs of adding a feed to a copy of a case, and of correlating it there."""
    copy = a.work / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-r", "--reflink=auto", case, copy], check=True)
    added = comity("feed", "add", "--case", copy, "--provider", "p", feed)
    return added, comity("correlate", "--case", copy, "sightings")


a.work.mkdir(parents=True, exist_ok=True)
say(f"`benches/growth.py`, {datetime.date.today()}, {os.cpu_count()} cores, {subprocess.run([COMITY, '--version'], capture_output=True, text=True).stdout.strip()}")
hunt = workload(3_000_000) / "feeds/small.csv"
middle = large = None
say("\n| records | log MB | ingest | a record | index and events MB | hunt |\n|--:|--:|--:|--:|--:|--:|")
for rows in a.records:
    files = sorted((workload(rows) / "logs").rglob("*.log"))
    case = new_case(f"records-{rows}")
    seconds, peak = ingest(case, files)
    stored = sum(f.stat().st_size for f in (case / "evidence").rglob("*.parquet")) / 1e6
    hunts = min(feed_and_correlate(case, hunt)[1] for _ in range(2))
    row(f"{rows:,}", f"{sum(f.stat().st_size for f in files) / 1e6:,.0f}", cost(seconds, peak), f"{seconds / rows * 1e6:.2f} µs", f"{stored:,.0f}", cost(*hunts))
    middle = case if rows == 3_000_000 else middle
    if a.one_file and rows == max(a.records):
        # conn, dns and http records of three countries, one behind the other and again from the first
        whole, logs = a.work / "whole.log", itertools.cycle(files)
        with open(whole, "wb") as out:
            while out.tell() < a.one_file:
                with open(next(logs), "rb") as log:
                    shutil.copyfileobj(log, out, 1 << 20)
        one = new_case("one-file")
        found = cost(*ingest(one, [whole]))
        large = f"One file of {whole.stat().st_size / 1e9:.1f} GB: ingest {found}."
        whole.unlink()
        shutil.rmtree(one)
    if rows > 3_000_000:
        shutil.rmtree(workload(rows))
        shutil.rmtree(case)
if large:
    say(f"\n{large}")
if middle:
    say("\n| indicators (3,000,000 records) | feed MB | feed add | correlate |\n|--:|--:|--:|--:|")
    for count in a.indicators:
        feed = a.work / f"indicators-{count}.csv"
        with open(feed, "w") as out:
            out.write("type,value\n")
            for i in range(count):
                x = i * 2_654_435_761 % 2**32
                address = ".".join(str(x >> s & 255) for s in (24, 16, 8, 0))
                out.write(f"domain-name,n{x:08x}.example{i % 97}.com\n" if i % 2 else f"ipv4-addr,{address}\n")
        added, correlated = feed_and_correlate(middle, feed)
        row(f"{count:,}", f"{feed.stat().st_size / 1e6:,.0f}", cost(*added), cost(*correlated))
        feed.unlink()
say("\n| evidence items of 90 records | ingest | an item | hunt |\n|--:|--:|--:|--:|")
source = workload(3_000_000) / "logs/DE/conn.log"
for count in a.items:
    place = a.work / f"items-{count}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    with open(source) as log:
        for i in range(count):
            (place / f"{i:05}.log").write_text("".join(next(log) for _ in range(90)))
    case = new_case(f"case-items-{count}")
    seconds, peak = ingest(case, sorted(place.iterdir()))
    row(f"{count:,}", cost(seconds, peak), f"{seconds / count * 1e3:.1f} ms", cost(*min(feed_and_correlate(case, hunt)[1] for _ in range(2))))
    shutil.rmtree(place)
    shutil.rmtree(case)
if a.keep:
    a.keep.write_text("\n".join(lines) + "\n")
