"""Comparison with a real server of the Web UI's API; `recorded/README.md` says how it was recorded."""
