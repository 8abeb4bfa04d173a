"""necktrace."""
