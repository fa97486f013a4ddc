-- What a partition was told of facts that other partitions have.

CREATE TABLE IF NOT EXISTS moved_facts (
    source LowCardinality(String) COMMENT 'The system that saw the fact',
    id String COMMENT 'Unique within the source',
    type LowCardinality(String) COMMENT 'Event type, e.g. contact_handled',
    partition UInt16 COMMENT 'Kafka partition that was told',
    revision UInt32 COMMENT 'The revision that another partition has: a lower one that comes to this one counts for nothing',
    asked_at DateTime64(3, 'UTC') COMMENT 'When it was told' CODEC(DoubleDelta, ZSTD(1)),
    offset UInt64 COMMENT 'Kafka offset of the record that told it',
    epoch UInt16 COMMENT 'Epoch of the topic',
    version UInt64 COMMENT 'epoch * 2^48 + offset',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(version)
ORDER BY (id, source, type, partition, revision)
TTL toDateTime(stored_at) + INTERVAL {events_days} DAY
COMMENT 'Facts that went to the key of another partition before this one had them: who comes late finds that here';
