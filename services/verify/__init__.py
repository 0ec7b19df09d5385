"""Answers the public from a read model of its own; holds no private key."""
