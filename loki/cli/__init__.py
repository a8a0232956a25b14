"""The command line: commands that ask the server or start one, and show what it says."""
