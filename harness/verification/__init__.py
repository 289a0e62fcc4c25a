"""The verification user: a known account with known content, created on the source and looked for on the dest.

What was created, and the tokens minted for it, are kept in the run's private folder. The dest must answer with the same streams,
events, bytes, points, permissions, webhook and profiles, to the same credentials, and refuse what was refused.

`account` is who it is, `creating` makes it, `comparing` looks for it, `credentials` are what lets in and what does not, `health`
the health checks, `witnesses` what files and SQL say beside the API.
"""

from __future__ import annotations

from harness.verification.account import DEPARTED, KEPT, MADE, Known, absent, departed, sign_in
from harness.verification.comparing import data_set_served
from harness.verification.creating import POINTS, STREAM, create, delete_account
from harness.verification.credentials import CREDENTIALS, WRONG, let_in, refused, refused_for_both, register_again, show
from harness.verification.health import documented, lasting_token, ready, stronger
from harness.verification.witnesses import ask_once, attachments_by_two, in_audit, not_in_source_log, three_witnesses

__all__ = [
    "CREDENTIALS",
    "DEPARTED",
    "KEPT",
    "MADE",
    "POINTS",
    "STREAM",
    "WRONG",
    "Known",
    "absent",
    "ask_once",
    "attachments_by_two",
    "create",
    "data_set_served",
    "delete_account",
    "departed",
    "documented",
    "in_audit",
    "lasting_token",
    "let_in",
    "not_in_source_log",
    "ready",
    "refused",
    "refused_for_both",
    "register_again",
    "show",
    "sign_in",
    "stronger",
    "three_witnesses",
]
