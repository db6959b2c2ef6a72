"""A pile of lines to what fails, for whom, since when and how widely: what `shipper report` does.

Reads logs, archives, a pipe or a Loki. Finds lines by the pipeline's scan, reads and explains them as `shipper explain`
does, and counts; so its figures are those of the agent's audit. Knows nothing of the agent.
"""
