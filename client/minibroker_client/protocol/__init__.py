"""What a client says over a socket, without one: bytes in, bytes out, answers that are waited for.

`channel` and `connection` hold what both protocols share, `amqp` and `native` what they are as
bytes. Whoever owns the socket is a `Shell`: it says how to wait. A method that needs an answer
returns what the shell makes of waiting: the answer itself, or something to be awaited.
"""

from __future__ import annotations
