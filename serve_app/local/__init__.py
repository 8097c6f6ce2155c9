"""The platform on one machine: an emulator of AWS, a Ray of its own, and the application on it."""
