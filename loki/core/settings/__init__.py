"""Which settings change while Loki runs, and who may change them."""
