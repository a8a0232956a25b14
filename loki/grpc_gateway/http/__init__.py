"""Unary calls over HTTP, by the Connect protocol."""
