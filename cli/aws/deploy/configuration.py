"""Configuration file of an installation: written from a template, later changed only as asked."""

import difflib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml

from atelier import Misused
from cli.aws.model_bucket import model_bucket_prefix
from models.errors import SettingsError
from models.settings import Settings
from models.yaml_text import yaml_document

_TYPES: Mapping[str, Mapping[str, Any]] = {
    "diffusers": {"modelFilename": "shapes", "dynamicModel": True},
    "sdwebui": {"dynamicModel": True},
    "comfyui": {},
    "fake": {"modelFilename": "shapes", "gpus": 0},
}
"""First settings of a new runtime by type; `shapes` is the small checkpoint in samples/models."""
_FIRST_TYPE = "diffusers"
_TEMPLATE = """\
# An installation of atelier on AWS, written by `atelier aws deploy`.
# Every key, its type and its default: `atelier config schema`. After a change: deploy again.
"""


@dataclass(frozen=True, kw_only=True)
class RequestedSettings:
    """Settings that the command line asks for; None leaves a setting as it is."""

    stack_name: str
    account: str | None
    region: str | None
    partition: str = "aws"
    admin: str | None = None
    """IAM principal that may administer the cluster; written together with the account."""
    bucket: str | None = None
    runtime: str | None = None
    type: str | None = None
    snapshot: str | None = None

    @classmethod
    def of_snapshot(cls, settings: Settings, snapshot: str) -> "RequestedSettings":
        """Request the snapshot for all runtimes of existing settings, and no other change."""
        aws = settings.aws
        return cls(
            stack_name=settings.stack_name,
            account=aws.account,
            region=aws.region,
            partition=aws.partition,
            snapshot=snapshot,
        )

    def new_document(self) -> dict[str, Any]:
        """Return the document of a new configuration."""
        bucket = self.bucket or f"{model_bucket_prefix(self.stack_name)}{token_hex(2)}"
        runtime = self._added(self.runtime or "sdruntime", [])
        # API Gateway serves nobody in China without an ICP licence.
        in_china = self.partition == "aws-cn"
        edge = {"edge": {"enabled": False}} if in_china else {}
        first = {"stackName": self.stack_name, "aws": {}, "modelBucketArn": self._arn(bucket)}
        throttle = {"rateLimit": 30, "burstLimit": 50}
        stage = {} if in_china else {"stageName": "prod"}
        rest = {"APIGW": {**stage, "throttle": throttle}, **edge}
        return self.applied_to({**first, **rest, "modelsRuntime": [runtime]})

    def applied_to(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration's document with the requested changes made."""
        changed = {**document, "aws": self._aws(document.get("aws") or {})}
        if self.bucket:
            changed["modelBucketArn"] = self._arn(self.bucket)
        cluster = document.get("cluster") or {}
        if self.account and self.admin and not cluster.get("admins"):
            changed["cluster"] = {**cluster, "admins": [self.admin]}
        changed["modelsRuntime"] = self._runtimes(list(document.get("modelsRuntime") or ()))
        return changed

    def _aws(self, existing: Mapping[str, Any]) -> dict[str, Any]:
        """Set region, account and, outside of the standard one, the partition."""
        partition = {} if self.partition == "aws" else {"partition": self.partition}
        requested = {"region": self.region, "account": self.account, **partition}
        return {**existing, **{key: value for key, value in requested.items() if value is not None}}

    def _runtimes(self, existing: list[dict[str, Any]]) -> list[dict[str, Any]]:
        runtimes = self._renamed(existing) if self.runtime or self.type else existing
        if self.snapshot is None:
            return runtimes
        cached = {"imageCache": "ebs-snapshot", "snapshot": self.snapshot}
        return [
            {**runtime, "nodes": {**runtime.get("nodes", {}), **cached}} for runtime in runtimes
        ]

    def _renamed(self, existing: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Set the type of the named runtime; append the runtime if there is none of this name."""
        name = (self.runtime or existing[0]["name"]).lower()
        named = [runtime for runtime in existing if runtime["name"].lower() == name]
        if not named:
            return [*existing, self._added(name, existing)]
        kind = self.type or named[0]["type"]
        return [{**runtime, "type": kind} if runtime in named else runtime for runtime in existing]

    def _added(self, name: str, existing: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a new runtime.

        Only the first gets a checkpoint, and only if the bucket is a new one.
        """
        kind = self.type or _FIRST_TYPE
        begun = dict(_TYPES.get(kind, {}))
        if self.bucket or any("modelFilename" in runtime for runtime in existing):
            begun.pop("modelFilename", None)
        return {"name": name, "type": kind, **begun}

    def _arn(self, bucket: str) -> str:
        return f"arn:{self.partition}:s3:::{bucket}"


@dataclass(frozen=True)
class Draft:
    """Configuration file as it would be written, and what that would change."""

    path: Path
    text: str
    former: str | None
    """Text of the existing file; None if there is none."""
    diff: str = ""
    """Changed lines alone, without context: other lines may hold secrets."""

    @property
    def differs(self) -> bool:
        return self.former != self.text

    def settings(self) -> Settings:
        """Read the settings that the draft would be.

        Raises:
            Misused: it would be wrong.
        """
        # Beside the file itself, for paths in it count from its folder.
        trial = self.path.with_name(f".{self.path.name}.draft")
        try:
            _write_privately(trial, self.text)
            return Settings.read(trial)
        except SettingsError as exc:
            raise Misused(f"{self.path}:\n{exc}") from None
        finally:
            trial.unlink(missing_ok=True)

    def write(self) -> None:
        """Write the file atomically, and keep its former text beside it as ``.bak``."""
        if self.former is not None:
            _write_privately(self.path.with_name(f"{self.path.name}.bak"), self.former)
        part = self.path.with_name(f".{self.path.name}.part")
        _write_privately(part, self.text)
        if self.former is not None:
            # The mode that its readers had; until then nobody else could read it.
            shutil.copymode(self.path, part)
        part.replace(self.path)


def _write_privately(path: Path, text: str) -> None:
    """Write a file that only its owner can read: it may hold API keys."""
    path.touch(mode=0o600)
    # `touch` sets the mode of a new file only.
    path.chmod(0o600)
    path.write_text(text)


def draft(path: Path, request: RequestedSettings) -> Draft:
    """Draft the file: unchanged if it already says all that is requested.

    Raises:
        Misused: the file is not YAML, or no mapping.
    """
    if not path.exists():
        return Draft(path, _TEMPLATE + _dumped(request.new_document()), None)
    former = path.read_text()
    document = _parsed(path, former)
    wanted = request.applied_to(document)
    if wanted == document:
        return Draft(path, former, former)
    head = [line for line in former.splitlines(keepends=True) if line.startswith("#")]
    return Draft(path, "".join(head) + _dumped(wanted), former, _diff(document, wanted))


def _diff(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Compare both documents in one form; how a file is laid out is no change."""
    before, after = _dumped(document).splitlines(), _dumped(wanted).splitlines()
    return "\n".join(difflib.unified_diff(before, after, "is", "will be", lineterm="", n=0))


def _parsed(path: Path, text: str) -> Mapping[str, Any]:
    try:
        parsed = yaml_document(text, str(path))
    except SettingsError as exc:
        raise Misused(str(exc)) from None
    if not isinstance(parsed, dict) or not parsed.get("modelsRuntime"):
        raise Misused(f"{path}: must be a mapping of settings with modelsRuntime")
    return parsed


def _dumped(wanted: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(wanted), sort_keys=False, allow_unicode=True)
