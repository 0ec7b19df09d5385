"""The conformance run: cases that show whether a system, or a body's own client, does what the contract says."""
