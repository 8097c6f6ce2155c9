"""Mistakes in what is done with graphs and their files."""

from tests.mutants.mutant import Mutant

_CONTENTS = "tests/models/runtimes/test_contents.py"
_LINKS = "tests/models/runtimes/test_graph_links.py"
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
        tests=_CONTENTS,
    ),
    Mutant(
        mistake="a link takes a slot that no node has, from the last one on",
        file="models/runtimes/comfyui/links.py",
        old="return type(value) is int and value >= 0",
        new="return type(value) is int",
        tests=_LINKS,
    ),
    Mutant(
        mistake="a pair of numbers is a link to the node that has it",
        file="models/runtimes/comfyui/links.py",
        old="if node in nodes and node != taker:",
        new="if node in nodes:",
        tests=_LINKS,
    ),
    Mutant(
        mistake="a body of ComfyUI's own without a graph is a graph with a wrong node",
        file="models/runtimes/comfyui/graphs.py",
        old="if _is_empty_wrapper(content):",
        new="if False and _is_empty_wrapper(content):",
        tests=_CONTENTS,
    ),
    Mutant(
        mistake="a loader may be given a number for a file",
        file="models/runtimes/comfyui/files.py",
        old="if field in _WHOLE_NAMES or field in _FILE_NAMES:",
        new="if False and field in _FILE_NAMES:",
        tests=_FILES,
    ),
    Mutant(
        mistake="base64 without its padding is none",
        file="models/base64_text.py",
        old='    return body + "=" * (-len(body) % 4)\n',
        new="    return body\n",
        tests="tests/deployments/inputs/test_pictures.py",
    ),
    Mutant(
        mistake="a Web UI gets base64 of an alphabet that it does not read",
        file="deployments/runtimes/sdwebui/request.py",
        old="with_inputs(content, own | fetched)",
        new="with_inputs(content, fetched)",
        tests="tests/runtimes/sdwebui/test_request.py",
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
