"""One module or package a runtime type, found by its name."""
