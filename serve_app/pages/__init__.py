"""Pages for people: what this is, and the reference of its API; no script, no other host."""
