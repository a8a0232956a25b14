"""Files of this device that may change, or that must be secret."""
