"""How actors talk: one door each, with lanes to the others."""
