import os
from pathlib import Path

import pytest

from models.errors import SettingsError
from models.regular_files import regular_bytes


def test_a_file_is_read_and_one_that_is_missing_is_none(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_bytes(b"keys: []")

    assert regular_bytes(tmp_path / "keys.yaml") == b"keys: []"
    assert regular_bytes(tmp_path / "none.yaml") is None


def test_a_folder_and_a_fifo_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(SettingsError, match="must be a regular file"):
            regular_bytes(path)


def test_a_file_that_the_system_does_not_give_is_named_with_the_reason(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    with pytest.raises(SettingsError, match=f"{loop}: cannot be read: "):
        regular_bytes(loop)
