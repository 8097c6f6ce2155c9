"""Files of weights for tests: of each form, and damaged in one way each."""

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
TWO = {"dtype": "F16", "shape": [2, 2], "data_offsets": [8, 16]}


def safetensors(header: Any = None, data: int = 16) -> bytes:
    """Write safetensors with so many bytes of tensors; ``header`` may be any JSON, or bytes."""
    header = {"__metadata__": {"a": "b"}, "one": ONE, "two": TWO} if header is None else header
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"\0" * data


def tensors(**changed: Any) -> Mapping[str, Any]:
    """Return the header of two tensors, the second one changed."""
    return {"one": ONE, "two": {**TWO, **changed}}


def zipped() -> bytes:
    """Write a zip with a pickle in it, as torch does."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    return file.getvalue()


def tarred() -> bytes:
    """Write a tar with a pickle in it, as torch once did."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("pickle"))
    return file.getvalue()
