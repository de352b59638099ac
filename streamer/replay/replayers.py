"""Is a replay under way?"""

from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streamer.dead_letters.client_log import ClientLog
from streamer.dead_letters.client_properties import shared_properties
from streamer.replay.desk import Desk

ANSWER_S = 5.0


def members_of(desk: Desk) -> int:
    """How many processes are in the group that replays join; 0 too where the brokers do not say.
    Blocks."""
    kafka = desk.loaded.settings.kafka
    config: dict[str, Any] = shared_properties(kafka.librdkafka_properties())
    config["bootstrap.servers"] = kafka.bootstrap_servers
    admin = AdminClient(config, logger=ClientLog("replayers"))
    asked = admin.describe_consumer_groups([desk.group_id], request_timeout=ANSWER_S)
    try:
        return len(asked[desk.group_id].result(timeout=ANSWER_S).members)
    except (KafkaException, FutureTimeout):
        return 0
