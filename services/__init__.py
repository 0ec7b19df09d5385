"""certmark: an event-driven registry of certificates and marks with public verification."""
