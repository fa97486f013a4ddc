"""Speed measured: floorpulse and its peers on the same events, the same broker and the same machine."""
