"""
Many servers as one: what one sends, the clients of all get.

`names` and `wire` say what servers tell each other, in the formats of the official adapters;
`bus` what carries it, of which `redis_bus` is the one for Redis; `adapter` is what a namespace has
in place of its own, and speaks by a `line`, of which there is one for each format: `pubsub` and
`streams`.  None of it is imported unless the settings name a Redis, or there are several workers.
"""
