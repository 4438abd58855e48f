"""Sources that are asked over the network: package index, OSV, NVD, and the manners with which they are asked.

Needs the optional packages of ``batchbook[online]``; nothing else imports from here unless a job names such a source.
"""
