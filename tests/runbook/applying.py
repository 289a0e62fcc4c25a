"""Which scenarios apply only to some moves."""

from __future__ import annotations

AHEAD = {"The data roots are on the dest before users wait", "What was sent ahead is known on both hosts"}
IN_RQLITE = {
    "The platform's database is the core's own, and closed to others",
    "The dest has the program of the source's platform database",
    "The platform's database was stopped whole",
    "The platform's rows arrive unchanged",
    "The platform's rows are those of the source",
}
RAFT_ADDRESS = {"The platform's database will find itself at the dest's address"}
BY_DNS = {"Every name server answers the dest's address", "The public name leads past the source"}
BY_PROXY = {
    "The source can forward to the dest",
    "The dest knows its clients behind the source",
    "The source forwards every path to the dest",
    "Uploads, series and websockets pass",
    "The client's address is preserved",
    "The public name leads to the dest without the source",
    "The dest trusts no other proxy any more",
}
# Of kinds of deploy and ways to install: loopback hosts control their core by commands, and its tree is copied.
OF_UNITS = {"The source's unit can be fenced and moved", "The dest has the source's unit"}
OF_APPS = {"The source's app can be fenced and moved", "The dest has the source's app"}
OF_CONTAINERS = {"The core's container can be made again on the dest", "The dest has the source's container, not started"}
CLONED = {"The source's core can be cloned"}
OTHER_KINDS = OF_UNITS | OF_APPS | OF_CONTAINERS | CLONED
