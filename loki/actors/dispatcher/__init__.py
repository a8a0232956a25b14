"""Who admits runs, gives them to runners, and knows how they ended."""
