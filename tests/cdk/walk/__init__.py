"""A walk over every setting, which finds what each of them changes."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"
"""The page that tells people; `python -m tests.cdk.walk` writes it."""
