"""One server of Raft, and nothing else: no network, no clock, no pictures. Standard library only."""
