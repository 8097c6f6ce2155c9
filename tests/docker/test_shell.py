"""Shell of an image: it becomes what it starts, or is refused, so that process 1 hears SIGTERM."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docker.context import DOCKER, ROOT
from tests.docker.dockerfile import instructions

KUBERAY = ("-c", "--")
"""Options of the /bin/bash with which KubeRay starts a pod, before its one argument (1.7.0,
`ray-operator/controllers/ray/utils/util.go`, read in July 2026)."""
OLD = """\
#!/bin/sh
# As bash was before 5.1: it stays there for the last command of a list, too.
shift 2
exec /bin/bash -c -- "$1
exit \\$?"
"""
RAY = """\
#!/bin/sh
trap 'echo drained; exit 0' TERM
echo started
while :; do sleep 0.01; done
"""

Program = Callable[[str, str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    return written


def install(program: Program, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Begin to install, with a uv that says so and fails."""
    uv = program("uv", "#!/bin/sh\necho uv was called\nexit 7\n")
    path = f"{uv.parent}:{os.environ['PATH']}"
    return subprocess.run(
        [str(DOCKER / "install.sh"), str(uv.parent / "layer"), str(ROOT / "docker")],
        env={"PATH": path, **environment},
        check=False,
        capture_output=True,
        text=True,
    )


def drained(shell: Path, program: Program) -> bool:
    """Start a Ray as KubeRay does, stop the pod's first process, and tell whether Ray heard."""
    ray = program("ray", RAY)
    command = f"ulimit -n ${{RAY_START_ULIMIT_OPEN_FILES:-65536}}; {ray} start --block"
    pod = subprocess.Popen(
        [shell, *KUBERAY, command], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with pod:
        assert pod.stdout is not None
        pod.stdout.readline()
        pod.terminate()
        pod.wait(10)
        try:
            os.killpg(pod.pid, signal.SIGKILL)  # what did not hear, and so would stay
        except ProcessLookupError:
            return pod.stdout.read() == "drained\n"
        return False


def test_this_bash_is_let_in_and_ray_hears_a_pods_end(program: Program) -> None:
    assert install(program).stdout == "uv was called\n"
    assert drained(Path("/bin/bash"), program)


def test_an_old_bash_is_refused_for_ray_would_not_hear_it(program: Program) -> None:
    old = program("bash", OLD)
    refused = install(program, POD_SHELL=str(old))

    assert not drained(old, program)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert all(word in refused.stderr for word in (str(old), "SIGTERM", "5.1", "Ubuntu 22.04"))


def test_an_image_without_bash_is_refused(program: Program) -> None:
    refused = install(program, POD_SHELL="/bin/no-such-shell")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "/bin/no-such-shell" in refused.stderr


def test_what_a_bash_prints_as_it_starts_does_not_matter(program: Program) -> None:
    noise = program("noise", "echo welcome\n")

    assert install(program, BASH_ENV=str(noise)).stdout == "uv was called\n"


def test_a_machine_on_which_no_pod_runs_may_have_any_bash(program: Program) -> None:
    assert install(program, POD_SHELL="").stdout == "uv was called\n"


def test_no_dockerfile_asks_for_less() -> None:
    for path in DOCKER.glob("*.Dockerfile"):
        assert not [one for one in instructions(path.read_text()) if "POD_SHELL" in one.words]
