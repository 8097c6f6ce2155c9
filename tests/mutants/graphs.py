"""Mistakes in what is done with graphs and their files."""

from tests.mutants.mutant import Mutant

_FILES = "tests/models/runtimes/test_graph_files.py"
_WORKSPACE = "tests/runtimes/comfyui/test_workspace.py"
_TYPES = "tests/deployments/test_media_types.py"

MUTANTS = (
    Mutant(
        mistake="a graph may name files in ComfyUI's other top folders",
        file="models/runtimes/comfyui/files.py",
        old="input|output|temp",
        new="input|temp",
        tests=_FILES,
    ),
    Mutant(
        mistake="a loader takes a file's name from a node that makes it up",
        file="models/runtimes/comfyui/files.py",
        old="if taken_from(value) is not None:",
        new="if False and taken_from(value) is not None:",
        tests=_FILES,
    ),
    Mutant(
        mistake="only inputs of loaders are kept from leading out of ComfyUI's folders",
        file="models/runtimes/comfyui/files.py",
        old="return _LEADS_OUT.search(value) is not None or _is_name(kind, field, value)",
        new="return _is_name(kind, field, value)",
        tests=_FILES,
    ),
    Mutant(
        mistake="folders of weights count in one spelling alone",
        file="deployments/runtimes/comfyui/workspace.py",
        old="there.setdefault(folder.name.lower(), [])",
        new="there.setdefault(folder.name, [])",
        tests=_WORKSPACE,
    ),
    Mutant(
        mistake="an artifact's key has any extension that its runtime gave it",
        file="deployments/media_types.py",
        old="if media in (BINARY, TEXT, JSON) and extension in _NAMED:",
        new="if media in (BINARY, TEXT, JSON) and extension:",
        tests=_TYPES,
    ),
)
