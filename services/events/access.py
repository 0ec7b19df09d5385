"""Who may do what at the broker: a name, a password and an access list for each role of a register."""

from collections.abc import Mapping
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)

from services.domain.errors import BadRequest, LogMisconfigured
from services.events.kafka_log import CLIENT, faults_of, password_in, way_to
from services.events.log import Topic, Topics
from services.settings import Settings

ITERATIONS = 8192
"""Rounds of the password's salted hash; the broker takes 4,096 to 16,384."""
_READ = (ACLOperation.READ, ACLOperation.DESCRIBE)
_WRITE = (ACLOperation.WRITE, ACLOperation.DESCRIBE)
_KEEP = (ACLOperation.CREATE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS)


def rights_of(name: str, topics: Topics) -> list[tuple[Topic, tuple[ACLOperation, ...]]]:
    """What a name may do: one of our own roles, or else a source of events, which may write them and nothing more."""
    match name:
        case "registry":
            # The restricted topic also takes what is done in cases (decision 0028), which the registry itself writes.
            mine = (topics.state, topics.checkpoints, topics.dead_letter, topics.restricted)
            written = [(topic, _WRITE) for topic in mine]
            read = [(topic, _READ) for topic in (topics.events, topics.state, topics.restricted)]
            return [*((topic, _KEEP) for topic in topics.all()), *written, *read]
        case "events":
            return [(topics.events, _WRITE), (topics.state, _READ)]
        case "verify":
            # It tells the other nodes what it counted, and hands in reports that it cannot read again itself.
            return [(topics.state, _READ), (topics.scans, _READ), (topics.scans, _WRITE), (topics.restricted, _WRITE)]
        case _:
            return [(topics.events, _WRITE)]


def admit(settings: Settings, password_files: Mapping[str, Path]) -> None:
    """Give each name its password (a new one replaces the old) and its rights; those that it has stay.

    The settings are those of an administrator of the broker. Safe to repeat.

    Raises:
        BadRequest: the settings name no broker, or a name is none.
        NotConfigured: a password file cannot be read. LogMisconfigured, LogUnavailable: the broker refuses or is away.
    """
    if settings.log != "kafka":
        raise BadRequest("there is no broker: CERTMARK_LOG is 'postgres'", hint="CERTMARK_LOG=kafka")
    for name in password_files:
        if not name.replace("-", "").replace(".", "").isalnum() or not name.isascii():
            raise BadRequest(f"{name!r} is no name for a user of the broker", hint="letters, digits, - and .")
    users = [
        UserScramCredentialUpsertion(name, "SCRAM-SHA-512", password_in(file), ITERATIONS)
        for name, file in password_files.items()
    ]
    topics = Topics.under(settings.topic_prefix)
    rights = [
        ACL(f"User:{name}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(ResourceType.TOPIC, topic.name))
        for name in password_files
        for topic, operations in rights_of(name, topics)
        for operation in operations
    ]
    with faults_of(settings, "access"):
        admin = KafkaAdminClient(**way_to(settings), **CLIENT)
        try:
            refused = [str(why) for why in admin.alter_user_scram_credentials(users).values() if why]
            refused += [why.__name__ for why in admin.create_acls(rights)["failed"]]
        finally:
            admin.close()
    if refused:
        raise LogMisconfigured(f"the broker takes neither users nor rights from us: {'; '.join(refused[:5])}")
