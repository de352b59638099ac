"""streamer: domain events out of Kafka, into site automations."""

__version__ = "0.1.0"
