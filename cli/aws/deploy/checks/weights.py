"""Check the model bucket: it is readable and holds the checkpoints that runtimes start with."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cli.aws.deploy.checks.finding import Finding, State
from cli.aws.model_bucket import CHECKPOINTS, ModelBucket, model_bucket
from cli.aws.sdk import Aws, suppressed
from cli.aws.tools import ROOT
from models.settings import Settings

SAMPLE_MODELS = ROOT / "samples" / "models"
"""Folder of the sample checkpoints, uploaded to a bucket of ours that has no checkpoint."""
_PIPELINE = "/model_index.json"
"""Suffix of the key that marks a folder as one checkpoint in diffusers' format."""
_EXTENSION = re.compile(r"\.(safetensors|ckpt|pth|pt|bin)$")
# The Web UI's titles end with a hash of the file: `name.safetensors [6ce0161689]`.
_HASH = re.compile(r"\s+\[[0-9a-fA-F]{6,64}\]$")
_AWS_OWN = "alias/aws/s3"
_SHOWN = 5


def weights(aws: Aws, settings: Settings, models: Path | None) -> Iterator[Finding]:
    """Check the model bucket, its encryption key and its checkpoints.

    ``models``: the folder that deploy was told to upload, whose checkpoints count as present.
    """
    bucket = model_bucket(aws, settings)
    if bucket is None:
        remedy = "set modelBucketArn: nodes cannot read a folder of this machine"
        yield Finding("model bucket", "missing", "none", remedy)
        return
    exists = bucket.exists()
    if exists:
        yield Finding("model bucket", "there", bucket.name)
        yield from _key_finding(bucket, settings)
    else:
        yield Finding("model bucket", "note", f"{bucket.name} is not there; deploy makes it")
    keys = [*bucket.keys(CHECKPOINTS)] if exists else []
    if folder := models or _unasked_folder(bucket, settings, there=exists):
        keys += [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    yield from _checkpoints(settings, sorted({*_names(keys)}))


def _unasked_folder(bucket: ModelBucket, settings: Settings, *, there: bool) -> Path | None:
    """Return the folder that deploy uploads by itself; None if it uploads none."""
    if not there:
        return SAMPLE_MODELS
    of_stack = settings.storage.create_model_bucket
    return SAMPLE_MODELS if bucket.wants_samples(SAMPLE_MODELS, of_stack=of_stack) else None


def _key_finding(bucket: ModelBucket, settings: Settings) -> Iterator[Finding]:
    """Check that the settings name the bucket's customer-managed key, which nodes need to read."""
    rules = []
    with suppressed("ServerSideEncryptionConfigurationNotFoundError"):
        encryption = bucket.s3.get_bucket_encryption(Bucket=bucket.name)
        rules = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    keys = [key for default in defaults if (key := default.get("KMSMasterKeyID"))]
    # Also right where no rule names a key, which is S3's own encryption.
    if settings.storage.model_bucket_key_arn or all(key.endswith(_AWS_OWN) for key in keys):
        return
    remedy = "set storage.modelBucketKeyArn to its ARN: else nothing may read the weights"
    yield Finding("model bucket's key", "missing", ", ".join(keys), remedy)


def _checkpoints(settings: Settings, available: list[str]) -> Iterator[Finding]:
    """Check each runtime's checkpoint: diffusers requires it, sdwebui may have its own."""
    for runtime in settings.models_runtime:
        wanted = runtime.model_filename
        if runtime.type not in {"diffusers", "sdwebui"} or runtime.pod.existing_claim is not None:
            continue
        name = f"checkpoint of {runtime.name}"
        if fit := [
            checkpoint
            for checkpoint in available
            if wanted is None or _is_called(checkpoint, wanted)
        ]:
            yield Finding(name, "there", fit[0])
            continue
        others = [*available[:_SHOWN], *(["..."] if available[_SHOWN:] else [])] or ["nothing"]
        text = f"no {wanted or 'checkpoint'} in {CHECKPOINTS} of the model bucket"
        remedy = "name one that is there in modelFilename, or bring one with --models FOLDER"
        state: State = "missing" if runtime.type == "diffusers" else "note"
        yield Finding(name, state, f"{text}, but {', '.join(others)}", remedy)


def _names(keys: Iterable[str]) -> Iterator[str]:
    """Yield the names of the checkpoints among these keys, spelled as the runtimes list them."""
    for key in keys:
        name = key.removeprefix(CHECKPOINTS).removesuffix(_PIPELINE)
        if key.startswith(CHECKPOINTS) and (key.endswith(_PIPELINE) or _EXTENSION.search(key)):
            yield name


def _is_called(name: str, wanted: str) -> bool:
    """Tell whether a checkpoint is meant, with or without extension, folder and a title's hash."""
    stem = _EXTENSION.sub("", name)
    spellings = {name, stem, name.rpartition("/")[2], stem.rpartition("/")[2]}
    return _HASH.sub("", wanted.strip()) in spellings
