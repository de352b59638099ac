"""The main job, shown on one machine: an embedded Kafka, the sandbox, and `streamer` between."""
