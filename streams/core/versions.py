"""Versions of rows: of two of the same key, the higher one stands."""

OFFSET_BITS = 48


def version_of(epoch: int, offset: int) -> int:
    """The version of a row: the record of the highest offset of the highest epoch wins."""
    return (epoch << OFFSET_BITS) + offset
