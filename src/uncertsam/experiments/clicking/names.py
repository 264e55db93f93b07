"""The ways of clicking: where the method is most unsure, anywhere near the object, and at the largest error."""

GUIDED, RANDOM, ORACLE = POLICIES = ("guided", "random", "oracle")
