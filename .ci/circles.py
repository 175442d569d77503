#!/usr/bin/env python3
"""Finds circles of files: modules of a crate that need each other, but for a module and what is inside it.

Usage: circles.py CRATE...   (folders with src/lib.rs or src/main.rs)

Which files a file needs is read off two things; comments, strings and tests do not count:

* the paths that it names: `use` trees and paths in code that begin with `crate`, `self` or `super`, with a module
  declared in the same file, or with a name that a `use` has brought in. Re-exports are followed to where a name is;
* the methods of a type of the crate that it calls on `self` in `impl` blocks, or on a function's parameter, whose type
  the signature says, where another file has them.

What it does not see: methods that are called on anything else, because that takes a compiler; glob imports; and methods
of types whose name another file of the crate declares, too.
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
TYPE = re.compile(rf"\b(?:struct|enum|union|trait)\s+({WORD})")
IMPL = re.compile(r"^[ \t]*(?:unsafe\s+)?impl\b([^{;]*)", re.M)
FN = re.compile(rf"\bfn\s+{WORD}\s*(?:<[^()]*>)?\s*\(")
PARAMETER = re.compile(rf"\b({WORD})\s*:\s*&?\s*(?:'{WORD}\s+)?(?:mut\s+)?(?:{WORD}\s*::\s*)*({WORD})\s*(?:<[^<>]*>)?\s*(?=,|\))")
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
    """The paths of a `use` tree, and the name that each gets."""
    paths, stack, base, now, name = [], [], [], [], None
    for token in [*TOKEN.findall(tree), ","]:
        if token == "{":
            stack.append(base)
            base, now = base + now, []
        elif token in ("}", ","):
            if now:
                path = base + now
                path = path[:-1] if path[-1] == "self" and len(path) > 1 else path
                paths.append((path, name or path[-1]))
            now, name = [], None
            if token == "}":
                base = stack.pop()
        elif token == "as":
            name = ""
        elif token != "::" and name is None:
            now.append(token)
        elif name == "":
            name = token
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


def imports(text, public=False):
    """The paths that a file's `use` trees name, or only those that it gives on, by the names that they get."""
    named = {}
    for tree in re.findall(r"\bpub(?:\([^)]*\))?\s+use\s+([^;]+);" if public else r"\buse\s+([^;]+);", text):
        for path, name in leaves(tree):
            named.setdefault(name, []).append(path)
    return named


def targets(module, path, known, given):
    """The modules on a path's way: the one that it names, and those that only give its name on."""
    if path[0] == "crate":
        target, path = (), path[1:]
    elif path[0] in ("self", "super") or (*module, path[0]) in known:
        target = module
        while path and path[0] in ("self", "super"):
            target, path = (target[:-1] if path[0] == "super" else target), path[1:]
    else:
        return set()
    for place, name in enumerate(path):
        if (*target, name) in known:
            target = (*target, name)
        elif further := given[target].get(name):
            return {target}.union(*(targets(target, to + path[place + 1 :], known, given) for to in further))
        else:
            break
    return {target}


def path_needs(module, texts, given):
    """The modules that a file needs by paths."""
    used = imports(texts[module])
    paths = [path for some in used.values() for path in some]
    for path in PATH.findall(re.sub(r"\buse\s+[^;]+;", " ", texts[module])):
        first, *rest = re.split(r"\s*::\s*", path)
        paths.extend(begin + rest for begin in used.get(first, [[first]]))
    return set().union(*(targets(module, path, texts, given) for path in paths))


def impls(text):
    """The `impl` blocks of a file: the type, whether it is of a trait, the code."""
    for found in IMPL.finditer(text):
        head, rest = re.split(r"\bwhere\b", re.sub(r"\bfor\s*<", "<", found[1]).replace("->", ""))[0], None
        while head != rest:
            head, rest = re.sub(r"<[^<>]*>", "", head), head
        if words := re.findall(WORD, head.split(" for ")[-1]):
            yield words[-1], " for " in head, text[found.end() : item_end(text, found.end())]


def method_needs(texts):
    """The modules that each file needs by methods that it calls on `self`, or on a parameter."""
    declared = [name for text in texts.values() for name in set(TYPE.findall(text))]
    places, found = {}, {module: set() for module in texts}
    blocks = [(module, *block) for module, text in texts.items() for block in impls(text)]
    blocks = [block for block in blocks if declared.count(block[1]) == 1]
    for module, of, is_trait, body in blocks:
        for name in [] if is_trait else re.findall(rf"\bfn\s+({WORD})", body):
            places.setdefault((of, name), set()).add(module)
    for module, of, _, body in blocks:
        for name in re.findall(rf"\b(?:self\s*\.|Self\s*::)\s*({WORD})\s*\(", body):
            there = places.get((of, name), ())
            if len(there) == 1:
                found[module] |= there
    for module, text in texts.items():
        for of, name in parameter_calls(text):
            there = places.get((of, name), ()) if declared.count(of) == 1 else ()
            if len(there) == 1:
                found[module] |= there
    return found


def parameter_calls(text):
    """The methods that functions call on their parameters, with the types that these have by the signature."""
    for found in FN.finditer(text):
        body = text[found.end() - 1 : item_end(text, found.end())]
        signature, _, body = body.partition("{")
        for parameter, of in PARAMETER.findall(signature):
            # One that the body gives another meaning says nothing.
            if not re.search(rf"\blet\s[^=;]*\b{parameter}\b[^=;]*=|[|,(]\s*{parameter}\s*[|,)]\s*\|", body):
                for name in re.findall(rf"(?<![.\w]){parameter}\s*\.\s*({WORD})\s*\(", body):
                    yield of, name


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
    texts = {module: code(file.read_text()) for module, file in modules(root).items()}
    given = {module: imports(text, public=True) for module, text in texts.items()}
    methods = method_needs(texts)
    edges = {
        module: {
            target for target in path_needs(module, texts, given) | methods[module] if not related(module, target)
        }
        for module in texts
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
