"""What reads files, tails, HTTP and the simulator, and produces to `floor.events`."""
