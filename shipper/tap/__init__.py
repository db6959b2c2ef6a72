"""What a running agent keeps, for those who watch: the last entries, and each as it comes.

Only where lines may be shown at all. Whoever watches never delays the agent: a slow one loses entries, and is told how
many.
"""
