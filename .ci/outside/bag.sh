#!/usr/bin/env bash
# Bags against tools that are not ours: sha256sum, bagit, and bagit-profile with schemas/bag-profile.json:
#   .ci/outside/bag.sh BAG…
#
# Nothing is installed. On PATH, or in $VIRTUAL_ENV: bagit.py and bagit_profile.py, of
#   pip install 'setuptools<81' bagit==1.9.0 bagit-profile==1.3.1
# (bagit_profile.py imports pkg_resources, which later setuptools do not bring). No network.
set -euo pipefail
export PATH="${VIRTUAL_ENV:+$VIRTUAL_ENV/bin:}$PATH"
profile=$(cd "$(dirname "$0")/../.." && pwd)/schemas/bag-profile.json

for bag in "$@"; do
  (cd "$bag" && sha256sum --check --strict --quiet tagmanifest-sha256.txt manifest-sha256.txt)
  bagit.py --validate --quiet "$bag"
  # with --file the identifier is not fetched; it must be the one that the bag names
  PYTHONWARNINGS=ignore bagit_profile.py --no-logfile --quiet --report --file "$profile" \
    urn:comity:bag-profile:v1 "$bag"
  echo "$bag: accepted"
done
