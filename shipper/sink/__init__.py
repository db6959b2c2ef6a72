"""To Loki: batches, pushes, and what an answer means."""
