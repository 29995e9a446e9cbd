"""Read a run's folder into tidy pandas frames, without torch."""
