#!/usr/bin/env bash
# CASE documents against the CASE 1.5 ontology; a warning is a failure:
#   .ci/outside/case.sh FILE…
#
# Nothing is installed. On PATH, or in $VIRTUAL_ENV: case_validate, of
#   pip install case-utils==0.18.0
# It carries the ontology, so it needs no network. Its exit status knows SHACL's warnings and notices
# (--allow-warning and --allow-info are not given) and unknown terms; what rdflib makes of ill-formed
# literals it only says on stderr, so that must be empty too.
set -euo pipefail
export PATH="${VIRTUAL_ENV:+$VIRTUAL_ENV/bin:}$PATH"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for file in "$@"; do
  rc=0
  case_validate --built-version case-1.5.0 "$file" > "$scratch/out" 2> "$scratch/err" || rc=$?
  if [ $rc != 0 ] || [ -s "$scratch/err" ] || ! grep -qx 'Conforms: True' "$scratch/out"; then
    cat "$scratch/out" "$scratch/err"
    echo "$file: not accepted" >&2
    exit 1
  fi
  echo "$file: accepted"
done
