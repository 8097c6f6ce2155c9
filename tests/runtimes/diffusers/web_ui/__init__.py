"""Comparison with a real server of the Web UI's API; see `recorded/README.md`."""
