"""Scenarios of a fleet that follows its queue, what was seen in them, and what that amounts to."""
