"""What README and docs show is true: each command, configuration and program there is tried."""
