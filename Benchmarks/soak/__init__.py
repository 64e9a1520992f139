"""A mixed load at live rates for as long as one likes, and what grows meanwhile: what `make soak` runs.

`python3 -m soak --help` lists the arguments. Needs Python 3.11, its standard library, and PostgreSQL's pgstattuple.
"""
