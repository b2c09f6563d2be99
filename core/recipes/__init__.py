"""Recipes: named transformations, files that use them, splits, checks for leakage.

Import what is needed from its module: `catalogue` (the list, no library), `files` (reading
recipe files), `plan` (fitting and applying), `fitted` (saving), `splits`, `leaks`, `steps`
(what pipeline steps call).
"""
