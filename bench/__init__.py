"""Measurements: each figure a ratio to a limit of the same machine in the same run."""
