"""A running cluster that real clients can reach: on wall-clock time, over real protocols, on loopback."""
