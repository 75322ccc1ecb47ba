"""The one exception that means: the user's input, not our code, has to change."""


class InputError(Exception):
    """One or more problems with the user's input, one line each.

    Every line says where, what was expected, what was received and what to do. The command line
    prints the lines and exits with status 2.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
