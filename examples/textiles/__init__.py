"""Simulated textiles of the package conformal-clip-data (MIT): a data set that nothing here was tuned on."""
