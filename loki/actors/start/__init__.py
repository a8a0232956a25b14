"""The starter: boots the actor system, watches it, and boots it again."""
