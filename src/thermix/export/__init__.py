"""L5: a plan as the configuration of a trainer that mixes by itself, and how far that is from the plan.

Such trainers know weights that stay for a while, and nothing of a temperature. `stages.py` cuts the plan into
stages where constant weights come nearest, one file a trainer writes them down, `distance.py` counts what
that costs, `places.py` says where the data lies, `run.py` does all of it.
"""
