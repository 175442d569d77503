#!/usr/bin/env python3
"""Makes list.txt from the Public Suffix List: update.py < public_suffix_list.dat > list.txt

Rules of one label are left out, because the default rule says the same. Labels are written as URLs have them.
"""

import sys


def ascii_label(label):
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


lines = (line.strip() for line in sys.stdin)
rules = {line.split()[0].lower() for line in lines if line and not line.startswith("//")}
for rule in sorted(".".join(map(ascii_label, rule.split("."))) for rule in rules):
    if "." in rule:
        print(rule)
