"""Ships the evidence of failed mTLS handshakes from Istio's proxies to Loki."""

__version__ = "0.1.0"
