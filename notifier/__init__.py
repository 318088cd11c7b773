"""The notification endpoint: a registry's notification becomes a durable stream entry."""
