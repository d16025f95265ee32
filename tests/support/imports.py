"""Who imports whom, read from the source without running it."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pipeline", "models", "partimento")


def modules() -> dict[str, Path]:
    """The project's modules by their dotted names."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports() -> dict[str, set[str]]:
    """The project's own modules that each module imports, wherever in it; not for types alone."""
    paths = modules()
    found: dict[str, set[str]] = defaultdict(set)
    for name, path in paths.items():
        for target in _targets(ast.parse(path.read_text())):
            if target in paths and target != name:
                found[name].add(target)
    return {name: found[name] for name in paths}


def _targets(tree: ast.AST) -> Iterator[str]:
    """Dotted names that are imported: `from a import b` may mean the module a.b or a name in a."""
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """The room of a module: its folder; each stage of the data half is a room of its own."""
    package, _, inner = module.partition(".")
    if "." in inner:
        return f"{package}.{inner.split('.')[0]}"
    return module if package == "pipeline" else package


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """A cycle of a graph, or nothing if it has none."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for target in sorted(graph.get(node, ())):
            if found := visit(target, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])
