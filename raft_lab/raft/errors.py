"""Errors that say what was asked, why it cannot be done, and what would make it possible."""


class RaftLabError(Exception):
    """Base of every error that raft_lab raises on purpose."""


class HandlerError(RaftLabError):
    """A handler of a `Server` subclass raised, or left something that is not a value behind."""
