"""What actors say to each other: frozen, tagged msgspec types, one conversation a module."""
