"""The public API, generated from proto/loki/v1 by proto/generate.py."""
