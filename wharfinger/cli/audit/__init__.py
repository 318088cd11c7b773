"""``wharfinger audit``: searching, following and exporting the trail, and proving it. Each sub-command in its own module."""
