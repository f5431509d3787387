#!/usr/bin/env bash
# Does what a bag's VERIFY.md says, block by block, as a partner without comity would:
#   .ci/outside/guide.sh BAG TRUST OFFICER      a bag's directory, an allowed_signers file, who sealed it
#
# For bags that we made ourselves: it runs commands that stand in the bag.
# Nothing is installed. On PATH, or in $VIRTUAL_ENV: ssh-keygen, jq, openssl, python3 with
#   pip install duckdb==2.0.1
set -euo pipefail
export PATH="${VIRTUAL_ENV:+$VIRTUAL_ENV/bin:}$PATH"
export BAG=$1 TRUST=$2 OFFICER=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# the blocks to copy are those marked bash; the one that sets BAG, TRUST and OFFICER is ours to fill in
awk '/^```bash$/ { inside = 1; text = ""; next }
     /^```$/ && inside { inside = 0; if (text !~ /^BAG=/) printf "%s", text; next }
     inside { text = text $0 "\n" }' "$BAG/data/VERIFY.md" > "$scratch/blocks"
bash "$scratch/blocks" > "$scratch/out" 2>&1 || true
cat "$scratch/out"
passed=$(grep -cE '^ *ok ' "$scratch/out" || true)
if [ "$passed" -lt 12 ] || grep -q 'NOT OK' "$scratch/out"; then
  echo "$BAG: its guide does not pass" >&2
  exit 1
fi
echo "$BAG: $passed checks of its guide pass"
