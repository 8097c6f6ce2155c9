"""`atelier keys`: API keys made, listed and taken back, in a file or on AWS."""
