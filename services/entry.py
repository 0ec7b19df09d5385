"""The command `certmark` from its first moment on: Ctrl-C leaves no trace, and no terminal lacks a letter."""

import io
import signal
import sys


def main() -> None:
    """Read the program, which takes a while, then run it."""
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:  # nothing has to be tidied up yet
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from services.cli import main as program

    signal.signal(signal.SIGINT, interrupted)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # which JSON reads as well
    program()
