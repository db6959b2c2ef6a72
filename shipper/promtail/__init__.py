"""Promtail's configuration to ours, and a report of what does not carry over: what `shipper import` does.

Works on the text alone: opens no log, asks no Loki and no Kubernetes. Knows our configuration's sections by their
names, and nothing of the agent that will use them.
"""
