#!/usr/bin/env python3
"""Checks a bag's statements with in-toto's and securesystemslib's own code, knowing nothing of comity.

    dsse.py statements.intoto.jsonl allowed_signers

Needs in-toto-attestation==0.9.3, securesystemslib==1.6.0 and cryptography from PyPI. Every line must be a
DSSE envelope whose payload is a valid in-toto Statement v1 (and, where in-toto knows the predicate, a valid
predicate), and every signature must verify with the key in allowed_signers that its keyid is the
fingerprint of. Says so and exits with 0, or names the first bad line and exits with 1.
"""
import base64
import hashlib
import json
import re
import sys

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATES = {
    "https://slsa.dev/provenance/v1": Provenance,
    "https://in-toto.io/attestation/test-result/v0.1": TestResult,
}


def once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is repeated")
    return members


def keys_of(text):
    """Fingerprint to key, of all Ed25519 keys of the file."""
    keys = {}
    for word in re.findall(r"^[^#].*?\bssh-ed25519[ \t]+(\S+)", text, re.MULTILINE):
        wire = base64.b64decode(word, validate=True)
        keyid = "SHA256:" + base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip("=")
        keys[keyid] = SSlibKey(keyid, "ed25519", "ed25519", {"public": wire[-32:].hex()})
    return keys


def check(line, keys):
    envelope = Envelope.from_dict(json.loads(line, object_pairs_hook=once))
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"payload type is {envelope.payload_type!r}")
    signers = [keys[keyid] for keyid in envelope.signatures]
    envelope.verify(signers, len(envelope.signatures))

    payload = json.loads(envelope.payload, object_pairs_hook=once)
    statement = json_format.ParseDict(payload, statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    predicate = PREDICATES.get(statement.predicate_type)
    if predicate:
        json_format.ParseDict(payload["predicate"], predicate())


def main(statements, allowed_signers):
    with open(allowed_signers, encoding="utf-8") as file:
        keys = keys_of(file.read())
    valid = 0
    with open(statements, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                check(line, keys)
            except Exception as error:  # noqa: BLE001 - whatever it is, the line does not hold
                print(f"line {number}: {type(error).__name__}: {error}", file=sys.stderr)
                return 1
            valid += 1
    print(f"{valid} valid")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
