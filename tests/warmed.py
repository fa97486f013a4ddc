"""What each forked process would do again: `inspect`, which Faust asks, looks up the file of every module there is."""

from __future__ import annotations

import inspect

from tests.faults.harness import planted

inspect.getmodule(planted.plant.__code__)
