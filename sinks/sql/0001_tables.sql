-- What ClickHouse holds. One row of a minute is the sums of one subject; ratios are made in views only.
-- Versions are epoch * 2^48 + offset of the record that changed the row last: the highest one counts.

CREATE TABLE IF NOT EXISTS events (
    type LowCardinality(String) COMMENT 'Event type, e.g. contact_handled',
    subject String COMMENT 'Owner of the fact: agent:ID or queue:ID',
    at DateTime64(3, 'UTC') COMMENT 'When it happened',
    source LowCardinality(String) COMMENT 'The system that saw it',
    id String COMMENT 'Unique within the source',
    revision UInt32 COMMENT 'A higher revision replaces a lower one of the same (source, id, type)',
    void UInt8 COMMENT '1 when the fact was taken back',
    superseded_by UInt32 DEFAULT 0 COMMENT 'The revision that replaced this row; 0 when none did',
    payload String COMMENT 'The event as it came, JSON; the id of somebody else who was erased is erased in it' CODEC(ZSTD(1)),
    content UInt64 COMMENT 'Hash of the fields of the vendor',
    topic LowCardinality(String) COMMENT 'Kafka topic it came from',
    partition UInt16 COMMENT 'Kafka partition',
    offset UInt64 COMMENT 'Kafka offset' CODEC(DoubleDelta, ZSTD(1)),
    epoch UInt16 COMMENT 'Epoch of the topic: 1 for the first, higher after it was made anew',
    broker_at DateTime64(3, 'UTC') COMMENT 'When the broker wrote it' CODEC(DoubleDelta, ZSTD(1)),
    ingest UInt64 COMMENT 'Number of the ingest run that sent it; 0 for live feeds',
    version UInt64 COMMENT 'epoch * 2^48 + offset',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored',
    INDEX event_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX event_offset offset TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(at)
ORDER BY (type, subject, at, source, id, revision)
TTL greatest(toDateTime(stored_at), toDateTime(at)) + INTERVAL {events_days} DAY
COMMENT 'Every accepted revision of every event; events_current is what counts';

CREATE TABLE IF NOT EXISTS agent_minutes (
    agent String COMMENT 'Work id',
    minute DateTime('UTC') COMMENT 'Start of the minute' CODEC(DoubleDelta, ZSTD(1)),
    queue String COMMENT 'Queue; empty for time that belongs to no queue',
    channel LowCardinality(String) COMMENT 'voice, chat, ...; empty for time that belongs to no channel',
{agent_columns}
{agent_maps}
    handle_times_ms Array(UInt32) COMMENT 'Handle time of each contact, ms: quantiles are exact',
    partition UInt16 COMMENT 'Source partition',
    version UInt64 COMMENT 'epoch * 2^48 + offset of the record that changed it last',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(minute)
ORDER BY (agent, minute, queue, channel)
TTL toDateTime(stored_at) + INTERVAL {minutes_days} DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Sums of an agent per minute, queue and channel';

CREATE TABLE IF NOT EXISTS queue_minutes (
    queue String COMMENT 'Queue',
    minute DateTime('UTC') COMMENT 'Start of the minute' CODEC(DoubleDelta, ZSTD(1)),
    channel LowCardinality(String) COMMENT 'voice, chat, ...',
{queue_columns}
    answered_waits Array(UInt32) COMMENT 'Answered by wait: up to each threshold {thresholds} s, and beyond',
    abandoned_waits Array(UInt32) COMMENT 'Abandoned by wait: up to each threshold {thresholds} s, and beyond',
    handle_times_ms Array(UInt32) COMMENT 'Handle time of each contact without a known agent, ms',
    partition UInt16 COMMENT 'Source partition',
    version UInt64 COMMENT 'epoch * 2^48 + offset of the record that changed it last',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(minute)
ORDER BY (queue, minute, channel)
TTL toDateTime(stored_at) + INTERVAL {minutes_days} DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Sums of a queue per minute and channel';

CREATE TABLE IF NOT EXISTS agent_quarters (
    agent LowCardinality(String) COMMENT 'Work id',
    quarter DateTime('UTC') COMMENT 'Start of the quarter hour' CODEC(DoubleDelta, ZSTD(1)),
    queue LowCardinality(String) COMMENT 'Queue; empty for time that belongs to no queue',
    channel LowCardinality(String) COMMENT 'voice, chat, ...; empty for time that belongs to no channel',
{agent_columns}
{agent_maps}
    handle_times_ms Array(UInt32) COMMENT 'Handle time of each contact, ms: quantiles are exact',
    minutes UInt16 COMMENT 'Which of its minutes hold anything, a bit each: the lowest is the first',
    version UInt64 COMMENT 'When its day was rolled up, epoch ms',
    stored_at DateTime64(3, 'UTC') COMMENT 'When the newest of its minutes was stored'
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(quarter)
ORDER BY (agent, quarter, queue, channel)
TTL toDateTime(stored_at) + INTERVAL {quarters_months} MONTH
SETTINGS index_granularity = 2048
COMMENT 'Sums of agent_minutes per quarter hour: a roll-up, rewritten for each UTC day that changed. Read it through the views, which know the days that it holds';

CREATE TABLE IF NOT EXISTS queue_quarters (
    queue LowCardinality(String) COMMENT 'Queue',
    quarter DateTime('UTC') COMMENT 'Start of the quarter hour' CODEC(DoubleDelta, ZSTD(1)),
    channel LowCardinality(String) COMMENT 'voice, chat, ...',
{queue_columns}
    answered_waits Array(UInt32) COMMENT 'Answered by wait: up to each threshold {thresholds} s, and beyond',
    abandoned_waits Array(UInt32) COMMENT 'Abandoned by wait: up to each threshold {thresholds} s, and beyond',
    handle_times_ms Array(UInt32) COMMENT 'Handle time of each contact without a known agent, ms',
    minutes UInt16 COMMENT 'Which of its minutes hold anything, a bit each: the lowest is the first',
    version UInt64 COMMENT 'When its day was rolled up, epoch ms',
    stored_at DateTime64(3, 'UTC') COMMENT 'When the newest of its minutes was stored'
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(quarter)
ORDER BY (queue, quarter, channel)
TTL toDateTime(stored_at) + INTERVAL {quarters_months} MONTH
SETTINGS index_granularity = 2048
COMMENT 'Sums of queue_minutes per quarter hour: a roll-up, rewritten for each UTC day that changed. Read it through the views, which know the days that it holds';

CREATE TABLE IF NOT EXISTS pane_days (
    day Date COMMENT 'UTC day of the minutes',
    first_stored SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'When the first of its minutes was stored',
    last_stored SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'When the last of its minutes was stored',
    panes SimpleAggregateFunction(sum, UInt64) COMMENT 'How often one of its minutes was stored'
) ENGINE = AggregatingMergeTree
ORDER BY day
COMMENT 'UTC days that have minutes of agents or queues, and when these came: fed by every insert';

CREATE TABLE IF NOT EXISTS rolled_days (
    day Date COMMENT 'UTC day',
    rolled_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When its quarter hours stood',
    covers DateTime64(3, 'UTC') COMMENT 'Everything stored up to then is in them',
    panes UInt64 COMMENT 'How often one of its minutes had been stored by then: an insert that took long shows by it',
    kept UInt64 COMMENT 'Quarter hours that stayed as they were, as minutes of them had expired'
) ENGINE = ReplacingMergeTree(covers)
ORDER BY day
COMMENT 'UTC days that were rolled up; clean_days are those to which nothing came since';

CREATE MATERIALIZED VIEW IF NOT EXISTS agent_pane_days TO pane_days (
    day Date COMMENT 'UTC day of the minutes',
    first_stored DateTime64(3, 'UTC') COMMENT 'When the first of its minutes was stored',
    last_stored DateTime64(3, 'UTC') COMMENT 'When the last of its minutes was stored',
    panes UInt64 COMMENT 'How many minutes were stored'
) AS
SELECT toDate(minute) AS day, min(stored_at) AS first_stored, max(stored_at) AS last_stored, count() AS panes
FROM agent_minutes GROUP BY day
COMMENT 'Feeds pane_days';

CREATE MATERIALIZED VIEW IF NOT EXISTS queue_pane_days TO pane_days (
    day Date COMMENT 'UTC day of the minutes',
    first_stored DateTime64(3, 'UTC') COMMENT 'When the first of its minutes was stored',
    last_stored DateTime64(3, 'UTC') COMMENT 'When the last of its minutes was stored',
    panes UInt64 COMMENT 'How many minutes were stored'
) AS
SELECT toDate(minute) AS day, min(stored_at) AS first_stored, max(stored_at) AS last_stored, count() AS panes
FROM queue_minutes GROUP BY day
COMMENT 'Feeds pane_days';

CREATE TABLE IF NOT EXISTS windows (
    subject String COMMENT 'agent:ID, queue:ID, team:ID, site:ID, client:ID',
    window LowCardinality(String) COMMENT '5m, 15m, 30m, 60m, shift or day',
    opened_at DateTime64(3, 'UTC') COMMENT 'First instant of the window',
    closed_at DateTime64(3, 'UTC') COMMENT 'Last instant (exclusive): as of when it stands',
    sums Map(LowCardinality(String), Int64) COMMENT 'Column -> sum; an absent column is 0',
    hop UInt8 COMMENT '1: from the subject itself; 2: a group, from contributions',
    version UInt64 COMMENT 'epoch * 2^48 + offset of the record at which it was written',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(version)
ORDER BY (subject, window, hop)
COMMENT 'The rolling windows as they stand; any past moment by the view rolling';

CREATE TABLE IF NOT EXISTS subjects (
    subject String COMMENT 'agent:ID, queue:ID, a group kind:ID, or TOPIC:N for a partition',
    hop UInt8 COMMENT '1: agents, queues and partitions of floor.events; 2: groups and floor.contributions',
    kind LowCardinality(String) COMMENT 'agent, queue, team, site, client or partition',
    partition UInt16 COMMENT 'Partition that owns it',
    state LowCardinality(String) COMMENT 'Agent: state now',
    reason LowCardinality(String) COMMENT 'Agent: reason code of the state',
    since DateTime64(3, 'UTC') COMMENT 'Agent: since when it is in that state',
    in_hand UInt32 COMMENT 'Agent: contacts in hand',
    waiting UInt32 COMMENT 'Queue: contacts that wait',
    oldest_wait_at DateTime64(3, 'UTC') COMMENT 'Queue: since when the oldest of them waits',
    team String COMMENT 'Agent: team now',
    site String COMMENT 'Site now',
    clock DateTime64(3, 'UTC') COMMENT 'Time of the owner when it was written',
    boundary Int64 COMMENT 'Partition: everything up to this offset is stored; -1 before the first',
    rows UInt64 COMMENT 'Partition: events stored so far',
    duplicates UInt64 COMMENT 'Partition: duplicates dropped so far',
    dead UInt64 COMMENT 'Partition: dead letters so far',
    controls UInt64 COMMENT 'Partition: control records so far',
    body String COMMENT 'Whole small state for the restart, JSON' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^48 + offset + 1 of the boundary it belongs to',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(version)
ORDER BY (subject, hop)
COMMENT 'Open state of everybody and every partition, for reading and for the restart';

CREATE TABLE IF NOT EXISTS alert_transitions (
    alert String COMMENT 'Id of the alert: one episode of one rule and subject',
    sequence UInt32 COMMENT '1 when it fired; each further step adds 1',
    state LowCardinality(String) COMMENT 'firing or resolved',
    reason LowCardinality(String) COMMENT 'Why: breached, cleared, too_few, state_left, rule_changed, day_over, logged_off',
    at DateTime64(3, 'UTC') COMMENT 'The instant of the step, out of the log',
    rule LowCardinality(String) COMMENT 'Rule',
    rule_version UInt32 COMMENT 'Revision of the rules',
    subject String COMMENT 'agent:ID, queue:ID, ...',
    kpi LowCardinality(String) COMMENT 'KPI',
    window LowCardinality(String) COMMENT 'Window: 30m, day, 14d, now, ...',
    window_from DateTime64(3, 'UTC') COMMENT 'First instant of the window',
    window_to DateTime64(3, 'UTC') COMMENT 'Last instant of the window (exclusive)',
    value Nullable(Float64) COMMENT 'Value of the KPI',
    n Int64 COMMENT 'Denominator of the value',
    threshold Float64 COMMENT 'Threshold of the rule',
    severity LowCardinality(String) COMMENT 'watch or act',
    opens LowCardinality(String) COMMENT 'What it opens: nothing, coaching, appraisal_note, ...',
    team String COMMENT 'Team at that instant',
    site String COMMENT 'Site',
    started_at DateTime64(3, 'UTC') COMMENT 'Start of the episode',
    day Nullable(Date) COMMENT 'Site day that a rule over days names',
    evidence String COMMENT 'Contacts behind it, JSON: copied, so that they stay when raw events expire',
    version UInt64 COMMENT 'epoch * 2^48 + offset of the record that brought the step',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(version)
ORDER BY (alert, sequence)
COMMENT 'Each step of each alert';

CREATE TABLE IF NOT EXISTS record_events (
    stream String COMMENT 'agent:ID, queue:ID, team:ID or alert:ID; erased:HASH where the person was erased',
    sequence UInt32 COMMENT 'Place in the stream, from 1',
    id String COMMENT 'Hash of command and index',
    kind LowCardinality(String) COMMENT 'What happened: case_opened, session_held, command_refused, ...; erased where only place and hashes are left',
    at DateTime64(3, 'UTC') COMMENT 'When',
    by String COMMENT 'Who: a person, or rule:ID',
    command String COMMENT 'The command it answers',
    record String COMMENT 'The case it belongs to',
    version UInt32 COMMENT 'Version of that case after it',
    body String COMMENT 'Details, JSON' CODEC(ZSTD(1)),
    previous String COMMENT 'Hash of the entry before',
    hash String COMMENT 'Hash of this entry with the one before: a chain per stream',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree
ORDER BY (stream, sequence)
COMMENT 'The ledger of coaching cases, notes and what people did about alerts';

CREATE TABLE IF NOT EXISTS registry (
    revision UInt32 COMMENT 'Revision; the highest one holds',
    kind LowCardinality(String) COMMENT 'sites, clients, teams, queues, people, reason_codes, tasks, targets, erased or rules',
    id String COMMENT 'Id within its kind',
    body String COMMENT 'The entry with its validity, JSON',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was applied',
    applied_by String COMMENT 'Who applied it'
) ENGINE = ReplacingMergeTree
ORDER BY (kind, revision, id)
COMMENT 'People, teams, sites, clients, queues and rules: every revision whole. The only place with names of people';

CREATE TABLE IF NOT EXISTS places (
    revision UInt32 COMMENT 'Revision of the registry',
    agent String COMMENT 'Id in panes: a work id, or SOURCE:ID of an alias',
    starts Array(Int64) COMMENT 'From when, ms since 1970: the first is the beginning of time',
    people Array(String) COMMENT 'From each of these on: whose id it is',
    teams Array(String) COMMENT 'In which team that person is; empty for none',
    sites Array(String) COMMENT 'At which site'
) ENGINE = ReplacingMergeTree
ORDER BY (revision, agent)
COMMENT 'Who an id in panes is and where, over time: the registry as the KPI views use it, written with each revision';

CREATE TABLE IF NOT EXISTS revisions (
    kind LowCardinality(String) COMMENT 'registry or rules',
    revision UInt32 COMMENT 'Number of the revision',
    entries UInt32 COMMENT 'Entries that belong to it: it is complete when as many are stored',
    applied_at DateTime64(3, 'UTC') COMMENT 'When',
    applied_by String COMMENT 'Who'
) ENGINE = ReplacingMergeTree
ORDER BY (kind, revision)
COMMENT 'The revisions of registry and rules, each written after its entries';

CREATE TABLE IF NOT EXISTS dead_letters (
    topic LowCardinality(String) COMMENT 'Where it came from: a topic, or file for a row of an ingest',
    partition Int32 COMMENT 'Partition it came from; -1 for a row of a file',
    offset Int64 COMMENT 'Offset it came from, or line of the file',
    origin String COMMENT 'File and line, or empty',
    reason LowCardinality(String) COMMENT 'oversize, invalid, conflict, future, too_late, rejected_row or erased',
    detail String COMMENT 'What was expected, in one line',
    key String COMMENT 'Kafka key',
    value String COMMENT 'The bytes as they came; empty where they were of a person who was erased' CODEC(ZSTD(1)),
    ingest UInt64 COMMENT 'Number of the ingest run; 0 for live feeds',
    content UInt64 COMMENT 'Hash of the fields of the vendor, by which the fact is known when it comes again; 0: none',
    made_anew UInt16 COMMENT 'How often its topic had been made anew when it came: the offsets of each begin at 0',
    at DateTime64(3, 'UTC') COMMENT 'When the broker wrote the letter',
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was stored'
) ENGINE = ReplacingMergeTree(stored_at)
ORDER BY (topic, partition, offset, origin, reason, made_anew)
TTL toDateTime(stored_at) + INTERVAL {events_days} DAY
COMMENT 'What could not be taken, byte for byte, with the reason';

CREATE TABLE IF NOT EXISTS ingests (
    number UInt64 COMMENT 'Number of the run',
    file_hash String COMMENT 'sha256 of the file',
    file String COMMENT 'Name of the file',
    format LowCardinality(String) COMMENT 'Format',
    source String COMMENT 'Source of the events',
    rows UInt64 COMMENT 'Rows read',
    events UInt64 COMMENT 'Events sent',
    rejected UInt64 COMMENT 'Rows refused',
    started_at DateTime64(3, 'UTC') COMMENT 'Start',
    finished_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End; NULL while it runs or when it was broken off',
    state LowCardinality(String) COMMENT 'running, finished or retracted',
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
) ENGINE = ReplacingMergeTree(updated_at)
ORDER BY number
COMMENT 'Runs of floorpulse ingest';

CREATE TABLE IF NOT EXISTS topics (
    topic LowCardinality(String) COMMENT 'Kafka topic',
    topic_id String COMMENT 'Id that Kafka gave it',
    epoch UInt16 COMMENT '1 for the first, higher after the topic was made anew',
    partitions UInt16 COMMENT 'Partitions at creation: never changed',
    seen_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was first seen'
) ENGINE = ReplacingMergeTree
ORDER BY (topic, epoch)
COMMENT 'Epochs of the topics';

CREATE TABLE IF NOT EXISTS gaps (
    topic LowCardinality(String) COMMENT 'Kafka topic',
    partition UInt16 COMMENT 'Partition',
    from_offset Int64 COMMENT 'First offset that is missing',
    to_offset Int64 COMMENT 'Last offset that is missing',
    accepted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When somebody accepted the gap'
) ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, from_offset)
COMMENT 'Gaps that a person accepted with --accept-gap';

CREATE TABLE IF NOT EXISTS access_log (
    at DateTime64(3, 'UTC') COMMENT 'When',
    viewer String COMMENT 'Who looked',
    subject String COMMENT 'Whose record',
    page LowCardinality(String) COMMENT 'At what',
    detail String COMMENT 'Which record'
) ENGINE = MergeTree
ORDER BY (at, viewer)
TTL toDateTime(at) + INTERVAL 730 DAY
COMMENT 'Every look at the record of a person';

CREATE TABLE IF NOT EXISTS retentions (
    name LowCardinality(String) COMMENT 'events or minutes',
    since DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'From when on they are kept so long',
    days UInt32 COMMENT 'Days after which they expire',
    gone_before DateTime64(3, 'UTC') COMMENT 'What was stored before may have expired by then, under the retention before'
) ENGINE = ReplacingMergeTree
ORDER BY (name, since)
COMMENT 'How long events and minutes are kept, and what was gone already when that changed: a longer time brings nothing back'
