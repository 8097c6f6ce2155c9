"""Tasks, reports, settings and names, and the ports that carry them; knows no queue or GPU."""
