-- Views from single facts: figures that no sum of panes can give. They read `events` by type and time, and of each
-- fact only the row that counts: the newest revision, not taken back. They reach as far back as raw events are kept.
-- A payload is as its sender wrote it: the decoder takes the letters of an instant small, a comma for its point, and a
-- number since 1970 (of ms from 2e10 on) however it is written; ClickHouse does not, and one such event would make the
-- whole view fail.

CREATE OR REPLACE VIEW buckets AS
SELECT row_number() OVER (ORDER BY opened_s) AS number,
    toDateTime(opened_s, {zone:String}) AS opened_at, toDateTime(closed_s, {zone:String}) AS closed_at
FROM (
    SELECT arrayJoin(range(midnight, next_midnight, if({step_s:UInt32} IN (0, 86400), 172800, {step_s:UInt32}))) AS start,
        greatest(start, toUnixTimestamp(toDateTime({from:DateTime64(3, 'UTC')}, 'UTC'))) AS opened_s,
        least(if({step_s:UInt32} = 0, 4294967295, if({step_s:UInt32} = 86400, next_midnight, least(start + {step_s:UInt32}, next_midnight))),
            toUnixTimestamp(toDateTime({to:DateTime64(3, 'UTC')}, 'UTC'))) AS closed_s
    FROM (
        SELECT toUnixTimestamp(toDateTime(toDate({from:DateTime64(3, 'UTC')}, {zone:String}) + number, {zone:String})) AS midnight,
            toUnixTimestamp(toDateTime(toDate({from:DateTime64(3, 'UTC')}, {zone:String}) + number + 1, {zone:String})) AS next_midnight
        FROM numbers(if({step_s:UInt32} = 0, 1, toUInt64(greatest(0,
            toDate({to:DateTime64(3, 'UTC')}, {zone:String}) - toDate({from:DateTime64(3, 'UTC')}, {zone:String}))) + 1))
    )
    WHERE throwIf({step_s:UInt32} > 86400 OR ({step_s:UInt32} > 0 AND 86400 % greatest({step_s:UInt32}, 1) != 0),
        'step_s: expected 0 or seconds that divide a day of 86400') = 0
)
WHERE opened_s < closed_s
COMMENT 'The buckets of a range, whether anything happened in them or not. Parameters: from, to (UTC), step_s (0: one bucket; 86400: local day; else seconds that divide a day), zone. Columns: number (from 1), opened_at, closed_at. Buckets begin at local midnight; the last one of a day ends at the next midnight, so days of 23 and 25 hours have no gap';

CREATE OR REPLACE VIEW queue_balance AS
WITH (
    SELECT greatest(max(at), (SELECT max(clock) FROM subjects WHERE kind = 'partition' AND hop = 1)) FROM events
    WHERE type IN ('contact_offered', 'contact_answered', 'contact_abandoned', 'contact_flowed_out')
        AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
) AS newest_at, (
    SELECT max(number)
    FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
    WHERE opened_at <= newest_at
) AS newest
SELECT queue, opened_at, closed_at, in_progress_before, offered, answered, abandoned, flowed_out, in_progress_after,
    toInt64(in_progress_before + offered) - toInt64(answered + abandoned + flowed_out + in_progress_after) AS difference,
    never_left, never_offered
FROM (
    SELECT queue, entry.2 AS number,
        countIf(entry.1 = 'before') AS in_progress_before,
        countIf(entry.1 = 'offered') AS offered,
        countIf(entry.1 = 'answered') AS answered,
        countIf(entry.1 = 'abandoned') AS abandoned,
        countIf(entry.1 = 'flowed_out') AS flowed_out,
        countIf(entry.1 = 'after') AS in_progress_after,
        countIf(entry.1 = 'never_left') AS never_left,
        countIf(entry.1 = 'never_offered') AS never_offered
    FROM (
        SELECT queue, arrayJoin(arrayConcat(
            [(what, came.number)],
            arrayMap(n -> ('before', n), range(came.number + 1, waited_in + 1)),
            arrayMap(n -> ('after', n), range(greatest(came.number, 1), if(is_open, waited_in + 1, waited_in))),
            if(is_paired OR is_open, [], [(if(is_offer, 'never_left', 'never_offered'), if(is_offer, went.number, came.number))])
        )) AS entry,
            multiIf(NOT is_offer, 0, is_open, newest, went.number) AS waited_in
        FROM (
            SELECT 1 AS one, queue, step.4 AS what, what = 'offered' AS is_offer, if(is_offer, following, previous) AS other,
                other.3 > 0 AND abs(other.3 - step.3) <= 43200000 AS is_met,
                is_met AND (other.4 = 'offered') != is_offer AS is_paired,
                if(is_met, greatest(other.3, step.3), step.3 + 43200000) AS went_ms,
                toDateTime(intDiv(step.3, 1000), 'UTC') AS came_at, toDateTime(intDiv(went_ms, 1000), 'UTC') AS went_at,
                is_offer AND NOT is_met AND (went_at > newest_at OR went_at >= {to:DateTime64(3, 'UTC')}) AS is_open
            FROM (
                SELECT queue, arraySort(groupArray((ordered_ms, place, at_ms, what))) AS steps
                FROM (
                    SELECT substring(subject, 7) AS queue, substring(type, 9) AS what, toUnixTimestamp64Milli(at) AS at_ms,
                        JSONExtract(payload, 'Tuple(contact String, waited_s Float64, clamped_s Float64)') AS told,
                        at_ms + toInt64(round(told.clamped_s * 1000)) AS ordered_ms,
                        multiIf(what = 'offered', 1, told.waited_s = 0, 2, 0) AS place
                    FROM events FINAL
                    WHERE type IN ('contact_offered', 'contact_answered', 'contact_abandoned', 'contact_flowed_out')
                        AND at >= {from:DateTime64(3, 'UTC')} - toIntervalHour(12) AND at < {to:DateTime64(3, 'UTC')}
                        AND void = 0 AND superseded_by = 0
                )
                GROUP BY queue, told.contact
            )
            ARRAY JOIN steps AS step, arrayShiftRight(steps, 1) AS previous, arrayShiftLeft(steps, 1) AS following
        ) AS waits
        ASOF LEFT JOIN (
            SELECT 1 AS one, number, opened_at
            FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
        ) AS came ON came.one = waits.one AND waits.came_at >= came.opened_at
        ASOF LEFT JOIN (
            SELECT 1 AS one, number, opened_at
            FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
        ) AS went ON went.one = waits.one AND waits.went_at >= went.opened_at
    )
    WHERE number > 0
    GROUP BY queue, number
) AS counted
JOIN buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String}) AS b
    ON b.number = counted.number
COMMENT 'What came into each queue, what left it and what waited, counted from single contacts. Parameters as buckets. Columns: queue, opened_at, closed_at, in_progress_before and in_progress_after (contacts that wait at each end), offered, answered, abandoned, flowed_out (each at its own time), difference (before + offered less answered, abandoned, flowed out and after: 0 where every contact that was offered leaves once), and what explains another one: never_left (waits that nobody ended in 12 h, or whose contact was offered again), never_offered (contacts that left without being offered). Buckets with nothing, and those that the clock of the floor has not reached, have no row';

CREATE OR REPLACE VIEW queue_at_completion AS
SELECT queue, b.opened_at AS opened_at, b.closed_at AS closed_at,
    countIf(is_complete) AS contacts,
    sumIf(legs.offered, is_complete) AS offered,
    sumIf(legs.answered, is_complete) AS answered,
    sumIf(legs.abandoned, is_complete) AS abandoned,
    sumIf(legs.flowed_out, is_complete) AS flowed_out,
    sumIf(legs.answered_wait_ms, is_complete) AS answered_wait_ms,
    sumIf(legs.abandoned_wait_ms, is_complete) AS abandoned_wait_ms,
    sumIf(legs.answered_within_t, is_complete) AS answered_within_t,
    sumIf(legs.abandoned_within_t, is_complete) AS abandoned_within_t,
    sumIf(legs.handled, is_complete) AS handled,
    sumIf(legs.talk_ms, is_complete) AS talk_ms,
    sumIf(legs.hold_ms, is_complete) AS hold_ms,
    sumIf(legs.wrap_ms, is_complete) AS wrap_ms,
    sumIf(legs.in_hand_ms, is_complete) AS in_hand_ms,
    if(answered + abandoned = 0, NULL, answered_within_t / (answered + abandoned)) AS service_level,
    if(offered = 0, NULL, abandoned / offered) AS abandon_rate,
    if(answered = 0, NULL, answered_wait_ms / (answered * 1000)) AS asa_s,
    if(handled = 0, NULL, (talk_ms + hold_ms + wrap_ms) / (handled * 1000)) AS aht_s,
    countIf(NOT is_complete) AS not_completed
FROM (
    SELECT 1 AS one, queue, contact, toDateTime(max(at), 'UTC') AS completed_at,
        countIf(what = 'offered') AS offered, countIf(what = 'answered') AS answered,
        countIf(what = 'abandoned') AS abandoned, countIf(what = 'flowed_out') AS flowed_out,
        countIf(what = 'handled') AS handled,
        sumIf(waited_ms, what = 'answered') AS answered_wait_ms, sumIf(waited_ms, what = 'abandoned') AS abandoned_wait_ms,
        countIf(what = 'answered' AND waited_ms <= {threshold_s:UInt32} * 1000) AS answered_within_t,
        countIf(what = 'abandoned' AND waited_ms <= {threshold_s:UInt32} * 1000) AS abandoned_within_t,
        sum(part_ms.1) AS talk_ms, sum(part_ms.2) AS hold_ms, sum(part_ms.3) AS wrap_ms, sum(part_ms.4) AS in_hand_ms,
        offered <= answered + abandoned + flowed_out
            AND (answered = 0 OR maxIf(at, what = 'handled') >= maxIf(at, what = 'answered') - toIntervalSecond(2)) AS is_complete
    FROM (
        SELECT at, substring(type, 9) AS what,
            JSONExtract(payload, 'Tuple(contact String, queue String, waited_s Float64, talk_s Float64, hold_s Float64, wrap_s Float64, started_at String)') AS told,
            told.contact AS contact, multiIf(startsWith(subject, 'queue:'), substring(subject, 7), told.queue) AS queue,
            toUInt64(round(told.waited_s * 1000)) AS waited_ms,
            arrayMap(s -> toUInt64(least(round(s * 1000), 14400000)), [told.talk_s, told.hold_s, told.wrap_s]) AS capped_ms,
            if(what != 'handled', (0, 0, 0, 0), (capped_ms[1], capped_ms[2], capped_ms[3], toUInt64(least(43200000,
                greatest(0, dateDiff('millisecond', {started_at}, at)))))) AS part_ms
        FROM events FINAL
        WHERE type IN ('contact_offered', 'contact_answered', 'contact_abandoned', 'contact_flowed_out', 'contact_handled')
            AND at >= {from:DateTime64(3, 'UTC')} - toIntervalHour(24) AND at < {to:DateTime64(3, 'UTC')}
            AND void = 0 AND superseded_by = 0
    )
    WHERE queue != ''
    GROUP BY queue, contact
    HAVING completed_at >= {from:DateTime64(3, 'UTC')}
) AS legs
ASOF JOIN (
    SELECT 1 AS one, opened_at, closed_at
    FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
) AS b ON b.one = legs.one AND legs.completed_at >= b.opened_at
GROUP BY queue, opened_at, closed_at
COMMENT 'KPIs by queue with everything in the bucket of the completion of the contact, as contact records of Amazon Connect have it; kpi_queue counts each thing at its own time. A contact is complete in a queue when it has left it and, if answered, its wrap has ended. Parameters as buckets, and threshold_s. Columns: queue, opened_at, closed_at, contacts, offered, answered, abandoned, flowed_out, answered_wait_ms, abandoned_wait_ms, answered_within_t and abandoned_within_t (waits up to threshold_s), handled, talk_ms, hold_ms, wrap_ms, in_hand_ms, service_level (variant 3), abandon_rate, asa_s, aht_s, not_completed (contacts whose last fact is in the bucket and that are not complete before the end of the range: they count nowhere else). Facts up to 24 h before the range belong to its contacts';

CREATE OR REPLACE VIEW agent_at_completion AS
SELECT agent, b.opened_at AS opened_at, b.closed_at AS closed_at,
    count() AS handled,
    countIf(told.transferred) AS transferred,
    sum(capped_ms[1]) AS talk_ms,
    sum(capped_ms[2]) AS hold_ms,
    sum(capped_ms[3]) AS wrap_ms,
    sum(contact_ms) AS in_hand_ms,
    (talk_ms + hold_ms + wrap_ms) / (handled * 1000) AS aht_s
FROM (
    SELECT 1 AS one, toDateTime(at, 'UTC') AS completed_at, if(alias_of = '', told.agent, alias_of) AS agent,
        arrayFirst(s -> s.1 <= at AND at < s.2, known.spells).3 AS alias_of,
        JSONExtract(payload, 'Tuple(agent String, talk_s Float64, hold_s Float64, wrap_s Float64, started_at String, transferred Bool)') AS told,
        arrayMap(s -> toUInt64(least(round(s * 1000), 14400000)), [told.talk_s, told.hold_s, told.wrap_s]) AS capped_ms,
        toUInt64(least(43200000,
            greatest(0, dateDiff('millisecond', {started_at}, at)))) AS contact_ms
    FROM (
        SELECT substring(subject, 7) AS named, at, payload
        FROM events FINAL
        WHERE type = 'contact_handled' AND startsWith(subject, 'agent:')
            AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
            AND void = 0 AND superseded_by = 0
    ) AS facts
    ANY LEFT JOIN (
        SELECT alias, groupArray((valid_from, valid_to, agent)) AS spells FROM aliases GROUP BY alias
    ) AS known ON known.alias = facts.named
) AS legs
ASOF JOIN (
    SELECT 1 AS one, opened_at, closed_at
    FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
) AS b ON b.one = legs.one AND legs.completed_at >= b.opened_at
GROUP BY agent, opened_at, closed_at
COMMENT 'Contacts of an agent with all their time in the bucket of their completion (end of wrap), as contact records of Amazon Connect have it; kpi_agent splits time by wall clock. Parameters as buckets. Columns: agent (aliases resolved), opened_at, closed_at, handled, transferred, talk_ms, hold_ms, wrap_ms, in_hand_ms (from its start to its completion, at most 12 h each), aht_s';

CREATE OR REPLACE VIEW repeats AS
WITH (
    SELECT greatest(max(at), (SELECT max(clock) FROM subjects WHERE kind = 'partition' AND hop = 1)) FROM events WHERE type = 'contact_offered' AND at >= {from:DateTime64(3, 'UTC')}
) AS newest_at
SELECT queue, client,
    countIf(customer != '') AS known,
    countIf(customer = '') AS unknown,
    countIf(is_due) AS due,
    countIf(is_due AND is_repeated) AS repeated,
    known - due AS not_over,
    if(due = 0, NULL, (due - repeated) / due) AS first_contact_resolution,
    if(due = 0, NULL, repeated / due) AS repeat_rate
FROM (
    SELECT customer, client, instant.1 AS offered_at, queue, following.1 AS next_at,
        addDays(toTimeZone(offered_at, {zone:String}), {days:UInt16}) AS until,
        customer != '' AND until <= newest_at AS is_due,
        next_at > toDateTime64(0, 3, 'UTC') AND next_at < until AS is_repeated
    FROM (
        SELECT client, customer, instant, following
        FROM (
            SELECT client, customer, arraySort(groupArray((first_at, queues))) AS instants
            FROM (
                SELECT places.client AS client, customer, first_at, groupArray(first_queue) AS queues
                FROM (
                    SELECT told.contact AS contact, max(told.customer) AS customer, min(at) AS first_at, argMin(queue, at) AS first_queue
                    FROM (
                        SELECT at, source, substring(subject, 7) AS queue,
                            JSONExtract(payload, 'Tuple(contact String, customer String)') AS told
                        FROM events FINAL
                        WHERE type = 'contact_offered' AND void = 0 AND superseded_by = 0
                            AND at >= {from:DateTime64(3, 'UTC')} - toIntervalHour(24)
                            AND at < {to:DateTime64(3, 'UTC')} + toIntervalDay({days:UInt16} + 1)
                    )
                    GROUP BY source, told.contact
                ) AS firsts
                ANY LEFT JOIN queue_sites AS places ON places.queue = firsts.first_queue
                GROUP BY client, customer, first_at
            )
            GROUP BY client, customer
        )
        ARRAY JOIN instants AS instant, arrayShiftLeft(instants, 1) AS following
    )
    ARRAY JOIN instant.2 AS queue
)
WHERE offered_at >= {from:DateTime64(3, 'UTC')} AND offered_at < {to:DateTime64(3, 'UTC')}
GROUP BY queue, client
COMMENT 'First contact resolution by window. Parameters: from, to (UTC: when the contact came), days (N), zone (N days later means the same local time). One row a queue, with its client: sum due and repeated over queues, never the ratios. Columns: queue (the one that the contact entered first), client, known and unknown (contacts whose customer is known, and not), due (known contacts whose N days are over by the clock of the floor), repeated (those after which another contact of the same customer and client came within N days, in whatever queue), not_over (known contacts left out, as their N days are not over), first_contact_resolution (1 less repeated / due), repeat_rate (repeated / due). A contact that entered its first queue up to 24 h before the range came before it. Raw events must be kept for N days more than the range';

CREATE OR REPLACE VIEW tickets AS
WITH (
    SELECT max(at) FROM events WHERE type IN ('ticket_changed', 'ticket_worked') AND at >= {from:DateTime64(3, 'UTC')}
) AS newest_at, arrayMap(end_at -> (
    if(end_at IS NULL, NULL, greatest(0, dateDiff('millisecond', came_at, end_at)) / 1000),
    if(end_at IS NULL, NULL, if(open.has_hours, arraySum(span -> greatest(0, dateDiff('millisecond',
        greatest(span.1, came_at), least(span.2, assumeNotNull(end_at)))), open.spans), greatest(0, dateDiff('millisecond', came_at, end_at))) / 1000)
), [replied, solved_first, if(last_step != 'solved', NULL, solved_last)]) AS measured
SELECT ticket, source, life.queue AS queue, places.client AS client, priority,
    toTimeZone(came_at, {zone:String}) AS created_at,
    toTimeZone(assigned, {zone:String}) AS first_assigned_at,
    toTimeZone(replied, {zone:String}) AS first_replied_at,
    toTimeZone(solved_first, {zone:String}) AS first_solved_at,
    toTimeZone(solved_last, {zone:String}) AS last_solved_at,
    reopenings AS reopened,
    last_step != 'solved' AS is_open,
    breaches > 0 AS breached,
    measured[1].1 AS first_reply_s,
    measured[1].2 AS first_reply_business_s,
    measured[2].1 AS resolution_s,
    measured[2].2 AS resolution_business_s,
    measured[3].1 AS full_resolution_s,
    measured[3].2 AS full_resolution_business_s
FROM (
    SELECT source, told.ticket AS ticket,
        argMinIf(told.queue, at, step = 'created' AND of_queue) AS queue, argMinIf(told.priority, at, step = 'created' AND of_queue) AS priority,
        minIf(at, step = 'created' AND of_queue) AS came_at, minOrNullIf(at, step = 'assigned') AS assigned,
        minOrNullIf(at, step = 'replied') AS replied, minOrNullIf(at, step = 'solved') AS solved_first,
        maxOrNullIf(at, step = 'solved') AS solved_last, countIf(step = 'reopened' AND of_queue) AS reopenings,
        countIf(step = 'breached' AND of_queue) AS breaches,
        argMaxIf(step, (at, version), step IN ('created', 'reopened', 'solved')) AS last_step
    FROM (
        SELECT at, source, version, type = 'ticket_changed' AS of_queue,
            JSONExtract(payload, 'Tuple(ticket String, change String, queue String, priority String)') AS told, told.change AS step
        FROM events FINAL
        WHERE type IN ('ticket_changed', 'ticket_worked') AND at >= {from:DateTime64(3, 'UTC')} AND void = 0 AND superseded_by = 0
    )
    GROUP BY source, told.ticket
    HAVING came_at >= {from:DateTime64(3, 'UTC')} AND came_at < {to:DateTime64(3, 'UTC')}
) AS life
ANY LEFT JOIN queue_sites AS places ON places.queue = life.queue
ANY LEFT JOIN (
    SELECT queue, true AS has_hours, groupArrayIf((opens_at, closes_at), opens_at < closes_at AND is_work_day) AS spans
    FROM (
        SELECT queue, is_work_day, closes_at, greatest(hour_from, max(if(is_work_day, closes_at, toDateTime(0, {zone:String}))) OVER (
            PARTITION BY queue ORDER BY hour_from, closes_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS opens_at
        FROM (
            SELECT kept.id AS queue, arrayJoin(kept.hours) AS entry,
                toDate({from:DateTime64(3, 'UTC')}, {zone:String}) - 1
                    + arrayJoin(range(toUInt32(greatest(0, toDate(newest_at, {zone:String}) - toDate({from:DateTime64(3, 'UTC')}, {zone:String}))) + 2)) AS day,
                has(entry.1, ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'][toDayOfWeek(day)])
                    AND NOT has(site.holidays, toString(day)) AS is_work_day,
                toDateTime(concat(toString(day), ' ', entry.2, ':00'), {zone:String}) AS hour_from,
                if(entry.3 = '24:00', toDateTime(day + 1, {zone:String}),
                    toDateTime(concat(toString(day + (entry.3 <= entry.2)), ' ', if(entry.3 = '24:00', '00:00', entry.3), ':00'), {zone:String})) AS closes_at
            FROM (
                SELECT id, JSONExtractString(body, 'site') AS site,
                    JSONExtract(body, 'hours', 'Array(Tuple(days Array(String), opens String, closes String))') AS hours
                FROM registry_current WHERE kind = 'queues'
            ) AS kept
            ANY LEFT JOIN (
                SELECT id, JSONExtract(body, 'holidays', 'Array(String)') AS holidays FROM registry_current WHERE kind = 'sites'
            ) AS site ON site.id = kept.site
        )
    )
    GROUP BY queue
) AS open ON open.queue = life.queue
COMMENT 'Each ticket that was created in a range, with what became of it up to now. Parameters: from, to (UTC), zone (of the times shown and of business hours). Columns: ticket, source, queue (that it was created in), client, priority, created_at, first_assigned_at, first_replied_at, first_solved_at, last_solved_at, reopened (how often), is_open, breached (1: a deadline was missed), first_reply_s, resolution_s (to the first solution), full_resolution_s (to the last one; NULL while it is open), and each of the three in business hours of the queue, as the registry holds them now: first_reply_business_s, resolution_business_s, full_resolution_business_s. A queue without hours is always open; on holidays of its site it does not open; hours that close no later than they open go on past midnight';

CREATE OR REPLACE VIEW backlog AS
WITH (
    SELECT greatest(max(at), (SELECT max(clock) FROM subjects WHERE kind = 'partition' AND hop = 1)) FROM events
    WHERE type = 'ticket_changed' AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
) AS newest_at, (
    SELECT max(number)
    FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
    WHERE opened_at <= newest_at
) AS newest
SELECT queue, opened_at, closed_at, open_before, created, reopened, moved_in, solved, moved_out, open_after,
    toInt64(open_before + created + reopened + moved_in) - toInt64(solved + moved_out + open_after) AS difference
FROM (
    SELECT entry.1 AS queue, entry.3 AS number,
        countIf(entry.2 = 'before') AS open_before,
        countIf(entry.2 = 'created') AS created,
        countIf(entry.2 = 'reopened') AS reopened,
        countIf(entry.2 = 'moved_in') AS moved_in,
        countIf(entry.2 = 'solved') AS solved,
        countIf(entry.2 = 'moved_out') AS moved_out,
        countIf(entry.2 = 'after') AS open_after
    FROM (
        SELECT arrayJoin(arrayConcat(
            if(what IN ('created', 'reopened', 'solved'), [(queue, what, came.number)], []),
            if(was_open AND was_in != queue, [(was_in, 'moved_out', came.number), (queue, 'moved_in', came.number)], []),
            if(is_first AND was_open, arrayConcat(
                arrayMap(n -> (queue, 'before', n), range(1, came.number + 1)),
                arrayMap(n -> (queue, 'after', n), range(1, came.number))), []),
            if(is_open, arrayConcat(
                arrayMap(n -> (queue, 'before', n), range(came.number + 1, stood_in + 1)),
                arrayMap(n -> (queue, 'after', n), range(greatest(came.number, 1), if(is_last, stood_in + 1, stood_in)))), [])
        )) AS entry, if(is_last, newest, went.number) AS stood_in
        FROM (
            SELECT 1 AS one, step.5 AS queue, step.4 AS what, place = 1 AS is_first, place = length(steps) AS is_last,
                filled[place] != 0 AS is_open,
                if(is_first, what NOT IN ('created', 'reopened'), filled[place - 1] != 0) AS was_open,
                if(is_first, queue, steps[place - 1].5) AS was_in,
                toDateTime(intDiv(step.1, 1000), 'UTC') AS came_at,
                toDateTime(intDiv(if(is_last, step.1, steps[place + 1].1), 1000), 'UTC') AS went_at
            FROM (
                SELECT arraySort(groupArray((at_ms, told.change != 'created', version, told.change, substring(subject, 7)))) AS steps,
                    arrayFill(x -> x != 2, arrayMap(s -> multiIf(s.4 = 'solved', 0, s.4 IN ('created', 'reopened'), 1, 2), steps)) AS filled
                FROM (
                    SELECT source, subject, version, toUnixTimestamp64Milli(at) AS at_ms,
                        JSONExtract(payload, 'Tuple(ticket String, change String)') AS told
                    FROM events FINAL
                    WHERE type = 'ticket_changed' AND at < {to:DateTime64(3, 'UTC')} AND void = 0 AND superseded_by = 0
                )
                GROUP BY source, told.ticket
            )
            ARRAY JOIN steps AS step, arrayEnumerate(steps) AS place
        ) AS lives
        ASOF LEFT JOIN (
            SELECT 1 AS one, number, opened_at
            FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
        ) AS came ON came.one = lives.one AND lives.came_at >= came.opened_at
        ASOF LEFT JOIN (
            SELECT 1 AS one, number, opened_at
            FROM buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String})
        ) AS went ON went.one = lives.one AND lives.went_at >= went.opened_at
    )
    WHERE number > 0
    GROUP BY queue, number
) AS counted
JOIN buckets(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}, step_s = {step_s:UInt32}, zone = {zone:String}) AS b
    ON b.number = counted.number
COMMENT 'Open tickets by queue, counted from single tickets. Parameters as buckets. Columns: queue, opened_at, closed_at, open_before and open_after (tickets open at each end), created, reopened, solved (each at its own time), moved_in and moved_out (open tickets whose next step was in another queue), difference (before + created + reopened + moved in less solved, moved out and after: 0 unless an open ticket is reopened or a closed one solved). A ticket whose creation is older than the raw events that are kept is open until its first solution; one without any step in that time is not seen. Buckets with nothing, and those that the clock of the floor has not reached, have no row';
