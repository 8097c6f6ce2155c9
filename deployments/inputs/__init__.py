"""Inputs of tasks: links in a content, and the bytes behind them, fetched under a guard."""
