-- Numbers of revisions as they are taken, so that of two that are applied at the same time one holds.

CREATE TABLE IF NOT EXISTS revision_numbers (
    kind LowCardinality(String) COMMENT 'registry or rules',
    revision UInt32 COMMENT 'Number that an apply asked for',
    claim String COMMENT 'Which apply: it goes on unless another one asked for a number that does not hold yet',
    claimed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When'
) ENGINE = ReplacingMergeTree
ORDER BY (kind, revision, claim)
COMMENT 'Numbers that were asked for by floorpulse registry apply and rules apply, with those that none got';
