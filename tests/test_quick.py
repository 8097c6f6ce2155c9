"""`make quick` leaves out what it says, and its check finds what should have been left out."""

import pytest

from tests import quick

pytest_plugins = ["pytester"]

ALL = [path for paths in quick.LEFT_OUT.values() for path in paths]


@pytest.mark.parametrize("path", ALL)
def test_what_is_left_out_is_there(path: str) -> None:
    file, _, name = path.partition("::")

    assert (quick.ROOT / file).exists()
    assert not name or f"def {name}(" in (quick.ROOT / file).read_text()


def test_a_file_that_imports_a_heavy_package_is_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "HEAVY_MODULES", frozenset({"this_is_heavy"}))
    monkeypatch.setattr(quick, "ROOT", pytester.path)
    pytester.makepyfile(this_is_heavy="")
    test = pytester.makepyfile("import this_is_heavy\ndef test_it(): pass")

    result = pytester.inline_run("-p", "no:asyncio", str(test), plugins=[quick])

    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_a_test_that_imports_a_heavy_package_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "HEAVY_MODULES", frozenset({"this_is_heavy"}))
    monkeypatch.setattr(quick, "ROOT", pytester.path)
    pytester.makepyfile(this_is_heavy="")
    test = pytester.makepyfile("def test_it():\n    import this_is_heavy\ndef test_other(): pass")

    result = pytester.inline_run("-p", "no:asyncio", str(test), plugins=[quick])

    result.assertoutcome(passed=2, failed=1)
