"""Metadata of this node's pods, from the Kubernetes API."""
