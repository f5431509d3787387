#!/usr/bin/env python3
"""Runs comity, DuckDB and Polars in turn on the same files; checks that the sighting counts are equal; prints the ratios
beside their bars (../shared/bench/BENCH.md).

    python3 benches/compare.py [--rows 3000000] [--rounds 3] [--work DIR] [--keep FILE.md]

Needs ../shared/bench (workload.py, peers.py), python3 with duckdb>=2 and polars, and a release build (made here).
Only ratios of one run count: machines are shared. All is done in rounds; the least of each task counts, and each round's
ratio stands beside. Ingest includes hashing, the record tree, rejects, the index and putting it all on the disk, which the
peers do not do; what else awaits writing (the workload, a copied case, a peer's output) is put there before, so that
comity's fsync does not pay for it. Correlate is the whole process: start-up, every sighting written with its columns,
digests, run record, log. The Zeek TSV logs are the JSON ones written anew.
"""
import argparse, datetime, glob, json, multiprocessing, os, platform, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
p = argparse.ArgumentParser()
p.add_argument("--rows", type=int, default=3_000_000)
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--work", default="/var/tmp/comity-bench")
p.add_argument("--shared", default=os.path.join(ROOT, "..", "shared"))
p.add_argument("--keep")
a = p.parse_args()
bench = os.path.abspath(os.path.join(a.shared, "bench"))
target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
comity = os.path.join(os.path.abspath(target), "release", "comity")
load = os.path.join(a.work, f"rows-{a.rows}")
tsv = os.path.join(a.work, f"rows-{a.rows}-tsv")
TYPES = {"ts": "time", "id.orig_h": "addr", "id.resp_h": "addr", "id.orig_p": "port", "id.resp_p": "port", "duration": "interval",
         "orig_bytes": "count", "resp_bytes": "count", "status_code": "count", "answers": "vector[string]", "proto": "enum"}
HEADER_LINES = 7


def call(*command, **more):
    return subprocess.run(command, check=True, text=True, capture_output=True, **more).stdout


def timed(*command):
    """Seconds, peak MiB and standard output of a command; nothing awaits writing when it begins."""
    os.sync()
    began = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {child.returncode}")
    return time.time() - began, usage.ru_maxrss / 1024, out


def write_tsv():
    """The JSON logs as Zeek's TSV, with its header."""
    import duckdb
    for log in sorted(glob.glob(f"{load}/logs/*/*.log")):
        out = log.replace(load, tsv)
        os.makedirs(os.path.dirname(out), exist_ok=True)
        with open(log) as lines:
            fields = list(json.loads(next(lines)))
        head = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{os.path.basename(out)[:-4]}",
                "#fields\t" + "\t".join(fields), "#types\t" + "\t".join(TYPES.get(f, "string") for f in fields)]
        assert len(head) == HEADER_LINES
        column = lambda f: "format('{:.6f}', ts)" if f == "ts" else f'array_to_string("{f}", \',\')' if f == "answers" else f'"{f}"'
        duckdb.execute(f"copy (select {', '.join(map(column, fields))} from read_json('{log}', format='newline_delimited')) "
                       f"to '{out}.body' (format csv, delimiter '\t', header false, nullstr '-', quote '')")
        with open(out, "w") as whole, open(f"{out}.body") as body:
            whole.write("\n".join(head) + "\n")
            shutil.copyfileobj(body, whole, 1 << 20)
        os.remove(f"{out}.body")


TSV_PEERS = """
import duckdb, glob, json, os, sys, time
import polars as pl
place, out = sys.argv[1], sys.argv[2]
logs = sorted(glob.glob(f"{place}/logs/*/*.log"))
def names(log):
    with open(log) as lines:
        return next(l for l in lines if l.startswith("#fields")).rstrip("\\n").split("\\t")[1:]
db = duckdb.connect(); db.execute("set threads=2; set enable_progress_bar=false")
began = time.time()
for log in logs:
    db.execute(f"copy (select * from read_csv('{log}', delim='\\t', header=false, skip=%d, nullstr='-', quote='', names={names(log)})) to '{out}' (format parquet, compression zstd)")
print(json.dumps(["duckdb", time.time() - began]))
began = time.time()
for log in logs:
    pl.scan_csv(log, separator="\\t", has_header=False, skip_rows=%d, null_values="-", quote_char=None, new_columns=names(log), infer_schema_length=1000).sink_parquet(out)
print(json.dumps(["polars", time.time() - began]))
os.remove(out)
""" % (HEADER_LINES, HEADER_LINES)


def ingest(logs, format, case, *more):
    """Seconds and peak MiB of taking all logs in; the case is made anew."""
    shutil.rmtree(case, ignore_errors=True)
    call(comity, "init", "--case", case, "--id", "bench", "--jurisdiction", "NL", "--purpose", "benchmark")
    seconds = peak = 0
    for jurisdiction in ("DE", "JP", "NL"):
        files = [os.path.join(logs, "logs", jurisdiction, f"{k}.log") for k in ("conn", "dns", "http")]
        s, m, _ = timed(comity, "ingest", "--case", case, "--jurisdiction", jurisdiction, "--format", format, "-q", *more, *files)
        seconds, peak = seconds + s, max(peak, m)
    return seconds, peak


def two_at_once():
    """How much more two processes of one thread each do at once than one alone does in the time, in work that shares nothing but the
    machine: what can be asked of two threads."""
    files = [os.path.join(load, "logs", "DE", f"{k}.log") for k in ("conn", "dns", "http")]

    def together(cases):
        for each in cases:
            shutil.rmtree(each, ignore_errors=True)
            call(comity, "init", "--case", each, "--id", "bench", "--jurisdiction", "DE", "--purpose", "benchmark")
        os.sync()
        began = time.monotonic()
        running = [subprocess.Popen([comity, "ingest", "--case", each, "--jurisdiction", "DE", "--format", "zeek-json", "-q", "--threads", "1",
                                     *files], stdout=subprocess.DEVNULL) for each in cases]
        if any(one.wait() for one in running):
            sys.exit("ingest failed")
        return time.monotonic() - began

    found = 2 * together([other]) / together([other, small])
    shutil.rmtree(other)
    shutil.rmtree(small)
    return found


def parquet_mb(place):
    return sum(os.path.getsize(f) for f in glob.glob(f"{place}/**/*.parquet", recursive=True)) / 1e6


subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
if not os.path.isdir(load):
    call(sys.executable, os.path.join(bench, "workload.py"), load, "--rows", str(a.rows))
if not os.path.isdir(tsv):
    # in a process of its own: what this one takes at its peak would be counted as the peak of those that it starts
    writer = multiprocessing.Process(target=write_tsv)
    writer.start()
    writer.join()
    if writer.exitcode != 0:
        sys.exit("the Zeek TSV logs could not be written")

case, small, other = (os.path.join(a.work, name) for name in ("case", "case-small", "case-other"))


def of_peers():
    """What each peer takes for each task: rows of peers.py by peer and task."""
    found = {}
    os.sync()
    for line in call(sys.executable, os.path.join(bench, "peers.py"), load).splitlines():
        one = json.loads(line)
        found[(one["peer"].split()[0], one["task"])] = one
    for line in call(sys.executable, "-c", TSV_PEERS, tsv, os.path.join(a.work, "peer.parquet")).splitlines():
        peer, seconds = json.loads(line)
        found[(peer, "ingest tsv")] = {"seconds": seconds}
    return found


def of_comity():
    """What comity takes for each task."""
    found = {}
    for task, logs, format, where, more in (("ingest, Zeek TSV", tsv, "zeek-tsv", other, []), ("ingest, Zeek JSON", load, "zeek-json", case, []),
                                            ("on one thread", load, "zeek-json", other, ["--threads", "1"])):
        seconds, peak = ingest(logs, format, where, *more)
        found[task] = {"seconds": seconds, "peak": peak}
    found["two at once"] = two_at_once()
    shutil.copytree(case, small)
    for task, where, feed in (("correlate", case, "bulk"), ("hunt", small, "small")):
        file = os.path.join(load, "feeds", f"{feed}.csv")
        added, _, _ = timed(comity, "feed", "add", "--case", where, "--provider", feed, "-q", file)
        s, m, out = timed(comity, "correlate", "--case", where, "sightings", "--json", "-q")
        found[task] = {"seconds": s, "peak": m, "sightings": json.loads(out)["sightings"]}
        if task == "correlate":
            found["feed add, correlate"] = {**found[task], "seconds": s + added}
    return found


of_theirs, of_ours = zip(*((of_peers(), of_comity()) for _ in range(a.rounds)))
peers, wrong, rows = of_theirs[0], set(), []


def seconds(found, task):
    """Of each round; none where a peer does not do the task."""
    return [one[task]["seconds"] for one in found if task in one]


def row(task, name, bar):
    ours, duck, polars = seconds(of_ours, task), seconds(of_theirs, ("duckdb", name)), seconds(of_theirs, ("polars", name))
    faster = [min(pair) for pair in zip(duck, polars or duck)]
    each = " ".join(f"{one / peer:.2f}" for one, peer in zip(ours, faster))
    seen = ""
    for theirs, own in zip(of_theirs, of_ours):
        if "sightings" in own[task]:
            seen = f"{own[task]['sightings']} / {theirs[('duckdb', name)]['sightings']['all']}"
            if own[task]["sightings"] != theirs[("duckdb", name)]["sightings"]["all"]:
                wrong.add(task)
    least = " | ".join(f"{min(x):.2f}" if x else "–" for x in (ours, duck, polars))
    peak = max(own[task]["peak"] for own in of_ours)
    rows.append(f"| {task} | {least} | {min(ours) / min(faster):.2f} | {each} | {bar} | {peak:.0f} | {seen} |")


def note(what, found, bar):
    notes.append(f"| {what} | {found} | {bar} |")


row("ingest, Zeek JSON", "ingest", "≤ 1.0")
row("ingest, Zeek TSV", "ingest tsv", "≤ 1.0")
row("correlate", "correlate", "≤ 0.2")
row("feed add, correlate", "correlate", "≤ 0.5")
row("hunt", "hunt", "≤ 0.02" if a.rows >= 30_000_000 else "≤ 0.1")
notes = []
mb, theirs = parquet_mb(os.path.join(case, "evidence")), peers[("duckdb", "ingest")]["parquet_mb"]
note("events and index / DuckDB's Parquet", f"{mb:.0f} / {theirs:.0f} MB = {mb / theirs:.2f}", "≤ 1.5")
one, two = seconds(of_ours, "on one thread"), seconds(of_ours, "ingest, Zeek JSON")
each = " ".join(f"{x / y:.2f}" for x, y in zip(one, two))
note("ingest on 1 thread / on 2", f"{min(one):.2f} / {min(two):.2f} s = {min(one) / min(two):.2f} ({each})", "≥ 1.7")
apart = [one["two at once"] for one in of_ours]
note("two processes of one thread at once / one alone, in the same time", f"{max(apart):.2f} ({' '.join(f'{x:.2f}' for x in apart)})", "")
note("`comity --version`", f"{min(timed(comity, '--version')[0] for _ in range(5)) * 1e3:.0f} ms", "< 20 ms")
note(f"`comity findings` on the case of {of_ours[-1]['correlate']['sightings']:,} sightings", f"{min(timed(comity, 'findings', '--case', case)[0] for _ in range(3)) * 1e3:.0f} ms", "< 200 ms")
note("size of the program", f"{os.path.getsize(comity) / 1e6:.0f} MB", "")

text = "\n".join([
    f"`benches/compare.py --rows {a.rows} --rounds {a.rounds}`, {datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, "
    f"{peers[('duckdb', 'ingest')]['peer']}, {peers[('polars', 'ingest')]['peer']}, {call(comity, '--version').strip()}", "",
    "| task | comity s | DuckDB s | Polars s | ratio to the faster peer | by round | bar | comity peak MiB | sightings comity / DuckDB |",
    "|---|--:|--:|--:|--:|---|--:|--:|---|", *rows, "",
    "| what | measured | bar |", "|---|--:|--:|", *notes]) + "\n"
print(text)
if a.keep:
    os.makedirs(os.path.dirname(os.path.abspath(a.keep)), exist_ok=True)
    open(a.keep, "w").write(text)
if wrong:
    sys.exit(f"sighting counts differ: {', '.join(sorted(wrong))}")
