"""The source: messages from Kafka, and the offsets that may be committed for them."""
