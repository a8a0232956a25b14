"""The services that scripts are: one each, with the messages that their parameters make."""
