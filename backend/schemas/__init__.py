"""What the API answers. Times are ISO 8601 UTC, durations seconds, sizes bytes, losses nats per token."""
