"""One adapter a foreign thing, each behind a port."""
