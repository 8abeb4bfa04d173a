"""What a person is guided through beside the recording: calibration, re-don, reference pose."""
