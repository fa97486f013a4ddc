-- What people and programs read. Ratios are made here, by the definitions of schemas/kpis.py; panes are read FINAL.
-- The parameterised views know no column comments: their COMMENT says what stands in them.

CREATE OR REPLACE VIEW events_current (
    type LowCardinality(String) COMMENT 'Event type, e.g. contact_handled',
    subject String COMMENT 'Owner of the fact: agent:ID or queue:ID',
    at DateTime64(3, 'UTC') COMMENT 'When it happened',
    source LowCardinality(String) COMMENT 'The system that saw it',
    id String COMMENT 'Unique within the source',
    revision UInt32 COMMENT 'The revision that counts: the highest',
    payload String COMMENT 'The event as it came, JSON',
    topic LowCardinality(String) COMMENT 'Kafka topic it came from',
    partition UInt16 COMMENT 'Kafka partition',
    offset UInt64 COMMENT 'Kafka offset',
    epoch UInt16 COMMENT 'Epoch of the topic',
    broker_at DateTime64(3, 'UTC') COMMENT 'When the broker wrote it',
    ingest UInt64 COMMENT 'Number of the ingest run that sent it; 0 for live feeds',
    version UInt64 COMMENT 'epoch * 2^48 + offset'
) AS
SELECT stored.type AS type, subject, at, stored.source AS source, stored.id AS id, revision, payload, topic, partition, offset,
    epoch, broker_at, ingest, version
FROM (SELECT * FROM events FINAL) AS stored
LEFT JOIN (
    SELECT source, id, type, max(revision) AS highest FROM events WHERE revision > 0 GROUP BY source, id, type
) AS newest ON newest.source = stored.source AND newest.id = stored.id AND newest.type = stored.type
WHERE stored.revision = newest.highest AND stored.void = 0 AND stored.superseded_by = 0
COMMENT 'The events that count: of each (source, id, type) the highest revision, unless that one takes the fact back, or is of somebody who was erased';

CREATE OR REPLACE VIEW registry_current (
    kind LowCardinality(String) COMMENT 'sites, clients, teams, queues, people, reason_codes or targets',
    id String COMMENT 'Id within its kind',
    body String COMMENT 'The entry with its validity, JSON',
    revision UInt32 COMMENT 'The revision that holds'
) AS
SELECT kind, id, body, revision
FROM registry FINAL
WHERE kind != 'rules' AND revision = (SELECT max(revision) FROM revisions WHERE kind = 'registry')
COMMENT 'The registry as it holds now: the highest revision that is complete';

CREATE OR REPLACE VIEW memberships (
    agent String COMMENT 'Work id',
    team String COMMENT 'Team',
    site String COMMENT 'Site of the team',
    valid_from DateTime64(3, 'UTC') COMMENT 'From when; 1900 when it was always so',
    valid_to DateTime64(3, 'UTC') COMMENT 'Up to and without; 2299 when it is open'
) AS
SELECT agent, spell.3 AS team, if(teams.site = '', 'main', teams.site) AS site,
    ifNull(parseDateTime64BestEffortOrNull(ifNull(spell.1, ''), 3, 'UTC'), toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) AS valid_from,
    ifNull(parseDateTime64BestEffortOrNull(ifNull(spell.2, ''), 3, 'UTC'), toDateTime64('2299-12-31 00:00:00', 3, 'UTC')) AS valid_to
FROM (
    SELECT id AS agent, arrayJoin(JSONExtract(body, 'teams',
        'Array(Tuple(valid_from Nullable(String), valid_to Nullable(String), team String))')) AS spell
    FROM registry_current WHERE kind = 'people'
) AS people
LEFT JOIN (
    SELECT id, JSONExtractString(body, 'site') AS site FROM registry_current WHERE kind = 'teams'
) AS teams ON teams.id = people.spell.3
COMMENT 'Who is in which team from when to when. Who stands in no row belongs to team (empty) and site main';

CREATE OR REPLACE VIEW aliases (
    alias String COMMENT 'SOURCE:ID, as panes name somebody whom nobody knew yet',
    agent String COMMENT 'Work id of the person',
    valid_from DateTime64(3, 'UTC') COMMENT 'From when; 1900 when it was always so',
    valid_to DateTime64(3, 'UTC') COMMENT 'Up to and without; 2299 when it is open'
) AS
SELECT concat(spell.3, ':', spell.4) AS alias, agent,
    ifNull(parseDateTime64BestEffortOrNull(ifNull(spell.1, ''), 3, 'UTC'), toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) AS valid_from,
    ifNull(parseDateTime64BestEffortOrNull(ifNull(spell.2, ''), 3, 'UTC'), toDateTime64('2299-12-31 00:00:00', 3, 'UTC')) AS valid_to
FROM (
    SELECT id AS agent, arrayJoin(JSONExtract(body, 'aliases',
        'Array(Tuple(valid_from Nullable(String), valid_to Nullable(String), source String, id String))')) AS spell
    FROM registry_current WHERE kind = 'people'
) AS people
COMMENT 'Ids of vendors and whose they are: joins what was counted before an alias was known';

CREATE OR REPLACE VIEW queue_sites (
    queue String COMMENT 'Queue',
    site String COMMENT 'Site it serves',
    client String COMMENT 'Client it serves; empty for none'
) AS
SELECT id AS queue, JSONExtractString(body, 'site') AS site, JSONExtractString(body, 'client') AS client
FROM registry_current WHERE kind = 'queues'
COMMENT 'Site and client of each registered queue. Any other queue belongs to site main and to no client';

CREATE OR REPLACE VIEW current_places (
    agent String COMMENT 'Id in panes: a work id, or SOURCE:ID of an alias',
    starts Array(Int64) COMMENT 'From when, ms since 1970: the first is the beginning of time',
    people Array(String) COMMENT 'From each of these on: whose id it is',
    teams Array(String) COMMENT 'In which team that person is; empty for none',
    sites Array(String) COMMENT 'At which site'
) AS
SELECT agent, starts, people, teams, sites
FROM places FINAL
WHERE revision = (SELECT max(revision) FROM revisions WHERE kind = 'registry')
COMMENT 'Places as the registry has them now. Who stands in no row is in no team and at site main';

CREATE OR REPLACE VIEW reason_codes (
    id String COMMENT 'Reason code',
    paid UInt8 COMMENT '1 when the time is paid',
    productive UInt8 COMMENT '1 when the time is productive',
    limit_s Nullable(UInt32) COMMENT 'How long it may last, s; NULL without a limit'
) AS
SELECT id, toUInt8(JSONExtractBool(body, 'paid')) AS paid, toUInt8(JSONExtractBool(body, 'productive')) AS productive,
    JSONExtract(body, 'limit_s', 'Nullable(UInt32)') AS limit_s
FROM registry_current WHERE kind = 'reason_codes'
COMMENT 'Away reasons of the registry. A code that is not among them is paid and not productive';

CREATE OR REPLACE VIEW tasks (
    id String COMMENT 'Kind of back-office work',
    standard_ms UInt64 COMMENT 'Standard time of one unit, ms'
) AS
SELECT id, toUInt64(round(JSONExtractFloat(body, 'standard_s') * 1000)) AS standard_ms
FROM registry_current WHERE kind = 'tasks'
COMMENT 'Back-office tasks of the registry with their standard times';

CREATE OR REPLACE VIEW clean_days (
    day Date COMMENT 'UTC day',
    rolled_at DateTime64(3, 'UTC') COMMENT 'When its quarter hours stood',
    has_minutes UInt8 COMMENT '1 while none of its minutes can have expired'
) AS
SELECT day, rolled.rolled_at AS rolled_at, noted.oldest > greatest(now64(3) - INTERVAL {minutes_days} DAY,
    assumeNotNull((SELECT max(gone_before) FROM retentions WHERE name = 'minutes'))) AS has_minutes
FROM (SELECT * FROM rolled_days FINAL) AS rolled
INNER JOIN (SELECT day, min(first_stored) AS oldest, max(last_stored) AS newest, sum(panes) AS stored FROM pane_days GROUP BY day) AS noted USING (day)
WHERE noted.newest <= rolled.covers AND noted.stored = rolled.panes AND toDateTime(rolled.rolled_at, 'UTC') < initialQueryStartTime()
COMMENT 'UTC days whose quarter hours hold everything: nothing was stored since they were rolled up. A query sees a table as it was when the query began: a day that was rolled after that is not clean for it';

CREATE OR REPLACE VIEW kpi_agent AS
{kpi_agent}
COMMENT 'KPIs by agent and bucket. Parameters: from, to (UTC), step_s (0: one bucket; 86400: local day; else seconds that divide a day), zone, threshold_s and short_s (T and S of the formulas), only (one agent, or empty for all). Columns: agent, opened_at, closed_at, each sum of agent_minutes, each KPI with its denominator n_KPI, handle_p50_s, handle_p90_s. What was counted under an alias stands with the person. Steps of less than a quarter hour need minutes, which expire first';

CREATE OR REPLACE VIEW kpi_team AS
{kpi_team}
COMMENT 'KPIs by team (empty: no team) and bucket, each minute under the team that its agent was in then. Parameters and columns as kpi_agent';

CREATE OR REPLACE VIEW kpi_queue AS
{kpi_queue}
COMMENT 'KPIs by queue and bucket: waits of the queue, handled contacts of its agents and of nobody known. Time of agents belongs to no queue. service_level_1 to service_level_5 and service_level_g to service_level_gfa are the variants, service_level is variant 3. Parameters as kpi_agent';

CREATE OR REPLACE VIEW kpi_client AS
{kpi_client}
COMMENT 'KPIs by client (empty: none) and bucket: the sums of its queues. Parameters and columns as kpi_queue';

CREATE OR REPLACE VIEW kpi_site AS
{kpi_site}
COMMENT 'KPIs by site and bucket: its queues and, with their time, the agents whose team was there at each minute. Parameters and columns as kpi_queue and kpi_agent';

CREATE OR REPLACE VIEW agent_day AS
{agent_day}
COMMENT 'Sums of an agent by local day, with the exact quantiles of handle time. Parameters: from, to (UTC), zone, only (one agent, or empty for all). Columns: agent, team (the last of the day), day, first_minute, last_minute (that hold anything), each sum of agent_minutes, away_by_reason and the other maps, handle_p50_s, handle_p90_s';

CREATE OR REPLACE VIEW agent_card AS
{agent_card}
COMMENT 'The usual figures of one agent by local day, quickly. Parameters: agent, from, to (UTC, whole quarter hours), zone. Columns: day, the sums and KPIs of a card. What was counted under an alias stands with the person';

CREATE OR REPLACE VIEW team_day AS
{team_day}
COMMENT 'The usual figures of each agent of one team, quickly, while they were in it. Parameters: team, from, to (UTC, whole quarter hours). Columns: agent, the sums and KPIs of a card';

CREATE OR REPLACE VIEW rolling AS
{rolling}
COMMENT 'The rolling window of a subject as it stood at any instant. Parameters: kind (agent, team, queue, client, site), id, minutes, at (UTC): the last whole minutes before it. Columns: kind, id, opened_at, closed_at, each sum of the panes, answered_waits, abandoned_waits, the maps, handle_p50_s, handle_p90_s; one row always, of zeros when nothing was counted';

CREATE OR REPLACE VIEW alerts (
    alert String COMMENT 'Id of the alert: one episode of one rule and subject',
    state LowCardinality(String) COMMENT 'firing or resolved: what the rule says',
    reason LowCardinality(String) COMMENT 'Why it entered this state',
    handling String COMMENT 'What people said: new, acknowledged, snoozed, escalated or dismissed',
    handled_by String COMMENT 'Who said it',
    handled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When',
    snoozed_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Snoozed: until when it shall be quiet',
    rule LowCardinality(String) COMMENT 'Rule',
    rule_version UInt32 COMMENT 'Revision of the rules at the last step',
    subject String COMMENT 'agent:ID, queue:ID, ...',
    kpi LowCardinality(String) COMMENT 'KPI',
    window LowCardinality(String) COMMENT 'Window: 30m, day, 14d, now, ...',
    severity LowCardinality(String) COMMENT 'watch or act',
    opens LowCardinality(String) COMMENT 'What it opens: nothing, coaching, ...',
    team String COMMENT 'Team when it fired',
    site String COMMENT 'Site when it fired',
    value Nullable(Float64) COMMENT 'Value of the KPI when it fired',
    n Int64 COMMENT 'Denominator of that value',
    threshold Float64 COMMENT 'Threshold when it fired',
    day Nullable(Date) COMMENT 'Site day that a rule over days names',
    record String COMMENT 'The case that it is in; empty for none',
    started_at DateTime64(3, 'UTC') COMMENT 'Start of the episode',
    fired_at DateTime64(3, 'UTC') COMMENT 'When it fired',
    changed_at DateTime64(3, 'UTC') COMMENT 'Its last step',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it resolved; NULL while it fires'
) AS
SELECT steps.alert AS alert, steps.last_state AS state, steps.last_reason AS reason,
    if(hands.step = '', 'new', replaceOne(hands.step, 'alert_', '')) AS handling, hands.who AS handled_by,
    if(hands.step = '', NULL, hands.last_at) AS handled_at,
    if(hands.step = 'alert_snoozed', parseDateTime64BestEffortOrNull(JSONExtractString(hands.details, 'until'), 3, 'UTC'), NULL) AS snoozed_until,
    steps.of_rule AS rule, steps.last_version AS rule_version, steps.about AS subject, steps.first.2 AS kpi,
    steps.first.3 AS window, steps.first.4 AS severity, steps.first.5 AS opens, steps.first.6 AS team,
    steps.first.7 AS site, steps.first.8 AS value, steps.first.9 AS n, steps.first.10 AS threshold,
    steps.first.11 AS day, cases.of_case AS record, steps.began AS started_at, steps.first.1 AS fired_at,
    steps.last_at AS changed_at, if(steps.last_state = 'resolved', steps.last_at, NULL) AS resolved_at
FROM (
    SELECT alert, argMax(t.state, sequence) AS last_state, argMax(t.reason, sequence) AS last_reason,
        argMax(t.rule, sequence) AS of_rule, argMax(t.rule_version, sequence) AS last_version,
        argMax(t.at, sequence) AS last_at,
        argMin((t.at, kpi, window, severity, opens, team, site, value, n, threshold, day), sequence) AS first,
        t.subject AS about, t.started_at AS began
    FROM alert_transitions AS t FINAL
    GROUP BY alert, about, began -- an alert has one of each: a question about them reads no other alerts' steps
) AS steps
LEFT JOIN (
    SELECT substring(stream, 7) AS alert, argMax(e.kind, sequence) AS step, argMax(e.by, sequence) AS who,
        argMax(e.body, sequence) AS details, argMax(e.at, sequence) AS last_at
    FROM record_events AS e FINAL
    WHERE startsWith(stream, 'alert:') AND kind IN ('alert_acknowledged', 'alert_snoozed', 'alert_escalated', 'alert_dismissed')
    GROUP BY stream
) AS hands ON hands.alert = steps.alert
LEFT JOIN (
    SELECT JSONExtractString(body, 'transition', 'alert') AS alert, any(e.record) AS of_case
    FROM record_events AS e FINAL WHERE kind IN ('case_opened', 'evidence_added') GROUP BY alert
) AS cases ON cases.alert = steps.alert
COMMENT 'Each alert as it stands: what its rule says and what people said';

CREATE OR REPLACE VIEW alert_history (
    alert String COMMENT 'Id of the alert',
    at DateTime64(3, 'UTC') COMMENT 'When',
    step String COMMENT 'firing or resolved; acknowledged, snoozed, escalated, dismissed; case_opened or evidence_added',
    why String COMMENT 'Reason of the rule, or the details that a person gave, JSON',
    by String COMMENT 'Who: rule:ID or a person',
    value Nullable(Float64) COMMENT 'Step of the rule: value of the KPI',
    n Int64 COMMENT 'Step of the rule: denominator of the value',
    threshold Nullable(Float64) COMMENT 'Step of the rule: threshold',
    record String COMMENT 'Step of a case: the case'
) AS
SELECT alert, at, toString(state) AS step, toString(reason) AS why, concat('rule:', rule) AS by, value, n,
    CAST(threshold, 'Nullable(Float64)') AS threshold, '' AS record
FROM alert_transitions FINAL
UNION ALL
SELECT substring(stream, 7) AS alert, at, replaceOne(kind, 'alert_', '') AS step,
    if(kind = 'alert_escalated', toJSONString(map('reason', JSONExtractString(body, 'reason'))), body) AS why, by,
    CAST(NULL, 'Nullable(Float64)') AS value, toInt64(0) AS n, CAST(NULL, 'Nullable(Float64)') AS threshold, '' AS record
FROM record_events FINAL
WHERE startsWith(stream, 'alert:') AND kind != 'command_refused'
UNION ALL
SELECT JSONExtractString(body, 'transition', 'alert') AS alert, at, toString(kind) AS step, '' AS why, by,
    CAST(NULL, 'Nullable(Float64)') AS value, toInt64(0) AS n, CAST(NULL, 'Nullable(Float64)') AS threshold, record
FROM record_events FINAL
WHERE kind IN ('case_opened', 'evidence_added')
COMMENT 'Everything that happened to each alert, by its rule and by people';

CREATE OR REPLACE VIEW records (
    record String COMMENT 'Id of the case',
    opens LowCardinality(String) COMMENT 'Kind: coaching, appraisal_note, recognition or training_need',
    subject String COMMENT 'Whom it is about: agent:ID, queue:ID, ...',
    team String COMMENT 'Team when it was opened',
    site String COMMENT 'Site when it was opened',
    kpi String COMMENT 'KPI of the alert that opened it',
    rule String COMMENT 'Rule of that alert',
    state String COMMENT 'proposed or open, acknowledged, planned, session_held, closed',
    version UInt32 COMMENT 'Version: rises with each accepted step',
    owner String COMMENT 'Who acknowledged it',
    due Nullable(Date) COMMENT 'Day at which the plan is due',
    outcome String COMMENT 'How it was closed; empty while it is open',
    alerts UInt64 COMMENT 'Alerts in it',
    sessions UInt64 COMMENT 'Sessions held',
    opened_at DateTime64(3, 'UTC') COMMENT 'When it was opened',
    changed_at DateTime64(3, 'UTC') COMMENT 'Its last entry',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was closed; NULL while it is open'
) AS
SELECT record, JSONExtractString(opening, 'opens') AS opens, stream AS subject,
    JSONExtractString(opening, 'transition', 'team') AS team, JSONExtractString(opening, 'transition', 'site') AS site,
    JSONExtractString(opening, 'transition', 'kpi') AS kpi, JSONExtractString(opening, 'transition', 'rule') AS rule,
    transform(toString(step), ['case_acknowledged', 'plan_written', 'session_held', 'case_closed'],
        ['acknowledged', 'planned', 'session_held', 'closed'], if(opens = 'coaching', 'proposed', 'open')) AS state,
    newest AS version, taken_by AS owner, toDateOrNull(JSONExtractString(plan, 'due')) AS due,
    JSONExtractString(closing, 'outcome') AS outcome, behind AS alerts, held AS sessions, opened AS opened_at,
    changed AS changed_at, if(closing = '', NULL, closed) AS closed_at
FROM (
    SELECT record, any(stream) AS stream, argMinIf(e.body, sequence, kind = 'case_opened') AS opening,
        argMaxIf(kind, sequence, kind IN ('case_opened', 'case_acknowledged', 'plan_written', 'session_held', 'case_closed')) AS step,
        max(e.version) AS newest, argMaxIf(by, sequence, kind = 'case_acknowledged') AS taken_by,
        argMaxIf(e.body, sequence, kind = 'plan_written') AS plan, argMaxIf(e.body, sequence, kind = 'case_closed') AS closing,
        countIf(kind IN ('case_opened', 'evidence_added')) AS behind, countIf(kind = 'session_held') AS held,
        min(at) AS opened, max(at) AS changed, maxIf(at, kind = 'case_closed') AS closed
    FROM record_events AS e FINAL
    WHERE kind != 'command_refused' AND record != '' AND NOT startsWith(e.stream, 'alert:')
    GROUP BY record
)
COMMENT 'Each case as it stands, out of the ledger';
