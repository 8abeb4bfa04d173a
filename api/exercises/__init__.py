"""Guided exercises: the plan put beside what was done, and the player."""
