"""What Loki costs, as ratios to a bare peer that is measured in the same run."""
