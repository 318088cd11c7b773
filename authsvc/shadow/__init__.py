"""Shadow mode: stands in front of a running docker_auth, hands everything on as it is, and tells where ours would differ."""
