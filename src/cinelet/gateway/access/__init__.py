"""Who is calling, and how much of it: keys, tokens, rates. Nothing of routes, nothing of jobs."""

from cinelet.gateway.access.authenticator import Accounts, Authenticator, Caller, check_open
from cinelet.gateway.access.key_set import KeyServer, KeySet
from cinelet.gateway.access.limiter import Allowance, Limiter, open_counters
from cinelet.gateway.access.token_checker import Claims, TokenChecker, TokenRules

__all__ = [
    "Accounts",
    "Allowance",
    "Authenticator",
    "Caller",
    "Claims",
    "KeyServer",
    "KeySet",
    "Limiter",
    "TokenChecker",
    "TokenRules",
    "check_open",
    "open_counters",
]
