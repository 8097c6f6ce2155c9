"""Claims about other people's software, at the versions that `cdk/versions.py` pins.

`facts/` has what was read from upstream's own files, in our form; it decides wherever tests run.
Where upstream's checkouts are at hand too, other tests say whether the facts still are what stands
there. `python -m tests.cdk.upstream` writes them anew after a pin has moved.
"""
