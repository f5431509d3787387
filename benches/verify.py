#!/usr/bin/env python3
"""How fast a large bag is checked: `comity verify --level 0` beside `openssl dgst -sha256` over the same files, in turn.

    cargo build --release && python3 benches/verify.py [--rows 4000000] [--keep DIR]

Makes logs of Zeek JSON with ../shared/bench/workload.py (which needs PyPI `duckdb`), a case, and a full bag of it. Prints seconds, GB/s, peak memory and the
ratio. A shared machine: only the ratio of the two in one run says anything.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMITY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/comity"


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def timed(*command):
    """Seconds, processor seconds and peak memory in MiB of a command."""
    began = time.monotonic()
    pid = os.posix_spawnp(str(command[0]), [str(c) for c in command], os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", default="4000000")
    arguments.add_argument("--keep", help="directory for the workload; else a temporary one")
    given = arguments.parse_args()
    place = pathlib.Path(given.keep or tempfile.mkdtemp(prefix="comity-verify-bench-"))
    log, case, bag, key, trust = (place / name for name in ("w", "case", "bag", "key", "trust"))
    if not log.exists():
        run(sys.executable, ROOT.parent / "shared/bench/workload.py", log, "--rows", given.rows)
    if not bag.exists():
        sources = sorted(log.rglob("*.log"))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        run(COMITY, "init", "--case", case, "--id", "bench", "--jurisdiction", "NL", "--purpose", "a benchmark")
        run(COMITY, "ingest", "--case", case, "--jurisdiction", "NL", *sources)
        (place / "feed.txt").write_text("198.51.100.7\n")
        run(COMITY, "feed", "add", "--case", case, "--provider", "p", place / "feed.txt")
        run(COMITY, "correlate", "--case", case)
        run(COMITY, "member", "add", "--case", case, "--name", "r@example.org", "--organisation", "o", "--jurisdiction", "NL",
            "--role", "releaser", "--public-key", f"{key}.pub")
        trust.write_bytes(subprocess.run([COMITY, "member", "list", "--case", case, "--allowed-signers"], check=True, capture_output=True).stdout)
        run(COMITY, "bag", "create", "--case", case, "--kind", "full", "--recipient-name", "x", "--key", key, bag)
    files = [f for f in bag.rglob("*") if f.is_file()]
    total = sum(f.stat().st_size for f in files) / 1e9
    check = (COMITY, "-q", "verify", bag, "--trust", trust, "--memory", place / "memory", "--level", "0")
    digest = ("openssl", "dgst", "-sha256", *files)
    timed(*digest)  # both then read from the page cache
    print(f"{total:.2f} GB in {len(files)} files, best of three, in turn")
    best = {}
    for _ in range(3):
        for name, command in (("comity verify --level 0", check), ("openssl dgst -sha256", digest)):
            best[name] = min(best.get(name, (9e9, 0, 0)), timed(*command))
    for name, (seconds, processor, peak) in best.items():
        print(f"{name:24} {seconds:7.2f} s  {total / seconds:5.2f} GB/s  processor {processor:6.2f} s  peak {peak:7.1f} MiB")
    ours, theirs = best["comity verify --level 0"][0], best["openssl dgst -sha256"][0]
    print(f"ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
