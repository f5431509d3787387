#!/usr/bin/env bash
# RO-Crates against RO-Crate 1.1 and Process Run Crate 0.5 (what is REQUIRED):
#   .ci/outside/rocrate.sh DIRECTORY…      each has ro-crate-metadata.json and the files that it describes
#
# Nothing is installed. On PATH, or in $VIRTUAL_ENV: python3 and rocrate-validator, of
#   pip install roc-validator==0.13.0 && pip install --no-deps rocrate==0.14.0
#
# No network: the validator asks w3id.org for the JSON-LD context, and there is none to ask. PyPI `rocrate`
# 0.14.0 carries that context, version 1.1.0 (later versions carry 1.3's), so it is put into the
# validator's HTTP cache, as `rocrate-validator cache warm` would, and the validator is told to be offline.
set -euo pipefail
export PATH="${VIRTUAL_ENV:+$VIRTUAL_ENV/bin:}$PATH"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 - "$scratch/cache" <<'PYTHON'
import importlib.util, io, json, pathlib, sys
import requests, requests_cache

URL = "https://w3id.org/ro/crate/1.1/context"
package = pathlib.Path(importlib.util.find_spec("rocrate").origin).parent
context = (package / "data" / "ro-crate.jsonld").read_bytes()
assert json.loads(context)["@id"] == URL, "rocrate==0.14.0 is wanted: its context is that of RO-Crate 1.1"

class FromPackage(requests.adapters.BaseAdapter):
    def send(self, request, **_):
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url, request
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = requests.packages.urllib3.HTTPResponse(
            io.BytesIO(context), headers=response.headers, status=200, preload_content=False,
            request_method="GET", request_url=request.url)
        return response
    def close(self):
        pass

session = requests_cache.CachedSession(sys.argv[1], backend="sqlite", expire_after=-1)
session.mount("https://", FromPackage())
session.get(URL).raise_for_status()
PYTHON

for crate in "$@"; do
  for profile in ro-crate-1.1 process-run-crate-0.5; do
    # the verdict is in the report; warnings of the validator itself are on stderr and in its log
    rc=0
    rocrate-validator -y --disable-color validate --offline --cache-path "$scratch/cache" --no-auto-profile \
      --profile-identifier "$profile" --requirement-severity "${SEVERITY:-REQUIRED}" --no-paging --verbose \
      --output-format json --output-file "$scratch/report" "$crate" > "$scratch/out" 2>&1 || rc=$?
    if [ $rc != 0 ] || grep -q 'WARNING' "$scratch/out" ||
      ! jq -e '.passed and (.issues | length == 0)' "$scratch/report" > /dev/null; then
      cat "$scratch/out" "$scratch/report"
      echo "$crate: $profile: not accepted" >&2
      exit 1
    fi
    echo "$crate: $profile: accepted"
  done
done
