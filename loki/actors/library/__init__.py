"""The scripts of this device: read, registered, numbered and published."""
