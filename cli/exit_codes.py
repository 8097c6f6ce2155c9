"""Exit codes of all commands."""

from atelier import Misaddressed, NotFound, TimedOut, Unauthorized, Unreachable

OK = 0
ENDED_BADLY = 1
USAGE = 2
UNAUTHORIZED = 3
NOT_FOUND = 4
UNREACHABLE = 5
TIMED_OUT = 6

EPILOG = (
    "Exit codes: 0 done; 1 a task failed or was cancelled; 2 wrong usage or payload;"
    " 3 API key not known, or not allowed to; 4 no such task; 5 platform not reachable;"
    " 6 not ended in time; 130 interrupted."
)


def code_of(error: Exception) -> int:
    match error:
        case Unauthorized():
            return UNAUTHORIZED
        case NotFound():
            return NOT_FOUND
        case Unreachable() | Misaddressed():
            return UNREACHABLE
        case TimedOut():
            return TIMED_OUT
        case _:
            return USAGE
