"""Builds the image and runs it on one machine, without a registry: `make image`.

Read the modules in this order: `needs`, `base`, `pip`, `builder`, `layers`, `bundle`, `container`, `node`, `trial`.
"""
