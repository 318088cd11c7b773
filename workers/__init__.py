"""The workers: stream entries become ledger rows, and rows become deployments."""
