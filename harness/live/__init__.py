"""Opens what is done with hosts that are known by a plan alone: a live run, and the dry run that is approved before it.

Nothing here knows rehearsals; from the opening on, a live run is what a rehearsal is.
"""

from __future__ import annotations

from harness.live.command import Terminal
from harness.live.dry_run import open_dry
from harness.live.opening import open_live

__all__ = ["Terminal", "open_dry", "open_live"]
