"""Sensors from the shop: pure decoders, command encoders, descriptions; one module each."""
