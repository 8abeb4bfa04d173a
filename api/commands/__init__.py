"""Commands of `necktrace`, one module each with an attribute `command`."""
