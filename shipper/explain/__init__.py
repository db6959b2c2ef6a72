"""Access-log lines in, why they failed out: what `shipper explain` does.

Works on one line at a time, offline. Uses the pipeline's reading and its rule, so it says what the agent would decide;
knows nothing of files being tailed, and nothing of Loki.
"""
