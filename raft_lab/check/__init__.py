"""Is it right, and if not, the shortest proof."""
