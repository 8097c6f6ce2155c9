"""Attacks, each a table of what is sent and of the right answer; real servers, the real front.

Escapes and names that reach a person's terminal and folder are attacked in `tests/cli/hostile.py`.
"""
