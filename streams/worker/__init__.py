"""Faust: the only place that imports it."""
