"""The pure engine: a log's records in, panes, windows, alerts out. No I/O, no clock, no logger."""
