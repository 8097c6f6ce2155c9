"""What a task, a report and a setting are, and the ports that carry them; knows no queue or GPU."""
