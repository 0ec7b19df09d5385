"""The command line `certmark`: exit 0 done, 1 the answer is no, 2 wrong use."""

import click

from services.commands.terminal import Program

PLACES = {
    "accounts": "accounts",
    "admit": "operate",
    "audit": "audit",
    "check": "listings",
    "codes": "codes",
    "conform": "conform",
    "decision": "decision",
    "demo": "operate",
    "districts": "districts",
    "dump": "open_data",
    "import": "sheets",
    "indicators": "open_data",
    "keys": "keys",
    "lists": "lists",
    "marks": "marks",
    "migrate": "operate",
    "publish": "publish",
    "reconcile": "sheets",
    "replay": "replay",
    "sign": "publish",
    "snapshot": "snapshot",
    "tokens": "tokens",
    "trust": "trust",
    "up": "operate",
    "verify": "verify",
}
"""Each command and its file in `services/commands`, which is read when the command is wanted: half of them need none of
what takes longest to load."""


@click.group(
    cls=Program, places=PLACES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="certmark")
def main() -> None:
    """A register of product certifications and quality marks."""


if __name__ == "__main__":
    main()
