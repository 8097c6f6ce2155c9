"""Walk over every setting, which finds what each of them changes."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"
"""Page that the walk writes for people; `python -m tests.cdk.walk` updates it."""
