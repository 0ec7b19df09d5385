"""What is true: pure functions and frozen dataclasses, on the standard library only."""
