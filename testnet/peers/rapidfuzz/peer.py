"""rapidfuzz as a peer to measure against: every name of a file is compared with all names of a list by Jaro-Winkler, the
most accurate of its scorers on these names. The protocol is in testnet/peers/README.md; the arguments are a file with the
listed names and one with the names to screen, a name a line."""

import sys
import time

from rapidfuzz import process, utils
from rapidfuzz.distance import JaroWinkler

CUTOFF = 0.90
LIMIT = 50


def names(path):
    with open(path, encoding="utf-8") as lines:
        return [utils.default_process(line.rstrip("\n")) for line in lines]


def main():
    listed, queries = names(sys.argv[1]), names(sys.argv[2])
    print("ready rapidfuzz 3.14.6", flush=True)
    at = 0
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        if command == "quit":
            break
        if command != "names" or not count.isdigit():
            print(f"error unknown command {line.strip()!r}: names COUNT or quit is wanted", flush=True)
            continue
        start = time.process_time_ns()
        for _ in range(int(count)):
            process.extract(
                queries[at % len(queries)], listed, scorer=JaroWinkler.normalized_similarity, processor=None,
                limit=LIMIT, score_cutoff=CUTOFF)
            at += 1
        print(f"ok {time.process_time_ns() - start}", flush=True)


main()
