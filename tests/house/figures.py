"""Measures of a set of Python files, to compare revisions of this code or it with others'."""

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Iterator, Mapping, Sequence

from tests.house.openings import refused_share
from tests.house.source import Source

_SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore)")


def figures(sources: Sequence[Source]) -> Mapping[str, str]:
    """Measure the files; a function's length counts its docstring, and its decorators not."""
    files = [len(source.text.splitlines()) for source in sources]
    functions = [function for source in sources for function in source.functions]
    lengths = [(function.end_lineno or 0) - function.lineno + 1 for function in functions]
    private = [function for function in functions if _is_private(function.name)]
    comments = [comment for source in sources for comment in _comments(source)]
    names = [name for function in functions for name in _locals(function)]
    silenced = [found[1] for comment in comments if (found := _SILENCED.search(comment))]
    noqa = silenced.count("noqa")
    return {
        "files": f"{len(files)}",
        "lines": f"{sum(files)}",
        "lines of a file: median, p90, max": _spread(files),
        "lines of a function: median, p90, max": _spread(lengths),
        "lines with a comment": _share(len(comments), sum(files)),
        "functions that are private": _share(len(private), len(functions)),
        "docstrings that open with a refused word": f"{refused_share(sources):.1%}",
        "letters of a local name, mean": f"{statistics.mean(map(len, names)) if names else 0:.1f}",
        "noqa, type: ignore": f"{noqa}, {len(silenced) - noqa}",
        "statements, without docstrings": f"{sum(map(statements, sources))}",
    }


def statements(source: Source) -> int:
    """Count the statements at any depth, without docstrings and other strings that stand alone."""
    nodes = (node for node in ast.walk(source.tree) if isinstance(node, ast.stmt))
    return sum(1 for node in nodes if not _is_string(node))


def _is_string(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _comments(source: Source) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def _locals(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names that a function assigns, loops over or catches, without its parameters."""
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, ast.Store)} - {"_"}


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.1%}"


def _spread(lengths: Sequence[int]) -> str:
    """Return the median, the 90th percentile and the maximum."""
    ordered = sorted(lengths) or [0]
    tenth_last = ordered[min(len(ordered) * 9 // 10, len(ordered) - 1)]
    return f"{statistics.median_low(ordered)}, {tenth_last}, {ordered[-1]}"
