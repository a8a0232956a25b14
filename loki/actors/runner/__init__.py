"""The per-script actor and its budgets."""
