"""L4: raw text to token shards, once, in pieces that any process may do in any order.

`inputs.py` finds raw files and cuts them into pieces, `texts.py` reads a piece, `encoders.py` makes tokens,
`task.py` does one piece, `run.py` all of them, `folder.py` keeps what is done. The same input and tokenizer
end in the same bytes, however many processes there are and however often a run was cut off.
"""
