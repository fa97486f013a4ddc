-- What is left of the events of people who were erased.

CREATE TABLE IF NOT EXISTS erased_events (
    topic LowCardinality(String) COMMENT 'Kafka topic it came from',
    partition UInt16 COMMENT 'Kafka partition',
    epoch UInt16 COMMENT 'Epoch of the topic',
    offset UInt64 COMMENT 'Kafka offset',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the event was stored'
) ENGINE = ReplacingMergeTree(stored_at)
ORDER BY (topic, partition, epoch, offset)
TTL toDateTime(stored_at) + INTERVAL {events_days} DAY
COMMENT 'Where events stood that were taken, and deleted as their person was erased: nothing but the place, so that every offset is accounted for';
