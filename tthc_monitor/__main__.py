"""``python -m tthc_monitor``: the program, where its command is not among the shell's."""

from tthc_monitor.cli import main

main()
