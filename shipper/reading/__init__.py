"""Whatever people have in, records of access logs out: files, pipes, and what tools have put around lines.

Works offline and on one line at a time. The agent reads less than this: the runtime's prefix, colours, and the records
of `pipeline/enclosed`, for it ships by what it reads. Knows nothing of what a record means.
"""
