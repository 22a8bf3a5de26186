"""What holds for every test, and for the processes that tests start."""

import os

# Implementations go by their rules: timed ones differ in last bits from run to run, and are kept in the user's cache.
os.environ["NETCLI_TIMING"] = "off"
