"""Are many dead letters counted in one pass and little memory? `bench.dead_letters`: a million."""

from pathlib import Path

from bench.dead_letters import PARTITIONS, config, measured, write
from tests.servers.kafka import KafkaCluster

LETTERS = 20_000
MIB_MOST = 200


def test_a_summary_counts_all_and_a_list_reads_a_few_of_many(
    kafka: KafkaCluster, tmp_path: Path
) -> None:
    topic = kafka.create_topic(partitions=PARTITIONS)
    kafka.create_topic(f"{topic}.dlq", partitions=PARTITIONS)
    is_open = write(kafka.bootstrap, topic, LETTERS)
    path = config(tmp_path, kafka.bootstrap, topic)

    summary = measured(path, "dead-letters", "list", "--format", "summary")
    newest = measured(path, "dead-letters", "list")

    assert (summary.code, newest.code) == (0, 0)
    counts = [int(line.split()[0]) for line in summary.out.splitlines()]
    assert len(counts) == 3
    assert sum(counts) == is_open
    assert len(newest.out.splitlines()) == 51
    assert max(summary.peak_mib, newest.peak_mib) < MIB_MOST
