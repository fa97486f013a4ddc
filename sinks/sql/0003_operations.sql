-- What people did to keep the floor running.

CREATE TABLE IF NOT EXISTS redrives (
    topic LowCardinality(String) COMMENT 'Topic that the dead letter came from, and was sent to again',
    partition Int32 COMMENT 'Partition it came from',
    offset Int64 COMMENT 'Offset it came from',
    made_anew UInt16 COMMENT 'How often the topic had been made anew when it came',
    reason LowCardinality(String) COMMENT 'Why it was a dead letter',
    sent_partition Int32 COMMENT 'Partition it was sent to',
    sent_offset Int64 COMMENT 'Offset it has there',
    redriven_at DateTime64(3, 'UTC') COMMENT 'When the broker had it',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(redriven_at)
ORDER BY (topic, partition, offset, reason, sent_partition, sent_offset, made_anew)
TTL toDateTime(stored_at) + INTERVAL {events_days} DAY
COMMENT 'Dead letters that were sent again: one row each time';

CREATE OR REPLACE VIEW letters (
    place String COMMENT 'TOPIC:PARTITION:OFFSET, or file:OFFSET for a row of a file or a request: its name in commands',
    topic LowCardinality(String) COMMENT 'Where it came from: a topic, or file',
    partition Int32 COMMENT 'Partition it came from; -1 for a row of a file',
    offset Int64 COMMENT 'Offset it came from; of a row of a file that of the letter itself',
    reason LowCardinality(String) COMMENT 'oversize, invalid, conflict, future, too_late, rejected_row or erased',
    source String COMMENT 'The source that the event names, or the file; empty when the bytes name none',
    detail String COMMENT 'What was expected, in one line',
    origin String COMMENT 'File and line, or empty',
    key String COMMENT 'Kafka key',
    value String COMMENT 'The bytes as they came',
    ingest UInt64 COMMENT 'Number of the ingest run; 0 for live feeds',
    content UInt64 COMMENT 'Hash of the fields of the vendor, by which the fact is known when it comes again; 0: none',
    made_anew UInt16 COMMENT 'How often its topic had been made anew when it came: the offsets of each begin at 0',
    at DateTime64(3, 'UTC') COMMENT 'When the broker wrote the letter',
    redriven_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was sent again last; NULL when it was not'
) AS
SELECT if(d.topic = 'file', concat('file:', toString(d.offset)),
        concat(d.topic, ':', toString(d.partition), ':', toString(d.offset))) AS place,
    d.topic AS topic, d.partition AS partition, d.offset AS offset, d.reason AS reason,
    if(d.topic = 'file', arrayStringConcat(arrayPopBack(splitByChar(':', d.origin)), ':'),
        JSONExtractString(d.value, 'source')) AS source,
    d.detail AS detail, d.origin AS origin, d.key AS key, d.value AS value, d.ingest AS ingest, d.content AS content,
    d.made_anew AS made_anew, d.at AS at,
    if(r.last >= d.at, r.last, NULL) AS redriven_at
FROM (SELECT * FROM dead_letters FINAL) AS d
LEFT JOIN (
    SELECT topic, partition, offset, reason, made_anew, max(redriven_at) AS last FROM redrives
    GROUP BY topic, partition, offset, reason, made_anew
) AS r ON r.topic = d.topic AND r.partition = d.partition AND r.offset = d.offset AND r.reason = d.reason
    AND r.made_anew = d.made_anew
COMMENT 'Dead letters as people name them, and whether they were sent again';
