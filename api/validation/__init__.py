"""What `necktrace validate` measures: orientation on BROAD, angles on simulated patients."""
