"""The mathematics of diffusion; it knows nothing of time series or of networks."""
