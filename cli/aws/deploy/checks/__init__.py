"""Preflight checks, a module for each subject; they only read."""
