"""`atelier aws deploy`: preflight checks, the steps of a deployment, and what each step does."""
