"""The image, built and run for real on one machine, without a registry: `make image`.

Reads in this order: `needs`, `base`, `pip`, `builder`, `layers`, `bundle`, `container`, `node`, `trial`.
"""
