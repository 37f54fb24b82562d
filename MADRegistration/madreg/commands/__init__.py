"""The command line of ``madreg``; the module of a command has ``add_arguments(parser)`` and ``run(args) -> int``."""
