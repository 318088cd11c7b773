"""The SQL store: audit records, the Merkle log over them, issuances and deliveries. Decides nothing about a push.

Every writer runs in one ``BEGIN IMMEDIATE`` transaction: SQLite's single write lock is the log's one sequencer.
"""
