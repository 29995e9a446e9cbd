"""Tasks and synthetic environments, for this project's agents and everybody's."""
