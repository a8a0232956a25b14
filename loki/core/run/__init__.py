"""What a run may do and use, how it is admitted and how it ends."""
