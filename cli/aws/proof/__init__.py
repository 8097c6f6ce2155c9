"""Prove that an installation works: send sample tasks, and check what they end in."""
