"""etcd's key-value store as a replicated state machine: pure, persistent, and compared with a real etcd."""
