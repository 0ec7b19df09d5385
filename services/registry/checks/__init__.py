"""Checks of listings as jobs: handed in, run on a pinned position by a process of its own, read while they run."""
