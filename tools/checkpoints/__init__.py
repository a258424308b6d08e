"""Checkpoints of other programs, read with their owners' libraries; tools/convert_checkpoint.py is the command."""
