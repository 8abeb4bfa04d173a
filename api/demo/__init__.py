"""The demonstration: a simulated patient with two virtual sensors, and a fortnight of history."""
