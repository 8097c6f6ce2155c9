"""Style that ruff has no rule for: how docstrings open, and what the code measures.

`make lint` runs the check of docstrings; `python -m tests.house --figures` prints the measures.
"""
