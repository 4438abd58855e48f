"""Sources of the package review that are asked over the network."""
