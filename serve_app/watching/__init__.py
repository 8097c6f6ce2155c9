"""Follow running tasks: events from ingest, the timeline of a task, estimates of its end."""
