"""The systems that queues can lie in: one driver each, on the system's own library.

A module here is imported when its URL is used, and offers a `transport`. What they all share is in
`minibroker_client.remote`.
"""
