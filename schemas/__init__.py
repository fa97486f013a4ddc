"""The language of floorpulse: what happened, what was counted, what was proposed, what was decided."""
