"""Regular expressions of names that clients or settings give; who uses one anchors it."""

RUNTIME = "[A-Za-z0-9][A-Za-z0-9_-]*"
"""Name of a runtime, with at most `LONGEST_RUNTIME` characters."""
LONGEST_RUNTIME = 60
SUBMISSION = "[A-Za-z0-9_-]{1,128}"
"""Identity of a submission."""
API_KEY = r"[^\x00-\x1f\x7f]{1,128}"
"""Name of an API key: any characters but controls."""
