"""Contents of weights: pickles are told by their bytes, headers are bounded and hold together."""

import pickle
from pathlib import Path

import pytest

from models.weights import contents
from models.weights.contents import Contents, Form, examine
from models.weights.folder import FolderWeights
from tests.models.weights.files import ONE, safetensors, tarred, tensors, zipped


async def examined(folder: Path, data: bytes) -> Contents:
    (folder / "a.safetensors").write_bytes(data)
    store = FolderWeights(folder)
    file = await store.look_up("a.safetensors")
    assert file is not None
    return await examine(store, file)


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (safetensors(), Form.SAFETENSORS),
        (safetensors({}, 0), Form.SAFETENSORS),
        (b"GGUF\3\0\0\0", Form.GGUF),
        (pickle.dumps({}, 2), Form.PICKLE),
        (pickle.dumps({}, 5), Form.PICKLE),
        (zipped(), Form.PICKLE),
        (tarred(), Form.PICKLE),
        (b"version https://git-lfs.github.com/spec/v1", Form.UNKNOWN),
        (b"", Form.UNKNOWN),
    ],
)
async def test_a_form_is_told_by_bytes_and_not_by_suffix(
    tmp_path: Path, data: bytes, form: Form
) -> None:
    assert await examined(tmp_path, data) == Contents(form)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (safetensors(data=15), "1 bytes behind the file: it is cut off"),
        (safetensors(data=20), "4 bytes follow its last tensor"),
        (safetensors()[:40], "ends behind the file: it is cut off"),
        ((2**40).to_bytes(8, "little") + b"{}", "more than"),
        (safetensors(b"{]"), "no JSON"),
        (safetensors(b"{" * 5000), "no JSON"),
        (safetensors({"one": [1]}), "'one' has no type, shape and offsets"),
        (safetensors(tensors(data_offsets=[4, 12])), "'two' overlaps the one before it"),
        (safetensors(tensors(data_offsets=[12, 20]), 20), "'two' has a gap before it"),
        (safetensors(tensors(data_offsets=[16, 8])), "shape or offsets that cannot be"),
        (safetensors(tensors(data_offsets=[8, 1.5])), "shape or offsets that cannot be"),
        (safetensors(tensors(shape=[-2, -2])), "shape or offsets that cannot be"),
        (safetensors(tensors(shape=[True, 4])), "shape or offsets that cannot be"),
        (safetensors(tensors(shape=[2, 3])), "another size than its shape says"),
        (safetensors(tensors(shape=[2**62] * 200)), "another size than its shape says"),
    ],
)
async def test_a_header_that_should_not_be_loaded_says_why(
    tmp_path: Path, data: bytes, fault: str
) -> None:
    found = await examined(tmp_path, data)

    assert found.form is Form.SAFETENSORS
    assert fault in (found.fault or "")


async def test_a_type_that_is_not_known_is_no_fault(tmp_path: Path) -> None:
    header = {"one": {**ONE, "dtype": "F3_NEW"}}

    assert await examined(tmp_path, safetensors(header, 8)) == Contents(Form.SAFETENSORS)


async def test_no_more_than_the_largest_header_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LARGEST_HEADER", 10)

    assert "more than 10" in ((await examined(tmp_path, safetensors())).fault or "")
