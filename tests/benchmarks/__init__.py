"""Measurements that `make bench` prints; nothing here is asserted, and nothing here is a test."""
