"""Errors of torch and of its libraries, as a message quotes them."""


def first_line(error: Exception) -> str:
    """Return the error's first line, without the pages that some libraries add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
