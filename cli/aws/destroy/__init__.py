"""`atelier aws destroy`: drain the queues, delete the stack and its data, list leftovers."""
