"""Section of a runbook: its commands, of which none may be left out."""

from dataclasses import dataclass

from tests.cli.aws.runbook.operator_shell import OperatorShell
from tests.docs.pages import ROOT, RUNBOOKS, Block, blocks
from tests.docs.ways import is_staged

ELSEWHERE = {
    "atelier aws": "deploy/test_command.py",
    "atelier aws deploy": "deploy/test_command.py",
    "atelier aws destroy": "destroy/test_command.py",
    "atelier aws logs": "test_status.py",
    "atelier aws snapshot": "snapshot/test_steps.py",
    "atelier aws status": "test_status.py",
    "atelier aws test": "proof/test_command.py",
}
"""Commands that pages name alone, by the files in `tests/cli/aws` that run them."""

Heading = tuple[str, str]
"""Page, and a heading on it."""


@dataclass
class Section:
    """Commands under one heading, and the shell to run them in."""

    shell: OperatorShell
    left: list[Block]
    """Commands that were not run yet."""

    @classmethod
    def of(cls, heading: Heading, shell: OperatorShell) -> "Section":
        return cls(shell, [block for block in commands() if heading_of(block) == heading])

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


def heading_of(block: Block) -> Heading:
    """Return the page and heading that a block stands under."""
    before = (ROOT / block.page).read_text().splitlines()[: block.line]
    return block.page, next(line.lstrip("# ") for line in reversed(before) if line.startswith("#"))
