"""Who calls, what that allows, and how much of it."""
