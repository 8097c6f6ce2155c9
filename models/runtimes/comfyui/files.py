"""Files that the nodes of a graph name: where they stand, and which of them are a task's own.

A task has the files that it links, and those that stand in the graph itself, in base64. Any other
name would lead to what lies on the replica, another's pictures among it. What exists there is not
looked at.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models import base64_text
from models.runtimes.comfyui.links import taken_from
from models.runtimes.webui import is_link

NOT_ITS_OWN = (
    "names a file that is not the task's own: give a link (http, https or s3) or the file itself,"
    " in base64 or as a data URL; atelier submit --image puts one there"
)

NO_FILE = (
    "must be a text that names or holds a file: a link (http, https or s3), or the file itself in"
    " base64 or as a data URL"
)

_MEDIA_FIELDS = frozenset(
    {"image", "images", "mask", "video", "audio", "file", "model_file", "upload"}
)
_MEDIA = ("image", "mask", "video", "audio", "3d", "mesh", "latent")
# Not those that send or free what they are given: UploadImage, UnloadModels.
_LOADS = re.compile(r"(?<!up)(?<!down)(?<!un)(?<!off)load")
_SAVES = re.compile(r"save|export|write")  # the names that such give are those of new files
_FOLDERS = frozenset({"dir", "directory", "folder", "file", "filename", "path", "paths"})
_FILES = _FOLDERS | {*("image", "images", "mask", "video", "audio", "latent", "files")}
"""Last words of the names of fields that take a file's name, in nodes that load one."""
_WHOLE_NAMES = (_MEDIA_FIELDS - {"upload"}) | _FOLDERS | {"latent"}
"""Whole names of such fields. By its last word alone, as ``max_images``, one may be a number."""
_FILE_NAMES = frozenset({"image_name", "file_name", "video_name", "audio_name", "folder_name"})
_PROSE = frozenset({"text", "texts", "prompt", "prompts", "caption", "positive", "negative"})
"""Last words of the names of fields that hold prose, which may read like a path."""
_MEDIA_FILE = re.compile(
    r".+\.(?:png|apng|jpe?g|jfif|webp|gif|bmp|tiff?|avif|heic|svg|exr|hdr|psd|mp4|webm|mov|mkv|avi"
    r"|m4v|wav|mp3|flac|ogg|opus|m4a|aac|glb|gltf|obj|fbx|stl|ply|usdz|latent)",
    re.IGNORECASE,
)
_WEIGHTS_FILE = re.compile(r".+\.(?:safetensors|sft|ckpt|pt2?|pth|bin|gguf|onnx)", re.IGNORECASE)
_LEADS_OUT = re.compile(
    r"""
    # Nodes take white space and quotes away before they open a path.
    ^[\s"']*(?: /+[^\s/] | ~[\w.-]*[/\\] | [a-z]:[/\\] | \\\\[\w.-]+\\ | file: )
    | (?:^[\s"']*|[/\\]) \.\. (?:[/\\]|[\s"']*$)
    # ComfyUI's mark for another of its top folders, where all tasks' files are.
    | \[(?:input|output|temp)\] [\s"']*$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DATA_URL = re.compile(r"data:[^,]{0,100};base64,", re.IGNORECASE)
_MAGIC = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF|BM|II\*\0|MM\0\*|.{4}ftyp|\x1a\x45\xdf\xa3|OggS|fLaC|ID3|glTF",
    re.DOTALL,
)
_LOOKED_AT = 200  # characters
_FEWEST = 40  # characters of the smallest picture in base64


@dataclass(frozen=True)
class NamedFile:
    """Name of a file in a graph, where a node takes one."""

    node: str
    field: str
    name: str

    @property
    def file_name(self) -> str:
        """Name without its folder, and without ComfyUI's mark for a top folder."""
        return re.sub(r" \[\w+\]$", "", self.name.replace("\\", "/")).rpartition("/")[2]


def takes_link(kind: str, field: str, value: Any) -> bool:
    """Tell whether a value is the link to a file that a node's input takes the name of.

    A node that fetches by itself keeps its link.
    """
    if not isinstance(value, str) or not is_link(value):
        return False
    return _takes_file(kind.lower(), field.lower())


def holds_file(kind: str, field: str, value: Any) -> bool:
    """Tell whether a value is a file in base64 where a node's input takes the name of one.

    A data URL's prefix may stand before it. A node that decodes by itself keeps it.
    """
    if not isinstance(value, str) or not _takes_file(kind.lower(), field.lower()):
        return False
    return _is_inline(value)


def named_files(graph: Any) -> list[NamedFile]:
    """List the names of files in whose place a task could give one of its own."""
    return [
        NamedFile(name, field, value)
        for name, kind, inputs in _nodes(graph)
        for field, value in inputs.items()
        if isinstance(value, str)
        and _takes_file(kind.lower(), field.lower())
        and _is_foreign(kind, field, value)
    ]


def _nodes(graph: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name, node in graph.items() if isinstance(graph, dict) else ():
        match node:
            case {"class_type": str(kind), "inputs": dict(inputs)}:
                yield name, kind, inputs


def foreign_fields(kind: str, inputs: Mapping[str, Any], allowed: Collection[str]) -> Iterator[str]:
    """Find the inputs of a node that name a file which is neither the task's nor ``allowed``."""
    for field, value in inputs.items():
        if taken_from(value) is not None:
            # A name that another node makes up is nothing that could be judged.
            is_foreign = _is_media_loader(kind.lower()) and _is_name_of_file(field.lower())
        else:
            texts = (each for each in _texts(value) if each not in allowed)
            is_foreign = any(_is_foreign(kind, field, each) for each in texts)
        if is_foreign:
            yield field


def lacks_name(kind: str, field: str, value: Any) -> bool:
    """Tell whether a value is none of a text where a node that loads a file takes its name.

    An object may be a widget's own state, as that of ``Load3D``.
    """
    kind, field = kind.lower(), field.lower()
    if isinstance(value, str | dict) or taken_from(value) is not None:
        return False
    if not _is_media_loader(kind) or _fetches(kind, field) or _decodes(kind, field):
        return False
    if field in _WHOLE_NAMES or field in _FILE_NAMES:
        return True
    # A flag, as use_file, has such a last word, too.
    return not isinstance(value, bool) and _last_word(field) in _FOLDERS


def _is_foreign(kind: str, field: str, value: str) -> bool:
    kind, field = kind.lower(), field.lower()
    takes = _takes_file(kind, field)
    if is_link(value) and (takes or _fetches(kind, field)):
        return False
    if (takes or _decodes(kind, field)) and _is_inline(value):
        return False
    if _is_prose(kind, field):
        return False
    return _LEADS_OUT.search(value) is not None or _is_name(kind, field, value)


def _is_name(kind: str, field: str, value: str) -> bool:
    """Tell whether a text at this input is the name of a file or folder that is no weights."""
    is_media = _MEDIA_FILE.fullmatch(value) is not None
    if _is_media_loader(kind):
        return is_media or (_is_name_of_file(field) and not _WEIGHTS_FILE.fullmatch(value))
    if _LOADS.search(kind) and _last_word(field) in _FOLDERS and "model" not in field:
        return not _WEIGHTS_FILE.fullmatch(value)
    return is_media and field in _MEDIA_FIELDS and not _SAVES.search(kind)


def _is_prose(kind: str, field: str) -> bool:
    # Encoders have fields such as clip_l and t5xxl.
    return "textencode" in kind or (_last_word(field) in _PROSE and not _is_media_loader(kind))


def _is_name_of_file(field: str) -> bool:
    return _last_word(field) in _FILES or field in _FILE_NAMES


def _takes_file(kind: str, field: str) -> bool:
    if _fetches(kind, field) or _decodes(kind, field):
        return False
    return _is_media_loader(kind) or field in _MEDIA_FIELDS


def _fetches(kind: str, field: str) -> bool:
    """Tell whether a node fetches by itself, as LoadImageFromUrl does, and so keeps its link."""
    return "url" in kind or "url" in field


def _decodes(kind: str, field: str) -> bool:
    """Tell whether a node takes the bytes themselves, as LoadImageBase64 does."""
    return "base64" in kind or "base64" in field


def _is_media_loader(kind: str) -> bool:
    return _LOADS.search(kind) is not None and any(word in kind for word in _MEDIA)


def _last_word(field: str) -> str:
    return field.rstrip("0123456789_").rpartition("_")[2]


def _texts(value: Any) -> Iterator[str]:
    """Yield each text within a value."""
    # A stack and no recursion: a content may be nested deeper than Python's calls can be.
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as fields:
                left += fields.values()
            case list() as items:
                left += items


def _is_inline(text: str) -> bool:
    """Tell whether a text begins as a data URL does, or a media file in base64."""
    if _DATA_URL.match(text[:_LOOKED_AT].lstrip()):
        return True
    head = "".join(text[:_LOOKED_AT].split())
    if len(head) < _FEWEST:
        return False
    try:
        data = base64_text.decoded(head[: len(head) // 4 * 4])
    except ValueError:
        return False
    return _MAGIC.match(data) is not None
