"""The processes that are measured: one module each, started with an order as the only argument."""
