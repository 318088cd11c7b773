"""Wharfinger: the token service, the notification endpoint and the audit trail beside a plain Docker registry."""
