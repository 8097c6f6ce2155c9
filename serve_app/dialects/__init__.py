"""HTTP API of the reference system: inbound shapes of a task, each at a path of its own."""
