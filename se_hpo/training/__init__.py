"""The inner loop: train one agent, test it on the task; torch and native engines."""
