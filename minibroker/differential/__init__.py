"""The same programs on two brokers: what clients see must be equal.

A program is data (`program`) that a generator makes from a seed (`generate`); it is performed on
each broker (`execute`) and the records are compared (`compare`); a difference is shrunk (`shrink`)
until each operation that is left is needed for it. `hunt` does all this for many programs. It is a
client of both brokers, and knows nothing of how MiniBroker works.
"""
