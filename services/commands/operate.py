"""What an operator runs: `certmark up`, `demo`, `migrate` and `admit`."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

import services
from services.commands.terminal import OUT, as_json, say_json
from services.domain.errors import BadRequest
from services.settings import settings_from


@click.command()
@click.option("--demo", is_flag=True, help="Load the demonstration register.")
@as_json
def up(demo: bool, json_: bool) -> None:
    """Start all services on the embedded PostgreSQL (or on what the environment names); Ctrl-C ends them."""
    from services.up import run

    sys.exit(run(settings_from(), demonstrate=demo, as_json=json_))


@click.command()
@as_json
def demo(json_: bool) -> None:
    """Publish the demonstration register's events to the running services."""
    from services.demo import publish

    settings = settings_from()
    now = datetime.now(UTC)
    publish(settings, now)
    if json_:
        say_json({"published": True})
    else:
        OUT.print("示范登记册已载入 the demonstration register is in")


@click.command()
@as_json
def migrate(json_: bool) -> None:
    """Bring the database of $CERTMARK_DATABASE_URL to the present schema."""
    from services import migrate as migrations
    from services.postgres import connect, database_url
    from services.registry.form import check_form

    done: list[str] = []
    with closing(connect(database_url(settings_from()))) as connection:
        check_form(connection)
        for folder in ("registry", "events"):
            done += migrations.migrate(connection, Path(services.__file__).parent / folder / "migrations")
    if json_:
        say_json({"applied": done})
    else:
        OUT.print("\n".join(done) or "无需变更 nothing to do", markup=False)


@click.command()
@click.argument("passwords", nargs=-1, required=True, metavar="NAME=PASSWORD_FILE...")
@as_json
def admit(passwords: tuple[str, ...], json_: bool) -> None:
    """Let names in at the Kafka broker: their passwords, and what each may do.

    registry, events and verify are the register's own processes. Every other name is a source of events
    (an approval number, say): it may write events and nothing else. Run it as an administrator of the broker.
    """
    from services.events.access import admit as admit_all

    files: dict[str, Path] = {}
    for word in passwords:
        name, equals, file = word.partition("=")
        if not (name and equals and file):
            raise BadRequest(f"{word!r} is not NAME=PASSWORD_FILE")
        files[name] = Path(file)
    admit_all(settings_from(), files)
    if json_:
        say_json({"admitted": list(files)})
    else:
        OUT.print(f"admitted: {', '.join(files)}", markup=False)
