"""Home to clinic: what crosses, the sender at home, the receiver in the clinic."""
