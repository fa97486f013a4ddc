-- What is wrong with the data, counted: `floorpulse data-quality` and the page /data-quality read these views. Each has
-- the columns trouble (the rule it counts, see sinks/quality.py), part (source, queue, partition, ...), n and example.

CREATE OR REPLACE VIEW quality_clamped AS
SELECT 'clamped' AS trouble, source AS part, count() AS n, argMax(id, gap_s) AS example
FROM (
    SELECT source, id, JSONExtractFloat(payload, 'clamped_s') AS gap_s
    FROM events FINAL
    WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
        AND superseded_by = 0 AND void = 0 AND position(payload, '"clamped_s"') > 0
)
WHERE gap_s > 0
GROUP BY source
COMMENT 'Facts with a negative gap of up to 2 s between two clocks, set to 0, by source. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_letters AS
SELECT reason AS trouble, topic AS part, count() AS n,
    argMax(if(origin = '', concat(topic, ':', toString(partition), ':', toString(offset)), origin), letters.at) AS example
FROM (SELECT * FROM dead_letters FINAL) AS letters
WHERE ifNull(parseDateTime64BestEffortOrNull(JSONExtractString(value, 'at'), 3, 'UTC'), letters.at) >= {from:DateTime64(3, 'UTC')}
    AND ifNull(parseDateTime64BestEffortOrNull(JSONExtractString(value, 'at'), 3, 'UTC'), letters.at) < {to:DateTime64(3, 'UTC')}
GROUP BY reason, topic
COMMENT 'Dead letters by reason and where they came from, at the time that they name, else at that of the broker. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_twice AS
SELECT 'counted_twice' AS trouble, source AS part, count() AS n, min(id) AS example
FROM (
    SELECT source, id
    FROM events FINAL
    WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND superseded_by = 0 AND void = 0
        AND sipHash64(type, source, id) IN (
            SELECT sipHash64(type, source, id) AS fact
            FROM events FINAL
            WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND superseded_by = 0 AND void = 0
            GROUP BY fact
            HAVING count() > 1
        )
    GROUP BY type, source, id
    HAVING count() > 1
)
GROUP BY source
COMMENT 'Facts that one revision gives to more than one agent or queue, by source: they count for each of them. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_capped AS
SELECT 'capped' AS trouble, source AS part, count() AS n, argMax(id, longest_s) AS example
FROM (
    SELECT source, id, greatest(JSONExtractFloat(payload, 'talk_s'), JSONExtractFloat(payload, 'hold_s'),
        JSONExtractFloat(payload, 'wrap_s')) AS longest_s
    FROM events FINAL
    WHERE type = 'contact_handled' AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
        AND superseded_by = 0 AND void = 0
)
WHERE longest_s > 14400
GROUP BY source
COMMENT 'Contacts whose talk, hold or wrap was cut to the longest that is believed, 4 h, by source. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_open_waits AS
SELECT 'open_waits' AS trouble, queue AS part, count() AS n, any(contact) AS example
FROM (
    SELECT substring(subject, 7) AS queue, JSONExtractString(payload, 'contact') AS contact,
        maxIf(at, type = 'contact_offered') AS entered, groupArrayIf(
            at + toIntervalMillisecond(toInt64(round(JSONExtractFloat(payload, 'clamped_s') * 1000))), type != 'contact_offered') AS departures
    FROM events FINAL
    WHERE type IN ('contact_offered', 'contact_answered', 'contact_abandoned', 'contact_flowed_out')
        AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} + INTERVAL 12 HOUR
        AND superseded_by = 0 AND void = 0
    GROUP BY queue, contact
)
WHERE entered >= {from:DateTime64(3, 'UTC')} AND entered < {to:DateTime64(3, 'UTC')}
    AND NOT arrayExists(departed -> departed >= entered AND departed <= entered + INTERVAL 12 HOUR, departures)
    AND entered + INTERVAL 12 HOUR <= (SELECT max(clock) FROM subjects WHERE kind = 'partition' AND hop = 1)
GROUP BY queue
COMMENT 'Waits that nobody ended within 12 h, by queue. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_open_contacts AS
SELECT 'open_contacts' AS trouble, first_source AS part, count() AS n, any(contact) AS example
FROM (
    SELECT subject, JSONExtractString(payload, 'contact') AS contact, any(source) AS first_source,
        maxIf(at, type = 'contact_accepted') AS taken, groupArrayIf(
            at + toIntervalMillisecond(toInt64(round(JSONExtractFloat(payload, 'clamped_s') * 1000))), type = 'contact_handled') AS ends
    FROM events FINAL
    WHERE type IN ('contact_accepted', 'contact_handled')
        AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} + INTERVAL 12 HOUR
        AND superseded_by = 0 AND void = 0
    GROUP BY subject, contact
)
WHERE taken >= {from:DateTime64(3, 'UTC')} AND taken < {to:DateTime64(3, 'UTC')}
    AND NOT arrayExists(finished -> finished >= taken AND finished <= taken + INTERVAL 12 HOUR, ends)
    AND taken + INTERVAL 12 HOUR <= (SELECT max(clock) FROM subjects WHERE kind = 'partition' AND hop = 1)
GROUP BY first_source
COMMENT 'Contacts that an agent took and that nobody finished within 12 h, by source. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_open_states AS
SELECT 'open_states' AS trouble, state AS part, count() AS n, any(id) AS example
FROM (
    SELECT at, id, JSONExtractString(payload, 'state') AS state,
        leadInFrame(at, 1, assumeNotNull((SELECT max(clock) FROM subjects WHERE kind = 'partition' AND hop = 1))) OVER (
            PARTITION BY subject ORDER BY at, epoch, offset ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS ended
    FROM events FINAL
    WHERE type = 'state_changed' AND at >= {from:DateTime64(3, 'UTC')}
        AND at < {to:DateTime64(3, 'UTC')} + INTERVAL 12 HOUR AND superseded_by = 0 AND void = 0
)
WHERE state != 'offline' AND at < {to:DateTime64(3, 'UTC')} AND ended >= at + INTERVAL 12 HOUR
GROUP BY state
COMMENT 'States that nobody ended within 12 h, by state: they ended by themselves then. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_unmapped AS
SELECT 'unmapped' AS trouble, source AS part, uniqExact(agent) AS n, any(agent) AS example
FROM (
    SELECT source, substring(subject, 7) AS agent, min(at) AS first_at, max(at) AS last_at
    FROM events FINAL
    WHERE startsWith(subject, 'agent:') AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
        AND superseded_by = 0 AND void = 0
    GROUP BY source, agent
) AS seen
LEFT JOIN (
    SELECT alias, groupArray((valid_from, valid_to)) AS spells FROM aliases GROUP BY alias
) AS known ON known.alias = seen.agent
WHERE agent NOT IN (SELECT id FROM registry_current WHERE kind = 'people')
    AND NOT arrayExists(spell -> spell.1 <= first_at AND last_at < spell.2, known.spells)
GROUP BY source
COMMENT 'Ids of agents that no person of the registry has, as work id or as alias all the time they were seen, by source. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_without_agent AS
SELECT 'without_agent' AS trouble, source AS part, count() AS n, any(id) AS example
FROM events FINAL
WHERE type = 'contact_handled' AND startsWith(subject, 'queue:')
    AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND superseded_by = 0 AND void = 0
GROUP BY source
COMMENT 'Handled contacts without an agent, by source: they count for queue and site and for nobody. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_reasons AS
SELECT 'unknown_reasons' AS trouble, reason AS part, count() AS n, any(id) AS example
FROM (
    SELECT id, JSONExtractString(payload, 'reason') AS reason
    FROM events FINAL
    WHERE type = 'state_changed' AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
        AND superseded_by = 0 AND void = 0 AND JSONExtractString(payload, 'state') = 'away'
)
WHERE reason != '' AND reason NOT IN (SELECT id FROM registry_current WHERE kind = 'reason_codes')
GROUP BY reason
COMMENT 'Entries into away for reasons that the registry does not name, by reason: they count as paid and not productive. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_silence AS
SELECT 'silence' AS trouble, source AS part, toUInt64(longest_s) AS n,
    concat('last event ', formatDateTime(last_at, '%F %T', 'UTC'), if(longest_s = 0, '',
        concat(', longest from ', formatDateTime(toDateTime(minutes[indexOf(gaps, longest_s) - 1], 'UTC'), '%F %R', 'UTC')))) AS example
FROM (
    SELECT source, max(at) AS last_at, arraySort(groupUniqArray(toUnixTimestamp(toStartOfMinute(at)))) AS minutes,
        arrayDifference(minutes) AS gaps, arrayMax(gaps) AS longest_s
    FROM events
    WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND version > 0
    GROUP BY source
)
COMMENT 'The longest time from one minute with events to the next, s, and the last event, by source. Parameters: from, to (UTC)';

CREATE OR REPLACE VIEW quality_partitions (
    trouble String COMMENT 'duplicates, gaps or unbalanced',
    part String COMMENT 'TOPIC:PARTITION',
    n Int64 COMMENT 'Duplicates dropped, offsets lost, offsets that are not accounted for',
    example String COMMENT 'Offsets of a gap; else empty'
) AS
SELECT 'duplicates' AS trouble, subject AS part, toInt64(duplicates) AS n, '' AS example
FROM subjects FINAL
WHERE kind = 'partition' AND hop = 1 AND duplicates > 0
UNION ALL
SELECT 'gaps' AS trouble, concat(topic, ':', toString(partition)) AS part, toInt64(sum(to_offset - from_offset + 1)) AS n,
    concat('offsets ', toString(min(from_offset)), ' to ', toString(max(to_offset))) AS example
FROM gaps FINAL
GROUP BY part
UNION ALL
SELECT 'unbalanced' AS trouble, marks.subject AS part,
    marks.uncounted - toInt64(sumIf(lost.offsets, lost.accepted_at >= begun.seen_at)) AS n, '' AS example
FROM (
    SELECT subject, boundary + 1 - toInt64(rows + duplicates + dead + controls) + JSONExtractInt(body, 'base') AS uncounted,
        bitShiftRight(version, 48) AS epoch
    FROM subjects FINAL WHERE kind = 'partition' AND hop = 1
) AS marks
LEFT JOIN (
    SELECT toUInt64(epoch) AS epoch, seen_at FROM topics FINAL WHERE topic = 'floor.events'
) AS begun ON begun.epoch = marks.epoch
LEFT JOIN (
    SELECT concat(topic, ':', toString(partition)) AS place, to_offset - from_offset + 1 AS offsets, accepted_at FROM gaps FINAL
) AS lost ON lost.place = marks.subject
GROUP BY marks.subject, marks.uncounted
HAVING n != 0
COMMENT 'By partition, since the floor began: duplicates dropped, offsets lost in gaps that a person accepted, and offsets that are neither an event, a duplicate, a dead letter, a control record nor in a gap: 0 unless something is missing';
