#!/usr/bin/env python3
"""Finds circles of files: modules of a crate that need each other, but for a module and what is inside it.

Usage: circles.py CRATE...   (folders with src/lib.rs or src/main.rs)

Which files a file needs is read off the paths that it names: `use` trees and paths in code that begin with `crate`,
`self` or `super`, or with a module declared in the same file. Comments, strings and tests do not count.
"""

import re
import sys
from pathlib import Path

# What is no code: comments, raw strings, strings, characters. A lifetime is no character.
NO_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#+)".*?"(?P=hashes)|b?r"[^"]*"|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^\n]|[^\\'\n])'""",
    re.S,
)
WORD = r"[A-Za-z_][A-Za-z0-9_]*"
TOKEN = re.compile(rf"{WORD}|::|[{{}},;*]|\S")
PATH = re.compile(rf"\b(?:crate|self|super)(?:\s*::\s*(?:{WORD}))+|\b{WORD}(?:::{WORD})+")


def code(text):
    """The file's code without what is only compiled for tests."""
    text = NO_CODE.sub(" ", text)
    while found := re.search(r"#\[cfg\(test\)\]", text):
        end = item_end(text, found.end())
        text = text[: found.start()] + text[end:]
    return text


def item_end(text, at):
    """Where the item that begins here ends: at a semicolon, or at the brace that closes its first one."""
    depth = 0
    for place in range(at, len(text)):
        match text[place]:
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    return place + 1
            case ";" if depth == 0:
                return place + 1
    return len(text)


def leaves(tree):
    """The paths of a `use` tree."""
    tokens = TOKEN.findall(tree)
    paths, stack, now, skip = [], [], [], False
    base = []
    for token in tokens:
        if token == "{":
            stack.append(base)
            base, now = base + now, []
        elif token in ("}", ","):
            if now:
                paths.append(base + now)
            now, skip = [], False
            if token == "}":
                base = stack.pop()
        elif token == "as":
            skip = True
        elif token != "::" and not skip:
            now.append(token)
    if now:
        paths.append(base + now)
    return paths


def modules(root):
    """The crate's modules: their paths, and their files."""
    found = {}

    def visit(path, file, folder):
        found[path] = file
        for name in re.findall(rf"\bmod\s+({WORD})\s*;", code(file.read_text())):
            flat, nested = folder / f"{name}.rs", folder / name / "mod.rs"
            if flat.exists() or nested.exists():
                visit((*path, name), flat if flat.exists() else nested, folder / name)

    visit((), root, root.parent)
    return found


def needs(module, file, known):
    """The modules that a file names."""
    text = code(file.read_text())
    paths = []
    for tree in re.findall(r"\buse\s+([^;]+);", text):
        paths.extend(leaves(tree))
    text = re.sub(r"\buse\s+[^;]+;", " ", text)
    paths.extend(re.split(r"\s*::\s*", path) for path in PATH.findall(text))
    imported = {}
    found = set()
    for path in paths:
        first, rest = path[0], path[1:]
        if first == "crate":
            base = ()
        elif first in ("self", "super"):
            base = module
            while path and path[0] in ("self", "super"):
                base, path = (base[:-1] if path[0] == "super" else base), path[1:]
            rest = path
        elif (*module, first) in known:
            base, rest = module, path
        else:
            continue
        target = base
        for name in rest:
            if (*target, name) not in known:
                break
            target = (*target, name)
        found.add(target)
    return found


def related(one, other):
    """Whether one of two modules is inside the other one."""
    return one == other[: len(one)] or other == one[: len(other)]


def circles(edges):
    """The groups of modules that reach each other (Tarjan's strongly connected components)."""
    index, low, stack, on_stack, groups = {}, {}, [], set(), []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        on_stack.add(module)
        for target in edges[module]:
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in on_stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            group = []
            while True:
                group.append(stack.pop())
                on_stack.discard(group[-1])
                if group[-1] == module:
                    break
            if len(group) > 1:
                groups.append(sorted(group))

    for module in edges:
        if module not in index:
            visit(module)
    return groups


def check(crate):
    """Prints the circles of a crate. Tells how many there are."""
    source = Path(crate) / "src"
    root = next(file for file in (source / "lib.rs", source / "main.rs") if file.exists())
    known = modules(root)
    edges = {
        module: {target for target in needs(module, file, known) if not related(module, target)}
        for module, file in known.items()
    }
    groups = circles(edges)
    for group in groups:
        print(f"{crate}: a circle of files:")
        for module in group:
            inside = sorted("::".join(target) for target in edges[module] if target in group)
            print(f"  {'::'.join(module)} needs {', '.join(inside)}")
    return len(groups)


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    sys.exit(1 if sum(check(crate) for crate in sys.argv[1:]) else 0)
