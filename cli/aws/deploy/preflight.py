"""Preflight of a deployment: run all checks, and report everything that is missing at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.aws.deploy.checks.account import bootstrap, spot
from cli.aws.deploy.checks.builder import images, programs
from cli.aws.deploy.checks.certificates import certificates
from cli.aws.deploy.checks.finding import Finding
from cli.aws.deploy.checks.instances import instances
from cli.aws.deploy.checks.names import names
from cli.aws.deploy.checks.network import subnets, zones
from cli.aws.deploy.checks.pins import addons, bottlerocket
from cli.aws.deploy.checks.quotas import quotas
from cli.aws.deploy.checks.snapshots import snapshots
from cli.aws.deploy.checks.volumes import default_key, snapshot_keys
from cli.aws.deploy.checks.weights import weights
from cli.aws.deploy.images import Images
from cli.aws.sdk import Aws, AwsError, Forbidden, RequirementMissing, translated
from cli.aws.tools import Tools
from cli.output import Output
from models.settings import Settings


@dataclass(frozen=True)
class Preflight:
    """Preflight checks of an installation; a check that AWS refuses is a finding, too."""

    aws: Aws
    settings: Settings
    tools: Tools
    bases: Mapping[str, str] = field(default_factory=dict)
    """Base image of each type, as in `Images`."""
    models: Path | None = None
    """Folder that deploy uploads to the model bucket."""
    with_snapshot: bool = False
    """Flag: deploy makes a snapshot, so none needs to exist."""

    def __call__(self) -> list[Finding]:
        checks = self._checks()
        return [finding for name, check in checks.items() for finding in _run_check(name, check)]

    def _checks(self) -> Mapping[str, Iterator[Finding]]:
        # Generators: AWS is asked only when `_run_check` iterates one, and catches its errors.
        aws, settings = self.aws, self.settings
        return {
            "programs": programs(self.tools),
            "zones": zones(aws, settings),
            "subnets": subnets(aws, settings),
            "instances": instances(aws, settings),
            "quotas": quotas(aws, settings),
            "add-ons": addons(aws, settings),
            "Bottlerocket": bottlerocket(aws, settings),
            "spot": spot(aws, settings),
            "names": names(aws, settings),
            "certificates": certificates(aws, settings),
            "weights": weights(aws, settings, self.models),
            "keys of volumes": default_key(aws, settings),
            "snapshots": iter(()) if self.with_snapshot else snapshots(aws, settings),
            "keys of snapshots": iter(()) if self.with_snapshot else snapshot_keys(aws, settings),
            "images": images(Images(aws, settings, self.tools, self.bases)),
            "bootstrap": bootstrap(aws),
        }


def print_findings(out: Output, findings: Sequence[Finding]) -> None:
    words = {"there": "there", "missing": "MISSING", "note": "note"}
    rows = [
        [finding.name, words[finding.state], finding.text, finding.remedy] for finding in findings
    ]
    out.table(["", "", "found", "do"], rows)


def require_all(findings: Sequence[Finding]) -> None:
    """Raise if anything is missing.

    Raises:
        RequirementMissing: naming all that is.
    """
    missing = [finding for finding in findings if finding.state == "missing"]
    if missing:
        lines = [f"{finding.name}: {finding.text}; {finding.remedy}" for finding in missing]
        raise RequirementMissing("missing before a deployment:\n" + "\n".join(lines))


def _run_check(name: str, check: Iterator[Finding]) -> list[Finding]:
    """Run a check; one that fails becomes a finding with its own remedy."""
    try:
        with translated():
            return list(check)
    except Forbidden as exc:
        return [Finding(name, "missing", str(exc), "every look needs to be allowed")]
    except AwsError as exc:
        return [Finding(name, "missing", str(exc), "put that right, and run this again")]
