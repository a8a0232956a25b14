"""What an actor is made of: a process that Thespian forks, and how it lives and ends."""
