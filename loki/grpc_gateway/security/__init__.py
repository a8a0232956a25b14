"""Who calls, what secures the connection, and how both change without a restart."""
