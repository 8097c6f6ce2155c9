"""Tests of the documents: each command, configuration and program that they show is tried."""
