"""`atelier keys`: make, list and revoke API keys, in a file or on AWS."""
