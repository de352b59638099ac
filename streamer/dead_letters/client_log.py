"""Where do the lines go that librdkafka logs by itself?"""

import structlog

log = structlog.get_logger()


class ClientLog:
    """Takes the place of a `logging.Logger` in a confluent-kafka client.

    At debug level, since a person meets the errors in findings and in the outcomes of writes; a
    client whose broker is away repeats its line many times a second.
    """

    def __init__(self, client: str) -> None:
        self._client = client

    def log(self, level: int, text: str, *values: object) -> None:
        """The binding calls it with one of Python's levels and a format with its values."""
        line = text % values if values else text
        log.debug("kafka_client_line", client=self._client, level=level, line=line)
