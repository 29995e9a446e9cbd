"""The outer loop: an evolution strategy over the parameters of an SE."""
