"""Pure decisions: what a clip costs, who goes first, who gives way, who is let in. No I/O, no clock of its own."""

from cinelet.scheduling.admission import Verdict, admit, wait_of
from cinelet.scheduling.batch import BatchFit, BatchLine
from cinelet.scheduling.cost import Architecture, Cost, CostModel, Sample, Shape, shape_of
from cinelet.scheduling.ledger import Ledger
from cinelet.scheduling.line import Line
from cinelet.scheduling.order import may_start
from cinelet.scheduling.outlook import Outlook
from cinelet.scheduling.policy import POLICIES, Decision, Policy, decide, policy_named
from cinelet.scheduling.pricer import Pricer
from cinelet.scheduling.profile import Profile, read_profile
from cinelet.scheduling.waiting_room import WaitingRoom
from cinelet.scheduling.work import RANKS, Standing, Work, promise_s, slack_s, standing

__all__ = [
    "POLICIES",
    "RANKS",
    "Architecture",
    "BatchFit",
    "BatchLine",
    "Cost",
    "CostModel",
    "Decision",
    "Ledger",
    "Line",
    "Outlook",
    "Policy",
    "Pricer",
    "Profile",
    "Sample",
    "Shape",
    "Standing",
    "Verdict",
    "WaitingRoom",
    "Work",
    "admit",
    "decide",
    "may_start",
    "policy_named",
    "promise_s",
    "read_profile",
    "shape_of",
    "slack_s",
    "standing",
    "wait_of",
]
