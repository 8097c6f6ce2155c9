"""Backends of runtimes: a process beside the replica, kept, watched and spoken to."""
