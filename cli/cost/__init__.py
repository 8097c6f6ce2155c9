"""What an installation costs a month: usage in lines, prices as dated data, and pure functions."""
