"""Every name of a log event and of a dead letter's reason, so that code, docs and tests speak of the same thing."""

from __future__ import annotations

from typing import Literal

DeadReason = Literal["oversize", "invalid", "conflict", "future", "too_late", "rejected_row", "erased"]
"""Why a message is in the dead letters."""

DEAD_REASON_MEANINGS: dict[DeadReason, str] = {
    "oversize": "The message is larger than an event may be.",
    "invalid": "The message is no event: the detail names the field and what was expected.",
    "conflict": "The same revision of a fact came before with other content.",
    "future": "It says that it happened more than 2 minutes after the broker wrote it.",
    "too_late": "It is older than the raw events that are kept, so its minute cannot be folded again.",
    "rejected_row": "A reader could not make an event of a row of a file, or of an event of a request.",
    "erased": "It came of a person who was erased: where it stood in the log is kept, none of its bytes.",
}

LOG_EVENT_MEANINGS: dict[str, str] = {
    "worker_started": "A worker begins.",
    "worker_stopping": "A worker ends as it was told to.",
    "worker_failed": "A worker ends by an error; its supervisor starts it again from its checkpoint.",
    "partition_restored": "The state of a partition was read from ClickHouse, and folding goes on after its boundary.",
    "flush_retried": "ClickHouse or Kafka did not take a flush: it is tried again, nothing is lost.",
    "consumption_paused": "ClickHouse is away and the buffer is full: nothing more is fetched until it is back.",
    "consumption_resumed": "The buffer has room again.",
    "gap_accepted": "Records are gone from the log, and a person said to go on without them.",
    "command_refused": "A message on floor.commands could not be read as a command: it is a dead letter.",
    "revision_loaded": "A worker judges and groups by these revisions of registry and rules from here on.",
    "command_dropped": "A command was about a person who was erased: nothing comes of it.",
    "stream_overtaken": "Another worker wrote to a stream of the ledger meanwhile: its commands are decided again.",
    "erased_rows_deleted": "Rows of people who were erased had come back, as by a worker thought dead; they are gone.",
    "erasure_failed": "ClickHouse did not answer while it was looked for rows of erased people; it is tried again.",
    "days_rolled_up": "Days that changed were rolled up into quarter hours.",
    "roll_up_failed": "ClickHouse did not answer while days were rolled up; it is tried again.",
    "schema_applied": "Tables and views were created or replaced.",
    "topics_applied": "Topics were created.",
    "registry_applied": "A revision of the registry holds.",
    "rules_applied": "A revision of the rules holds.",
    "timezone_kept": "The site main has another time zone than the settings say; that of the registry holds.",
    "file_rotated": "A followed file was rotated; reading goes on in the new one.",
    "file_lost": "What a tail read last was packed, emptied or removed meanwhile: lines after this one may be missing.",
    "source_stopped": "Nearly all that a source sends cannot be used: the gateway takes nothing of it for a minute.",
    "difference_found": "The proof of the numbers found something that is not as it must be: `floorpulse reconcile`.",
    "request_refused": "No event of a request to the gateway could be used.",
    "part_ended": "A part of an embedded floor ended by itself; the supervisor starts it again.",
    "store_opened": "The embedded ClickHouse answers.",
    "store_closed": "The embedded ClickHouse has stopped.",
    "query_failed": "ClickHouse did not answer a read, or refused it.",
    "message_sent": "A message has reached its receiver.",
    "message_failed": "A message could not be delivered and is given up.",
    "message_dropped": "Steps of alerts were not told: they are older than 15 minutes, or could not be read.",
    "viewer_joined": "Somebody opened a live page.",
    "page_failed": "A page could not be made, as a part of the floor does not answer.",
}

LOG_EVENTS = frozenset(LOG_EVENT_MEANINGS)
DEAD_REASONS: frozenset[str] = frozenset(DEAD_REASON_MEANINGS)
