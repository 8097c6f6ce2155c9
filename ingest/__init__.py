"""Task carriers: from a queue to a report; knows no HTTP and no GPU."""
