"""The laboratory: a real Envoy, its certificates and clients, the node's log files, and a stand-in for Loki.

Used by the demo, the tests and the benchmarks; the agent never imports it.
"""
