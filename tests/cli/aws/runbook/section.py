"""Section of a runbook: its commands, of which none may be left out."""

from dataclasses import dataclass

from tests.cli.aws.runbook.operator_shell import OperatorShell
from tests.docs.pages import ROOT, RUNBOOKS, Block, blocks
from tests.docs.ways import is_staged

ELSEWHERE = {
    "atelier aws": "test_deploy.py",
    "atelier aws deploy": "test_deploy.py",
    "atelier aws destroy": "test_destroy.py",
    "atelier aws logs": "test_status.py",
    "atelier aws snapshot": "test_snapshot.py",
    "atelier aws status": "test_status.py",
    "atelier aws test": "test_check.py",
}
"""Commands of ours that pages name without a word more, and where in `tests/cli/aws` they run."""

Installation = tuple[str, str]
"""A page, and a heading in it."""


@dataclass
class Section:
    """Commands under one heading, and the shell to run them in."""

    shell: OperatorShell
    left: list[Block]
    """Commands that were not run yet."""

    @classmethod
    def of(cls, place: Installation, shell: OperatorShell) -> "Section":
        return cls(shell, [block for block in commands() if place_of(block) == place])

    def run(self, beginning: str) -> str:
        """Run the one command, or block of them, that begins so; return what it printed."""
        found = [block for block in self.left if block.text.startswith(beginning)]
        assert found, f"no command of the section begins with {beginning}"
        self.left.remove(found[0])
        return self.shell.run(_without_elsewhere(found[0].text))

    def run_all(self) -> str:
        """Run what is left, in the order of the page; return what the last one printed."""
        said = ""
        while self.left:
            said = self.run(self.left[0].text)
        return said


def _without_elsewhere(text: str) -> str:
    """Leave out the lines of a block that tests of their own run."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.partition("#")[0].strip() not in ELSEWHERE)


def commands() -> list[Block]:
    """Return all commands that the runbooks have for emulators."""
    of_pages = (block for page in RUNBOOKS for block in blocks(page))
    return [b for b in of_pages if b.language == "sh" and is_staged(b) and b.text not in ELSEWHERE]


def place_of(block: Block) -> Installation:
    """Return under which heading a block stands."""
    before = (ROOT / block.page).read_text().splitlines()[: block.line]
    return block.page, next(line.lstrip("# ") for line in reversed(before) if line.startswith("#"))
