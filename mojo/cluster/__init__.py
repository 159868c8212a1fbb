"""
Many servers as one: what one sends, the clients of all get.

`names` and `wire` say what servers tell each other, in the formats of the official adapters;
`bus` what carries it, of which `redis_bus` is the one for Redis; `pubsub` is the adapter that a
namespace has in place of its own.  None of it is imported unless the settings name a Redis.
"""
