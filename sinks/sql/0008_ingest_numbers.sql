-- Numbers of ingests as they are taken, so that two runs that begin at the same time have two.

CREATE TABLE IF NOT EXISTS ingest_numbers (
    number UInt64 COMMENT 'Number that a run of floorpulse ingest asked for',
    claim String COMMENT 'Which run: the number is its own unless another one asked for it, or a higher one, before it looked',
    claimed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When'
) ENGINE = ReplacingMergeTree
ORDER BY (number, claim)
COMMENT 'Numbers that were asked for by runs of floorpulse ingest, with those that none got';
