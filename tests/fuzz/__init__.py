"""Requests and messages made up by rule: few in tests, always the same; many in fuzzing."""
