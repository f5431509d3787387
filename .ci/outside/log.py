#!/usr/bin/env python3
"""Checks a log and proven records with pymerkle's own trees, knowing nothing of comity.

    log.py root LEAVES CHECKPOINT         the first leaves give the checkpoint's root
    log.py proof LEAVES PROOF             the leaf of a tlog-proof is in the tree of its checkpoint
    log.py consistency OLDER NEWER PATH   one checkpoint continues another; PATH: a base64 hash a line
    log.py records RECORDS COUNT ROOT     every proven record is in the tree of COUNT records and ROOT (hex)

Needs pymerkle==7.0.0 and cachetools==7.2.1 from PyPI. Signatures are not checked here: that takes openssl.
Says what holds and exits with 0, or says what does not and exits with 1.
"""
import base64
import json
import struct
import sys

from pymerkle import InclusionProof, ConsistencyProof, InmemoryTree, verify_consistency, verify_inclusion
from pymerkle.core import _consistency_path_layout, _inclusion_path_layout
from pymerkle.hasher import MerkleHasher

HASHER = MerkleHasher("sha256")


def read(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return file.read()


def entries(path):
    return [line.encode() for line in read(path).removesuffix("\n").split("\n")]


def digest(text):
    return base64.b64decode(text, validate=True)


def checkpoint(note):
    _, size, root = note.split("\n\n")[0].split("\n")
    return int(size), digest(root)


def included(leaf, index, size, path, root):
    """Index from 0. pymerkle's path begins with the leaf; its rule follows from index and size alone."""
    rule, _ = _inclusion_path_layout(index + 1, size)
    proof = InclusionProof("sha256", True, size, index + 1, rule, [leaf, *path])
    verify_inclusion(leaf, root, proof, index=index + 1, size=size, algorithm="sha256")


def continued(older, newer, path):
    """RFC 9162, section 2.1.4.2, step by step."""
    (first, first_hash), (second, second_hash) = older, newer
    assert 0 < first < second, "sizes"
    if first & (first - 1) == 0:
        path = [first_hash, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        assert sn, "path is too long"
        if fn & 1 or fn == sn:
            fr, sr = HASHER.hash_pair(c, fr), HASHER.hash_pair(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = HASHER.hash_pair(sr, c)
        fn, sn = fn >> 1, sn >> 1
    assert (fr, sr, sn) == (first_hash, second_hash, 0), "roots"
    if first & 1:
        # pymerkle's paths are other ones, but of an odd size they differ only in the order of the first two
        rule, subset, _ = _consistency_path_layout(first, second)
        theirs = [path[1], path[0], *path[2:]]
        proof = ConsistencyProof("sha256", True, second, first, rule, subset, theirs)
        verify_consistency(first_hash, second_hash, proof, prior_size=first, later_size=second)


def root(leaves, note):
    size, expected = checkpoint(read(note))
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(entries(leaves))
    assert tree.get_root(size) == expected, "root"
    return f"{size} leaves give the root"


def proof(leaves, file):
    head, note = read(file).split("\n\n", 1)
    first, index, *path = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1", "first line"
    index = int(index.removeprefix("index "))
    size, expected = checkpoint(note)
    leaf = HASHER.hash_buff(entries(leaves)[index])
    included(leaf, index, size, [digest(line) for line in path], expected)
    return f"leaf {index} of {size} is proven"


def consistency(older, newer, path):
    older, newer = checkpoint(read(older)), checkpoint(read(newer))
    continued(older, newer, [digest(line) for line in read(path).split()])
    return f"{newer[0]} leaves continue {older[0]}"


def records(file, count, expected):
    lines = read(file).splitlines()
    for line in lines:
        record = json.loads(line)
        content = digest(record["bytes"])
        assert len(content) == int(record["length"]), "length"
        salt = bytes.fromhex(record["salt"])
        assert len(salt) == 16, "salt"
        leaf = HASHER.hash_buff(salt + struct.pack(">QQ", int(record["offset"]), len(content)) + content)
        path = [bytes.fromhex(node) for node in record["path"]]
        included(leaf, int(record["record"]) - 1, int(count), path, bytes.fromhex(expected))
    return f"{len(lines)} records are proven"


def main(name, *arguments):
    try:
        print({"root": root, "proof": proof, "consistency": consistency, "records": records}[name](*arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is, it does not hold
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
