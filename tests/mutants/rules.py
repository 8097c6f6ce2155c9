"""Mistakes in the objects themselves, each made in memory and shown to every rule."""

import inspect
from collections.abc import Iterator

from cdk.manifests.rules import broken
from tests.manifests.test_rules import MISTAKES, Spoilt


def rule_mistakes() -> Iterator[tuple[str, list[str]]]:
    """Make each mistake of the rules' own tests; tell it, and the rules, if its own is broken."""
    for rule, mistakes in MISTAKES.items():
        for number, spoil in enumerate(mistakes, 1):
            spoilt = Spoilt()
            spoil(spoilt)
            names = {one.partition(":")[0] for one in broken(spoilt.objects)}
            others = sorted(names - {rule})
            line = inspect.getsourcelines(spoil)[1]
            where = f"{rule} {number} (tests/manifests/test_rules.py:{line})"
            yield where, [rule, *others] if rule in names else []
