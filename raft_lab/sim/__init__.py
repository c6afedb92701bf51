"""Many servers, a hostile network, and a tape of what happened."""
