"""The dead letter topic: the record's format, confirmed writes, and the topics themselves."""
