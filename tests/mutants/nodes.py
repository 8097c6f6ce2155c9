"""Mistakes in what nodes are made of."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        mistake="GPU nodes without a taint",
        file="cdk/manifests/nodes.py",
        old='        "taints": taints(runtime),\n',
        new="",
        tests="tests/manifests/test_rules.py",
    ),
)
