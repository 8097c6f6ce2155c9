"""Lines that `atelier up --aws-only` prints, as a shell takes them."""

import subprocess

from models.shell_exports import exports


def test_a_shell_reads_back_each_value() -> None:
    environment = {
        "ATELIER_APIKEYS": '[{"name": "it\'s", "key": "$HOME `id` \\\\"}]',
        "RAY_AUTH_MODE": "token",
    }
    names = " ".join(environment)

    said = subprocess.run(
        ["sh", "-c", f"{exports(environment)}printenv {names}"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert said.splitlines() == list(environment.values())


def test_it_says_where_the_key_comes_from() -> None:
    made_up = exports({"ATELIER_APIKEYS": "[]"})
    own = exports({"AWS_REGION": "us-east-1"})

    assert "# A key for this machine only" in made_up
    assert "# API keys: your own, from apiKeys or ATELIER_APIKEYS" in own
