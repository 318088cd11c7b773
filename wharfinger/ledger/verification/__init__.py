"""Verifying the log: every record against its leaf, every hash against its tree, every checkpoint against what it signed.

Reads while others write: what is committed is never changed by us but for erasure, so each batch is a snapshot of its own and
no long transaction holds the database back. Memory does not grow with the log.
"""
