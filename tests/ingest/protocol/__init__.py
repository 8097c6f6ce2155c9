"""Model of the line: ingest, ledger, queue and topics, under faults that a search chooses."""
