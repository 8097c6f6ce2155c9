"""Measurements in this process leave its environment as it was."""

import os

import pytest

from samples.environment import environment_variables


def test_environment_variables_are_set_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "before")
    monkeypatch.delenv("ADDED", raising=False)
    with environment_variables({"KEPT": "meanwhile", "ADDED": "1"}):
        assert (os.environ["KEPT"], os.environ["ADDED"]) == ("meanwhile", "1")

    assert os.environ["KEPT"] == "before"
    assert "ADDED" not in os.environ
