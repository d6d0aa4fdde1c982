"""Effects that others call: metrics, telemetry; later the gateway."""
