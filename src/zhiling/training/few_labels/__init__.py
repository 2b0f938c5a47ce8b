"""Much from a few labelled rows: tuning by contrast, label names, and rows without a label.

Which of it helps is found out on held-out seeds, never assumed: see `choice.py`.
"""
