#!/usr/bin/env bash
# Checks a bag as docs/provenance.md describes it, without comity:
#
#   verify.sh [--memory DIR] [--no-bagit] BAG ALLOWED_SIGNERS
#
# BAG              the directory that has bagit.txt; nobody else may write to it meanwhile
# ALLOWED_SIGNERS  your own trust file: whom you trust, for what, and when; a bag brings no trust
# --memory DIR     keeps the checkpoints that you accepted, in files as `comity verify --memory` has them;
#                  without it a log that was forked or cut back since you saw it last is not noticed
# --no-bagit       without bagit.py and bagit_profile.py, where there is no Python: all that they check is
#                  checked here too, they are a second opinion
#
# Use your own copy, from comity's sources (it reads ../schemas/bag-profile.json), never one that came along.
# Nothing of the bag is run, and no name in it is followed.
#
# Prints `ok …` or `NOT OK <kind> …` for each check, the kinds being those of `comity verify`, then the highest
# level that holds. A level is tried when those below it hold. Exit status: 0 all holds, up to level 2; 4 something
# does not; 1 it could not be tried.
#
# Needs bash 4.4, GNU coreutils, findutils, grep, sed, awk; ssh-keygen (OpenSSH 8.9), openssl 3.0, jq 1.6; from PyPI
# bagit==1.9.0 and bagit-profile==1.3.1, on PATH or in $VIRTUAL_ENV.
set -euo pipefail
shopt -s lastpipe nullglob
export LC_ALL=C TZ=UTC PATH="${VIRTUAL_ENV:+$VIRTUAL_ENV/bin:}$PATH"
unset CDPATH GREP_OPTIONS GREP_COLORS

# ---------------------------------------------------------------- what is printed

faults=0 reached='' ended=''

die() { printf 'verify.sh: %s\n' "$1" >&2; ended=1; exit 1; }

# One line, however hostile the text; main's output goes through cat -v besides.
line() { printf '%s\n' "${1//[$'\n\r']/?}"; }
ok() { line "ok  ${1:0:600}"; }
fault() { line "NOT OK  $1  ${2:0:600}"; faults=$((faults + 1)); }

# none KIND WHAT GOOD: stdin has a line for each thing that is as WHAT says, and there must be none.
none() {
  local bad rest
  if IFS= read -r bad || [ "$bad" ]; then
    rest=$(wc -l)
    [ "$rest" = 0 ] || rest=", and $rest more"
    fault "$1" "$bad: $2${rest#0}"
  else
    ok "$3"
  fi
}

# told GOOD: stdin has a line for each fault: kind, tab, message.
told() {
  local kind message any=''
  while IFS=$'\t' read -r kind message; do any=1; fault "$kind" "$message"; done
  [ "$any" ] || ok "$1"
}

holds() {  # N NAME: level N holds, unless there was a fault
  [ "$faults" = 0 ] || finish
  reached=$1
  line "-- level $1 holds: $2"
}

finish() {
  ended=1
  case $reached in
    '') line 'Reached: no level. Rely on nothing in it.' ;;
    *) line "Reached: level $reached of 2." ;;
  esac
  cat << 'TEXT'
Not checked here, but by `comity verify`: that report.html, case.jsonld, ro-crate-metadata.json and VERIFY.md say what
the statements and tables say; settings in definition.json; that the record trees are those of the originals; that
matching again gives these sightings (level 3), a run from the evidence these tables (4), a second engine the same (5).
Nobody can check a time that no witness saw. tagmanifest-sha256.txt.sig.tsr is for `openssl ts -verify`.
TEXT
  [ "$faults" = 0 ] || exit 4
  exit 0
}

# What stops the script where it did not expect to stop is in the bag, so that is a fault as well.
# shellcheck disable=SC2317 # a trap calls it
stopped() {
  local status=$?
  rm -rf "$work"
  if [ -z "$ended" ]; then
    line "NOT OK  unreadable  the checks could not go on"
    exit 4
  fi
  exit "$status"
}

# ---------------------------------------------------------------- bytes and digests

matching() { grep -a "$@" || [ $? = 1 ]; }             # grep for which no match is no failure
escaped() { sed 's/../\\x&/g'; }                        # hexadecimal digits to what printf %b takes for bytes
hex() { od -An -v -tx1 | tr -d ' \n'; }
is_b64='^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$'

# unbase64: lines of base64, as `is_b64` has it, to lines as `escaped` writes them. Two digits are three hexadecimal ones.
unbase64() {
  awk 'BEGIN {
      digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
      for (i = 0; i < 64; i++) for (j = 0; j < 64; j++) hex[substr(digits, i + 1, 1) substr(digits, j + 1, 1)] = sprintf("%03x", i * 64 + j)
    }
    { all = length($0); pads = gsub(/=/, "A"); last = all - (pads ? 3 : -1)
      for (at = 1; at < last; at += 2) printf "%s", hex[substr($0, at, 2)]
      if (pads) printf "%s", substr(hex[substr($0, last, 2)] hex[substr($0, last + 2, 2)], 1, 6 - 2 * pads)
      print "" }' | escaped
}

digests() {  # DIR: the SHA-256 of each file in it, by name; one process for all
  (
    cd "$1"
    set -- *
    if [ $# != 0 ]; then printf '%s\0' "$@" | xargs -0 sha256sum | cut -c -64; fi
  )
}

hashed() {  # FILE: the SHA-256 of each of its lines, which are as `escaped` writes them
  local lines i
  mapfile -t lines < "$1"
  rm -rf "$work/hashed" && mkdir "$work/hashed"
  for i in "${!lines[@]}"; do printf '%b' "${lines[i]}" > "$work/hashed/$((100000000 + i))"; done
  digests "$work/hashed"
}

root() {  # N: RFC 6962's root over the first N leaf hashes of the log
  local n=$1
  head -n "$n" "$work/leaf-hashes" > "$work/level"
  [ "$n" != 0 ] || printf '' | sha256sum | cut -c -64
  while [ "$n" -gt 1 ]; do
    awk 'NR % 2 { left = $0; next } { print "01" left $0 }' "$work/level" | escaped > "$work/pairs"
    { hashed "$work/pairs"; [ $((n % 2)) = 0 ] || tail -n 1 "$work/level"; } > "$work/above"
    mv "$work/above" "$work/level"
    n=$(((n + 1) / 2))
  done
  cat "$work/level"
}

signed_by() {  # ENTRY MESSAGE SIGNATURE: whether the key of an entry of the trust file signed; Ed25519
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key-$1" -rawin -in "$2" -sigfile "$3" > "$work/openssl" 2>&1
}

one_line() { awk 'FNR == 1 && NR > 1 { print "" } { printf "%s ", $0 } END { print "" }' "$@"; }    # each FILE as a line

# strict FILE: whether each line is an object of JSON that every reader takes alike; prints what is wrong. Where jq is
# lenient, grep holds tokens to RFC 8259; their order is jq's to judge. Of repeated keys jq takes the last, but its
# streaming parser tells of them all, so there are more events in the text than in the value.
d=$'[][{},: \t\r]'
u='u([0-9abcefABCEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})'
token="(\"([^\"\\$(printf '\001-\037')]|\\\\([\"\\\\/bfnrt]|$u))*\"|true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)"
strict() {
  iconv -f UTF-8 -t UTF-8 "$1" > "$work/iconv" 2>&1 || { echo 'text is not UTF-8'; return; }
  [ "$(tr -d '\0' < "$1" | wc -c)" = "$(wc -c < "$1")" ] || { echo 'text has a NUL'; return; }
  matching -nvxE -e "[ "$'\t\r'"]*\{$d*($token($d+$token)*$d*)?" "$1" | sed 's/:.*/: is not strict JSON/' > "$work/tokens"
  if [ -s "$work/tokens" ]; then sed 's/^/line /' "$work/tokens"; return; fi
  jq -Rr 'try (fromjson | [tostream] | length) catch "none"' "$1" > "$work/values"
  if grep -nx none "$work/values" | sed 's/^\([0-9]*\):.*/line \1: is not JSON/'; then return; fi
  # shellcheck disable=SC2016 # of jq
  jq -rn --stream 'foreach inputs as $e ({}; {
        n: ((if .done then 0 else .n end) + 1),
        depth: ([(if .done then 0 else .depth end), ($e[0] | length) + (if $e[1:] == [{}] or $e[1:] == [[]] then 1 else 0 end)] | max),
        done: (($e[0] | length) == 0 or ($e | length) == 1 and ($e[0] | length) == 1) };
      select(.done) | "\(.n) \(.depth)")' "$1" | paste -d ' ' - "$work/values" | awk '
    $1 != $3 { print "line " NR ": a key is repeated" }
    $2 > 64 { print "line " NR ": more than 64 levels" }'
}

# ---------------------------------------------------------------- whom the verifier trusts

names=() roles=() after=() before=() keys=() prints=() wires=()

trust_file() {  # FILE: fills the arrays, an entry for each line with an Ed25519 key
  local text number=0
  while IFS= read -r text || [ "$text" ]; do
    number=$((number + 1))
    case $text in *[$'\001'-$'\010'$'\012'-$'\037'$'\177']*) die "$1: line $number: has a control character" ;; esac
    trust_line "$text" || die "$1: line $number: not of the form that docs/provenance.md allows"
  done < "$1"
  [ "${#keys[@]}" != 0 ] || return 0
  printf 'ssh-ed25519 %s\n' "${wires[@]}" | ssh-keygen -lf - | awk '{ print $2 }' | mapfile -t prints
  [ "${#prints[@]}" = "${#keys[@]}" ] || die "$1: ssh-keygen does not read all its keys"
  for number in "${!keys[@]}"; do
    printf '%b' "$(escaped <<< "302a300506032b6570032100${keys[number]}")" > "$work/key-$number"   # RFC 8410
  done
}

trust_line() {
  local text=$1 who options='' key list='' from='' until='' name namespaces
  text="${text#"${text%%[! $'\t']*}"}"
  [[ -z $text || $text == '#'* ]] && return 0
  [[ $text =~ ^([^$' \t']+)[$' \t']+(.*)$ ]] || return 1
  who=${BASH_REMATCH[1]} key=${BASH_REMATCH[2]}
  [[ $who == *[\"\*\?!]* || ,$who, == *,,* || $who == $'\xef\xbb\xbf'* ]] && return 1
  if ! [[ $key =~ ^(ssh-|ecdsa-|sk-|webauthn-) ]]; then
    [[ $key =~ ^(([^$' \t'\"]|\"[^\"]*\")+)[$' \t']+(.*)$ ]] || return 1
    options=${BASH_REMATCH[1]}, key=${BASH_REMATCH[3]}
  fi
  while [ "$options" ]; do
    [[ $options =~ ^(namespaces|valid-after|valid-before)=\"([^\"\\]*)\",(.*)$ ]] || return 1
    name=${BASH_REMATCH[1]} options=${BASH_REMATCH[3]}
    case $name in
      namespaces) [ -z "$list" ] || return 1; list=${BASH_REMATCH[2]}; [ "$list" ] || return 1 ;;
      valid-after) [ -z "$from" ] || return 1; from=$(stamp "${BASH_REMATCH[2]}") || return 1 ;;
      valid-before) [ -z "$until" ] || return 1; until=$(stamp "${BASH_REMATCH[2]}") || return 1 ;;
    esac
  done
  [[ $list == *[\*\?!]* || ",$list," == *,,*?* ]] && return 1
  IFS=, read -ra namespaces <<< "$list"
  for name in "${namespaces[@]}"; do
    case ${name,,} in
      comity*) [[ $name =~ ^comity-(evidence|node|log|witness|custodian|releaser|submitter|analyst|auditor)$ ]] || return 1 ;;
    esac
  done
  [[ -z $from || -z $until || $from < $until ]] || return 1
  if ! [[ $key =~ ^ssh-ed25519[$' \t']+(AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43})([$' \t'].*)?$ ]]; then
    [[ $list != *comity-* ]]    # a key of another algorithm is for others
    return
  fi
  wires+=("${BASH_REMATCH[1]}") names+=("$who") roles+=(",$list,") after+=("$from") before+=("$until")
  keys+=("$(base64 -d <<< "${BASH_REMATCH[1]}" | hex | tail -c 64)")
}

stamp() {  # YYYYMMDD[HHMM[SS]]Z to fourteen digits, which sort as times do
  [[ $1 =~ ^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2}[0-9]{2}([0-9]{2})?)?Z$ ]] || return 1
  local all="${1%Z}000000"
  all=${all:0:14}
  [ "$(date -u -d "${all:0:8} ${all:8:2}:${all:10:2}:${all:12:2}" +%Y%m%d%H%M%S 2> /dev/null)" = "$all" ] && echo "$all"
}

has() { [[ ${roles[$1]} == *",comity-$2,"* ]]; }       # ENTRY ROLE
valid() {  # ENTRY TIME
  [[ -z ${after[$1]} || ! $2 < ${after[$1]} ]] && [[ -z ${before[$1]} || $2 < ${before[$1]} ]]
}

# ---------------------------------------------------------------- level 0: intact

shape() {
  local kind name
  find . -mindepth 1 -type l -printf '%P\0' | tr '\n\0' '?\n' | none link 'is a link' 'no links'
  find . -mindepth 1 ! -type l ! -type f ! -type d -printf '%P\0' | tr '\n\0' '?\n' |
    none special-file 'is neither a file nor a directory' 'no special files'
  find . -mindepth 1 -printf '%P\0' > "$work/names"
  { matching -zvxE '[A-Za-z0-9._/-]+' "$work/names"; matching -zE '.{1025}' "$work/names"; } | tr '\n\0' '?\n' |
    none path 'may have letters and digits of ASCII, . _ - and / only, and 1024 of them' 'names are plain'
  [ "$faults" = 0 ] || finish
  tr 'A-Z\0' 'a-z\n' < "$work/names" | sort | uniq -d | none path-collision 'stands twice, but for case' 'no names that differ in case alone'
  find . -mindepth 1 -type d -empty -printf '%P\n' | none empty-directory 'is an empty directory' 'no empty directories'
  find . -mindepth 1 -maxdepth 1 -printf '%y %P\n' | sort | while read -r kind name; do
    case "$kind $name" in
      'd data' | 'f bagit.txt' | 'f bag-info.txt' | 'f manifest-sha256.txt' | 'f tagmanifest-sha256.txt') ;;
      'f tagmanifest-sha256.txt.sig' | 'f tagmanifest-sha256.txt.sig.tsr') ;;
      'f fetch.txt') printf 'fetch\tfetch.txt: a bag must be whole in itself\n' ;;
      'f manifest-'*.txt | 'f tagmanifest-'*.txt) printf 'second-manifest\t%s: is a second manifest\n' "$name" ;;
      *) printf 'tag-file\t%s: is not allowed beside data\n' "$name" ;;
    esac
  done | told 'nothing is there beside data and the tag files'
  for name in bagit.txt bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt data; do
    [ -e "$name" ] || printf 'payload-missing\t%s: is not there\n' "$name"
  done | told 'all tag files are there'
  find . -maxdepth 1 -type f ! -name manifest-sha256.txt -size +65536c -printf '%P\n' | none too-large 'is longer than 64 KiB' 'no tag file is too long'
  [ "$faults" = 0 ] || finish
}

manifest() {  # FILE LISTED: its form; the paths go to LISTED
  local before=$faults
  { tail -c 1 "$1" | tr -d '\n' | hex; [ -s "$1" ] || echo empty; } | none manifest-form "$1 does not end with LF" "$1 ends with LF"
  matching -nvxE $'[0-9a-f]{64}  [^\r]+' "$1" | cut -c -80 |
    none manifest-form "in $1: no SHA-256 in lower case, two spaces and a path" "$1 has digests and paths"
  cut -c 67- "$1" > "$2"
  matching -nE '[^A-Za-z0-9._/-]|(^|/)\.{0,2}(/|$)' "$2" |
    none path "in $1: has a character that is not allowed, or a part that is empty, \".\" or \"..\"" "$1 has no path that leads elsewhere"
  if ! sort -c "$2" 2> "$work/sort"; then
    fault manifest-order "$1: is not sorted"
  elif ! sort -cu "$2" 2> "$work/sort"; then
    fault manifest-repeated "$1: lists a path twice"
  else
    ok "$1 is sorted, and lists no path twice"
  fi
  [ "$faults" = "$before" ] || finish
}

manifests() {
  manifest tagmanifest-sha256.txt "$work/tags"
  manifest manifest-sha256.txt "$work/listed"
  find data -type f | sort > "$work/there"
  printf '%s\n' bag-info.txt bagit.txt manifest-sha256.txt | comm -13 - "$work/tags" |
    none manifest-path 'does not belong into tagmanifest-sha256.txt' 'tagmanifest-sha256.txt lists tag files only'
  printf '%s\n' bag-info.txt bagit.txt manifest-sha256.txt | comm -23 - "$work/tags" |
    none payload-extra 'is not in tagmanifest-sha256.txt' 'it lists them all'
  matching -vE '^data/' "$work/listed" | none manifest-path 'does not belong into manifest-sha256.txt' 'manifest-sha256.txt lists files under data only'
  comm -23 "$work/listed" "$work/there" | none payload-missing 'is in manifest-sha256.txt and not there' 'all that it lists is there'
  comm -13 "$work/listed" "$work/there" | none payload-extra 'is not in manifest-sha256.txt' 'it lists all that is there'
  [ "$faults" = 0 ] || finish
  local one
  for one in tagmanifest-sha256.txt manifest-sha256.txt; do
    if sha256sum --strict --quiet -c "$one" > "$work/sums" 2> "$work/sums-errors"; then
      ok "the digests of $one are right"
    else
      fault digest "$one: $(head -n 1 "$work/sums")"
    fi
  done
  [ "$faults" = 0 ] || finish
}

bag_info() {
  if printf 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n' | cmp -s - bagit.txt; then
    ok 'bagit.txt is that of BagIt 1.0'
  else
    fault bagit-txt 'bagit.txt: is not exactly that of BagIt 1.0 in UTF-8'
  fi
  { iconv -f UTF-8 -t UTF-8 bag-info.txt > "$work/iconv" 2>&1 || echo 'bag-info.txt: is not UTF-8'
    tail -c 1 bag-info.txt | tr -d '\n' | hex
    # controls, and what ends lines or turns the direction of writing: U+061C, 200E-200F, 2028-202E, 2066-2069, FEFF
    matching -nE $'[\001-\011\013-\037\177]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbb\xbf' bag-info.txt
    awk 'BEGIN {
        split("Bag-Software-Agent BagIt-Profile-Identifier Bagging-Date Payload-Oxum External-Identifier " \
          "Source-Organization Comity-Bag-Kind Comity-Case Comity-Run Comity-Jurisdiction Comity-Purpose Comity-TLP " \
          "Comity-Recipient", label, " ")
        for (at in label) place[label[at]] = at
        must["BagIt-Profile-Identifier"] = "^urn:comity:bag-profile:v1$"
        must["Bagging-Date"] = "^[0-9][0-9][0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
        must["Comity-Bag-Kind"] = "^(full|findings|feed)$"
        must["Comity-Run"] = "^[0-9a-f]+$"
        must["Comity-TLP"] = "^(clear|green|amber|amber[+]strict|red)$"
      }
      { colon = index($0, ": "); name = substr($0, 1, colon - 1); value = substr($0, colon + 2); at = place[name] + 0 }
      !colon || !at { print "line " NR ": no such label"; next }
      at <= last { print name ": is out of order, or comes twice" }
      { last = at; found[name] = 1 }
      value == "" || value ~ /^[ \t]|[ \t]$/ || length(value) > 4096 { print name ": its value is empty, padded or too long" }
      name in must && value !~ must[name] { print name ": is not one of its values" }
      name == "Comity-Run" && length(value) != 64 { print name ": is no digest" }
      END {
        split("1 2 3 4 5 7", need, " ")
        for (n = 1; n in need; n++) if (!(label[need[n]] in found)) print label[need[n]] ": is not there"
      }' bag-info.txt
  } | none bag-info 'is not as bag-info.txt must be' 'bag-info.txt is as it must be'
  [ "$faults" = 0 ] || finish
  kind=$(info Comity-Bag-Kind) run=$(info Comity-Run) case_id=$(info External-Identifier)
  local oxum
  oxum=$(find data -type f -printf '%s\n' | awk '{ bytes += $1 } END { printf "%.0f.%d", bytes, NR }')
  if [ "$(info Payload-Oxum)" = "$oxum" ]; then ok "Payload-Oxum is $oxum"; else fault oxum "Payload-Oxum is $(info Payload-Oxum), the payload $oxum"; fi
  [ "$without_bagit" ] || library_of_congress
}

info() { sed -n "s/^$1: //p" bag-info.txt; }

# Not in the bag's directory: Python may look for modules where it stands.
library_of_congress() {
  local bag=$PWD
  if (cd "$work" && bagit.py --validate "$bag") > "$work/bagit" 2>&1; then
    ok 'bagit.py: valid'
  else
    fault bagit "$(tail -n 1 "$work/bagit")"
  fi
  if (cd "$work" && bagit_profile.py --no-logfile --file "$profile" urn:comity:bag-profile:v1 "$bag") > "$work/bagit" 2>&1; then
    ok 'bagit_profile.py: valid'
  else
    fault bag-info "bagit_profile.py: $(tail -n 1 "$work/bagit")"
  fi
}

seal() {
  local file=tagmanifest-sha256.txt.sig text blob rest=() key entry principal principals role=releaser
  if ! [ -e "$file" ]; then fault unsealed 'the bag has no seal'; finish; fi
  if [ "$(stat -c %s "$file")" -gt 16384 ]; then fault seal-malformed 'the seal is too long'; finish; fi
  # ssh-keygen takes altered armour and bytes after its end: so it must be what encoding it again gives
  text=$(tr -d ' \t\r\n\0' < "$file")
  text=${text#*-----BEGINSSHSIGNATURE-----} text=${text%%-----ENDSSHSIGNATURE-----*}
  if ! [[ $text =~ $is_b64 ]]; then fault seal-malformed 'the seal is no SSH signature'; finish; fi
  { echo '-----BEGIN SSH SIGNATURE-----'; base64 -d <<< "$text" | base64 -w 70; echo '-----END SSH SIGNATURE-----'; } > "$work/armour"
  if cmp -s "$work/armour" "$file"; then ok 'the armour of the seal is as written'; else fault seal-altered 'the armour of the seal is altered'; finish; fi
  # PROTOCOL.sshsig: magic and version; key, namespace, reserved, hash, signature, each with its length before it
  blob=$(base64 -d <<< "$text" | hex)
  if [[ $blob == 53534853494700000001* ]]; then
    blob=${blob:20}
    while [ "${#rest[@]}" -lt 5 ] && [[ $blob =~ ^0000[0-9a-f]{4} ]] && [ $((16#${blob:0:8} * 2 + 8)) -le ${#blob} ]; do
      rest+=("${blob:8:16#${blob:0:8}*2}") blob=${blob:8+16#${blob:0:8}*2}
    done
  fi
  if [ "${#rest[@]}" != 5 ] || [ "$blob" ] || [ "${rest[2]}" ] || [ "${rest[3]}" != "$(printf sha512 | hex)" ]; then
    fault seal-malformed 'the seal is no SSH signature over SHA-512'
  elif ! [[ ${rest[0]} =~ ^0000000b7373682d6564323535313900000020[0-9a-f]{64}$ ]]; then
    fault seal-key 'the seal is not by an Ed25519 key'
  elif [ "${rest[1]}" != "$(printf comity-evidence | hex)" ]; then
    fault wrong-namespace 'the seal is for something else than comity-evidence'
  elif ! ssh-keygen -Y check-novalidate -n comity-evidence -s "$file" < tagmanifest-sha256.txt > "$work/seal" 2>&1; then
    fault seal-false 'the seal does not fit tagmanifest-sha256.txt'
  else
    ok 'the seal fits tagmanifest-sha256.txt'
  fi
  [ "$faults" = 0 ] || finish
  sealer=${rest[0]: -64}
  key=$(grep -oE 'SHA256:[A-Za-z0-9+/]{43}' "$work/seal" | head -n 1)
  [ "$kind" != feed ] || role=submitter
  if ! entitled evidence || ! entitled "$role" releaser; then
    fault "$against" "sealed by $key: $because"
    finish
  fi
  # the same by ssh-keygen, for each name that the file has for the key
  for entry in "${!keys[@]}"; do
    if [ "${keys[entry]}" != "$sealer" ] || ! has "$entry" evidence; then continue; fi
    IFS=, read -ra principals <<< "${names[entry]}"
    for principal in "${principals[@]}"; do
      if ssh-keygen -Y verify -f "$trust" -I "$principal" -n comity-evidence -s "$file" < tagmanifest-sha256.txt > "$work/seal" 2>&1; then
        ok "ssh-keygen: $(head -n 1 "$work/seal")"
        return
      fi
    done
  done
  fault seal-false "ssh-keygen does not take the seal: $(tail -n 1 "$work/seal")"
}

# Whether the trust file gives the sealer one of these roles now; else `against` and `because` say why not.
entitled() {
  local entry role
  against=unknown-signer because='your trust file does not know the key: a claim'
  for role in "$@"; do
    for entry in "${!keys[@]}"; do
      [ "${keys[entry]}" = "$sealer" ] || continue
      if ! has "$entry" "$role"; then
        [ "$against" != unknown-signer ] || { against=wrong-role because="your trust file does not give the key comity-$role"; }
      elif valid "$entry" "$now"; then
        return 0
      elif [ "$against" != expired-key ]; then
        against=expired-key because='the key is not valid now, and no witnessed time says that it was when it sealed'
      fi
    done
  done
  return 1
}

# ---------------------------------------------------------------- level 1: the log

# note FILE NAME: a signed note. What is signed goes to NAME, its lines to head_*, its signatures to
# NAME-signatures: name, key hash, and the rest in hexadecimal.
note() {
  local file=$1 to="$work/$2" name base64 bytes wrong=''
  head_origin='' head_size='' head_root=''
  [ "$(stat -c %s "$file")" -le 131072 ] || wrong='is too long'
  [ -z "$(tail -c 1 "$file" | tr -d '\n' | hex)" ] || wrong='does not end with LF'
  [ -z "$(tr -d '\n\040-\377' < "$file" | hex)" ] || wrong='has control characters'
  iconv -f UTF-8 -t UTF-8 "$file" > "$work/iconv" 2>&1 || wrong='is not UTF-8'
  if [ -z "$wrong" ]; then
    head -n 3 "$file" > "$to"
    { IFS= read -r head_origin; IFS= read -r head_size; IFS= read -r head_root; } < "$to" || wrong='is too short'
    [[ $head_origin =~ ^[^$' \t+']{1,1024}$ ]] || wrong='has no origin'
    [[ $head_size =~ ^(0|[1-9][0-9]{0,8})$ ]] || wrong='has no size, or one that is more than this script takes'
    [[ $head_root =~ ^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$ ]] || wrong='has no root'
    [ -z "$(sed -n 4p "$file")" ] || wrong='has no empty line after its root'
  fi
  if [ -z "$wrong" ]; then
    head_root=$(base64 -d <<< "$head_root" | hex)
    tail -n +5 "$file" | while IFS= read -r name; do
      [[ $name =~ ^'— '([^$' \t+']+)' '([A-Za-z0-9+/=]+)$ && ${BASH_REMATCH[2]} =~ $is_b64 ]] || { echo wrong; continue; }
      base64=${name##* } name=${name#* }
      bytes=$(base64 -d <<< "$base64" | hex)
      [ "${#bytes}" -gt 8 ] || echo wrong
      echo "${name% *} ${bytes:0:8} ${bytes:8}"
    done > "$to-signatures"
    if grep -qx wrong "$to-signatures"; then wrong='has a signature line of another form'; fi
    [ "$(wc -l < "$to-signatures")" -ge 1 ] && [ "$(wc -l < "$to-signatures")" -le 16 ] || wrong='has no or more than 16 signatures'
    [ -z "$(cut -d ' ' -f -2 "$to-signatures" | sort | uniq -d)" ] || wrong='has two signatures by one signer'
  fi
  [ -z "$wrong" ] && ok "$file is a signed note" && return
  fault checkpoint-form "$file: $wrong"
  return 1
}

# note_signature NOTE NAME TYPE ENTRY: the signature of this type by an entry's key, in hexadecimal
note_signature() {
  local hash
  hash=$({ printf '%s\n' "$2"; printf '%b' "\\x$3$(escaped <<< "${keys[$4]}")"; } | sha256sum)
  name=$2 awk -v hash="${hash:0:8}" '$1 == ENVIRON["name"] && $2 == hash { print $3; exit }' "$work/$1-signatures"
}

log() {
  local entry signature signer='' lines i
  for i in data/log/checkpoint data/log/leaves data/attestations/statements.intoto.jsonl; do
    [ -e "$i" ] || fault payload-missing "$i: is not in the bag"
  done
  [ "$faults" = 0 ] || finish
  note data/log/checkpoint checkpoint || finish
  origin=$head_origin size=$head_size
  for entry in "${!keys[@]}"; do
    if ! has "$entry" log || [[ ,${names[entry]}, != *",$origin,"* ]]; then continue; fi
    signature=$(note_signature checkpoint "$origin" 01 "$entry")
    [ "${#signature}" = 128 ] || continue
    printf '%b' "$(escaped <<< "$signature")" > "$work/signature"
    if signed_by "$entry" "$work/checkpoint" "$work/signature"; then signer=${prints[entry]}; fi
  done
  if [ "$signer" ]; then
    ok "the checkpoint of $origin, $size entries, is signed by its key $signer"
  else
    fault log-unknown "no key that your trust file gives log $origin signed its checkpoint"
    finish
  fi
  { matching -nvxE 'sha256:[0-9a-f]{64} SHA256:[A-Za-z0-9+/]{43} sha256:[0-9a-f]{64} [!-~]{1,256}' data/log/leaves | cut -c -100
    tail -c 1 data/log/leaves | tr -d '\n' | hex; } | none log-form 'is no entry of a log' 'the entries of the log have their form'
  [ "$faults" = 0 ] || finish
  mapfile -t lines < data/log/leaves
  mkdir "$work/entries"
  for i in "${!lines[@]}"; do printf '\0%s' "${lines[i]}" > "$work/entries/$((100000000 + i))"; done
  digests "$work/entries" > "$work/leaf-hashes"
  rm -r "$work/entries"
  if [ "${#lines[@]}" = "$size" ] && [ "$(root "$size")" = "$head_root" ]; then
    ok "its $size entries lead to the root that is signed"
  else
    fault log-root "its ${#lines[@]} entries do not lead to the root that was signed for $size"
    finish
  fi
  checkpoint_root=$head_root
  remembered
  witnesses
  [ "$faults" = 0 ] || finish
}

# What was accepted before: checkpoints in a file named by the origin's SHA-256, and beside it the entries of the longest
# log, which show that an older head is of it.
remembered() {
  local known_size known_root known largest=0 same='' forked=''
  if [ -z "$memory" ]; then ok 'no memory: this log is taken as it comes'; return; fi
  known_file="$memory/$(printf '%s' "$origin" | sha256sum | cut -c -64)"
  [ -e "$known_file.txt" ] || { ok 'this log is seen for the first time'; return; }
  while IFS=' ' read -r known_size known_root known; do
    [[ $known_size =~ ^[0-9]{1,9}$ && $known_root =~ ^[0-9a-f]{64}$ && $known == "$origin" ]] ||
      die "$known_file.txt: has a line that is no checkpoint"
    [ "$known_size" -le "$largest" ] || largest=$known_size
    if [ "$known_size" -le "$size" ]; then
      [ "$(root "$known_size")" = "$known_root" ] || forked=$known_size
      [ "$known_size" != "$size" ] || same=1
    fi
  done < "$known_file.txt"
  if [ "$largest" -gt "$size" ] && [ -e "$known_file.leaves" ] && [ "$(wc -l < "$known_file.leaves")" -gt "$size" ]; then
    if head -n "$size" "$known_file.leaves" | cmp -s - data/log/leaves; then same=1; else forked=$size; fi
  fi
  if [ "$forked" ]; then
    fault log-forked "within its first $forked entries it is not the log that was accepted before"
  elif [ "$largest" -gt "$size" ] && [ -z "$same" ]; then
    fault checkpoint-older-unproven "$size entries, but $largest were accepted before"
  else
    ok "it is the log that was accepted before, with $largest entries"
  fi
}

remember() {
  [ "$memory" ] || return 0
  mkdir -p "$memory"
  if ! [ -e "$known_file.leaves" ] || [ "$(wc -l < "$known_file.leaves")" -lt "$size" ]; then
    cp data/log/leaves "$known_file.partial-$$"
    mv "$known_file.partial-$$" "$known_file.leaves"
  fi
  grep -qsxF -e "$size $checkpoint_root $origin" "$known_file.txt" || printf '%s %s %s\n' "$size" "$checkpoint_root" "$origin" >> "$known_file.txt"
}

# Cosignatures by trusted witnesses, on the checkpoint and on the last one that a partner cosigned: seen has `<size> <time>`.
witnesses() {
  local one entry name named signature time
  : > "$work/seen"
  for one in checkpoint witnessed; do
    [ -e "data/log/$one" ] || continue
    if [ "$one" = witnessed ]; then
      note data/log/witnessed witnessed || return 0
      if [ "$head_origin" != "$origin" ] || [ "$head_size" -gt "$size" ] || [ "$(root "$head_size")" != "$head_root" ]; then
        fault witnessed-elsewhere "data/log/witnessed: the head of $head_size entries is not of this log"
        continue
      fi
    fi
    for entry in "${!keys[@]}"; do
      has "$entry" witness || continue
      IFS=, read -ra named <<< "${names[entry]}"
      for name in "${named[@]}"; do
        signature=$(note_signature "$one" "$name" 04 "$entry")
        [[ ${#signature} = 144 && $signature == 0000000* ]] || continue
        time=$((16#${signature:0:16}))
        { printf 'cosignature/v1\ntime %d\n' "$time"; cat "$work/$one"; } > "$work/cosigned"
        printf '%b' "$(escaped <<< "${signature:16}")" > "$work/signature"
        signed_by "$entry" "$work/cosigned" "$work/signature" || continue
        time=$(date -u -d "@$time" +%Y%m%d%H%M%S)
        if valid "$entry" "$time" && ! [[ $time > $now ]]; then
          echo "$head_size $time" >> "$work/seen"
          ok "$name saw the first $head_size entries at $time"
        fi
      done
    done
  done
  [ -s "$work/seen" ] || ok 'no witness saw the log: times are the signers'"'"' own'
}

# ---------------------------------------------------------------- level 1: the statements

base64_rule='def b64: type == "string" and length % 4 == 0 and (test("[^A-Za-z0-9+/=]|=[^=]|===") | not) and
  (.[-4:] | . == "" or test("\\A([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)\\z"));'

# The envelopes, one a line: to TSV of line, payload; and of line, keyid, signature.
envelopes() {
  local at lines
  mkdir "$work/payloads" "$work/encoded" "$work/sigs"
  cp data/attestations/statements.intoto.jsonl "$work/envelopes.jsonl"
  tail -c 1 "$work/envelopes.jsonl" | tr -d '\n' | hex | none envelope 'the statements do not end with LF' 'the statements end with LF'
  strict "$work/envelopes.jsonl" | none envelope 'among the statements' 'envelopes are strict JSON, one a line'
  [ "$faults" = 0 ] || finish
  jq -rnR "$base64_rule"'
    def spelled: {payloadType, payload, signatures: [.signatures[] | {keyid, sig}]} | tojson;
    def wrong($line):
      if type != "object" or keys != ["payload", "payloadType", "signatures"] then "has other fields"
      elif .payloadType != "application/vnd.in-toto+json" then "is of another payload type"
      elif (.payload | b64 | not) or .payload == "" or (.payload | length) > 89478488 then "payload is no base64, or too long"
      elif (.signatures | type) != "array" or (.signatures | length) < 1 or (.signatures | length) > 16 then "has not 1 to 16 signatures"
      elif any(.signatures[]; type != "object" or keys != ["keyid", "sig"]) then "a signature has other fields"
      elif any(.signatures[]; .keyid | type != "string" or (test("\\ASHA256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]\\z") | not)) then "a keyid is no fingerprint"
      elif any(.signatures[]; .sig | b64 | not) or any(.signatures[]; .sig | length != 88 or .[-2:] != "==") then "a signature has not 64 bytes"
      elif (.signatures | (map(.keyid) | unique | length) != length or (map(.sig) | unique | length) != length) then "a signer or a signature is repeated"
      elif spelled != $line then "is spelled in another way than it is written"
      else empty end;
    foreach inputs as $line (0; . + 1; . as $at | $line | fromjson |
      if [wrong($line)] != [] then ["wrong", "envelope\tstatement \($at): \(wrong($line))"] else
        ["payload", $at, .payload], (.signatures[] | ["sig", $at, .keyid, .sig]) end) | join(" ")' "$work/envelopes.jsonl" > "$work/envelopes"
  sed -n 's/^wrong //p' "$work/envelopes" | told 'envelopes are as DSSE v1 has them'
  [ "$faults" = 0 ] || finish
  sed -n 's/^payload [0-9]* //p' "$work/envelopes" | unbase64 > "$work/escapes"
  mapfile -t lines < "$work/escapes"
  statements=${#lines[@]}
  for at in "${!lines[@]}"; do
    printf '%b' "${lines[at]}" > "$work/payloads/$((100000001 + at))"
    # what is signed, DSSE's pre-authentication encoding
    printf 'DSSEv1 28 application/vnd.in-toto+json %d %b' $((${#lines[at]} / 4)) "${lines[at]}" > "$work/encoded/$((100000001 + at))"
  done
  sed -n 's/^sig //p' "$work/envelopes" > "$work/signers"    # statement, keyid, signature
  cut -d ' ' -f 3 "$work/signers" | unbase64 > "$work/escapes"
  mapfile -t lines < "$work/escapes"
  for at in "${!lines[@]}"; do printf '%b' "${lines[at]}" > "$work/sigs/$((100000001 + at))"; done
  one_line "$work/payloads/"* > "$work/payloads.jsonl"
  strict "$work/payloads.jsonl" | none statement-form 'among the payloads' "$statements statements are strict JSON"
  [ "$faults" = 0 ] || finish
}

# What docs/provenance.md says of statements; a line for each, with what is needed later on.
# shellcheck disable=SC2016
statement_rules='
def text: type == "string";
def hex($n): text and test("\\A[0-9a-f]{\($n)}\\z");
def within($names): type == "object" and (keys - $names) == [];
def has_all($names): ($names - keys) == [];
def decimal: text and test("\\A(0|[1-9][0-9]{0,19})\\z");
def time: text and test("\\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{0,8}[1-9])?Z\\z")
  and (.[:19] + "Z" | . == (fromdate | todate));
def stamp: (.[:19] | gsub("[-T:]"; "")) + (.[19:] | ltrimstr(".") | rtrimstr("Z") | (. + "000000000")[:9]);
def ranges: type == "array" and all(.[]; text and test("\\A(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,19})\\z"))
  and ([.[] | split("-") | map(tonumber)] | all(.[]; .[0] <= .[1]) and (. as $r | all(range(1; length); $r[.][0] > $r[. - 1][1] + 1)));
def descriptor: within(["annotations", "content", "digest", "name", "uri"]) and has_all(["digest", "name"]) and (.name | text)
  and (.digest | type == "object" and keys == ["sha256"] and (.sha256 | hex(64)))
  and (if has("content") then .content | b64 else true end)
  and (if has("uri") then .uri | text else true end) and (if has("annotations") then .annotations | type == "object" else true end);
def roles: ["evidence", "node", "log", "witness", "custodian", "releaser", "submitter", "analyst", "auditor"];
def types: ["collection", "alteration", "consultation", "disclosure", "transfer", "combination", "erasure", "seal", "review",
  "membership", "revocation", "refusal", "hold"];
def kinds: ["full", "findings", "feed"];
def run: if has("run") then .run | hex(64) else true end;
def details($act):
  if $act == "consultation" then within(["query", "run", "what"]) and has_all(["query", "what"]) and (.query | text) and run
    and (.what as $what | ["sql", "findings", "report", "record"] | index($what))
  elif $act == "disclosure" then within(["kind", "run", "withheld"]) and has_all(["kind", "withheld"]) and run and (.withheld | ranges)
    and (.kind as $kind | kinds | index($kind))
  elif $act == "seal" then within(["kind", "run"]) and has_all(["kind"]) and run and (.kind as $kind | kinds | index($kind))
  elif $act == "erasure" then within(["leaves", "reason"]) and has_all(["leaves", "reason"]) and (.reason | text) and (.leaves | ranges)
  elif . == {} then true
  elif $act == "revocation" then keys == ["since"] and (.since | time)
  elif $act == "collection" then keys == ["recordTree"] and (.recordTree | type == "object" and keys == ["framing", "records", "root"]
    and (.framing | text) and (.records | decimal) and (.root | hex(64)))
  else false end;
def about($event):
  .name as $name | .digest.sha256 as $id | $event.eventType as $type |
  if $type == "erasure" or ($type == "collection" and ($event.details // {}) != {}) then $name == "evidence/" + $id or $name == "feeds/" + $id
  elif $type == "collection" then $name == "allow-lists/" + $id
  elif $type == "consultation" then $name == "query"
  elif $type == "disclosure" then ($name | startswith("data/")) and ($name | startswith("data/attestations/") or startswith("data/log/") | not)
  elif $type == "seal" then $name == "tagmanifest-sha256.txt"
  elif $type == "membership" or $type == "revocation" then $name == "key"
  else true end;
def event:
  (.predicate.eventType | text and (. as $type | types | index($type) != null)) and
  (.subject as $subject | .predicate | . as $event |
    within(["actor", "caseId", "clock", "decision", "details", "eventId", "eventType", "handling", "legalBasis", "method", "nonce",
      "purpose", "recipient", "records", "retention", "time"])
    and has_all(["actor", "caseId", "clock", "eventId", "eventType", "nonce", "purpose", "time"])
    and (.eventId | text and test("\\A[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\\z"))
    and (.nonce | hex(32)) and (.time | time) and .clock == "system"
    and (.actor | within(["id", "jurisdiction", "organisation", "role"]) and has_all(["id", "role"]) and all(.[]; text)
      and (.role as $role | roles | index($role)))
    and all(.caseId, .purpose, (.recipient // ""); text)
    and (.legalBasis // {} | within(["digest", "instrument", "reference"])) and (.handling // {} | within(["caveats", "pap", "tlp"]))
    and (.retention // {} | within(["rule", "until"])) and (.decision // {} | within(["policyDigest", "reasons", "result"]))
    and (.method // {} | within(["settingsDigest", "tool", "version"]))
    and (.records // [] | type == "array" and all(.[]; descriptor and has("content") and (has("uri") or has("annotations") | not)))
    and (.details // {} | type == "object" and details($event.eventType))
    and all($subject[]; about($event))
    and (($subject | length) == 1 or (.eventType as $type | ["alteration", "disclosure", "transfer", "combination", "review", "refusal", "hold"] | index($type) != null)));
def output: (.name | test("\\Aresults/[a-z0-9_-]+[.]parquet\\z")) and (.annotations // {} | (.rows, .bytes | decimal) and (.logicalSha256 | hex(64)));
def provenance:
  (.predicate.buildDefinition.buildType != "urn:comity:correlate:v1"
    or all(.subject[]; output) and (.predicate.runDetails.metadata.invocationId | hex(64))) and (.predicate | type == "object" and keys == ["buildDefinition", "runDetails"]
  and (.buildDefinition | type == "object" and keys == ["buildType", "externalParameters", "internalParameters", "resolvedDependencies"]
    and (.buildType == "urn:comity:normalise:v1" or .buildType == "urn:comity:correlate:v1")
    and (.externalParameters | type == "object" and (.caseId | text)) and (.internalParameters | type == "object" and (.nonce | hex(32)))
    and (.resolvedDependencies | type == "array" and all(.[]; descriptor)))
  and (.runDetails | within(["builder", "byproducts", "metadata"]) and has_all(["builder", "metadata"])
    and (.builder | within(["id", "version"]) and (.id | text and test("\\Aurn:comity:node:SHA256:[A-Za-z0-9+/]{43}\\z")))
    and (.metadata | type == "object" and keys == ["finishedOn", "invocationId", "startedOn"] and (.startedOn, .finishedOn | time) and (.invocationId | text))
    and (.byproducts // [] | type == "array" and all(.[]; descriptor))));
def wrong:
  if type != "object" or keys != ["_type", "predicate", "predicateType", "subject"] then "has other fields"
  elif ._type != "https://in-toto.io/Statement/v1" then "is of another type"
  elif (.subject | type != "array" or . == [] or any(.[]; descriptor | not)) then "has no subject, or one of another form"
  elif (.subject | (map(.name) | unique | length) != length) then "has two subjects of one name"
  elif any(..; type == "number") then "has a number: integers are written as text"
  elif .predicateType == "urn:comity:custody-event:v1" then
    if any(..; . == null) then "has a null" elif event then empty else "is not as a custody event must be" end
  elif .predicateType == "https://slsa.dev/provenance/v1" then if provenance then empty else "is not as provenance must be" end
  elif .predicateType == "https://in-toto.io/attestation/test-result/v0.1" then "a verdict does not belong here"
  else "has a predicate type that is not known" end;
'

statements() {
  # shellcheck disable=SC2016
  jq -rn "$base64_rule$statement_rules"'
    foreach inputs as $one (0; . + 1; . as $at | $one | [wrong] as $wrong | if $wrong != [] then ["wrong", "statement-form\tstatement \($at): \($wrong[0])"] else
      (if .predicateType == "urn:comity:custody-event:v1" then .predicate | ["fact", $at, .eventType, (.time | stamp),
          if any(.records[]?; .content | @base64d | try (fromjson | .role == "custodian") catch false) then "custodian" else "-" end]
       else .predicate | ["fact", $at, (.buildDefinition.buildType | ltrimstr("urn:comity:") | rtrimstr(":v1")), (.runDetails.metadata.finishedOn | stamp), "-"] end),
      (select(.predicate.eventType == "revocation") | ["revoked", $at, .subject[0].digest.sha256]
        + (.predicate | if .details.since? then [(.details.since | stamp), "compromised"] else [(.time | stamp), "-"] end)),
      (.predicateType as $type | ["type", $at, $type]),
      (select(.predicate.eventType == "consultation") | ["content", .subject[0].digest.sha256, (.predicate.details.query | @base64)]),
      (.subject[], .predicate.records[]?, .predicate.buildDefinition.resolvedDependencies[]?, .predicate.runDetails.byproducts[]?
        | select(has("content")) | ["content", .digest.sha256, .content])
    end) | join(" ")' "$work/payloads.jsonl" > "$work/stated"
  sed -n 's/^wrong //p' "$work/stated" | told 'statements are as docs/provenance.md has them'
  [ "$faults" = 0 ] || finish
  sed -n 's/^fact //p' "$work/stated" > "$work/facts"
  sed -n 's/^revoked //p' "$work/stated" > "$work/revoked"
  sed -n 's/^content \([^ ]*\) .*/\1/p' "$work/stated" > "$work/content-digests"
  sed -n 's/^content [^ ]* //p' "$work/stated" | unbase64 > "$work/contents"
  hashed "$work/contents" | paste -d ' ' - "$work/content-digests" | awk '$1 != $2 { print $2 }' |
    none statement-form 'content is not what this digest says' 'records in the statements have their digests'
  [ "$faults" = 0 ] || finish
  jq -n '[inputs]' "$work/payloads.jsonl" > "$work/all.json"
  # the entries that the log must have, one for each signature: statement, fingerprint, place in the log
  digests "$work/payloads" > "$work/payload-digests"
  digests "$work/sigs" | paste -d ' ' "$work/signers" - | awk '
    FILENAME ~ /stated$/ { if ($1 == "type") type[$2] = $3; next }
    FILENAME ~ /payload-digests$/ { payload[FNR] = $1; next }
    FILENAME ~ /leaves$/ { place[$0] = FNR; next }
    { entry = "sha256:" payload[$1] " " $2 " sha256:" $4 " " type[$1]; print $1, $2, place[entry] + 0 }
  ' "$work/stated" "$work/payload-digests" data/log/leaves - > "$work/logged"
  awk '$3 == 0 { print "not-logged\tstatement " $1 ": the signature of " $2 " is not in the log" }' "$work/logged" | told 'every signature is in the log'
  [ "$faults" = 0 ] || finish
  awk '$1 == at && $3 != last + 1 { print "signature-late\tstatement " $1 ": the signature of " $2 " was added late: the log has it elsewhere" }
    { at = $1; last = $3 }' "$work/logged" | told 'the signatures of each stand side by side'
  [ "$faults" = 0 ] || finish
  awk '!($1 in first) || $3 < first[$1] { first[$1] = $3 } END { for (at = 1; at in first; at++) print at, first[at] }' "$work/logged" > "$work/first"
  awk '$2 <= last { print "statement " $1 } { last = $2 }' "$work/first" |
    none statement-order 'stands out of the order of the log, or twice' 'statements stand in the order of the log'
  [ "$faults" = 0 ] || finish
}

# Who signed what: signatures by the keys of the trust file must be true; who has the role is judged after.
attribution() {
  local at keyid entry number=0
  declare -gA signed=()
  while read -r at keyid _; do
    number=$((number + 1))
    for entry in "${!keys[@]}"; do
      [ "${prints[entry]}" = "$keyid" ] || continue
      if signed_by "$entry" "$work/encoded/$((100000000 + at))" "$work/sigs/$((100000000 + number))"; then
        signed[$at]+=" $keyid "
      else
        printf 'signature-false\tstatement %s: the signature of %s is false\n' "$at" "$keyid" >> "$work/false"
      fi
      break
    done
  done < "$work/logged"
  touch "$work/false"
  told "signatures of $number, by keys that you know, are true" < "$work/false"
  [ "$faults" = 0 ] || finish
  judge | told 'each statement is signed by those who had the role then'
}

judge() {
  local at what time first custodian='' member
  declare -A firsts=()
  while read -r at first; do firsts[$at]=$first; done < "$work/first"
  while read -r at what time member; do
    if [ -z "${signed[$at]-}" ]; then
      printf 'unknown-signer\tstatement %s (%s): signed by nobody that your trust file knows: a claim\n' "$at" "$what"
      continue
    fi
    needs node
    case $what in
      disclosure)
        # the seal of the bag stands for the signature of its own disclosure
        { [ "$at" = "$statements" ] && seals; } || needs releaser submitter ;;
      erasure | revocation) needs custodian ;;
      membership)
        # the first members of a case come before any custodian
        [ -z "$custodian" ] || needs custodian
        [ "$member" = - ] || custodian=1 ;;
    esac
  done < "$work/facts"
}

needs() {  # ROLE…: whether a signer of statement `at` held one of the roles then; else a fault is printed
  local entry role why=wrong-role text="needs a $1, and none signed"
  for entry in "${!keys[@]}"; do
    [[ ${signed[$at]} == *" ${prints[entry]} "* ]] || continue
    for role in "$@"; do
      has "$entry" "$role" || continue
      if held_then "$entry" "$role"; then return; fi
      why=$held_why text=$held_text
    done
  done
  printf '%s\tstatement %s (%s): %s\n' "$why" "$at" "$what" "$text"
}

held_then() {  # ENTRY ROLE: whether its key held the role at `time`, so far as that can be known
  local key=${keys[$1]} print=${prints[$1]} entry end seen kept=''
  local at_most=${time:0:14} revoked_at revoked_key since compromised
  seen=$(awk -v at="${firsts[$at]}" '$1 >= at { print $2 }' "$work/seen" | sort | head -n 1)
  while read -r revoked_at revoked_key since compromised; do
    # a key may sign its own revocation
    if [ "$revoked_at" = "$at" ] || [ "$revoked_key" != "$(wire "$key" | sha256sum | cut -c -64)" ]; then continue; fi
    held_why=revoked-key held_text="the key of $print is revoked"
    [[ $time < $since && $at -lt $revoked_at ]] || return 1
    held_why=expired-unwitnessed held_text="the key of $print was stolen, and no trusted witness saw the statement before it was"
    [[ $compromised = - || ( -n $seen && $seen < ${since:0:14} ) ]] || return 1
  done < "$work/revoked"
  # nothing was signed later than now, whatever a signer's clock says
  [[ ! $at_most > $now ]] || at_most=$now
  held_why=expired-key held_text="the key of $print was not valid at $at_most"
  for entry in "${!keys[@]}"; do
    if [ "${keys[entry]}" = "$key" ] && has "$entry" "$2" && valid "$entry" "$at_most"; then kept=$entry; break; fi
  done
  [ "$kept" ] || return 1
  end=${before[kept]}
  [[ -n $end && ! $end > $now ]] || return 0
  held_why=expired-unwitnessed held_text="the key of $print has ended, and no trusted witness saw the statement before it did"
  [[ -n $seen && $seen < $end ]]
}

wire() { printf '\0\0\0\013ssh-ed25519\0\0\0\040'; printf '%b' "$(escaped <<< "$1")"; }    # KEY, as SSH writes it

seals() {
  local entry role
  for entry in "${!keys[@]}"; do
    [ "${keys[entry]}" = "$sealer" ] || continue
    for role in releaser $([ "$kind" != feed ] || echo submitter); do
      if has "$entry" "$role" && held_then "$entry" "$role"; then return 0; fi
    done
  done
  return 1
}

# Each entry of the log has its statement, or a statement says why not.
coverage() {
  if [ "$(tail -n 1 "$work/facts" | cut -d ' ' -f 2)" != disclosure ]; then
    fault no-disclosure 'the last statement is no disclosure: the bag is released by none'
    finish
  fi
  jq -r '(.[-1].predicate.details.withheld[] | "withheld " + .), (.[].predicate | select(.eventType? == "erasure") | .details.leaves[] | "erased " + .)' "$work/all.json" > "$work/ranges"
  awk -v size="$size" '
    FILENAME ~ /logged$/ { covered[$3 - 1]; next }
    { split($2, range, "-"); kind[++n] = $1; from[n] = range[1]; to[n] = range[2] }
    END {
      for (at = 0; at < size; at++) {
        if (at in covered) continue
        why = ""
        for (i = 1; i <= n; i++) if (from[i] <= at && at <= to[i] && why != "erased") why = kind[i]
        if (why == "") print "statement-missing\tthe statement of entry " at " is missing, and no statement says that it is withheld or erased"
      }
    }' "$work/logged" "$work/ranges" | told 'each entry of the log has its statement, or is withheld or erased by one'
}

# What the statements tell, held against each other and against the files. $listed: manifest, path to digest.
# shellcheck disable=SC2016
told_rules='
def fault($kind; $text): "\($kind)\t\($text)";
def case_of: .predicate | .caseId? // .buildDefinition.externalParameters.caseId;
def made_after: startswith("data/attestations/") or startswith("data/log/") or . == "data/ro-crate-metadata.json";
def collections: .[] | select(.predicate.eventType? == "collection");
def runs: .[] | select(.predicate.buildDefinition.buildType? == "urn:comity:correlate:v1");
def inputs_of: "data/inputs/\(.)/original", "data/inputs/\(.)/record-salts.secret";
. as $all |
# one case
(to_entries[] | .key as $at | .value | select(case_of != $case) | fault("other-case"; "statement \($at + 1): of case \(case_of), bag-info.txt names \($case)")),
# one root for an item in a framing
([collections | select(.predicate.details.recordTree?) | {name: .subject[0].name, tree: .predicate.details.recordTree}] | unique
  | group_by([.name, .tree.framing])[] | select(length > 1) | fault("second-root"; "\(.[0].name): has a second record tree in framing \(.[0].tree.framing)")),
([runs | .predicate.runDetails.metadata.invocationId] | group_by(.)[] | select(length > 1) | fault("second-run"; "two statements of run \(.[0])")),
# what was disclosed is what is here
(.[-1] | ([.subject[] | {key: .name, value: .digest.sha256}] | from_entries) as $stated
  | ($listed | with_entries(select(.key | made_after | not))) as $found
  | (($stated | keys) + ($found | keys) | unique[]) | select($stated[.] != $found[.])
  | fault("disclosure-content"; "\(.): the bag and its disclosure do not agree about it")),
# the run, its tables, its queries
if $kind == "feed" then
  ($listed | keys[] | select(test("\\Adata/inputs/feeds/[0-9a-f]{64}/original\\z")) | split("/")[3] | . as $id
    | select(([$all | collections | .subject[0].name] | index("feeds/" + $id) == null) or ([$readings[] | .id] | index($id) == null))
    | fault("not-stated"; "feed \(.): no statement tells of it, or that it was read"))
else
  $definition[0] as $d |
  (["evidence", "feeds", "allow_lists"] | map({key: (if . == "allow_lists" then "allow-lists" else . end), value: [$d[.][]?.id]}) | from_entries) as $named |
  [$all | collections | .subject[0].name] as $collected |
  ($named | to_entries[] | .key as $shelf | .value[] | "\($shelf)/\(.)" | . as $name | select($collected | index($name) == null)
    | fault("not-stated"; "\(.): no statement tells of it")),
  ($d.evidence[]?, $d.feeds[]? | . as $one | select(any($readings[]; .id == $one.id and .settings == $one.settings) | not)
    | fault("not-stated"; "\(.id): no statement tells that it was read with these settings")),
  ([$all | runs | select(.predicate.runDetails.metadata.invocationId == $run)] | if length == 0 then fault("run-not-stated"; "run \($run): no statement tells of it") else .[0] |
    ([.predicate.buildDefinition.resolvedDependencies[] | select(.name != "comity") | "\(.name) \(.digest.sha256)"] | sort) as $depended
    | ([$named | to_entries[] | .key as $shelf | .value[] | "\($shelf)/\(.) \(.)"] | sort) as $wanted
    | (select($depended != $wanted) | fault("definition-changed"; "the statement of the run depends on other items than the definition names")),
    ([.subject[] | {key: "data/\(.name)", value: .digest.sha256}] | from_entries) as $made
    | ($listed | with_entries(select(.key | startswith("data/results/")))) as $here
    | ($here | keys[] | select($made[.] == null) | fault("table-extra"; "\(.): the run made no such table")),
      ($here | keys[] | select($made[.] != null and $made[.] != $here[.]) | fault("table-swapped"; "\(.): is not the table that the run made")),
      ($made | keys[] | select($here[.] == null)
        | select(($kind == "findings" and (. == "data/results/not-seen.parquet" or . == "data/results/allow-listed.parquet")) | not)
        | fault("table-missing"; "\(.): is not in the bag")) end),
  (select($d.case.id != $case) | fault("definition-changed"; "data/definition.json: is of case \($d.case.id)")),
  ($d.correlations[]? | "data/verify/\(.name).sql" as $path | (select($listed[$path] == null) | fault("payload-missing"; "\($path): is not in the bag")),
    (select($listed[$path] != null and $listed[$path] != .sha256) | fault("query-changed"; "\($path): is not the query that the definition names")))
end,
# nothing else: every bag has the file, or the run made, ran or used it, or the feed is submitted; tables were judged above
([("VERIFY.md", "ro-crate-metadata.json", "attestations/statements.intoto.jsonl", "log/checkpoint", "log/leaves", "log/witnessed") | "data/" + .]
  + (if $kind == "feed" then [$listed | keys[] | select(test("\\Adata/inputs/feeds/[0-9a-f]{64}/original\\z")) | "feeds/" + split("/")[3] | inputs_of]
    else [$definition[0] | ("definition.json", "report.html", "case.jsonld", "verify/\(.correlations[]?.name).sql", "inputs/allow-lists/\(.allow_lists[]?.id)/original"
        | "data/" + .), if $kind == "full" then ("evidence/\(.evidence[]?.id)", "feeds/\(.feeds[]?.id)" | inputs_of)
        else "data/records/\(.evidence[]?.id).jsonl", "data/indicators/\(.feeds[]?.id).jsonl" end] end) | INDEX(.)) as $known
| $listed | keys[] | select($known[.] == null and ($kind == "feed" or (startswith("data/results/") | not)))
| fault("payload-extra"; "\(.): no statement accounts for this file in such a bag")
'

told_of() {
  local lines one
  jq -r --arg kind "$kind" --arg run "$run" '.[-1].predicate.details | select(.kind != $kind or (.run // "") != $run) | "the disclosure"' "$work/all.json" |
    none disclosure-content 'is of another kind or run than bag-info.txt says' 'what was disclosed is the kind and run of bag-info.txt'
  [ "$faults" = 0 ] || finish
  # readings: what items were read as, out of the statements of normalisation
  jq -r '.[].predicate | select(.buildDefinition.buildType? == "urn:comity:normalise:v1") | .runDetails.byproducts[0].digest.sha256' "$work/all.json" |
    sort -u > "$work/reading-digests"
  paste -d ' ' "$work/content-digests" "$work/contents" |
    awk 'FILENAME ~ /reading-digests$/ { wanted[$1]; next } ($1 in wanted) && !seen[$1]++ { print $2 }' "$work/reading-digests" - > "$work/escapes"
  mapfile -t lines < "$work/escapes"
  for one in "${lines[@]}"; do printf '%b' "$one" | tr '\n' ' '; echo; done > "$work/readings.jsonl"
  strict "$work/readings.jsonl" | none statement-form 'among the readings' 'readings are strict JSON'
  [ "$faults" = 0 ] || finish
  jq -n '[inputs]' "$work/readings.jsonl" > "$work/readings.json"
  jq -Rn '[inputs | {key: .[66:], value: .[:64]}] | from_entries' manifest-sha256.txt > "$work/listed.json"
  echo '{}' > "$work/definition.json"
  if [ "$kind" != feed ]; then
    [ -e data/definition.json ] || { fault payload-missing 'data/definition.json: is not in the bag'; finish; }
    if [ "$(sha256sum < data/definition.json | cut -c -64)" != "$run" ]; then
      fault definition-changed 'data/definition.json: is not that of the run that the bag names'
      finish
    fi
    ok "the definition's SHA-256 is the run, $run"
    one_line data/definition.json > "$work/definition.json"
    strict "$work/definition.json" | none definition-form 'data/definition.json' 'the definition is strict JSON'
  fi
  [ "$faults" = 0 ] || finish
  jq -r --arg case "$case_id" --arg kind "$kind" --arg run "$run" --slurpfile listed_file "$work/listed.json" --slurpfile definition "$work/definition.json" \
    --slurpfile readings_file "$work/readings.json" '$listed_file[0] as $listed | $readings_file[0] as $readings | '"$told_rules" "$work/all.json" |
    told 'statements, definition, tables, queries and files agree'
}

# ---------------------------------------------------------------- level 2: grounded

# Originals are named by their SHA-256, which the manifest has been held to.
originals() {
  { sed -nE 's,^([0-9a-f]{64})  data/inputs/(evidence|feeds|allow-lists)/([0-9a-f]{64})/original$,\1 \3,p' manifest-sha256.txt |
      awk '$1 != $2 { print "input-swapped\tinput " $2 ": its SHA-256 is " $1 }'
    jq -r --arg kind "$kind" '(.allow_lists[]? | "allow-lists/\(.id)"), (select($kind == "full") | (.evidence[]? | "evidence/\(.id)"), (.feeds[]? | "feeds/\(.id)"))' "$work/definition.json" |
      while read -r item; do
        [ -f "data/inputs/$item/original" ] || printf 'payload-missing\tdata/inputs/%s/original: is not in the bag\n' "$item"
        [[ $item == allow-lists/* || -f "data/inputs/$item/record-salts.secret" ]] || printf 'payload-missing\tdata/inputs/%s/record-salts.secret: is not in the bag\n' "$item"
      done
    find data -name record-salts.secret | while read -r file; do
      [[ $(stat -c %s "$file") = 65 && $(< "$file") =~ ^[0-9a-f]{64}$ ]] || printf 'proof-form\t%s: is no secret\n' "$file"
    done
  } | told 'originals are there, and have the digests that they are named by'
}

# The tree that a statement gives the item of each file of proofs: path, number of records, root.
trees() {
  jq -r --slurpfile d "$work/definition.json" --slurpfile readings "$work/readings.json" '
    [.[] | select(.predicate.eventType? == "collection" and .predicate.details.recordTree?) | {name: .subject[0].name} + .predicate.details.recordTree] as $trees
    | ($d[0].evidence[]? | . as $one | ([$readings[0][] | select(.id == $one.id and .settings == $one.settings)][0].framing) as $framing
        | $trees | map(select(.name == "evidence/\($one.id)" and .framing == $framing))[0] | select(.) | "data/records/\($one.id).jsonl \(.records) \(.root)"),
      ($d[0].feeds[]? | . as $one | $trees | map(select(.name == "feeds/\($one.id)" and .framing == "comity-rows/v1"))[0] | select(.) | "data/indicators/\($one.id).jsonl \(.records) \(.root)")' "$work/all.json"
}

proofs() {
  local files file offset length salt
  files=(data/records/*.jsonl data/indicators/*.jsonl)
  [ "${#files[@]}" != 0 ] || { ok 'no records are disclosed'; return; }
  trees > "$work/trees"
  printf '%s\n' "${files[@]}" | awk '
    FILENAME ~ /trees$/ { committed[$1]; next }
    !($1 in committed) { print "not-committed\t" $1 ": no statement commits to its records" }' "$work/trees" - |
    told 'records and indicators were committed to'
  awk '{ print FILENAME, FNR }' "${files[@]}" > "$work/places"
  for file in "${files[@]}"; do tail -c 1 "$file" | tr -d '\n' | hex; done | none proof-form 'a file of proofs does not end with LF' 'files of proofs end with LF'
  cat "${files[@]}" > "$work/proofs.jsonl"
  strict "$work/proofs.jsonl" | none proof-form "among the proofs of $(printf '%.20s… ' "${files[@]##*/}")" 'proofs are strict JSON, one a line'
  [ "$faults" = 0 ] || finish
  jq -rn "$base64_rule"'
    def number: type == "string" and test("\\A(0|[1-9][0-9]{0,14})\\z");
    def wrong:
      if type != "object" or keys != ["bytes", "context", "length", "offset", "path", "record", "salt"] then "has other fields"
      elif all(.record, .offset, .length; number) | not then "an integer is not in decimal, or has more than 15 digits"
      elif (.salt | type != "string" or (test("\\A[0-9a-f]{32}\\z") | not)) then "salt is not 32 hexadecimal digits"
      elif (.bytes | b64 | not) then "bytes are no base64"
      elif (.bytes | length / 4 * 3 - (if endswith("==") then 2 elif endswith("=") then 1 else 0 end)) != (.length | tonumber) then "length is not that of the bytes"
      elif (.path | type != "array" or length > 64 or any(.[]; type != "string" or (test("\\A[0-9a-f]{64}\\z") | not))) then "path has other than hashes"
      elif .context | type != "boolean" then "context is neither true nor false"
      else empty end;
    inputs | [wrong][0] as $wrong
      | if $wrong then "wrong \($wrong)" else "proof \(.record) \(.offset) \(.length) \(.salt) =\(.bytes) \(.path | join(" "))" end' "$work/proofs.jsonl" |
    paste -d ' ' "$work/places" - > "$work/proofs"
  awk '
    $3 == "wrong" { place = $1 ": line " $2 ": "; sub(/^[^ ]* [^ ]* wrong /, ""); print "proof-form\t" place $0; next }
    $1 == file && $4 + 0 <= last { print "proof-form\t" $1 ": line " $2 ": is not in order, or stands twice" }
    { file = $1; last = $4 + 0 }' "$work/proofs" | told 'proofs have their form'
  [ "$faults" = 0 ] || finish
  # the leaves: 00, salt, offset, length, bytes
  cut -d ' ' -f 4-7 "$work/proofs" | while read -r _ offset length salt; do printf '00%s%016x%016x\n' "$salt" "$offset" "$length"; done |
    escaped > "$work/heads"
  cut -d ' ' -f 8 "$work/proofs" | sed 's/^=//' | unbase64 | paste -d '' "$work/heads" - > "$work/records"
  # state: file, line, index, last index, hash, root, path; each turn takes a hash off each path, RFC 9162 §2.1.3.2
  hashed "$work/records" | paste -d ' ' - "$work/proofs" | awk '
    FILENAME ~ /trees$/ { records[$1] = $2; root[$1] = $3; next }
    { line = $2 " " $3 " " $5 - 1 " " records[$2] - 1 " " $1 " " root[$2]
      for (i = 10; i <= NF; i++) line = line " " $i
      print line }' "$work/trees" - > "$work/state"
  proof_results | told "$(wc -l < "$work/proofs") records and indicators lead to the roots that were committed to"
}

proof_results() {
  # one that ends is printed by the turn that ends it, the others go on
  awk -v OFMT=%.15g '$3 < 0 || $3 > $4 { print "proof-false\t" $1 ": line " $2 ": there is no such record"; next } { print > "'"$work/going"'" }' "$work/state"
  touch "$work/going"
  while [ -s "$work/going" ]; do
    awk -v CONVFMT=%.15g -v steps="$work/steps" -v rest="$work/rest" '
      NF == 6 { if ($4 != 0 || $5 != $6) print "proof-false\t" $1 ": line " $2 ": its path does not lead to the root"; next }
      $4 == 0 { print "proof-false\t" $1 ": line " $2 ": its path is too long"; next }
      { fn = $3; sn = $4
        if (fn % 2 == 1 || fn == sn) {
          print "01" $7 $5 > steps
          while (fn % 2 == 0 && fn != 0) { fn = int(fn / 2); sn = int(sn / 2) }
        } else print "01" $5 $7 > steps
        path = ""
        for (i = 8; i <= NF; i++) path = path " " $i
        print $1, $2, int(fn / 2), int(sn / 2), "HASH", $6 path > rest }' "$work/going"
    touch "$work/steps" "$work/rest"
    # neighbours share the upper part of their paths: each node is hashed once
    sort -u "$work/steps" > "$work/nodes"
    escaped < "$work/nodes" > "$work/pairs"
    hashed "$work/pairs" | paste -d ' ' "$work/nodes" - > "$work/hashes"
    paste -d ' ' "$work/steps" "$work/rest" | awk '
      FILENAME ~ /hashes$/ { hash[$1] = $2; next }
      { $6 = hash[$1]; sub(/^[^ ]* /, ""); print }' "$work/hashes" - > "$work/going"
    rm -f "$work/steps" "$work/rest"
  done
}

# ---------------------------------------------------------------- all of it

main() {
  local bag='' tool
  memory='' without_bagit='' trust=''
  while [ $# != 0 ]; do
    case $1 in
      --memory) [ $# -ge 2 ] || die '--memory needs a directory'; memory=$2; shift ;;
      --no-bagit) without_bagit=1 ;;
      -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
      -*) die "unknown option $1" ;;
      *) if [ -z "$bag" ]; then bag=$1; elif [ -z "$trust" ]; then trust=$1; else die 'a bag and a trust file are wanted'; fi ;;
    esac
    shift
  done
  [ "$trust" ] || die 'usage: verify.sh [--memory DIR] [--no-bagit] BAG ALLOWED_SIGNERS'
  for tool in ssh-keygen openssl jq find xargs awk iconv sha256sum $([ "$without_bagit" ] || echo bagit.py bagit_profile.py); do
    type -P "$tool" > /dev/null || die "$tool is not installed"
  done
  [ -f "$trust" ] || die "$trust: no such file"
  [ -d "$bag" ] || die "$bag: is not a directory"
  profile=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/schemas/bag-profile.json
  [ "$without_bagit" ] || [ -f "$profile" ] || die "$profile: is not there"
  trust=$(realpath -- "$trust")
  [ -z "$memory" ] || memory=$(realpath -m -- "$memory")
  now=$(date -u +%Y%m%d%H%M%S)
  work=$(mktemp -d)
  trap stopped EXIT
  iconv -f UTF-8 -t UTF-8 "$trust" > "$work/iconv" 2>&1 || die "$trust: is not UTF-8"
  trust_file "$trust"
  cd -- "$bag"

  shape
  manifests
  bag_info
  seal
  holds 0 "complete, unaltered, sealed by a signer that you trust; SHA-256 of the tag manifest $(sha256sum < tagmanifest-sha256.txt | cut -c -64)"
  log
  envelopes
  statements
  attribution
  coverage
  told_of
  [ "$faults" != 0 ] || remember
  holds 1 'each statement was signed by a key that held the role then; the log holds each, and only grew'
  originals
  [ "$kind" != findings ] || proofs
  holds 2 'what is disclosed lies in what was committed to at intake'
  finish
}

main "$@" | cat -v
exit "${PIPESTATUS[0]}"
