"""The process that records: `necktrace up`, and what every recording process has in common."""
