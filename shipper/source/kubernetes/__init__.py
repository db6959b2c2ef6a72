"""What the Kubernetes API tells of this node's pods."""
