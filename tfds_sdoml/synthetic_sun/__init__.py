"""A model Sun: regions and their field, EUV emission, and what an observer sees of both."""
