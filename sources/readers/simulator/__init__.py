"""A floor that does not exist: seeded calls, agents, breaks, tickets, evaluations, and problems planted in them."""
