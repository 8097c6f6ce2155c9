"""What is measured, and how; every figure in the documents comes from a command here."""
