"""Monthly cost of an installation: usage lines, prices as dated data, and pure functions."""
