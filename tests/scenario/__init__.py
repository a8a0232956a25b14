"""What supervisors must do, as a table: played on the pure core, and on real actors."""
