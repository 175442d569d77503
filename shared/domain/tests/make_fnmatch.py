"""Writes fnmatch.tsv: patterns, tags, and what Python's own fnmatch says of each pair.

    python3 make_fnmatch.py > fnmatch.tsv
"""
import fnmatch
import random

HAND = """* ? ** a** **a a**b v* *v v*v ?? v? [a] [ab] [a-c] [!a] [!a-c] [^a] [^] [!] [] [ ] []] []a] [!]a] [!]] [a [!a [a- [a-
[a-] [-a] [-] [--] [---] [a-c-e] [a--] [--a] [!-] [!--a] [z-a] [!z-a] [a-a] [c-a]x [0-9] [0-9]* v[0-9].[0-9] [A-z] [.-_]
[a&&b] [a||b] [a~~b] [[] [[]a] [[a] [a[] [!![] [!!] [a!] {a,b} {} { } {a a} \\ \\* a\\ [\\] [\\a] [a\\]] *.* *-* *[-]* *[!-]*
latest LATEST v1.? v1.[!0] [v]1* v[1]* 1-alpine *-alpine [a-c][!x-z]? ?*? *? ?* *?* [?] [*] a[*]b""".split()
TAGS = "a b c z A Z 0 1 9 _ _a a- a-b a.b .x ab abc v v1 v1.0 v1.1 v1.10 v2 V1 latest LATEST 1-alpine 1.2-alpine a_b x-y".split()
TAGS = [tag for tag in TAGS if not tag.startswith(".")]

random.seed(20261124)
alphabet = "*?[]!^-{},\\&.abzAZ019_"
patterns = HAND + ["".join(random.choices(alphabet, k=random.randint(1, 9))) for _ in range(1200)]
for pattern in dict.fromkeys(patterns):
    answers = "".join("1" if fnmatch.fnmatchcase(tag, pattern) else "0" for tag in TAGS)
    print(pattern, " ".join(TAGS), answers, sep="\t")
