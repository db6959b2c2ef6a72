"""What is made of the tree for those who install it: the plain manifest, the chart's schema, a release's text.

Each module is a command: `make manifests` runs `manifests` and `values_schema`, the release workflow runs `notes`.
"""
