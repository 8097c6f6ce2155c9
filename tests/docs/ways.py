"""Ways in which the blocks of documents are tried."""

from enum import StrEnum

from tests.docs.pages import RUNBOOKS, Block

_READING = ("atelier config ", "atelier checkpoints", "atelier runtimes", "atelier version")


class Way(StrEnum):
    """Way of trying a block, which its language and marks decide."""

    SHELL = "run by bash"
    STAGED = "run by bash on emulators of AWS and of Kubernetes"
    PYTHON = "run by Python"
    OUTPUT = "compared with what the block before printed"
    CONFIGURATION = "read as a configuration"
    PROFILES = "read as profiles"
    PARSED = "its command lines are parsed"
    SHOWN = "held to the code in another way"


_OF_LANGUAGE = {"python": Way.PYTHON, "yaml": Way.CONFIGURATION, "toml": Way.PROFILES}


def way_of(block: Block) -> Way | None:
    """Return the way of trying a block; None where there is none, which a test refuses."""
    if block.shows is not None:
        return Way.SHOWN
    match block.language:
        case "sh" if is_staged(block):
            return Way.STAGED
        case "sh":
            return Way.SHELL if _is_run(block) else Way.PARSED
        case "" | "json":
            before = block.after and way_of(block.after)
            return Way.OUTPUT if before is Way.SHELL else None
    return _OF_LANGUAGE.get(block.language)


def is_staged(block: Block) -> bool:
    """Tell whether a block is of a runbook and speaks to an account: emulators run it."""
    is_of_aws = block.place == "fence" or block.text.startswith(("atelier ", "aws "))
    return block.page in RUNBOOKS and is_of_aws and not block.needs


def _is_run(block: Block) -> bool:
    """Tell whether a command line is run: a fenced one, or one of a table that changes nothing."""
    if block.needs or block.place == "sentence":
        return False
    return block.place == "fence" or block.text.startswith(_READING)
