"""The log: what a source signs, how it is checked, where it is kept in order, and who lets it in."""
