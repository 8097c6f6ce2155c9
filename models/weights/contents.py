"""Contents of weights: the form that the bytes have, and whether a header is fit to be loaded.

Knows no suffix: a pickle, which can run code of its own when it is loaded, is told by its bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models import strict_json
from models.weights.store import WeightFile, WeightStore

LARGEST_HEADER = 16 * 2**20
"""Most bytes of a header of safetensors that are read; real ones have far less than one MiB."""
_LENGTH = 8  # bytes before the header, which say how long it is
_HEAD = 512  # bytes by which a form is told
_TAR_AT, _TAR = 257, b"ustar"
_NEWEST_PICKLE = 5
_ITEM_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
"""Bits of an item of each type that safetensors has."""


class Form(StrEnum):
    """Form of a file's bytes."""

    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    PICKLE = "pickle"
    """Python's own, bare or in a zip or tar as torch writes it; it can run code when loaded."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Contents:
    """Form of a file's bytes, and their fault."""

    form: Form
    fault: str | None = None
    """Reason why it should not be loaded, apart from its form."""


async def examine(store: WeightStore, file: WeightFile) -> Contents:
    """Tell the form of a file, and check its header if it is safetensors; reads no tensor.

    Raises:
        WeightsChanged: the file is another version by now.
    """
    head = await store.read(file, 0, min(_HEAD, file.size))
    form = form_of(head)
    if form is not Form.SAFETENSORS:
        return Contents(form)
    length = int.from_bytes(head[:_LENGTH], "little")
    if length > LARGEST_HEADER:
        return Contents(form, f"its header has {length} bytes, more than {LARGEST_HEADER}")
    if _LENGTH + length > file.size:
        return Contents(form, f"its header of {length} bytes ends behind the file: it is cut off")
    header = await store.read(file, _LENGTH, length)
    return Contents(form, header_fault(header, file.size - _LENGTH - length))


def form_of(head: bytes) -> Form:
    """Tell the form by the first 512 bytes of a file."""
    is_tar = head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR
    if head[:4] == b"PK\x03\x04" or is_tar or _is_pickle(head):
        return Form.PICKLE
    if head[:4] == b"GGUF":
        return Form.GGUF
    # The header is an object in JSON, which may have blanks before it in no file that is known.
    return Form.SAFETENSORS if head[_LENGTH : _LENGTH + 1] == b"{" else Form.UNKNOWN


def header_fault(header: bytes, data: int) -> str | None:
    """Say what is wrong with a header before so many bytes of tensors; None if nothing is."""
    try:
        found = strict_json.read(header.decode())
    except (ValueError, RecursionError):
        return "its header is no JSON, or one of far too many values"
    if not isinstance(found, dict):
        return "its header is no JSON object"
    tensors = {name: each for name, each in found.items() if name != "__metadata__"}
    try:
        return _spans_fault(sorted(_spans(tensors)), data)
    except _BadTensorError as exc:
        return str(exc)


def _spans_fault(spans: Iterable[tuple[int, int, str]], data: int) -> str | None:
    at = 0
    for start, end, name in spans:
        if start != at:
            what = "overlaps the one before it" if start < at else "has a gap before it"
            return f"tensor {name!r} {what}"
        at = end
    if at > data:
        return f"its tensors end {at - data} bytes behind the file: it is cut off"
    return f"{data - at} bytes follow its last tensor" if at < data else None


class _BadTensorError(Exception):
    pass


def _spans(tensors: Mapping[str, Any]) -> Iterator[tuple[int, int, str]]:
    """Yield where each tensor begins and ends."""
    for name, tensor in tensors.items():
        match tensor:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [start, end]}:
                yield _span(name, dtype, shape, start, end)
            case _:
                raise _BadTensorError(f"tensor {name!r} has no type, shape and offsets")


def _span(name: str, dtype: str, shape: list[Any], start: Any, end: Any) -> tuple[int, int, str]:
    numbers = [*shape, start, end]
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or end < start:
        raise _BadTensorError(f"tensor {name!r} has a shape or offsets that cannot be")
    bits = _ITEM_BITS.get(dtype)
    for length in shape if bits else ():
        bits = min((bits or 0) * length, 2**80)  # bounded: many large numbers make a huge one
    if bits is not None and bits != (end - start) * 8:
        raise _BadTensorError(f"tensor {name!r} has another size than its shape says")
    return start, end, name


def _is_pickle(head: bytes) -> bool:
    # Protocol 2 and later begin so; a file of tensors has no use for the older ones.
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= _NEWEST_PICKLE  # noqa: PLR2004 - the protocol
