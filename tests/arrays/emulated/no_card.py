"""Why this machine has no card, in the words of netcli; None where it has one."""

from netcli.arrays.cuda.card import Card
from netcli.errors import NetcliError


def reason():
    try:
        Card(0)
    except NetcliError as fault:
        return fault.message
    return None


NO_CARD = reason()
