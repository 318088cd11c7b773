"""The token service: a docker client's request becomes a token and its issuance."""
