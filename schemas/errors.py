"""The errors of floorpulse, sorted by what happens next.

FloorpulseError
  ConfigError    stop at start, exit code 2: names file, line and key
  InputError     refuse the input, exit code 2 or a 4xx problem: names file, line and field
  InvalidEvent   never retry: to the dead letters, with its reason
  Unavailable    retry: a broker or a store does not answer now
  StopWorker     stop the process: going on would lose or invent data
  Refused        a person's or a rule's command cannot be carried out: shown as 409 or 403
"""

from __future__ import annotations


class FloorpulseError(Exception):
    """Any error that floorpulse raises itself."""


class ConfigError(FloorpulseError):
    """Settings, rules or registry that cannot be used. The message is one line for a person."""


class InputError(FloorpulseError):
    """Input from outside that cannot be used. The message is one line for a person."""


class InvalidEvent(FloorpulseError):
    """A message that is no event. `reason` is a `DeadReason`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Unavailable(FloorpulseError):
    """A dependency does not answer; the same call may succeed later."""


class StopWorker(FloorpulseError):
    """The worker must stop, because going on would lose or invent data."""


class Refused(FloorpulseError):
    """A command that the state of the record, or the role of the caller, does not allow."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
