"""Platform on one machine: an emulator of AWS, a Ray cluster of its own, the application."""
