"""From vendor bytes to events: parsers in `core`, I/O in `readers`."""
