"""Ingest: takes tasks from their queues to their reports; knows no HTTP and no GPU."""
