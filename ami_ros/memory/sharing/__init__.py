"""Robots of one site fetch each other's memories, row by row, and take them into their maps while they drive.

Takes letters of other robots (`letters.Letter`) and this robot's memory file; gives letters, a folder of copies, and
maps that several robots have made.

Start from `exchange.Exchange`, which runs in a process of its own and writes copies (`replica_writer`). Then see
`joining.Joiner`, which reads them (`replica`), finds where another map lies (`overlap`) and places it (`placing`).
"""
