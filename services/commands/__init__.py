"""The commands of `certmark` that are files of their own; `cli.py` puts them together."""
