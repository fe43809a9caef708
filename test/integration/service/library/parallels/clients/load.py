"""Loads every name of the SDK, as its own loaders do: one that is missing is a library that cannot be used."""
import ctypes
import json
import sys

library = ctypes.CDLL(sys.argv[1])
with open(sys.argv[2]) as file:
    declared = json.load(file)
current = [name for name, of in declared.items() if of["list"] == "current"]
missing = [name for name in declared if not hasattr(library, name)]
print(json.dumps({"declared": len(declared), "current": len(current), "missing": missing}))
