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
        mistake="of circles in a graph the first alone is told",
        file="models/runtimes/comfyui/graphs.py",
        old="            ready = circle\n",
        new="            return\n",
        tests="tests/models/runtimes/test_contents.py",
    ),
    Mutant(
        mistake="what a node says is told with the server's paths",
        file="deployments/runtimes/comfyui/words.py",
        old='    text = _PATH.sub(lambda found: f"…/{PurePosixPath(found[0]).name}", text)\n',
        new="",
        tests="tests/runtimes/comfyui/test_words.py",
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
