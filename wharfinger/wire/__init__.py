"""What two processes must agree on: names, records, grammars, and the codec. No I/O, and nothing of ours below it.

Entry test for anything in here: is it serialised by one process and read by another, or the name of the pipe between them?
"""
