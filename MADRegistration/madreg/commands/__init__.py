"""The sub-commands of ``madreg``: each module has ``add_arguments(parser)`` and ``run(args) -> int``."""
