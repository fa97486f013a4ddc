"""Every name of a log event and of a dead letter's reason, so that code, docs and tests speak of the same thing."""

from __future__ import annotations

from typing import Literal, get_args

DeadReason = Literal["oversize", "invalid", "conflict", "future", "too_late", "rejected_row"]
"""Why a message is in the dead letters; `rejected_row`: a reader could not parse it."""

LogEvent = Literal[
    "worker_started",
    "worker_stopping",
    "worker_failed",
    "partition_assigned",
    "partition_restored",
    "partition_revoked",
    "batch_flushed",
    "flush_retried",
    "consumption_paused",
    "consumption_resumed",
    "gap_accepted",
    "letters_stored",
    "alert_fired",
    "alert_resolved",
    "command_decided",
    "command_refused",
    "revision_loaded",
    "schema_applied",
    "topics_applied",
    "registry_applied",
    "rules_applied",
    "timezone_kept",
    "ingest_started",
    "ingest_finished",
    "rows_rejected",
    "file_rotated",
    "events_accepted",
    "request_refused",
    "part_started",
    "part_ended",
    "part_ready",
    "store_opened",
    "store_closed",
    "query_failed",
    "message_sent",
    "message_failed",
    "message_dropped",
    "viewer_joined",
    "viewer_left",
    "page_failed",
]
LOG_EVENTS: frozenset[str] = frozenset(get_args(LogEvent))
DEAD_REASONS: frozenset[str] = frozenset(get_args(DeadReason))
