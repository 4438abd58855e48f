"""What `engine.py` measures: the workbooks, the cases, what they are held against, and how figures are printed."""
