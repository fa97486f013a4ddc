"""The demo: a simulated floor in an embedded one, from the first event to the summary."""
