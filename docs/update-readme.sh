#!/bin/sh
# Runs the first command of the README in a copy of the sample data and writes what it prints into the README.
# usage: docs/update-readme.sh path/to/comity
set -eu
comity=$(realpath "$1")
root=$(dirname "$(dirname "$(realpath "$0")")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R "$root/sample-data" "$scratch"
rm -rf "$scratch"/sample-data/*/*.case
cd "$scratch"
{
    echo '```console'
    echo '$ comity run sample-data/operation-lantern/job.toml'
    env -u COMITY_CASE -u COMITY_THREADS COLUMNS=80 NO_COLOR=1 "$comity" run sample-data/operation-lantern/job.toml 2>/dev/null || test $? = 3
    echo '```'
} > block
awk -v block=block '
    /^<!-- run: / { print; while ((getline line < block) > 0) print line; skip = 1 }
    /^<!-- end of run -->/ { skip = 0 }
    !skip && !/^<!-- run: / { print }
' "$root/README.md" > README.md
cp README.md "$root/README.md"
