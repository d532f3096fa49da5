"""From the wind at the inner boundary to the Earth: files that models of the heliosphere read, and HUXt."""
