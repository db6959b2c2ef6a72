"""Lines out of Loki: which are asked for, page by page, over HTTP. Knows nothing of what a line means."""
