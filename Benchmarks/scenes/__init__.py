"""The product's scenes, each beside its reference in the same run: what `make bench` runs.

`python3 -m scenes --help` lists the arguments. Needs Python 3.11 and its standard library; the asyncio peer has a
virtual environment of its own, made by the Makefile.
"""
