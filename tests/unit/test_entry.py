"""The command from its first moment on, in processes of their own."""

import signal
import subprocess
import sys

CTRL_C_WHILE_READING = """
import os, signal, sys
class Now:
    def find_spec(name, path, target=None):
        if name == "services.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Now)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
RUN = "from services.entry import main\nmain()\n"


def run(program: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, env=environment, check=False)


def test_ctrl_c_in_the_first_second_leaves_no_trace() -> None:
    ended = run(CTRL_C_WHILE_READING + RUN)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_a_terminal_without_chinese_gets_it_spelt_out() -> None:
    ended = run(RUN, "keys", "show", "nobody", PYTHONIOENCODING="ascii")
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"not-configured \\u8bbe\\u7f6e")
