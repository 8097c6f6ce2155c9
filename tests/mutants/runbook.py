"""Mistakes in what operators are told to type."""

from tests.mutants.mutant import Mutant

_PLAYED = "tests/cli/aws/runbook"
_PAGE = "docs/operations.md"

MUTANTS = (
    Mutant(
        mistake="unrouted messages sent again without a destination",
        file=_PAGE,
        old="redrive tasks-unrouted --all --to RUNTIME",
        new="redrive tasks-unrouted --all",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="a label in the runbook that no pod has",
        file=_PAGE,
        old="-l app.kubernetes.io/component=runtime",
        new="-l app.kubernetes.io/component=replica",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="a label in the manifests that the runbook does not know",
        file="cdk/manifests/base.py",
        old='COMPONENT = "app.kubernetes.io/component"',
        new='COMPONENT = "app.kubernetes.io/part"',
        tests=_PLAYED,
    ),
    Mutant(
        mistake="a queue of dead letters in the runbook that there is none of",
        file=_PAGE,
        old="redrive results-callbacks --all",
        new="redrive callbacks --all",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="an option that the command does not know",
        file=_PAGE,
        old="dlq list RUNTIME --limit 100",
        new="dlq list RUNTIME --most 100",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="a kind of Kubernetes misspelt in the runbook",
        file=_PAGE,
        old="-- get nodeclaims` say",
        new="-- get nodeclaimes` say",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="a cluster in the runbook by its name in small letters",
        file=_PAGE,
        old="--cluster-name NAME --addon-name",
        new="--cluster-name name --addon-name",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="an object of Kubernetes in the runbook by its name in capitals",
        file=_PAGE,
        old="-- get rayservice name -n atelier",
        new="-- get rayservice NAME -n atelier",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="definitions that a client applies, which are too large for it",
        file=_PAGE,
        old="-- apply --server-side --force-conflicts",
        new="-- apply",
        tests=_PLAYED,
    ),
    Mutant(
        mistake="a dead letter without the identity that it had",
        file="ingest/aws/sqs.py",
        old="key=lambda name: name not in _NEEDED)",
        new="key=lambda name: name in _NEEDED)",
        tests="tests/ingest/test_aws_sqs.py",
    ),
    Mutant(
        mistake="the account's own images told to pass the NAT gateway",
        file=_PAGE,
        old="for the stack's network has gateway endpoints for S3 and DynamoDB; an",
        new="where `imageCache: ebs-snapshot` is set; an",
        tests="tests/cdk/test_network.py",
    ),
)
