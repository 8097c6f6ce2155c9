"""Tables of figures are read in narrow terminals, too."""

from pathlib import Path

import pytest

from bench.report import report


def test_no_word_of_a_wide_table_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    columns = [f"a long heading {number}" for number in range(8)]
    report(
        tmp_path / "wide.json", {}, {}, columns, [["simulated, ours, 3 ingests", *["123.4"] * 7]]
    )
    shown = capsys.readouterr().out

    assert all(column in shown for column in columns)
    assert "simulated, ours, 3 ingests" in shown
