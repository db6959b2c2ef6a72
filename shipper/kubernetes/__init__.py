"""One resource of the Kubernetes API, listed once and then watched: for the agent its node's pods, for others more."""
