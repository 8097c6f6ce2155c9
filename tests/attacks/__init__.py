"""Attacks, each a table of what is sent and of the right answer; real servers, the real front."""
