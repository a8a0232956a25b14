"""Time series: a journal in the database first, Zarr groups later."""
