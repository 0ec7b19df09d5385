"""Decides every event and stores the outcome."""
