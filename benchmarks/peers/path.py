"""What a container log's path tells, as a regular expression that RE2, Onigmo and Rust's crate all read."""

POD = r"/(?P<namespace>[^_/]+)_(?P<pod>(?P<app>[^_/]+)-[a-z0-9]{10}-[a-z0-9]{5})_[^_/]+/istio-proxy/[^/]+\.log$"
NEEDLE = '"response_flags":"UT"'  # what a search for text looks for before anything is parsed
