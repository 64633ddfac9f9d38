"""The polyhedral model: dependences, schedules, schedule trees.

Here is the model itself: statements, domains, dependences, trees, strategies, legality, prices. What works on it lies
in a folder for each part of the way: `rewrite` (before the model), `schedule`, `tile`, `astgen`, `loops` (after it).
"""
