"""One floor on one machine: a real Kafka, a real ClickHouse and every part under one supervisor."""
