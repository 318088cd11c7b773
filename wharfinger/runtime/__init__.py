"""What every process runs on: configuration, logs, serving, the embedded store. Knows no service."""
